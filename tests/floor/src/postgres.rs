//! The floor on PostgreSQL: a few connections, pipelined, statements prepared once, rows in binary.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context, Result};
use rust_decimal::Decimal;
use tokio::sync::Mutex;
use tokio_postgres::{
    Client, NoTls, Row, Statement,
    error::SqlState,
    types::{FromSql, Type},
};
use uuid::Uuid;

use crate::{
    Answer, CHANGED_BY_UPDATE, Floor, NewCompany, history_of_update,
    json::{COMPANY, Company, PERSON, Part, Person, STAGES, now, stages},
};

/// As many as the server under test has.
const CONNECTIONS: usize = 8;

pub(crate) struct Postgres {
    readers: Vec<Reader>,
    writers: Vec<Mutex<Writer>>,
    next: AtomicUsize,
    /// By what persons are ordered: a cursor would hold it.
    folded: Mutex<HashMap<Uuid, String>>,
}

struct Reader {
    client: Client,
    one: Statement,
    list: Statement,
    children: Statement,
    page: Statement,
    groups: Statement,
}

struct Writer {
    client: Client,
    company: Statement,
    history: Statement,
    outbox: Statement,
    many: Many,
    update: Update,
}

/// For many companies at once.
struct Many {
    company: Statement,
    history: Statement,
    outbox: Statement,
}

/// For another number of employees.
struct Update {
    old: Statement,
    company: Statement,
    history: Statement,
    outbox: Statement,
}

impl Postgres {
    pub(crate) async fn connect(url: &str) -> Result<Self> {
        let mut readers = Vec::with_capacity(CONNECTIONS);
        let mut writers = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            readers.push(Reader::connect(url).await?);
            writers.push(Mutex::new(Writer::connect(url).await?));
        }
        Ok(Self {
            readers,
            writers,
            next: AtomicUsize::new(0),
            folded: Mutex::default(),
        })
    }

    async fn folded_of(&self, client: &Client, person: Uuid) -> Result<String> {
        let mut known = self.folded.lock().await;
        if let Some(folded) = known.get(&person) {
            return Ok(folded.clone());
        }
        let row = client
            .query_one(
                "SELECT name__folded FROM rec_person WHERE id = $1",
                &[&person],
            )
            .await?;
        let folded: String = row.try_get(0)?;
        known.insert(person, folded.clone());
        Ok(folded)
    }

    fn turn(&self) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed) % CONNECTIONS
    }
}

async fn client(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// An instant as the wire has it: microseconds since 2000.
struct Micros(i64);

impl<'a> FromSql<'a> for Micros {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        const FROM_1970_TO_2000: i64 = 946_684_800_000_000;
        Ok(Self(
            i64::from_be_bytes(raw.try_into()?) + FROM_1970_TO_2000,
        ))
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::TIMESTAMPTZ
    }
}

impl Reader {
    async fn connect(url: &str) -> Result<Self> {
        let client = client(url).await?;
        let one = client
            .prepare(&format!(
                "SELECT {COMPANY} FROM rec_company c WHERE c.id = $1"
            ))
            .await?;
        let list = client
            .prepare(&format!(
                "SELECT {COMPANY} FROM rec_company c WHERE c._deleted_at IS NULL ORDER BY c.name__folded, c.id LIMIT 50"
            ))
            .await?;
        let children = client
            .prepare(&format!(
                "SELECT k.id, p.* FROM unnest($1::uuid[]) AS k(id) CROSS JOIN LATERAL (SELECT {PERSON} FROM rec_person p \
                 WHERE p.company__id = k.id AND p._deleted_at IS NULL ORDER BY p.id LIMIT 10) AS p"
            ))
            .await?;
        let page = client
            .prepare(&format!(
                "SELECT p.id, {PERSON} FROM rec_person p WHERE p._deleted_at IS NULL AND EXISTS (SELECT 1 FROM rec_company c WHERE c.id = p.company__id AND c._deleted_at IS NULL) \
                 AND (p.name__folded, p.id) > ($1, $2) ORDER BY p.name__folded, p.id LIMIT 50"
            ))
            .await?;
        let groups = client.prepare(STAGES).await?;
        Ok(Self {
            client,
            one,
            list,
            children,
            page,
            groups,
        })
    }
}

