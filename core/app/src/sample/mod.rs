//! A lifelike sample company: people of several cultures, what they work on, what was agreed.
//!
//! Written through the same steps as every other record, so rules, gates and hooks hold. The same
//! seed and day give the same company. A field that the catalogue does not have (any more) is left
//! out; an object that is not there is passed over.

mod cultures;
mod people;
mod work;

use std::sync::Arc;

use jiff::civil::Date;
use rand::{SeedableRng, rngs::StdRng};
use relata_catalog::{Catalogue, Object, ObjectIndex};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use crate::{
    AppError, Caller, Workspace,
    records::{self, BulkMode},
};

/// Persons of a sample whose size nobody named.
pub const RECORDS_DEFAULT: u32 = 1_000;
/// Most persons of a sample.
pub const RECORDS_MAX: u32 = 10_000_000;
/// Rows that one transaction writes.
const CHUNK_ROWS: usize = 500;
/// Most members of the membership plugin: each has a ledger, and each entry runs a hook.
const MEMBERS_MAX: usize = 2_000;

/// How large a sample, and which.
#[derive(Debug, Clone)]
pub struct SampleOptions {
    /// Persons; everything else follows in proportion.
    pub records: u32,
    /// The same seed gives the same sample.
    pub seed: u64,
    /// The day that counts as today.
    pub today: Date,
}

impl SampleOptions {
    /// The sample that the demo shows.
    #[must_use]
    pub fn new(records: u32, today: Date) -> Self {
        Self {
            records,
            seed: 20_261_122,
            today,
        }
    }

    /// Records that it will make, for a progress bar. Entries of ledgers are not counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        let counts = Counts::of(self.records);
        (counts.companies + counts.persons + counts.deals + counts.tasks + counts.notes) as u64
    }
}

struct Counts {
    companies: usize,
    persons: usize,
    deals: usize,
    tasks: usize,
    notes: usize,
}

impl Counts {
    fn of(records: u32) -> Self {
        let persons = records.clamp(1, RECORDS_MAX) as usize;
        Self {
            companies: (persons / 10).max(1),
            persons,
            deals: persons / 4,
            tasks: persons / 5,
            notes: persons / 10,
        }
    }
}

/// Fills the workspace with the sample. `progress` hears how many records there are.
///
/// # Errors
/// What a write says; what was written before stays.
pub async fn sample_fill(
    workspace: &Workspace,
    caller: &Caller,
    options: &SampleOptions,
    progress: Arc<dyn Fn(u64) + Send + Sync>,
) -> Result<(), AppError> {
    let state = workspace.state();
    let mut sample = Sample {
        random: StdRng::seed_from_u64(options.seed),
        today: options.today,
        catalogue: Arc::clone(&state.catalogue),
    };
    let writer = Writer {
        workspace,
        caller,
        progress,
    };
    let counts = Counts::of(options.records);
    let mut done = 0;

    let mut companies = Vec::with_capacity(counts.companies);
    let rows: Vec<_> = (0..counts.companies).map(|_| sample.company()).collect();
    let ids = writer
        .write(
            "company",
            rows.iter().map(|company| company.data.clone()).collect(),
            &mut done,
        )
        .await?;
    for (id, company) in ids.into_iter().zip(rows) {
        companies.push(work::Firm {
            id,
            name: company.name,
            culture: company.culture,
        });
    }

    let mut persons = Vec::with_capacity(counts.persons);
    for chunk in chunks(counts.persons) {
        let rows: Vec<_> = (0..chunk).map(|_| sample.person(&companies)).collect();
        let ids = writer
            .write(
                "person",
                rows.iter().map(|person| person.data.clone()).collect(),
                &mut done,
            )
            .await?;
        persons.extend(ids.into_iter().zip(rows).map(|(id, person)| work::Contact {
            id,
            firm: person.firm,
        }));
    }

    let mut deals = Vec::with_capacity(counts.deals);
    for chunk in chunks(counts.deals) {
        let rows = (0..chunk)
            .map(|_| sample.deal(&companies, &persons))
            .collect();
        deals.extend(writer.write("deal", rows, &mut done).await?);
    }
    for chunk in chunks(counts.tasks) {
        let rows = (0..chunk)
            .map(|_| sample.task(&companies, &persons, &deals))
            .collect();
        writer.write("task", rows, &mut done).await?;
    }
    for chunk in chunks(counts.notes) {
        let rows = (0..chunk)
            .map(|_| sample.note(&companies, &persons))
            .collect();
        writer.write("note", rows, &mut done).await?;
    }
    members(&mut sample, &writer, &persons, &mut done).await?;
    workspace.database().refresh_statistics().await?;
    Ok(())
}

