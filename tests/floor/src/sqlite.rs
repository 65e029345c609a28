//! The floor on SQLite: a read-only connection for each worker thread, used without a hop to
//! another thread, and one writer.

use std::{cell::RefCell, collections::HashMap, path::PathBuf, sync::Mutex};

use anyhow::Result;
use rusqlite::{Connection, OpenFlags, Row, Transaction, params};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::{
    Answer, CHANGED_BY_UPDATE, Floor, NewCompany, history_of_update,
    json::{COMPANY, Company, PERSON, Part, Person, STAGES, now, stages},
};

pub(crate) struct Sqlite {
    path: PathBuf,
    writer: Mutex<Connection>,
    one: String,
    list: String,
    children: String,
    page: String,
    /// By what persons are ordered: a cursor would hold it.
    folded: Mutex<HashMap<Uuid, String>>,
}

thread_local! {
    static READER: RefCell<Option<Connection>> = const { RefCell::new(None) };
}

impl Sqlite {
    pub(crate) fn open(path: &str) -> Result<Self> {
        let writer = Connection::open(path)?;
        writer.pragma_update(None, "journal_mode", "WAL")?;
        writer.pragma_update(None, "synchronous", "FULL")?;
        writer.pragma_update(None, "foreign_keys", true)?;
        writer.busy_timeout(std::time::Duration::from_secs(10))?;
        Ok(Self {
            path: path.into(),
            writer: Mutex::new(writer),
            one: format!("SELECT {COMPANY} FROM rec_company c WHERE c.id = ?1"),
            list: format!(
                "SELECT {COMPANY} FROM rec_company c WHERE c._deleted_at IS NULL ORDER BY c.name__folded, c.id LIMIT 50"
            ),
            children: format!(
                "SELECT {PERSON} FROM rec_person p WHERE p.company__id = ?1 AND p._deleted_at IS NULL ORDER BY p.id LIMIT 10"
            ),
            page: format!(
                "SELECT {PERSON} FROM rec_person p WHERE p._deleted_at IS NULL AND EXISTS (SELECT 1 FROM rec_company c WHERE c.id = p.company__id AND c._deleted_at IS NULL LIMIT 1) \
                 AND p.name__folded >= ?1 AND (p.name__folded > ?1 OR p.id > ?2) ORDER BY p.name__folded, p.id LIMIT 50"
            ),
            folded: Mutex::default(),
        })
    }

    fn read(&self, work: impl FnOnce(&Connection, &mut Vec<u8>) -> Result<()>) -> Result<Vec<u8>> {
        READER.with_borrow_mut(|reader| {
            if reader.is_none() {
                let connection = Connection::open_with_flags(
                    &self.path,
                    OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
                )?;
                connection.pragma_update(None, "mmap_size", 1_i64 << 30)?;
                *reader = Some(connection);
            }
            let connection = reader.as_ref().expect("it was just opened");
            let mut out = Vec::with_capacity(4096);
            work(connection, &mut out)?;
            Ok(out)
        })
    }

    fn folded_of(&self, connection: &Connection, person: Uuid) -> Result<String> {
        let mut known = self.folded.lock().expect("nobody panics while looking");
        if let Some(folded) = known.get(&person) {
            return Ok(folded.clone());
        }
        let folded: String = connection.query_row(
            "SELECT name__folded FROM rec_person WHERE id = ?1",
            [person.as_bytes().as_slice()],
            |row| row.get(0),
        )?;
        known.insert(person, folded.clone());
        Ok(folded)
    }

