//! A condition by itself, in the form in which lists take it: for work that is no request (an
//! export). It is planned as the condition of a mutation of many, so that it means the same and is
//! refused for the same mistakes; nothing is carried out.

use futures_util::future::BoxFuture;
use relata_app::exports::Conditions;
use relata_catalog::{CoerceContext, Issue, Issues, capitalised};
use relata_store::filter::Filter;
use serde_json::{Map, Value as Json};

use super::{DocumentKey, Records, Stop, variables_error};
use crate::errors::GraphqlError;
use crate::plan::Step;
use crate::plan::inputs::Variables;
use relata_app::{AppError, Caller, PathSegment, Workspace};

/// Reads conditions for a workspace.
pub(super) struct ListConditions;

impl Conditions for ListConditions {
    fn read<'c>(
        &'c self,
        workspace: &'c Workspace,
        caller: &'c Caller,
        object: &'c str,
        condition: &'c Json,
    ) -> BoxFuture<'c, Result<Filter, AppError>> {
        Box::pin(async move {
            Records::new(workspace.clone())
                .condition(caller, object, condition)
                .await
        })
    }
}

impl Records {
    async fn condition(
        &self,
        caller: &Caller,
        object: &str,
        condition: &Json,
    ) -> Result<Filter, AppError> {
        let (state, snapshot) = self.snapshot().await?;
        let (_, described) = state
            .catalogue
            .object_named(object)
            .ok_or_else(|| AppError::bad_input(format!("there is no object `{object}`")))?;
        let text = format!(
            "mutation($where: {}Filter!) {{ delete{}(where: $where, all: true) {{ count }} }}",
            described.type_name(),
            capitalised(&described.plural)
        );
        let given = Map::from_iter([("where".to_owned(), condition.clone())]);
        let prepared = self.prepare(&text, None, &snapshot).await.map_err(told)?;
        let variables = Variables::read(&prepared, &given, &snapshot.schema.inputs)
            .map_err(|issues| told(Stop::Refused(vec![variables_error(issues)])))?;
        let options = self.shared.workspace.options();
        let coerce = CoerceContext {
            region: options.region.clone(),
            currency: options.currency.clone(),
            now_micros: jiff::Timestamp::now().as_microsecond(),
            zone: Some(caller.zone.clone()),
        };
        let key = DocumentKey {
            hash: [0; 32],
            revision: state.revision,
        };
        let plan = self
            .plan(
                key, &state, &snapshot, &prepared, &variables, &coerce, caller,
            )
            .map_err(told)?;
        let which = plan.roots.first().and_then(|root| match &root.step {
            Step::Bulk(bulk) => bulk.change.which(),
            _ => None,
        });
        let Some(which) = which else {
            return Err(AppError::broken(
                "a condition was planned as something else",
            ));
        };
        let limits = &self.shared.options.limits;
        let context = crate::plan::coercer::CoerceContext {
            catalogue: &coerce,
            list_max: limits.list_max,
            page_max: limits.page_max,
            groups_max: limits.groups_max,
        };
        let mut issues = Issues::default();
        let filter = which.filter(&variables, &context, &mut issues);
        issues
            .into_result(filter)
            .map_err(|issues| told(Stop::Refused(vec![variables_error(issues)])))
    }
}

/// What is wrong with the condition, with paths that begin at it.
fn told(stop: Stop) -> AppError {
    let errors = match stop {
        Stop::Refused(errors) => errors,
        Stop::NotHere(error) => vec![*error],
        Stop::Failed(error) => return error,
        Stop::Moved => return AppError::Conflict,
    };
    let issues = errors.into_iter().flat_map(issues_of).map(|mut issue| {
        // Whether it was a variable or an argument is nobody's business here.
        if issue.path.first() == Some(&PathSegment::Name("variables".to_owned())) {
            issue.path.remove(0);
        } else if issue.path.first() != Some(&PathSegment::Name("where".to_owned())) {
            issue.path.insert(0, PathSegment::Name("where".to_owned()));
        }
        issue
    });
    AppError::bad_input_issues(Issues(issues.collect()))
}

fn issues_of(error: GraphqlError) -> Vec<Issue> {
    if error.issues.is_empty() {
        vec![Issue::new(&error.code, error.message)]
    } else {
        error.issues
    }
}