/// Members and their ledgers, where the membership plugin is installed.
async fn members(
    sample: &mut Sample,
    writer: &Writer<'_>,
    persons: &[work::Contact],
    done: &mut u64,
) -> Result<(), AppError> {
    if sample.object("member").is_none() || sample.object("pointsEntry").is_none() {
        return Ok(());
    }
    let count = (persons.len() / 5).clamp(1, MEMBERS_MAX);
    let rows = persons
        .iter()
        .take(count)
        .map(|person| sample.member(person))
        .collect();
    let ids = writer.write("member", rows, done).await?;
    for chunk in ids.chunks(CHUNK_ROWS / 5) {
        let rows = chunk
            .iter()
            .flat_map(|member| sample.ledger(*member))
            .collect();
        writer.write("pointsEntry", rows, done).await?;
    }
    Ok(())
}

fn chunks(count: usize) -> impl Iterator<Item = usize> {
    (0..count.div_ceil(CHUNK_ROWS)).map(move |number| CHUNK_ROWS.min(count - number * CHUNK_ROWS))
}

/// Chance, and what it is to fill.
struct Sample {
    random: StdRng,
    today: Date,
    catalogue: Arc<Catalogue>,
}

impl Sample {
    fn object(&self, name: &str) -> Option<(ObjectIndex, Arc<Object>)> {
        self.catalogue
            .object_named(name)
            .map(|(index, object)| (index, Arc::clone(object)))
    }
}

/// Data of one record: keeps only what the object has a field for.
struct Data {
    object: Option<Arc<Object>>,
    fields: Map<String, Json>,
}

impl Data {
    fn of(sample: &Sample, object: &str) -> Self {
        Self {
            object: sample.object(object).map(|(_, object)| object),
            fields: Map::new(),
        }
    }

    fn set(&mut self, field: &str, value: impl Into<Json>) -> &mut Self {
        let is_there = self
            .object
            .as_ref()
            .is_some_and(|object| object.field_named(field).is_some());
        if is_there {
            self.fields.insert(field.to_owned(), value.into());
        }
        self
    }

    fn connect(&mut self, field: &str, id: Uuid) -> &mut Self {
        self.set(field, serde_json::json!({"connect": {"id": id}}))
    }
}

struct Writer<'a> {
    workspace: &'a Workspace,
    caller: &'a Caller,
    progress: Arc<dyn Fn(u64) + Send + Sync>,
}

impl Writer<'_> {
    /// Writes rows of one object, a transaction for each chunk.
    async fn write(
        &self,
        object: &str,
        rows: Vec<Map<String, Json>>,
        done: &mut u64,
    ) -> Result<Vec<Uuid>, AppError> {
        let mut ids = Vec::with_capacity(rows.len());
        for chunk in rows.chunks(CHUNK_ROWS) {
            let (name, chunk): (String, Arc<[Map<String, Json>]>) =
                (object.to_owned(), chunk.into());
            let written = self
                .workspace
                .transact_long(self.caller, move |unit| {
                    let (name, chunk) = (name.clone(), Arc::clone(&chunk));
                    Box::pin(async move {
                        match unit.catalogue().object_named(&name) {
                            Some((index, _)) => {
                                let mode = BulkMode::AllOrNone;
                                records::record_create_bulk(&unit, index, &chunk, mode)
                                    .await
                                    .map(|bulk| bulk.ids)
                            }
                            None => Ok(Vec::new()),
                        }
                    })
                })
                .await?;
            *done += written.len() as u64;
            (self.progress)(*done);
            ids.extend(written);
        }
        Ok(ids)
    }
}
