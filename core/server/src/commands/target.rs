//! Where a command's requests go: to a running server, or to the workspace that this process
//! opens. Both take the same GraphQL documents.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use relata_app::files::{self, NewFile};
use relata_app::imports::FILE_BYTES_MAX;
use relata_app::{Caller, Workspace};
use relata_graphql::{ControlPlane, GraphqlRequest, Records, RequestContext};
use relata_store::Purpose;
use serde_json::{Map, Value as Json, json};

use super::{command_config, wrong_usage};
use crate::cli::Common;

/// Longest that a command waits for a server: plugins are compiled meanwhile.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(310);

/// Where a command's requests go.
pub(super) enum Target {
    Local(Box<Local>),
    Remote(Remote),
}

/// The workspace that this process has opened. It acts as the system.
pub(super) struct Local {
    pub(super) workspace: Workspace,
    control: ControlPlane,
    records: Records,
}

/// A running server.
pub(super) struct Remote {
    client: reqwest::Client,
    server: url::Url,
    token: String,
}

impl Target {
    /// The server, if one is named; else the workspace, opened to be changed.
    pub(super) async fn open(common: &Common) -> Result<Self> {
        let Some(server) = &common.server else {
            return Self::open_here(common, Purpose::Change).await;
        };
        let token = common.token.clone().ok_or_else(|| {
            wrong_usage("--server needs --token TOKEN (or RELATA_TOKEN); `relata token create` on the server's machine makes one")
        })?;
        match server.scheme() {
            "http" => {}
            "https" => {
                return Err(wrong_usage(
                    "--server speaks plain http in this version; reach the server beside its proxy, \
                     or through a tunnel: ssh -L 8080:127.0.0.1:8080 HOST",
                ));
            }
            _ => {
                return Err(wrong_usage(
                    "--server takes an address like http://127.0.0.1:8080",
                ));
            }
        }
        let client = reqwest::Client::builder()
            .timeout(ANSWER_WAIT_MAX)
            .build()
            .context("no HTTP client can be made")?;
        Ok(Self::Remote(Remote {
            client,
            server: server.clone(),
            token,
        }))
    }

    /// A workspace that is open already.
    pub(super) fn of(workspace: Workspace) -> Self {
        let records = Records::new(workspace.clone());
        Self::Local(Box::new(Local {
            control: ControlPlane::new(workspace.clone(), records.clone()),
            records,
            workspace,
        }))
    }

    /// The workspace, opened here.
    pub(super) async fn open_here(common: &Common, purpose: Purpose) -> Result<Self> {
        let config = command_config(common)?;
        let workspace = relata_server::open_workspace(&config, purpose).await?;
        Ok(Self::of(workspace))
    }

    /// Asks the control plane; the answer's `data`.
    pub(super) async fn control(&self, query: &str, variables: Json) -> Result<Json> {
        let answer = match self {
            Self::Local(local) => local.control(query, variables).await?,
            Self::Remote(remote) => remote.graphql("/metadata", query, variables).await?,
        };
        data_of(answer)
    }

    /// Asks the records' endpoint; the answer's `data`.
    pub(super) async fn records(&self, query: &str, variables: Json) -> Result<Json> {
        let answer = match self {
            Self::Local(local) => local.records(query, variables).await?,
            Self::Remote(remote) => remote.graphql("/graphql", query, variables).await?,
        };
        data_of(answer)
    }

    /// Hands a file over; its id.
    pub(super) async fn upload(&self, path: &Path) -> Result<String> {
        let file = tokio::fs::File::open(path)
            .await
            .with_context(|| format!("can't read {}", path.display()))?;
        let name = path.file_name().map_or_else(
            || "file".to_owned(),
            |name| name.to_string_lossy().into_owned(),
        );
        match self {
            Self::Local(local) => {
                let caller = Caller::system();
                let new = NewFile {
                    name: &name,
                    content_type: None,
                    bytes_max: FILE_BYTES_MAX as u64,
                };
                let content = files::read_from(file);
                let kept = files::file_create(&local.workspace, &caller, new, content)
                    .await
                    .map_err(|error| told(&error))?;
                Ok(kept.id.to_string())
            }
            Self::Remote(remote) => remote.upload(&name, file).await,
        }
    }

    /// Closes what was opened. What a command has changed stands without it; a clean close only
    /// saves the next opener work.
    pub(super) async fn close(self) {
        if let Self::Local(local) = self {
            local.workspace.close().await;
        }
    }
}

impl Local {
    async fn control(&self, query: &str, variables: Json) -> Result<Json> {
        let (request, context) = request(query, variables);
        let response = self
            .control
            .execute(request, &Caller::system(), &context)
            .await;
        serde_json::from_slice(&response.body).context("the control plane did not answer in JSON")
    }

    async fn records(&self, query: &str, variables: Json) -> Result<Json> {
        let (request, context) = request(query, variables);
        let response = self
            .records
            .execute(request, &Caller::system(), &context)
            .await;
        serde_json::from_slice(&response.body).context("the records did not answer in JSON")
    }
}

fn request(query: &str, variables: Json) -> (GraphqlRequest, RequestContext) {
    let request = GraphqlRequest {
        query: Some(query.to_owned()),
        variables: as_map(variables),
        ..GraphqlRequest::default()
    };
    let context = RequestContext {
        request_id: uuid::Uuid::now_v7().simple().to_string(),
    };
    (request, context)
}