impl Writer {
    async fn connect(url: &str) -> Result<Self> {
        let client = client(url).await?;
        let company = client
            .prepare(
                "INSERT INTO rec_company (id, _version, _created_at, _updated_at, _created_by, _updated_by, \
                 name, name__folded, website, website__folded, employees) \
                 VALUES ($1, 1, now(), now(), 'system', 'system', $2, $3, $4, $4, $5)",
            )
            .await?;
        let history = client
            .prepare(
                "INSERT INTO relata_history (object, record, version, at, actor, change, fields) \
                 VALUES ('relata/company', $1, 1, $2, 'system', 'CREATE', $3)",
            )
            .await?;
        let outbox = client
            .prepare(
                "INSERT INTO relata_outbox (xact, object, record, version, change, actor, at, fields) \
                 VALUES (0, 'relata/company', $1, 1, 'CREATE', 'system', $2, $3)",
            )
            .await?;
        Ok(Self {
            many: Many::prepare(&client).await?,
            update: Update::prepare(&client).await?,
            client,
            company,
            history,
            outbox,
        })
    }
}

fn company(row: &Row) -> Result<Company<'_>> {
    Ok(Company {
        id: row.try_get(0)?,
        version: row.try_get(1)?,
        created_at: row.try_get::<_, Micros>(2)?.0,
        updated_at: row.try_get::<_, Micros>(3)?.0,
        name: row.try_get(4)?,
        website: row.try_get(5)?,
        industry: row.try_get(6)?,
        employees: row.try_get(7)?,
        revenue: row.try_get::<_, Option<Decimal>>(8)?,
        currency: row.try_get(9)?,
        city: row.try_get(10)?,
        country: row.try_get(11)?,
    })
}

fn person(row: &Row) -> Result<Person<'_>> {
    Ok(Person {
        id: row.try_get(1)?,
        created_at: row.try_get::<_, Micros>(2)?.0,
        full_name: row.try_get(3)?,
        job_title: row.try_get(4)?,
        email: row.try_get(5)?,
    })
}

