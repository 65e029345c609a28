//! `relata migrate`, `relata check`, `relata schema`

use anyhow::{Result, bail};
use relata_store::{Database, Purpose};
use serde_json::json;

use super::target::Target;
use super::{command_config, print_answer, refuse_server};
use crate::cli::Common;

pub(super) async fn migrate(common: &Common) -> Result<()> {
    refuse_server(common, "migrate")?;
    let config = command_config(common)?;
    let database =
        Database::open(&relata_server::database_options(&config, Purpose::Change)).await?;
    let applied = database.migrate().await;
    database.close().await;
    let applied = applied?;
    // Opening does the rest: the standard objects are a blueprint like any other.
    Target::open_here(common, Purpose::Change)
        .await?
        .close()
        .await;
    print_answer(common, &json!({ "applied": applied }), || {
        if applied.is_empty() {
            "nothing to do: the database is at this version".to_owned()
        } else {
            format!("applied {}", applied.join(", "))
        }
    });
    Ok(())
}

pub(super) async fn check(common: &Common) -> Result<()> {
    refuse_server(common, "check")?;
    let config = command_config(common)?;
    let mut faults = Vec::new();
    let database = Database::open(&relata_server::database_options(&config, Purpose::Look)).await?;
    let pending = database.pending_migrations().await;
    database.close().await;
    let pending = pending?;
    if pending.is_empty() {
        faults.extend(catalogue_faults(common).await?);
    } else {
        faults.push(format!(
            "migrations to apply: {}; `relata migrate` does it",
            pending.join(", ")
        ));
    }
    print_answer(
        common,
        &json!({ "sound": faults.is_empty(), "faults": faults }),
        || {
            if faults.is_empty() {
                "sound: migrations, catalogue and database agree".to_owned()
            } else {
                String::new()
            }
        },
    );
    if faults.is_empty() {
        Ok(())
    } else {
        bail!("the workspace is not sound:\n  {}", faults.join("\n  "))
    }
}

async fn catalogue_faults(common: &Common) -> Result<Vec<String>> {
    let Target::Local(local) = Target::open_here(common, Purpose::Look).await? else {
        return Ok(Vec::new());
    };
    let readiness = local.workspace.ready().await;
    local.workspace.close().await;
    Ok([readiness.reasons, readiness.warnings].concat())
}

pub(super) async fn schema(common: &Common) -> Result<()> {
    let target = match &common.server {
        Some(_) => Target::open(common).await?,
        None => Target::open_here(common, Purpose::Look).await?,
    };
    let data = target.control("{ recordSchema }", json!({})).await;
    target.close().await;
    let data = data?;
    let schema = data["recordSchema"].as_str().unwrap_or_default();
    print_answer(common, &data, || schema.to_owned());
    Ok(())
}