fn as_map(variables: Json) -> Map<String, Json> {
    match variables {
        Json::Object(variables) => variables,
        _ => Map::new(),
    }
}

impl Remote {
    fn address(&self, route: &str) -> Result<url::Url> {
        self.server
            .join(route)
            .with_context(|| format!("{} is no address of a server", self.server))
    }

    async fn graphql(&self, route: &str, query: &str, variables: Json) -> Result<Json> {
        let response = self
            .client
            .post(self.address(route)?)
            .bearer_auth(&self.token)
            .json(&json!({ "query": query, "variables": variables }))
            .send()
            .await
            .with_context(|| self.not_reached())?;
        self.read(response).await
    }

    async fn upload(&self, name: &str, file: tokio::fs::File) -> Result<String> {
        let mut address = self.address("/files")?;
        address.query_pairs_mut().append_pair("name", name);
        let size = file.metadata().await.context("can't read the file")?.len();
        let response = self
            .client
            .post(address)
            .bearer_auth(&self.token)
            .header("content-type", "application/octet-stream")
            .header("content-length", size)
            .body(file)
            .send()
            .await
            .with_context(|| self.not_reached())?;
        let answer = self.read(response).await?;
        if answer.get("errors").is_some() {
            data_of(answer.clone())?;
        }
        answer["id"]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| anyhow!("{} took the file and gave no id: {answer}", self.server))
    }

    /// Writes a file of the server's out, as it arrives.
    pub(super) async fn download(&self, id: &str, out: &mut impl std::io::Write) -> Result<()> {
        let mut response = self
            .client
            .get(self.address(&format!("/files/{id}"))?)
            .bearer_auth(&self.token)
            .send()
            .await
            .with_context(|| self.not_reached())?;
        if !response.status().is_success() {
            bail!("{} answered {}", self.server, response.status());
        }
        while let Some(bytes) = response
            .chunk()
            .await
            .with_context(|| format!("the answer of {} broke off", self.server))?
        {
            out.write_all(&bytes).context("the file can't be written")?;
        }
        out.flush().context("the file can't be written")
    }

    async fn read(&self, response: reqwest::Response) -> Result<Json> {
        let status = response.status();
        let body = response
            .bytes()
            .await
            .with_context(|| format!("the answer of {} broke off", self.server))?;
        serde_json::from_slice(&body).map_err(|_| {
            anyhow!(
                "{} answered {status}, and not in JSON; is it a Relata server?",
                self.server
            )
        })
    }

    fn not_reached(&self) -> String {
        format!("can't reach {}; is the server running there?", self.server)
    }
}

/// An error of the application, with all its issues.
pub(super) fn told(error: &relata_app::AppError) -> anyhow::Error {
    let error = json!({
        "message": error.message(),
        "extensions": { "code": error.code(), "issues": error.issues() },
    });
    anyhow!(error_text(&error))
}

/// `data` of an answer without errors.
fn data_of(answer: Json) -> Result<Json> {
    let Some(errors) = answer.get("errors").and_then(Json::as_array) else {
        return Ok(answer.get("data").cloned().unwrap_or_default());
    };
    let mut text = String::new();
    for error in errors {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&error_text(error));
    }
    bail!(text)
}

/// An error of the API for a person at a terminal: the message, and each issue on a line.
fn error_text(error: &Json) -> String {
    let code = error["extensions"]["code"].as_str().unwrap_or_default();
    let mut text = error["message"]
        .as_str()
        .unwrap_or("the server says no more")
        .to_owned();
    for issue in error["extensions"]["issues"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let message = issue["message"].as_str().unwrap_or_default();
        let path = path_text(&issue["path"]);
        if path.is_empty() {
            text.push_str(&format!("\n  {message}"));
        } else {
            text.push_str(&format!("\n  {path}: {message}"));
        }
    }
    let hint = match code {
        "UNAUTHENTICATED" => {
            "\nmake a token with `relata token create --user EMAIL` on the server's machine, and give it with --token"
        }
        "FORBIDDEN" => "\nthis needs the token of an administrator",
        _ => "",
    };
    text.push_str(hint);
    text
}

/// `objects[2].fields[0].kind`
fn path_text(path: &Json) -> String {
    let mut text = String::new();
    for segment in path.as_array().into_iter().flatten() {
        match segment {
            Json::String(name) if text.is_empty() => text.push_str(name),
            Json::String(name) => text.push_str(&format!(".{name}")),
            index => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn errors_are_told_with_all_issues() {
        let answer = json!({ "data": null, "errors": [{
            "message": "the blueprint has 2 mistakes",
            "extensions": { "code": "BAD_INPUT", "issues": [
                { "path": ["objects", 2, "fields", 0, "kind"], "message": "there is no kind txt" },
                { "path": [], "message": "something else" },
            ]},
        }]});
        assert_eq!(
            data_of(answer).unwrap_err().to_string(),
            "the blueprint has 2 mistakes\n  objects[2].fields[0].kind: there is no kind txt\n  something else"
        );
        assert_eq!(data_of(json!({"data": {"a": 1}})).unwrap(), json!({"a": 1}));
    }
}
