//! Rows to JSON, by hand.

use std::io::Write;

use rust_decimal::Decimal;
use uuid::Uuid;

/// The columns of a company that the benchmark asks for, in this order.
pub(crate) const COMPANY: &str = "c.id, c._version, c._created_at, c._updated_at, c.name, c.website, c.industry, \
     c.employees, c.annual_revenue__amount, c.annual_revenue__currency, c.address__city, c.address__country";

/// The columns of a person that the benchmark asks for, in this order.
pub(crate) const PERSON: &str = "p.id, p._created_at, p.name__full, p.job_title, p.emails__primary";

/// A company as far as the benchmark asks for it.
pub(crate) struct Company<'a> {
    pub(crate) id: Uuid,
    pub(crate) version: i64,
    /// Microseconds since 1970.
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) name: Option<&'a str>,
    pub(crate) website: Option<&'a str>,
    pub(crate) industry: Option<&'a str>,
    pub(crate) employees: Option<i64>,
    pub(crate) revenue: Option<Decimal>,
    pub(crate) currency: Option<&'a str>,
    pub(crate) city: Option<&'a str>,
    pub(crate) country: Option<&'a str>,
}

impl Company<'_> {
    /// Writes all but the closing brace, so that children can follow.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        put(
            out,
            format_args!(
                "{{\"id\":\"{}\",\"version\":{},\"createdAt\":\"",
                self.id, self.version
            ),
        );
        instant(out, self.created_at);
        out.extend_from_slice(b"\",\"updatedAt\":\"");
        instant(out, self.updated_at);
        out.extend_from_slice(b"\",\"name\":");
        text(out, self.name);
        out.extend_from_slice(b",\"website\":");
        text(out, self.website);
        out.extend_from_slice(b",\"industry\":");
        text(out, self.industry);
        out.extend_from_slice(b",\"employees\":");
        match self.employees {
            Some(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b",\"annualRevenue\":");
        match self.revenue {
            Some(amount) => {
                put(out, format_args!("{{\"amount\":\"{amount}\",\"currency\":"));
                text(out, self.currency);
                out.push(b'}');
            }
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b",\"address\":{\"city\":");
        text(out, self.city);
        out.extend_from_slice(b",\"country\":");
        text(out, self.country);
        out.push(b'}');
    }
}

/// A person as far as the benchmark asks for it.
pub(crate) struct Person<'a> {
    pub(crate) id: Uuid,
    pub(crate) created_at: i64,
    pub(crate) full_name: Option<&'a str>,
    pub(crate) job_title: Option<&'a str>,
    pub(crate) email: Option<&'a str>,
}

impl Person<'_> {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        put(
            out,
            format_args!("{{\"id\":\"{}\",\"createdAt\":\"", self.id),
        );
        instant(out, self.created_at);
        out.extend_from_slice(b"\",\"name\":{\"full\":");
        text(out, self.full_name);
        out.extend_from_slice(b"},\"jobTitle\":");
        text(out, self.job_title);
        out.extend_from_slice(b",\"emails\":{\"primary\":");
        text(out, self.email);
        out.extend_from_slice(b"}}");
    }
}

fn put(out: &mut Vec<u8>, arguments: std::fmt::Arguments<'_>) {
    out.write_fmt(arguments)
        .expect("writing to memory does not fail");
}

fn text(out: &mut Vec<u8>, value: Option<&str>) {
    match value {
        None => out.extend_from_slice(b"null"),
        Some(value)
            if value
                .bytes()
                .all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') =>
        {
            out.push(b'"');
            out.extend_from_slice(value.as_bytes());
            out.push(b'"');
        }
        Some(value) => serde_json::to_writer(out, value).expect("writing to memory does not fail"),
    }
}

fn instant(out: &mut Vec<u8>, microseconds: i64) {
    match jiff::Timestamp::from_microsecond(microseconds) {
        Ok(instant) => put(out, format_args!("{instant}")),
        Err(_) => out.extend_from_slice(b"out of range"),
    }
}

/// Now, in microseconds since 1970.
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

/// Deals of one stage and one currency.
pub(crate) struct Part {
    pub(crate) stage: String,
    pub(crate) currency: Option<String>,
    pub(crate) count: i64,
    pub(crate) sum: Option<Decimal>,
}

/// Writes parts that come by stage and currency as a list of stages.
pub(crate) fn stages(parts: &[Part], out: &mut Vec<u8>) {
    out.push(b'[');
    for (index, stage) in parts
        .chunk_by(|one, next| one.stage == next.stage)
        .enumerate()
    {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"stage\":");
        text(out, Some(&stage[0].stage));
        let count: i64 = stage.iter().map(|part| part.count).sum();
        put(out, format_args!(",\"count\":{count},\"sum\":["));
        let sums = stage
            .iter()
            .filter_map(|part| Some((part.currency.as_deref()?, part.sum?)));
        for (index, (currency, sum)) in sums.enumerate() {
            if index > 0 {
                out.push(b',');
            }
            put(out, format_args!("{{\"amount\":\"{sum}\",\"currency\":"));
            text(out, Some(currency));
            out.push(b'}');
        }
        out.extend_from_slice(b"]}");
    }
    out.push(b']');
}

/// Deals by stage and currency, in this order.
pub(crate) const STAGES: &str = "SELECT d.stage__stage, d.amount__currency, count(*), sum(d.amount__amount) \
     FROM rec_deal d WHERE d._deleted_at IS NULL GROUP BY 1, 2 ORDER BY 1, 2";