impl Floor for Postgres {
    fn one(&self, id: Uuid) -> Answer<'_> {
        Box::pin(async move {
            let reader = &self.readers[self.turn()];
            let mut out = Vec::with_capacity(512);
            match reader.client.query_opt(&reader.one, &[&id]).await? {
                Some(row) => {
                    company(&row)?.write(&mut out);
                    out.push(b'}');
                }
                None => out.extend_from_slice(b"null"),
            }
            Ok(out)
        })
    }

    fn list(&self) -> Answer<'_> {
        Box::pin(async move {
            let reader = &self.readers[self.turn()];
            let rows = reader.client.query(&reader.list, &[]).await?;
            let mut out = Vec::with_capacity(16 * 1024);
            out.push(b'[');
            for (index, row) in rows.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                company(row)?.write(&mut out);
                out.push(b'}');
            }
            out.push(b']');
            Ok(out)
        })
    }

    fn nested(&self) -> Answer<'_> {
        Box::pin(async move {
            let reader = &self.readers[self.turn()];
            let rows = reader.client.query(&reader.list, &[]).await?;
            let ids: Vec<Uuid> = rows
                .iter()
                .map(|row| row.try_get(0))
                .collect::<Result<_, _>>()?;
            let children = reader.client.query(&reader.children, &[&ids]).await?;
            let mut by_parent: HashMap<Uuid, Vec<&Row>> = HashMap::with_capacity(ids.len());
            for child in &children {
                by_parent.entry(child.try_get(0)?).or_default().push(child);
            }
            let mut out = Vec::with_capacity(128 * 1024);
            out.push(b'[');
            for (index, row) in rows.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                let company = company(row)?;
                company.write(&mut out);
                out.extend_from_slice(b",\"people\":[");
                for (index, row) in by_parent.get(&company.id).into_iter().flatten().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    person(row)?.write(&mut out);
                }
                out.extend_from_slice(b"]}");
            }
            out.push(b']');
            Ok(out)
        })
    }

    fn page(&self, behind: Uuid) -> Answer<'_> {
        Box::pin(async move {
            let reader = &self.readers[self.turn()];
            let folded = self.folded_of(&reader.client, behind).await?;
            let rows = reader
                .client
                .query(&reader.page, &[&folded, &behind])
                .await?;
            let mut out = Vec::with_capacity(16 * 1024);
            out.push(b'[');
            for (index, row) in rows.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                person(row)?.write(&mut out);
            }
            out.push(b']');
            Ok(out)
        })
    }

    fn groups(&self) -> Answer<'_> {
        Box::pin(async move {
            let reader = &self.readers[self.turn()];
            let rows = reader.client.query(&reader.groups, &[]).await?;
            let parts = rows
                .iter()
                .map(|row| {
                    Ok(Part {
                        stage: row.try_get(0)?,
                        currency: row.try_get(1)?,
                        count: row.try_get(2)?,
                        sum: row.try_get(3)?,
                    })
                })
                .collect::<Result<Vec<_>>>()?;
            let mut out = Vec::with_capacity(4096);
            stages(&parts, &mut out);
            Ok(out)
        })
    }

    fn create(&self, company: NewCompany) -> Answer<'_> {
        Box::pin(async move {
            let mut writer = self.writers[self.turn()].lock().await;
            let Writer {
                client,
                company: insert,
                history,
                outbox,
                ..
            } = &mut *writer;
            let id = Uuid::now_v7();
            let at = now();
            let changed = company.history();
            let folded = company.name_folded();
            let transaction = client
                .build_transaction()
                .isolation_level(tokio_postgres::IsolationLevel::Serializable)
                .start()
                .await?;
            transaction
                .execute(
                    &*insert,
                    &[
                        &id,
                        &company.name,
                        &folded,
                        &company.website,
                        &company.employees,
                    ],
                )
                .await
                .context("company")?;
            transaction
                .execute(&*history, &[&id, &at, &changed])
                .await
                .context("history")?;
            transaction
                .execute(&*outbox, &[&id, &at, &company.changed()])
                .await
                .context("outbox")?;
            transaction.commit().await?;
            Ok(format!("{{\"id\":\"{id}\"}}").into_bytes())
        })
    }

    fn create_many(&self, companies: Vec<NewCompany>) -> Answer<'_> {
        Box::pin(async move {
            let mut writer = self.writers[self.turn()].lock().await;
            let Writer { client, many, .. } = &mut *writer;
            let at = now();
            let ids: Vec<Uuid> = companies.iter().map(|_| Uuid::now_v7()).collect();
            let names: Vec<&str> = companies.iter().map(|one| &*one.name).collect();
            let folded: Vec<String> = companies.iter().map(NewCompany::name_folded).collect();
            let websites: Vec<&str> = companies.iter().map(|one| &*one.website).collect();
            let employees: Vec<i64> = companies.iter().map(|one| one.employees).collect();
            let histories: Vec<String> = companies.iter().map(NewCompany::history).collect();
            let changed: Vec<&str> = companies.iter().map(NewCompany::changed).collect();
            let transaction = client
                .build_transaction()
                .isolation_level(tokio_postgres::IsolationLevel::Serializable)
                .start()
                .await?;
            transaction
                .execute(
                    &many.company,
                    &[&ids, &names, &folded, &websites, &employees],
                )
                .await
                .context("companies")?;
            transaction
                .execute(&many.history, &[&ids, &histories, &at])
                .await
                .context("history")?;
            transaction
                .execute(&many.outbox, &[&ids, &changed, &at])
                .await
                .context("outbox")?;
            transaction.commit().await?;
            Ok(format!("{{\"count\":{}}}", companies.len()).into_bytes())
        })
    }

    fn update(&self, id: Uuid, employees: i64) -> Answer<'_> {
        Box::pin(async move {
            let mut writer = self.writers[self.turn()].lock().await;
            let Writer { client, update, .. } = &mut *writer;
            loop {
                match update.run(client, id, employees).await {
                    // What the server under test does as well.
                    Err(error) if error.code() == Some(&SqlState::T_R_SERIALIZATION_FAILURE) => {}
                    done => {
                        done?;
                        return Ok(format!("{{\"id\":\"{id}\"}}").into_bytes());
                    }
                }
            }
        })
    }
}

