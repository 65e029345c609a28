//! `relata plugin …`: the life of a plugin. Making one (new, build, check, test) is in
//! [`crate::authoring`]; here is what is asked of a workspace.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use serde_json::{Value as Json, json};

use super::blueprint::{PLAN_FIELDS, plan_text};
use super::print_answer;
use super::target::Target;
use crate::authoring;
use crate::cli::{Common, PluginCommand, PluginData};

const PLUGIN_FIELDS: &str = "id version name status reason";

pub(super) async fn run(common: &Common, command: PluginCommand) -> Result<()> {
    match command {
        PluginCommand::New { name } => authoring::new(&name),
        PluginCommand::Build { dir, output } => {
            authoring::build(&dir, output.as_deref()).map(|_file| ())
        }
        PluginCommand::Check { file } => authoring::check(&file).await,
        PluginCommand::Test { dir } => authoring::test(&dir).await,
        PluginCommand::Install {
            file,
            grant_all,
            grants,
            plan,
        } => {
            let granted = match grants.as_deref() {
                Some(text) => Granted::These(read_grants(text)?),
                None if grant_all => Granted::All,
                None => Granted::Nothing,
            };
            if plan {
                plan_install(common, &file).await
            } else {
                install(common, &file, granted).await
            }
        }
        PluginCommand::List => list(common).await,
        PluginCommand::Disable { id } => switch(common, "disablePlugin", &id).await,
        PluginCommand::Enable { id } => switch(common, "enablePlugin", &id).await,
        PluginCommand::Uninstall { id, data } => uninstall(common, &id, data).await,
    }
}

/// JSON, or `@FILE` with JSON in it.
fn read_grants(text: &str) -> Result<Json> {
    let text = match text.strip_prefix('@') {
        Some(file) => {
            std::fs::read_to_string(file).with_context(|| format!("can't read {file}"))?
        }
        None => text.to_owned(),
    };
    serde_json::from_str(&text).map_err(|error| anyhow!("the grants are not JSON: {error}"))
}

/// What a plugin may do.
pub(super) enum Granted {
    Nothing,
    These(Json),
    All,
}

async fn install(common: &Common, file: &Path, granted: Granted) -> Result<()> {
    let target = Target::open(common).await?;
    let installed = install_into(&target, file, granted).await;
    target.close().await;
    let plugin = installed.map_err(|error| {
        let is_about_grants = error.to_string().contains("granted");
        let hint = if is_about_grants {
            "; --plan shows what it asks for, --grant-all grants it"
        } else {
            ""
        };
        error.context(format!("{} is not installed{hint}", file.display()))
    })?;
    print_answer(common, &plugin, || {
        format!("{} is installed", plugin_text(&plugin))
    });
    Ok(())
}

/// Uploads and installs; what the control plane says of the plugin then.
pub(super) async fn install_into(target: &Target, file: &Path, granted: Granted) -> Result<Json> {
    let id = target.upload(file).await?;
    let (grants, plan) = match granted {
        Granted::Nothing => (Json::Null, Json::Null),
        Granted::These(grants) => (grants, Json::Null),
        Granted::All => {
            let plan = plan_of(target, &id).await?;
            (plan["grants"].clone(), plan["plan"]["id"].clone())
        }
    };
    // With the plan's id: what is granted is granted to what was looked at.
    let query = format!(
        "mutation($file: ID!, $grants: JSON, $plan: ID) {{ \
             installPlugin(file: $file, grants: $grants, plan: $plan) {{ {PLUGIN_FIELDS} }} }}"
    );
    let variables = json!({ "file": id, "grants": grants, "plan": plan });
    let data = target.control(&query, variables).await?;
    Ok(data["installPlugin"].clone())
}

async fn plan_of(target: &Target, id: &str) -> Result<Json> {
    let query = format!(
        "query($file: ID!) {{ planPlugin(file: $file) {{ \
             id name version replaces grants asks {{ capability reason grant }} \
             plan {{ {PLAN_FIELDS} }} }} }}"
    );
    let data = target.control(&query, json!({ "file": id })).await?;
    Ok(data["planPlugin"].clone())
}

async fn plan_install(common: &Common, file: &Path) -> Result<()> {
    let target = Target::open(common).await?;
    let planned = async {
        let id = target.upload(file).await?;
        plan_of(&target, &id).await
    }
    .await;
    target.close().await;
    let plan = planned.with_context(|| format!("{} can't be installed", file.display()))?;
    print_answer(common, &plan, || install_plan_text(&plan));
    Ok(())
}

fn install_plan_text(plan: &Json) -> String {
    let mut text = format!(
        "{} {} asks for:\n",
        plan["id"].as_str().unwrap_or_default(),
        plan["version"].as_str().unwrap_or_default()
    );
    for ask in plan["asks"].as_array().into_iter().flatten() {
        text.push_str(&format!(
            "  {} {}: {}\n",
            ask["capability"].as_str().unwrap_or_default(),
            ask["grant"],
            ask["reason"].as_str().unwrap_or_default()
        ));
    }
    text.push_str("and changes:\n");
    text.push_str(&plan_text(&plan["plan"]));
    text
}

async fn list(common: &Common) -> Result<()> {
    let target = Target::open(common).await?;
    let query = format!("{{ plugins {{ {PLUGIN_FIELDS} }} }}");
    let data = target.control(&query, json!({})).await;
    target.close().await;
    let plugins = &data?["plugins"];
    print_answer(common, plugins, || {
        let lines: Vec<String> = plugins
            .as_array()
            .into_iter()
            .flatten()
            .map(|plugin| {
                let state = plugin["status"].as_str().unwrap_or_default().to_lowercase();
                format!("{} ({state})", plugin_text(plugin))
            })
            .collect();
        if lines.is_empty() {
            "no plugins are installed".to_owned()
        } else {
            lines.join("\n")
        }
    });
    Ok(())
}

async fn switch(common: &Common, mutation: &str, id: &str) -> Result<()> {
    let target = Target::open(common).await?;
    let query = format!("mutation($id: ID!) {{ {mutation}(id: $id) {{ {PLUGIN_FIELDS} }} }}");
    let data = target.control(&query, json!({ "id": id })).await;
    target.close().await;
    let plugin = &data?[mutation];
    print_answer(common, plugin, || {
        let state = plugin["status"].as_str().unwrap_or_default().to_lowercase();
        format!("{} is {state}", plugin_text(plugin))
    });
    Ok(())
}

async fn uninstall(common: &Common, id: &str, fate: PluginData) -> Result<()> {
    let target = Target::open(common).await?;
    let query = "mutation($id: ID!, $data: PluginData!) { \
         uninstallPlugin(id: $id, data: $data) { id export } }";
    let data = target
        .control(query, json!({ "id": id, "data": fate.as_str() }))
        .await;
    target.close().await;
    let done = &data?["uninstallPlugin"];
    print_answer(common, done, || match done["export"].as_str() {
        Some(file) => format!("{id} is uninstalled; its records are in the file /files/{file}"),
        None => format!("{id} is uninstalled"),
    });
    Ok(())
}

/// `relata.membership 0.1.0`
pub(super) fn plugin_text(plugin: &Json) -> String {
    format!(
        "{} {}",
        plugin["id"].as_str().unwrap_or_default(),
        plugin["version"].as_str().unwrap_or_default()
    )
}