    fn companies(
        &self,
        connection: &Connection,
        out: &mut Vec<u8>,
        with_people: bool,
    ) -> Result<()> {
        let mut statement = connection.prepare_cached(&self.list)?;
        let mut people = with_people
            .then(|| connection.prepare_cached(&self.children))
            .transpose()?;
        let mut rows = statement.query([])?;
        out.push(b'[');
        let mut is_first = true;
        while let Some(row) = rows.next()? {
            if !std::mem::take(&mut is_first) {
                out.push(b',');
            }
            let company = company(row)?;
            company.write(out);
            if let Some(people) = &mut people {
                out.extend_from_slice(b",\"people\":[");
                let mut rows = people.query([company.id.as_bytes().as_slice()])?;
                let mut is_first = true;
                while let Some(row) = rows.next()? {
                    if !std::mem::take(&mut is_first) {
                        out.push(b',');
                    }
                    person(row)?.write(out);
                }
                out.push(b']');
            }
            out.push(b'}');
        }
        out.push(b']');
        Ok(())
    }
}

fn company<'a>(row: &'a Row<'_>) -> Result<Company<'a>> {
    Ok(Company {
        id: Uuid::from_slice(row.get_ref(0)?.as_blob()?)?,
        version: row.get(1)?,
        created_at: row.get(2)?,
        updated_at: row.get(3)?,
        name: row.get_ref(4)?.as_str_or_null()?,
        website: row.get_ref(5)?.as_str_or_null()?,
        industry: row.get_ref(6)?.as_str_or_null()?,
        employees: row.get(7)?,
        revenue: row
            .get::<_, Option<i64>>(8)?
            .map(|scaled| Decimal::new(scaled, 2)),
        currency: row.get_ref(9)?.as_str_or_null()?,
        city: row.get_ref(10)?.as_str_or_null()?,
        country: row.get_ref(11)?.as_str_or_null()?,
    })
}

fn person<'a>(row: &'a Row<'_>) -> Result<Person<'a>> {
    Ok(Person {
        id: Uuid::from_slice(row.get_ref(0)?.as_blob()?)?,
        created_at: row.get(1)?,
        full_name: row.get_ref(2)?.as_str_or_null()?,
        job_title: row.get_ref(3)?.as_str_or_null()?,
        email: row.get_ref(4)?.as_str_or_null()?,
    })
}

