//! `relata documents …`: GraphQL that clients may name by its hash.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value as Json, json};

use super::print_answer;
use super::target::Target;
use crate::cli::{Common, DocumentsCommand};

/// Documents of one request: well below its limit of bytes and of documents.
const AT_ONCE: usize = 200;
/// Documents of one page of the list.
const PAGE: usize = 500;

pub(super) async fn run(common: &Common, command: DocumentsCommand) -> Result<()> {
    match command {
        DocumentsCommand::Register { files } => register(common, &files).await,
        DocumentsCommand::List => list(common).await,
        DocumentsCommand::Remove { ids } => remove(common, &ids).await,
    }
}

async fn register(common: &Common, files: &[PathBuf]) -> Result<()> {
    let mut texts = Vec::new();
    for file in files {
        let found = read(file)?;
        if found.is_empty() {
            bail!("there is no document in {}", file.display());
        }
        texts.extend(found);
    }
    let target = Target::open(common).await?;
    let mut registered = Vec::new();
    let done = async {
        let query =
            "mutation($documents: [String!]!) { registerDocuments(documents: $documents) { id } }";
        for texts in texts.chunks(AT_ONCE) {
            let data = target.control(query, json!({ "documents": texts })).await?;
            registered.extend(
                data["registerDocuments"]
                    .as_array()
                    .cloned()
                    .unwrap_or_default(),
            );
        }
        Ok::<(), anyhow::Error>(())
    }
    .await;
    target.close().await;
    done.context("the documents can't be registered")?;
    print_answer(common, &Json::from(registered.clone()), || {
        let ids: Vec<&str> = registered
            .iter()
            .filter_map(|document| document["id"].as_str())
            .collect();
        format!("{}\n{} documents are registered", ids.join("\n"), ids.len())
    });
    Ok(())
}

/// The texts in a file.
fn read(file: &Path) -> Result<Vec<String>> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()))?;
    if file.extension().is_none_or(|extension| extension != "json") {
        return Ok(vec![text]);
    }
    let manifest: Json =
        serde_json::from_str(&text).with_context(|| format!("{} is not JSON", file.display()))?;
    texts_of(&manifest).with_context(|| {
        format!(
            "{} is neither an object of hashes and texts nor Apollo's manifest",
            file.display()
        )
    })
}

/// The texts of a manifest; none where it is of no known form.
fn texts_of(manifest: &Json) -> Option<Vec<String>> {
    let text = |text: &Json| text.as_str().map(str::to_owned);
    match manifest.get("operations") {
        Some(operations) => operations
            .as_array()?
            .iter()
            .map(|operation| text(&operation["body"]))
            .collect(),
        None => manifest.as_object()?.values().map(text).collect(),
    }
}

async fn list(common: &Common) -> Result<()> {
    let target = Target::open(common).await?;
    let query = "query($first: Int!, $after: ID) { \
         documents(first: $first, after: $after) { id text createdAt } }";
    let mut documents: Vec<Json> = Vec::new();
    let listed = async {
        loop {
            let after = documents.last().map(|last| last["id"].clone());
            let data = target
                .control(query, json!({ "first": PAGE, "after": after }))
                .await?;
            let page = data["documents"].as_array().cloned().unwrap_or_default();
            let is_last = page.len() < PAGE;
            documents.extend(page);
            if is_last {
                return Ok::<(), anyhow::Error>(());
            }
        }
    }
    .await;
    target.close().await;
    listed?;
    print_answer(common, &Json::from(documents.clone()), || {
        if documents.is_empty() {
            return "no documents are registered".to_owned();
        }
        let lines: Vec<String> = documents
            .iter()
            .map(|document| {
                let text = document["text"].as_str().unwrap_or_default();
                let words: Vec<&str> = text.split_whitespace().collect();
                let line: String = words.join(" ").chars().take(60).collect();
                format!("{}  {line}", document["id"].as_str().unwrap_or_default())
            })
            .collect();
        lines.join("\n")
    });
    Ok(())
}

async fn remove(common: &Common, ids: &[String]) -> Result<()> {
    let target = Target::open(common).await?;
    let query = "mutation($ids: [ID!]!) { removeDocuments(ids: $ids) }";
    let data = target.control(query, json!({ "ids": ids })).await;
    target.close().await;
    let removed = &data?["removeDocuments"];
    print_answer(common, removed, || {
        let count = removed.as_array().map_or(0, Vec::len);
        format!(
            "{count} of {} documents were there and are removed",
            ids.len()
        )
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_are_read() {
        let two = Some(vec!["{ a }".to_owned(), "{ b }".to_owned()]);
        assert_eq!(texts_of(&json!({"h1": "{ a }", "h2": "{ b }"})), two);
        let apollo = json!({
            "format": "apollo-persisted-query-manifest",
            "version": 1,
            "operations": [
                {"id": "h1", "name": "A", "type": "query", "body": "{ a }"},
                {"id": "h2", "name": "B", "type": "query", "body": "{ b }"},
            ],
        });
        assert_eq!(texts_of(&apollo), two);
        assert_eq!(texts_of(&json!({"h1": 7})), None);
        assert_eq!(texts_of(&json!(["{ a }"])), None);
    }
}
