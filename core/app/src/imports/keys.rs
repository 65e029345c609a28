//! Relations of rows that name their targets by a value: all of a chunk are found by one query
//! each, and made where that is wanted.

use std::collections::HashMap;

use indexmap::IndexMap;
use relata_catalog::{ObjectIndex, Value};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::{
    RowError, cells,
    mapping::{Lookup, Mapping, Row},
};
use crate::{
    AppError, Unit,
    records::{self, BulkMode},
};

/// What a value came to: the target, or why there is none.
type Found = Result<Uuid, (String, String)>;

/// Targets of the lookups of some rows.
pub(super) struct Targets {
    found: HashMap<(usize, String), Found>,
    /// Records that were made, with their objects.
    pub(super) made: Vec<(ObjectIndex, Uuid)>,
}

/// Which lookups are meant: targets of the import's own object may come later in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Own,
    Others,
}

impl Which {
    pub(super) fn has(self, lookup: &Lookup, object: ObjectIndex) -> bool {
        (self == Self::Own) == (lookup.target == object)
    }
}

impl Targets {
    pub(super) async fn find(
        unit: &Unit,
        object: ObjectIndex,
        mapping: &Mapping,
        rows: &[&Row],
        which: Which,
        create_missing: bool,
    ) -> Result<Self, AppError> {
        let mut wanted: IndexMap<usize, IndexMap<&str, ()>> = IndexMap::new();
        for row in rows {
            for (number, text) in &row.lookups {
                if which.has(&mapping.lookups[*number], object) {
                    wanted.entry(*number).or_default().insert(text, ());
                }
            }
        }
        let mut targets = Self {
            found: HashMap::new(),
            made: Vec::new(),
        };
        for (number, texts) in wanted {
            let lookup = &mapping.lookups[number];
            let texts: Vec<&str> = texts.into_keys().collect();
            let mut found = look_up(unit, lookup, &texts).await?;
            if create_missing {
                targets.make(unit, lookup, &texts, &mut found).await?;
            }
            for (text, found) in texts.into_iter().zip(found) {
                targets.found.insert((number, text.to_owned()), found);
            }
        }
        Ok(targets)
    }

    /// Records with the value alone, where there are none.
    async fn make(
        &mut self,
        unit: &Unit,
        lookup: &Lookup,
        texts: &[&str],
        found: &mut [Found],
    ) -> Result<(), AppError> {
        let name = unit
            .catalogue()
            .object(lookup.target)
            .field(lookup.field)
            .name
            .clone();
        let missing: Vec<usize> = (0..texts.len())
            .filter(|position| matches!(&found[*position], Err((code, _)) if code == "NOT_FOUND"))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let data: Vec<Map<String, Json>> = missing
            .iter()
            .map(|position| Map::from_iter([(name.clone(), Json::from(texts[*position]))]))
            .collect();
        let bulk =
            records::record_create_bulk(unit, lookup.target, &data, BulkMode::Partial).await?;
        let bad: HashMap<usize, &AppError> = bulk
            .errors
            .iter()
            .map(|row| (row.index, &row.error))
            .collect();
        let mut ids = bulk.ids.iter();
        for (index, position) in missing.into_iter().enumerate() {
            found[position] = match bad.get(&index) {
                Some(error) => Err((error.code().to_owned(), error.message())),
                None => match ids.next() {
                    Some(id) => {
                        self.made.push((lookup.target, *id));
                        Ok(*id)
                    }
                    None => return Err(AppError::broken("a record was not made")),
                },
            };
        }
        // Where the key folds, another spelling names what has just been made.
        let refused: Vec<usize> = (0..texts.len())
            .filter(|position| {
                matches!(&found[*position], Err((code, _)) if code == "UNIQUE_VIOLATION")
            })
            .collect();
        let spelled: Vec<&str> = refused.iter().map(|position| texts[*position]).collect();
        for (position, outcome) in refused
            .into_iter()
            .zip(look_up(unit, lookup, &spelled).await?)
        {
            if outcome.is_ok() {
                found[position] = outcome;
            }
        }
        Ok(())
    }

    /// The row's relations, or what is wrong with them.
    pub(super) fn of(
        &self,
        mapping: &Mapping,
        object: ObjectIndex,
        row: &Row,
        which: Which,
    ) -> Result<Map<String, Json>, Vec<RowError>> {
        let mut data = Map::new();
        let mut faults = Vec::new();
        for (number, text) in &row.lookups {
            let lookup = &mapping.lookups[*number];
            if !which.has(lookup, object) {
                continue;
            }
            match self.found.get(&(*number, text.clone())) {
                Some(Ok(id)) => {
                    data.insert(lookup.relation.clone(), json!({"connect": {"id": id}}));
                }
                Some(Err((code, message))) => faults.push(RowError {
                    line: row.line,
                    column: Some(lookup.column.clone()),
                    code: code.clone(),
                    message: message.clone(),
                }),
                None => {}
            }
        }
        if faults.is_empty() {
            Ok(data)
        } else {
            Err(faults)
        }
    }
}

/// What each text names, by position.
async fn look_up(unit: &Unit, lookup: &Lookup, texts: &[&str]) -> Result<Vec<Found>, AppError> {
    let target = unit.catalogue().object(lookup.target).clone();
    let field = target.field(lookup.field);
    let values: Vec<Result<Value, String>> = texts
        .iter()
        .map(|text| cells::comparable(&field.kind, text))
        .collect();
    let good: Vec<&Value> = values
        .iter()
        .filter_map(|value| value.as_ref().ok())
        .collect();
    let records = records::matching(unit, lookup.target, lookup.field, &good).await?;
    let compares = records::compares(&target, field);
    let mut by_key: HashMap<String, Vec<Uuid>> = HashMap::new();
    for record in records {
        if let Some(key) = records::compared(compares, record.value(lookup.field)) {
            by_key.entry(key).or_default().push(record.id);
        }
    }
    let name = &field.name;
    Ok(texts
        .iter()
        .zip(values)
        .map(|(text, value)| {
            let value = value.map_err(|message| ("BAD_INPUT".to_owned(), message))?;
            let found = records::compared(compares, &value).and_then(|key| by_key.get(&key));
            match found.map(Vec::as_slice) {
                None | Some([]) => Err((
                    "NOT_FOUND".to_owned(),
                    format!("there is no {} whose `{name}` is `{text}`", target.singular),
                )),
                Some([id]) => Ok(*id),
                Some(_) => Err((
                    "AMBIGUOUS".to_owned(),
                    format!("more than one {} has `{name}` = `{text}`", target.singular),
                )),
            }
        })
        .collect())
}