impl Floor for Sqlite {
    fn one(&self, id: Uuid) -> Answer<'_> {
        Box::pin(async move {
            self.read(|connection, out| {
                let mut statement = connection.prepare_cached(&self.one)?;
                let mut rows = statement.query([id.as_bytes().as_slice()])?;
                match rows.next()? {
                    Some(row) => {
                        company(row)?.write(out);
                        out.push(b'}');
                    }
                    None => out.extend_from_slice(b"null"),
                }
                Ok(())
            })
        })
    }

    fn list(&self) -> Answer<'_> {
        Box::pin(async move { self.read(|connection, out| self.companies(connection, out, false)) })
    }

    fn nested(&self) -> Answer<'_> {
        Box::pin(async move { self.read(|connection, out| self.companies(connection, out, true)) })
    }

    fn page(&self, behind: Uuid) -> Answer<'_> {
        Box::pin(async move {
            self.read(|connection, out| {
                let folded = self.folded_of(connection, behind)?;
                let mut statement = connection.prepare_cached(&self.page)?;
                let mut rows = statement.query(params![folded, behind.as_bytes().as_slice()])?;
                out.push(b'[');
                let mut is_first = true;
                while let Some(row) = rows.next()? {
                    if !std::mem::take(&mut is_first) {
                        out.push(b',');
                    }
                    person(row)?.write(out);
                }
                out.push(b']');
                Ok(())
            })
        })
    }

    fn groups(&self) -> Answer<'_> {
        Box::pin(async move {
            // As long as it takes: off the workers.
            tokio::task::block_in_place(|| {
                self.read(|connection, out| {
                    let mut statement = connection.prepare_cached(STAGES)?;
                    let parts = statement
                        .query_map([], |row| {
                            Ok(Part {
                                stage: row.get(0)?,
                                currency: row.get(1)?,
                                count: row.get(2)?,
                                sum: row
                                    .get::<_, Option<i64>>(3)?
                                    .map(|scaled| Decimal::new(scaled, 2)),
                            })
                        })?
                        .collect::<Result<Vec<_>, _>>()?;
                    stages(&parts, out);
                    Ok(())
                })
            })
        })
    }

    fn create(&self, company: NewCompany) -> Answer<'_> {
        // A commit waits for the disk: off the workers, like every hand-written server does it.
        Box::pin(async move {
            tokio::task::block_in_place(|| {
                let mut writer = self.writer.lock().expect("nobody panics while writing");
                let transaction =
                    writer.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
                let id = insert(&transaction, &company)?;
                transaction.commit()?;
                Ok(format!("{{\"id\":\"{id}\"}}").into_bytes())
            })
        })
    }

    fn create_many(&self, companies: Vec<NewCompany>) -> Answer<'_> {
        Box::pin(async move {
            tokio::task::block_in_place(|| {
                let mut writer = self.writer.lock().expect("nobody panics while writing");
                let transaction =
                    writer.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
                for company in &companies {
                    insert(&transaction, company)?;
                }
                transaction.commit()?;
                Ok(format!("{{\"count\":{}}}", companies.len()).into_bytes())
            })
        })
    }

    fn update(&self, id: Uuid, employees: i64) -> Answer<'_> {
        Box::pin(async move {
            tokio::task::block_in_place(|| {
                let mut writer = self.writer.lock().expect("nobody panics while writing");
                let key = id.as_bytes().as_slice();
                let now = now();
                let transaction =
                    writer.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
                let (old, version): (Option<i64>, i64) = transaction
                    .prepare_cached("SELECT employees, _version FROM rec_company WHERE id = ?1")?
                    .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))?;
                transaction
                    .prepare_cached(
                        "UPDATE rec_company SET employees = ?2, _version = ?3, _updated_at = ?4, \
                         _updated_by = 'system' WHERE id = ?1",
                    )?
                    .execute(params![key, employees, version + 1, now])?;
                log(
                    &transaction,
                    key,
                    version + 1,
                    "UPDATE",
                    now,
                    &history_of_update(old, employees),
                    CHANGED_BY_UPDATE,
                )?;
                transaction.commit()?;
                Ok(format!("{{\"id\":\"{id}\"}}").into_bytes())
            })
        })
    }
}

fn insert(transaction: &Transaction<'_>, company: &NewCompany) -> Result<Uuid> {
    let id = Uuid::now_v7();
    let now = now();
    transaction
        .prepare_cached(
            "INSERT INTO rec_company (id, _version, _created_at, _updated_at, _created_by, _updated_by, \
             name, name__folded, website, website__folded, employees) \
             VALUES (?1, 1, ?2, ?2, 'system', 'system', ?3, ?4, ?5, ?5, ?6)",
        )?
        .execute(params![
            id.as_bytes().as_slice(),
            now,
            company.name,
            company.name_folded(),
            company.website,
            company.employees
        ])?;
    log(
        transaction,
        id.as_bytes(),
        1,
        "CREATE",
        now,
        &company.history(),
        company.changed(),
    )?;
    Ok(id)
}

/// History and outbox of a change.
fn log(
    transaction: &Transaction<'_>,
    id: &[u8],
    version: i64,
    change: &str,
    now: i64,
    history: &str,
    changed: &str,
) -> Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO relata_history (object, record, version, at, actor, change, fields) \
             VALUES ('relata/company', ?1, ?2, ?3, 'system', ?4, ?5)",
        )?
        .execute(params![id, version, now, change, history])?;
    transaction
        .prepare_cached(
            "INSERT INTO relata_outbox (xact, object, record, version, change, actor, at, fields) \
             VALUES (0, 'relata/company', ?1, ?2, ?4, 'system', ?3, ?5)",
        )?
        .execute(params![id, version, now, change, changed])?;
    Ok(())
}