impl Update {
    async fn prepare(client: &Client) -> Result<Self> {
        Ok(Self {
            old: client
                .prepare("SELECT employees, _version FROM rec_company WHERE id = $1 FOR UPDATE")
                .await?,
            company: client
                .prepare(
                    "UPDATE rec_company SET employees = $2, _version = $3, _updated_at = now(), \
                     _updated_by = 'system' WHERE id = $1",
                )
                .await?,
            history: client
                .prepare(
                    "INSERT INTO relata_history (object, record, version, at, actor, change, fields) \
                     VALUES ('relata/company', $1, $2, $3, 'system', 'UPDATE', $4)",
                )
                .await?,
            outbox: client
                .prepare(
                    "INSERT INTO relata_outbox (xact, object, record, version, change, actor, at, fields) \
                     VALUES (0, 'relata/company', $1, $2, 'UPDATE', 'system', $3, $4)",
                )
                .await?,
        })
    }

    async fn run(
        &self,
        client: &mut Client,
        id: Uuid,
        employees: i64,
    ) -> Result<(), tokio_postgres::Error> {
        let at = now();
        let transaction = client
            .build_transaction()
            .isolation_level(tokio_postgres::IsolationLevel::Serializable)
            .start()
            .await?;
        let row = transaction.query_one(&self.old, &[&id]).await?;
        let old: Option<i64> = row.try_get(0)?;
        let version: i64 = row.try_get::<_, i64>(1)? + 1;
        transaction
            .execute(&self.company, &[&id, &employees, &version])
            .await?;
        let history = history_of_update(old, employees);
        transaction
            .execute(&self.history, &[&id, &version, &at, &history])
            .await?;
        transaction
            .execute(&self.outbox, &[&id, &version, &at, &CHANGED_BY_UPDATE])
            .await?;
        transaction.commit().await
    }
}

impl Many {
    async fn prepare(client: &Client) -> Result<Self> {
        Ok(Self {
            company: client
                .prepare(
                    "INSERT INTO rec_company (id, _version, _created_at, _updated_at, _created_by, _updated_by, \
                     name, name__folded, website, website__folded, employees) \
                     SELECT id, 1, now(), now(), 'system', 'system', name, folded, website, website, employees \
                     FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::int8[]) \
                     AS n(id, name, folded, website, employees)",
                )
                .await?,
            history: client
                .prepare(
                    "INSERT INTO relata_history (object, record, version, at, actor, change, fields) \
                     SELECT 'relata/company', id, 1, $3, 'system', 'CREATE', fields \
                     FROM unnest($1::uuid[], $2::text[]) AS n(id, fields)",
                )
                .await?,
            outbox: client
                .prepare(
                    "INSERT INTO relata_outbox (xact, object, record, version, change, actor, at, fields) \
                     SELECT 0, 'relata/company', id, 1, 'CREATE', 'system', $3, fields \
                     FROM unnest($1::uuid[], $2::text[]) AS n(id, fields)",
                )
                .await?,
        })
    }
}
