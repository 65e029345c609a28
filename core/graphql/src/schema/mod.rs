//! The schema of the records endpoint: a pure function of the catalogue and of what plugins add.
//!
//! async-graphql holds it, validates documents against it and answers introspection. It resolves
//! nothing else: reads are compiled by [`crate::plan`], which knows the same names from the same
//! catalogue. What a client may *send* is kept a second time, in [`types::InputTypes`], because
//! the planner checks values itself.
//!
//! Invariant: a schema can always be built. Names that would clash give way in a fixed manner
//! ([`names::Names`]), so that no plugin and no administrator can stop the server from starting.

pub(crate) mod aggregates;
pub(crate) mod bulk;
mod duplicates;
mod filters;
pub(crate) mod groups;
mod merge;
pub(crate) mod names;
pub(crate) mod objects;
pub(crate) mod operations;
mod parts;
mod platform;
pub(crate) mod types;
mod writer;

use std::{sync::Arc, time::Duration};

use async_graphql::{
    CacheControl, Request, Response, SDLExportOptions, ServerError, ValidationResult, Variables,
    dynamic,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute, NextValidation},
    parser::types::ExecutableDocument,
};
use moka::sync::Cache;
use relata_catalog::{Catalogue, ObjectIndex};

use crate::overlooked;
pub(crate) use duplicates::dismissing;
use names::Names;
pub(crate) use operations::PluginOperation;
use operations::ResultType;
use types::InputTypes;
use writer::SchemaWriter;

/// The schema at one revision of the catalogue.
///
/// async-graphql's is large: for 200 objects a hundred MiB, and as many milliseconds to make. A
/// document is validated against the part of it that has the objects which the document names, made
/// when the first such document comes. Whatever is wrong there is said by the whole, which is
/// made for that, and for introspection, and is let go when nobody has asked for it for a while.
pub(crate) struct RecordSchema {
    /// What clients may send.
    pub(crate) inputs: InputTypes,
    /// Names of types.
    pub(crate) names: Arc<Names>,
    /// What plugins add, by field name.
    pub(crate) operations: indexmap::IndexMap<String, Operation>,
    source: Arc<Source>,
    /// By the objects that they have.
    parts: Cache<Vec<ObjectIndex>, Arc<dynamic::Schema>>,
    whole: Cache<(), Arc<dynamic::Schema>>,
}

/// Objects in all the parts that are kept, as many as about 40 MiB have.
const PARTS_OBJECTS_MAX: u64 = 80;
/// A part of more objects is made away from the threads that serve others.
const PART_HERE_MAX: usize = 8;
/// How long nobody may have asked for the whole before it is let go.
const WHOLE_IDLE_MAX: Duration = Duration::from_secs(60);

/// What types are made from.
#[derive(Debug)]
pub(crate) struct Source {
    catalogue: Arc<Catalogue>,
    names: Arc<Names>,
    plugin_operations: Vec<PluginOperation>,
    suggestions: bool,
}

impl Source {
    /// What one object brings.
    fn object(&self, index: ObjectIndex) -> SchemaWriter {
        let mut writer = SchemaWriter::default();
        objects::write(&mut writer, &self.catalogue, &self.names, index);
        writer
    }

    /// What is there whatever the objects.
    fn platform(&self) -> (SchemaWriter, indexmap::IndexMap<String, Operation>) {
        let mut writer = SchemaWriter::default();
        platform::write(&mut writer);
        bulk::write_platform(&mut writer);
        merge::write_platform(&mut writer);
        duplicates::write_platform(&mut writer);
        let operations = operations::write(&mut writer, &self.plugin_operations);
        (writer, operations)
    }

    /// The schema of some objects, in the order of the catalogue.
    fn schema(
        &self,
        objects: impl IntoIterator<Item = ObjectIndex>,
    ) -> Result<Arc<dynamic::Schema>, SchemaError> {
        let mut writer = SchemaWriter::default();
        platform::write(&mut writer);
        bulk::write_platform(&mut writer);
        merge::write_platform(&mut writer);
        duplicates::write_platform(&mut writer);
        for index in objects {
            objects::write(&mut writer, &self.catalogue, &self.names, index);
        }
        operations::write(&mut writer, &self.plugin_operations);
        let schema = writer.finish(vec![Box::new(ValidateOnly)], self.suggestions)?;
        Ok(Arc::new(schema))
    }

    fn whole(&self) -> Result<Arc<dynamic::Schema>, SchemaError> {
        self.schema((0..self.catalogue.objects.len()).map(ObjectIndex))
    }
}

/// A plugin's operation in the schema.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) declared: PluginOperation,
    /// Argument names and types.
    pub(crate) arguments: Vec<(String, async_graphql::parser::types::Type)>,
    pub(crate) result: ResultType,
}

/// The schema could not be built: a mistake of this program.
#[derive(Debug, thiserror::Error)]
#[error("the GraphQL schema cannot be built: {0}")]
pub(crate) struct SchemaError(String);

impl RecordSchema {
    pub(crate) fn build(
        catalogue: &Arc<Catalogue>,
        plugin_operations: Vec<PluginOperation>,
        suggestions: bool,
    ) -> Self {
        let names = Arc::new(Names::of(catalogue));
        let source = Arc::new(Source {
            catalogue: Arc::clone(catalogue),
            names: Arc::clone(&names),
            plugin_operations,
            suggestions,
        });
        let (platform, operations) = source.platform();
        Self {
            inputs: InputTypes::of(Arc::clone(&source), platform.inputs()),
            names,
            operations,
            source,
            parts: Cache::builder()
                .max_capacity(PARTS_OBJECTS_MAX)
                // The platform's own types are as much as two objects'.
                .weigher(|objects: &Vec<ObjectIndex>, _| {
                    u32::try_from(objects.len() + 2).unwrap_or(u32::MAX)
                })
                .build(),
            whole: Cache::builder().time_to_idle(WHOLE_IDLE_MAX).build(),
        }
    }

