//! A record on its way to the database: what it was, what it shall be, and what is wrong with it.

use relata_catalog::{FieldIndex, Issue, Issues, Object, Value};
use relata_store::{Record, log::Change};
use uuid::Uuid;

use crate::AppError;

/// A record between the client's data and its row.
#[derive(Debug)]
pub(crate) struct Draft {
    /// Its id, also while it is being created: hooks see it.
    pub(crate) id: Uuid,
    /// What is stored now; nothing on create.
    pub(crate) before: Option<Record>,
    /// What shall be stored, by [`FieldIndex`].
    pub(crate) values: Vec<Value>,
    /// Whose it shall be.
    pub(crate) owner: Option<Uuid>,
    /// Stage fields that the client moves, with what it says about the move.
    pub(crate) moves: Vec<StageMove>,
    /// What is wrong so far.
    pub(crate) problems: Vec<(Concern, Issue)>,
}

/// What a client says about a move besides where to.
#[derive(Debug)]
pub(crate) struct StageMove {
    /// The stage field.
    pub(crate) field: FieldIndex,
    /// Why, for the passage.
    pub(crate) reason: Option<String>,
    /// Whether gates shall be passed over.
    pub(crate) override_gates: bool,
}

/// Which code of the API a problem belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Concern {
    /// `VALIDATION_FAILED`
    Data,
    /// `UNIQUE_VIOLATION`
    Unique,
    /// `STAGE_GATE`
    Gate,
}

impl Draft {
    /// A new record with nothing in it.
    pub(crate) fn new(object: &Object, id: Uuid, owner: Option<Uuid>) -> Self {
        Self {
            id,
            before: None,
            values: vec![Value::Null; object.fields.len()],
            owner,
            moves: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// A change to a stored record, with nothing changed yet.
    pub(crate) fn of(record: Record) -> Self {
        Self {
            id: record.id,
            values: record.values.clone(),
            owner: record.owner,
            before: Some(record),
            moves: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// The value that shall be stored.
    pub(crate) fn value(&self, field: FieldIndex) -> &Value {
        &self.values[field.0]
    }

    /// The value that is stored now; null on create.
    pub(crate) fn old_value(&self, field: FieldIndex) -> &Value {
        self.before
            .as_ref()
            .map_or(&Value::Null, |record| &record.values[field.0])
    }

    /// Whether the field's value differs from what is stored.
    pub(crate) fn is_changed(&self, field: FieldIndex) -> bool {
        self.old_value(field) != self.value(field)
    }

    /// Fields whose values differ from what is stored: on create, those that are filled.
    pub(crate) fn changed(&self) -> Vec<FieldIndex> {
        (0..self.values.len())
            .map(FieldIndex)
            .filter(|field| self.is_changed(*field))
            .collect()
    }

    /// Whether there is anything to write.
    pub(crate) fn is_unchanged(&self) -> bool {
        self.before
            .as_ref()
            .is_some_and(|before| before.owner == self.owner && before.values == self.values)
    }

    /// What its write is.
    pub(crate) fn change(&self) -> Change {
        match self.before {
            Some(_) => Change::Update,
            None => Change::Create,
        }
    }

    /// One error for all that is wrong with it.
    pub(super) fn verdict(&mut self) -> Result<(), AppError> {
        let Some((first, _)) = self.problems.first() else {
            return Ok(());
        };
        let first = *first;
        let pure = self.problems.iter().all(|(concern, _)| *concern == first);
        let problems = std::mem::take(&mut self.problems);
        let issues = Issues(problems.into_iter().map(|(_, issue)| issue).collect());
        Err(match first {
            Concern::Unique if pure => AppError::UniqueViolation(issues),
            Concern::Gate if pure => AppError::StageGate(issues),
            _ => AppError::ValidationFailed(issues),
        })
    }

    /// Notes a problem.
    pub(crate) fn problem(&mut self, concern: Concern, issue: Issue) {
        self.problems.push((concern, issue));
    }

    /// Notes what is wrong with one field's data.
    pub(crate) fn problems_at(&mut self, field: &str, issues: Issues) {
        self.problems.extend(
            issues
                .0
                .into_iter()
                .map(|issue| (Concern::Data, issue.at(field))),
        );
    }
}
