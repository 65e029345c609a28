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
mod filters;
pub(crate) mod groups;
pub(crate) mod names;
pub(crate) mod objects;
pub(crate) mod operations;
mod platform;
pub(crate) mod types;
mod writer;

use std::sync::Arc;

use async_graphql::{
    CacheControl, Request, Response, SDLExportOptions, ServerError, ValidationResult, Variables,
    dynamic,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute, NextValidation},
    parser::types::ExecutableDocument,
};
use relata_catalog::Catalogue;

use names::Names;
pub(crate) use operations::PluginOperation;
use operations::ResultType;
use types::InputTypes;
use writer::SchemaWriter;

/// The schema at one revision of the catalogue.
pub(crate) struct RecordSchema {
    schema: dynamic::Schema,
    /// What clients may send.
    pub(crate) inputs: InputTypes,
    /// Names of types.
    pub(crate) names: Names,
    /// What plugins add, by field name.
    pub(crate) operations: indexmap::IndexMap<String, Operation>,
    has_mutations: bool,
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
        catalogue: &Catalogue,
        plugin_operations: &[PluginOperation],
        suggestions: bool,
    ) -> Result<Self, SchemaError> {
        let names = Names::of(catalogue);
        let mut writer = SchemaWriter::default();
        platform::write(&mut writer);
        bulk::write_platform(&mut writer);
        for position in 0..catalogue.objects.len() {
            objects::write(
                &mut writer,
                catalogue,
                &names,
                relata_catalog::ObjectIndex(position),
            );
        }
        let operations = operations::write(&mut writer, plugin_operations);
        let (schema, inputs, has_mutations) =
            writer.finish(vec![Box::new(ValidateOnly)], suggestions)?;
        Ok(Self {
            schema,
            inputs,
            names,
            operations,
            has_mutations,
        })
    }

    /// The schema in the schema definition language.
    pub(crate) fn sdl(&self) -> String {
        self.schema.sdl_with_options(
            SDLExportOptions::new()
                .prefer_single_line_descriptions()
                .include_specified_by()
                .use_space_ident(),
        )
    }

    pub(crate) fn has_mutations(&self) -> bool {
        self.has_mutations
    }

    /// Validates, and executes nothing. Values of variables are not looked at.
    pub(crate) async fn validate(
        &self,
        document: ExecutableDocument,
        operation_name: Option<&str>,
    ) -> Result<(), Vec<ServerError>> {
        let mut request = Request::new(String::new()).data(Purpose::Validate);
        request.operation_name = operation_name.map(str::to_owned);
        request.set_parsed_query(document);
        let response = self.schema.execute(request).await;
        if response.errors.is_empty() {
            Ok(())
        } else {
            Err(response.errors)
        }
    }

    /// Answers introspection, by a document that holds nothing else and has been validated as a
    /// part of its whole.
    pub(crate) async fn introspect(
        &self,
        document: ExecutableDocument,
        variables: Variables,
    ) -> Response {
        let mut request = Request::new(String::new())
            .data(Purpose::Introspect)
            .variables(variables);
        request.set_parsed_query(document);
        self.schema.execute(request).await
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