    /// The schema in the schema definition language.
    pub(crate) async fn sdl(&self) -> Result<String, SchemaError> {
        let whole = self.whole().await?;
        away(move || {
            Ok(whole.sdl_with_options(
                SDLExportOptions::new()
                    .prefer_single_line_descriptions()
                    .include_specified_by()
                    .use_space_ident(),
            ))
        })
        .await
    }

    pub(crate) fn has_mutations(&self) -> bool {
        let adds = |operation: &Operation| operation.declared.is_mutation;
        !self.source.catalogue.objects.is_empty() || self.operations.values().any(adds)
    }

    /// Validates, and executes nothing. Values of variables are not looked at.
    pub(crate) async fn validate(
        &self,
        mut document: ExecutableDocument,
        operation_name: Option<&str>,
    ) -> Result<Result<(), Vec<ServerError>>, SchemaError> {
        overlooked::show_directives_of_typenames(&mut document);
        // Lets the whole go, if its time has come.
        self.whole.run_pending_tasks();
        let objects = parts::named(&self.source.catalogue, &self.names, &document);
        let part = self.part(objects).await?;
        if validate(&part, document.clone(), operation_name)
            .await
            .is_ok()
        {
            return Ok(Ok(()));
        }
        // Only the whole knows which names are near a wrong one.
        let whole = self.whole().await?;
        Ok(validate(&whole, document, operation_name).await)
    }

    /// Answers introspection, by a document that holds nothing else and has been validated as a
    /// part of its whole.
    pub(crate) async fn introspect(
        &self,
        document: ExecutableDocument,
        variables: Variables,
    ) -> Result<Response, SchemaError> {
        let mut request = Request::new(String::new())
            .data(Purpose::Introspect)
            .variables(variables);
        request.set_parsed_query(document);
        Ok(self.whole().await?.execute(request).await)
    }

    async fn part(&self, objects: Vec<ObjectIndex>) -> Result<Arc<dynamic::Schema>, SchemaError> {
        if let Some(part) = self.parts.get(&objects) {
            return Ok(part);
        }
        let part = if objects.len() <= PART_HERE_MAX {
            self.source.schema(objects.iter().copied())?
        } else {
            let (source, objects) = (Arc::clone(&self.source), objects.clone());
            away(move || source.schema(objects)).await?
        };
        self.parts.insert(objects, Arc::clone(&part));
        Ok(part)
    }

    async fn whole(&self) -> Result<Arc<dynamic::Schema>, SchemaError> {
        if let Some(whole) = self.whole.get(&()) {
            return Ok(whole);
        }
        let (source, cache) = (Arc::clone(&self.source), self.whole.clone());
        // One builds it, others who come meanwhile wait for it.
        away(move || {
            cache
                .try_get_with((), || source.whole())
                .map_err(|error| SchemaError(error.0.clone()))
        })
        .await
    }
}

#[cfg(test)]
impl RecordSchema {
    /// Whether the whole has been made, and any part.
    pub(crate) fn made(&self) -> (bool, bool) {
        self.parts.run_pending_tasks();
        (self.whole.contains_key(&()), self.parts.entry_count() > 0)
    }

    /// The objects that a document names.
    pub(crate) fn named(&self, document: &ExecutableDocument) -> Vec<&str> {
        parts::named(&self.source.catalogue, &self.names, document)
            .into_iter()
            .map(|object| self.source.catalogue.object(object).singular.as_str())
            .collect()
    }
}

/// Tens of milliseconds in a large workspace: not on a thread that serves others.
async fn away<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SchemaError> + Send + 'static,
) -> Result<T, SchemaError> {
    let span = tracing::info_span!("schema");
    tokio::task::spawn_blocking(move || span.in_scope(work))
        .await
        .map_err(|error| SchemaError(error.to_string()))?
}

async fn validate(
    schema: &dynamic::Schema,
    document: ExecutableDocument,
    operation_name: Option<&str>,
) -> Result<(), Vec<ServerError>> {
    let mut request = Request::new(String::new()).data(Purpose::Validate);
    request.operation_name = operation_name.map(str::to_owned);
    request.set_parsed_query(document);
    let response = schema.execute(request).await;
    if response.errors.is_empty() {
        Ok(())
    } else {
        Err(response.errors)
    }
}

/// What async-graphql is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Validate,
    Introspect,
}

/// async-graphql has no call that validates and stops: this ends the execution before it begins.
/// Introspection runs on a part of a document that was valid as a whole; alone it may seem not to
/// be (unused fragments), so it isn't validated again.
struct ValidateOnly;

impl ExtensionFactory for ValidateOnly {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(ValidateOnly)
    }
}

#[async_trait::async_trait]
impl Extension for ValidateOnly {
    async fn validation(
        &self,
        context: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        if context.data_opt::<Purpose>() == Some(&Purpose::Introspect) {
            return Ok(ValidationResult {
                cache_control: CacheControl::default(),
                complexity: 0,
                depth: 0,
            });
        }
        next.run(context).await
    }

    async fn execute(
        &self,
        context: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        if context.data_opt::<Purpose>() == Some(&Purpose::Validate) {
            return Response::default();
        }
        next.run(context, operation_name).await
    }
}
