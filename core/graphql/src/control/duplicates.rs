//! By what records may be the same, the search for those that are, and what was said of them.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};
use relata_app::duplicates::distinct::distinct_list;
use relata_app::duplicates::job::{DuplicatesOptions, duplicates_start};
use relata_catalog as catalog;
use rust_decimal::prelude::ToPrimitive as _;

use super::error::graphql;
use super::jobs::Job;
use super::scalars::DateTime;
use super::{Administrator, caller, uuid, workspace};

/// By what records of an object may be the same.
pub(super) struct DuplicateRules(pub(super) Arc<catalog::Object>);

/// By what records of an object may be the same.
#[Object]
impl DuplicateRules {
    /// From how probable on they are shown, 0.01 to 0.99.
    async fn score(&self) -> Option<f64> {
        self.0.duplicate_score().to_f64()
    }

    /// The rules that hold. None: there are no duplicates.
    async fn rules(&self) -> Vec<DuplicateRule> {
        let names = |keys: &[catalog::Key]| {
            keys.iter()
                .filter_map(|key| Some(self.0.field_keyed(key)?.1.name.clone()))
                .collect()
        };
        self.0
            .duplicate_rules()
            .iter()
            .map(|rule| DuplicateRule {
                by: rule.by.into(),
                fields: names(&rule.fields),
                weight: rule.weight.and_then(|weight| weight.to_f64()),
                otherwise: rule.otherwise.and_then(|weight| weight.to_f64()),
            })
            .collect()
    }

    /// Who has said so: `relata`, `workspace`, or plugins. None: the rules follow from the kinds of
    /// the fields.
    async fn owners(&self) -> Vec<&str> {
        self.0
            .duplicates
            .iter()
            .map(|duplicates| duplicates.owner.as_str())
            .collect()
    }
}

/// Something that speaks for two records being the same, or against it.
#[derive(SimpleObject)]
pub(super) struct DuplicateRule {
    /// How values are compared.
    by: DuplicateBy,
    /// Names of the fields.
    fields: Vec<String>,
    /// What the same values are worth, as the natural logarithm of odds; null: what it is worth
    /// without being told.
    weight: Option<f64>,
    /// What others are worth, at most 0; null likewise.
    otherwise: Option<f64>,
}

/// How values are compared.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "catalog::DuplicateBy")]
enum DuplicateBy {
    /// The same e-mail address.
    Email,
    /// The same phone number.
    Phone,
    /// The same domain, without those of which anybody has an address.
    Domain,
    /// A name that is alike.
    Name,
    /// The same city and country.
    Address,
    /// The same values in all of the fields, case, accents, blanks and signs aside.
    Equal,
}

/// Records that are different, whatever they look like.
#[derive(SimpleObject)]
struct DistinctPair {
    /// The two ids, the smaller one first.
    ids: Vec<ID>,
    /// When it was said.
    at: DateTime,
    /// Who has said it: `user:<id>`, `token:<id>` or `plugin:<id>`.
    actor: String,
}

#[derive(Default)]
pub(super) struct DuplicateQuery;

#[Object(guard = "Administrator")]
impl DuplicateQuery {
    /// Pairs of records of an object that somebody has dismissed as duplicates, in the order of
    /// their ids: at most 500, behind the pair `after`.
    async fn distinct_pairs(
        &self,
        context: &Context<'_>,
        object: String,
        #[graphql(default = 50)] first: u64,
        after: Option<Vec<ID>>,
    ) -> Result<Vec<DistinctPair>> {
        let after = match after.as_deref() {
            None => None,
            Some([low, high]) => Some((uuid(low, "record")?, uuid(high, "record")?)),
            Some(_) => {
                let issue = relata_app::Issue::new("BAD_INPUT", "a pair is two ids").at("after");
                return Err(graphql(relata_app::AppError::bad_input_issues(
                    issue.into(),
                )));
            }
        };
        distinct_list(workspace(context), caller(context), &object, first, after)
            .await
            .map(|pairs| {
                pairs
                    .into_iter()
                    .map(|pair| DistinctPair {
                        ids: vec![ID::from(pair.low), ID::from(pair.high)],
                        at: DateTime(pair.at),
                        actor: pair.actor,
                    })
                    .collect()
            })
            .map_err(graphql)
    }
}

#[derive(Default)]
pub(super) struct DuplicateMutation;

#[Object(guard = "Administrator")]
impl DuplicateMutation {
    /// Has all records of an object compared with each other, by a job. What it finds stands in
    /// `companiesDuplicates` (of the object's plural name) of the records' endpoint when it is
    /// `DONE`; until then, what the last one has found.
    async fn find_duplicates(&self, context: &Context<'_>, object: String) -> Result<Job> {
        let options = DuplicatesOptions { object };
        duplicates_start(workspace(context), caller(context), &options)
            .await
            .map(Job)
            .map_err(graphql)
    }
}
