//! Limits that other rooms have, as tables of the settings: `[plugin_limits]` …
//!
//! What a limit means and its default stand with the struct that has it; here is how it is
//! written, and in which range it makes sense. Below the range the server could not do its work;
//! above it, the limit would no longer protect anything, or something else breaks first.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use relata_app::outbox::DeliveryOptions;
use relata_app::retention::RetentionOptions;
use relata_app::search::SearchOptions;
use relata_graphql::{RecordsLimits, guard::DocumentLimits};
use relata_host::Limits as PluginLimits;
use relata_store::read::GROUP_KEYS_MAX;

use super::values::{Setting as _, Size, Time};

/// How a limit is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A whole number.
    Count,
    /// Bytes: `16MiB`.
    Size,
    /// A duration: `30s`. The number is of milliseconds.
    Time,
}

impl Form {
    fn parse(self, texts: &[String]) -> Option<u64> {
        match self {
            Self::Count => match texts {
                [text] => text.trim().parse().ok(),
                _ => None,
            },
            Self::Size => Size::parse(texts).ok().map(|size| size.0),
            Self::Time => Time::parse(texts)
                .ok()
                .and_then(|time| u64::try_from(time.0.as_millis()).ok()),
        }
    }

    /// As it is written in a file.
    pub(super) fn value(self, number: u64) -> toml::Value {
        match self {
            // Every range ends far below.
            Self::Count => toml::Value::Integer(i64::try_from(number).unwrap_or(i64::MAX)),
            Self::Size | Self::Time => toml::Value::String(self.text(number)),
        }
    }

    pub(super) fn text(self, number: u64) -> String {
        match self {
            Self::Count => number.to_string(),
            Self::Size => Size(number).to_string(),
            Self::Time => Time(Duration::from_millis(number)).to_string(),
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Count => "a whole number",
            Self::Size => "a size",
            Self::Time => "a duration",
        }
    }
}

/// One limit of a table.
pub(super) struct Limit<T: 'static> {
    /// Where it stands in the struct: `document.depth_max`.
    member: &'static str,
    /// What it limits.
    pub(super) about: &'static [&'static str],
    pub(super) form: Form,
    pub(super) range: RangeInclusive<u64>,
    pub(super) get: fn(&T) -> u64,
    set: fn(&mut T, u64),
}

impl<T> Limit<T> {
    /// Its name in the table.
    pub(super) fn key(&self) -> &'static str {
        let last = self.member.rsplit('.').next();
        last.unwrap_or(self.member).trim()
    }

    /// Says what would be right.
    pub(super) fn read(&self, into: &mut T, texts: &[String]) -> Result<(), String> {
        match self.form.parse(texts) {
            Some(number) if self.range.contains(&number) => {
                (self.set)(into, number);
                Ok(())
            }
            _ => Err(format!(
                "takes {} from {} to {}, not {}",
                self.form.noun(),
                self.form.text(*self.range.start()),
                self.form.text(*self.range.end()),
                texts.join(", ")
            )),
        }
    }
}

/// A struct of limits that is a table of the settings.
pub(super) trait Table: Default + 'static {
    const LIMITS: &'static [Limit<Self>];

    /// Limits that contradict each other, by name, and what would be right.
    fn contradictions(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::new()
    }
}

/// The type of a limit's member.
trait Number: Copy {
    fn number(self) -> u64;
    /// A number within the limit's range, which its type holds.
    fn of(number: u64) -> Self;
}

impl Number for u64 {
    fn number(self) -> u64 {
        self
    }

    fn of(number: u64) -> Self {
        number
    }
}

impl Number for u32 {
    fn number(self) -> u64 {
        self.into()
    }

    fn of(number: u64) -> Self {
        Self::try_from(number).unwrap_or(Self::MAX)
    }
}

impl Number for usize {
    fn number(self) -> u64 {
        u64::try_from(self).unwrap_or(u64::MAX)
    }

    fn of(number: u64) -> Self {
        Self::try_from(number).unwrap_or(Self::MAX)
    }
}

impl Number for Duration {
    fn number(self) -> u64 {
        u64::try_from(self.as_millis()).unwrap_or(u64::MAX)
    }

    fn of(number: u64) -> Self {
        Self::from_millis(number)
    }
}

macro_rules! limits {
    ($table:ty: $( $(#[doc = $about:literal])* $($member:ident).+ : $form:ident $range:expr; )*) => {
        &[$( Limit {
            member: stringify!($($member).+),
            about: &[$($about),*],
            form: Form::$form,
            range: $range,
            get: |limits: &$table| Number::number(limits.$($member).+),
            set: |limits: &mut $table, number| limits.$($member).+ = Number::of(number),
        }, )*]
    };
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

impl Table for PluginLimits {
    const LIMITS: &'static [Limit<Self>] = limits! { Self:
        /// Bytes of a package, and of all that it unpacks to.
        package_bytes_max: Size KIB..=GIB;
        /// Files in a package.
        package_entries_max: Count 2..=100_000;
        /// How many times larger a file may become by unpacking.
        package_ratio_max: Count 1..=10_000;
        /// CPU seconds of one compilation.
        compile_cpu_seconds: Count 1..=3_600;
        /// Milliseconds of one compilation by the clock on the wall.
        compile_wall_ms: Count 100..=HOUR;
        /// Address space of one compilation.
        compile_memory_bytes: Size 256 * MIB..=64 * GIB;
        /// Machine code that one compilation may write.
        compile_output_bytes: Size MIB..=4 * GIB;
        /// Operations and after hooks that run at the same time.
        calls_concurrent_max: Count 1..=1_000;
        /// Milliseconds that an operation or an after hook waits for its turn.
        call_queue_ms: Count 0..=10 * MINUTE;
        /// How deep calls may nest (a hook's write that calls a hook …).
        call_depth_max: Count 1..=32;
        /// Fuel of a before hook: about 2,000 a microsecond.
        before_fuel: Count 10_000..=20_000_000_000;
        /// Milliseconds of a before hook by the clock on the wall, its reads included.
        before_wall_ms: Count 1..=MINUTE;
        /// Fuel of an after hook.
        after_fuel: Count 10_000..=1_000_000_000_000;
        /// Milliseconds of an after hook by the clock on the wall.
        after_wall_ms: Count 1..=10 * MINUTE;
        /// Fuel of an operation.
        operation_fuel: Count 10_000..=1_000_000_000_000;
        /// Milliseconds of an operation by the clock on the wall.
        operation_wall_ms: Count 1..=10 * MINUTE;
        /// Milliseconds after which a running guest lets others have the thread.
        yield_ms: Count 1..=SECOND;
        /// Milliseconds after which a call is reported as slow.
        slow_call_ms: Count 1..=HOUR;
        /// All linear memories of a call together. WebAssembly's own limit is 4 GiB.
        memory_bytes: Size MIB..=4 * GIB;
        /// Linear memories of a call.
        memories_max: Count 1..=100;
        /// Elements of all tables of a call together.
        table_elements_max: Count 10..=10_000_000;
        /// Tables of a call.
        tables_max: Count 1..=100;
        /// Core instances of a call.
        instances_max: Count 1..=1_000;
        /// The guest's stack.
        stack_bytes: Size 16 * KIB..=16 * MIB;
        /// Host functions that a call may call.
        host_calls_max: Count 1..=10_000_000;
        /// Rows that a call may read.
        host_rows_max: Count 1..=10_000_000;
        /// Values that a call may read.
        host_read_bytes: Size KIB..=GIB;
        /// What a guest may hand to the host at once.
        transfer_bytes: Size KIB..=GIB;
        /// Lines that a call may log; further ones are dropped and counted.
        log_lines_max: Count 0..=100_000;
        /// A logged line; longer ones are cut.
        log_line_bytes: Size 16..=MIB;
        /// Patches of a before hook.
        patches_max: Count 1..=10_000;
        /// Effects of a before hook: further writes.
        effects_max: Count 0..=100_000;
        /// Issues of a rejection.
        issues_max: Count 1..=10_000;
        /// All patches, effects or issues together.
        outcome_bytes: Size KIB..=256 * MIB;
        /// An operation's JSON.
        result_bytes: Size KIB..=256 * MIB;
        /// Levels of lists and objects in JSON that comes from a guest. The JSON parser's own
        /// limit is 127.
        json_depth_max: Count 1..=120;
    };
}

impl Table for DocumentLimits {
    const LIMITS: &'static [Limit<Self>] = limits! { Self:
        /// The GraphQL document.
        bytes_max: Size 64..=16 * MIB;
        /// Brackets inside each other, and selections once fragments are expanded.
        depth_max: Count 1..=DocumentLimits::DEPTH_HIGHEST as u64;
        /// Names, numbers, strings and punctuation.
        tokens_max: Count 10..=10_000_000;
        /// Fields, spreads and inline fragments, once fragments are expanded.
        selections_max: Count 1..=1_000_000;
        /// Fields of an operation itself, once fragments are expanded.
        root_fields_max: Count 1..=10_000;
        /// Aliases, once fragments are expanded.
        aliases_max: Count 0..=1_000_000;
        /// Directives, once fragments are expanded.
        directives_max: Count 0..=1_000_000;
    };
}

impl Table for RecordsLimits {
    const LIMITS: &'static [Limit<Self>] = limits! { Self:
        /// The GraphQL document.
        document.bytes_max: Size 64..=16 * MIB;
        /// Brackets inside each other, and selections once fragments are expanded.
        document.depth_max: Count 1..=DocumentLimits::DEPTH_HIGHEST as u64;
        /// Names, numbers, strings and punctuation.
        document.tokens_max: Count 10..=10_000_000;
        /// Fields, spreads and inline fragments, once fragments are expanded.
        document.selections_max: Count 1..=1_000_000;
        /// Fields of an operation itself, once fragments are expanded.
        document.root_fields_max: Count 1..=10_000;
        /// Aliases, once fragments are expanded.
        document.aliases_max: Count 0..=1_000_000;
        /// Directives, once fragments are expanded.
        document.directives_max: Count 0..=1_000_000;
        /// Records on a page of a root field that does not say how many.
        page_default: Count 1..=10_000;
        /// The same, below the root.
        page_nested_default: Count 1..=10_000;
        /// Records on a page, at most.
        page_max: Count 1..=10_000;
        /// Rows that an operation could read: the product of its page sizes, summed over root
        /// fields.
        rows_max: Count 1..=10_000_000;
        /// Conditions inside each other.
        filter_depth_max: Count 1..=Self::FILTER_DEPTH_HIGHEST as u64;
        /// Conditions of one root field.
        conditions_max: Count 1..=10_000;
        /// Values in one list that is compared with.
        list_max: Count 1..=100_000;
        /// Terms of one order.
        order_terms_max: Count 1..=32;
        /// Relations that one term follows.
        order_depth_max: Count 0..=10;
        /// Records that one mutation is given the data of.
        bulk_rows_max: Count 1..=100_000;
        /// Records that one mutation changes by a condition: they are locked until it ends.
        bulk_records_max: Count 1..=1_000_000;
        /// Records inside the data of records, counted from the one that the mutation names.
        nested_depth_max: Count 0..=Self::NESTED_DEPTH_HIGHEST as u64;
        /// Records that one mutation creates, connects or disconnects inside the data of others.
        nested_records_max: Count 0..=100_000;
        /// Groups on a page that does not say how many.
        groups_default: Count 1..=10_000;
        /// Groups on a page, at most.
        groups_max: Count 1..=10_000;
        /// Keys that records are grouped by.
        group_keys_max: Count 1..=GROUP_KEYS_MAX as u64;
        /// Memory of cached documents and plans, roughly.
        cache_bytes_max: Size MIB..=16 * GIB;
    };

    fn contradictions(&self) -> BTreeMap<&'static str, String> {
        let mut wrong = BTreeMap::new();
        for (key, page) in [
            ("page_default", self.page_default),
            ("page_nested_default", self.page_nested_default),
        ] {
            if page > self.page_max {
                wrong.insert(
                    key,
                    format!("{page} is more than page_max, {}", self.page_max),
                );
            }
        }
        if self.groups_default > self.groups_max {
            wrong.insert(
                "groups_default",
                format!(
                    "{} is more than groups_max, {}",
                    self.groups_default, self.groups_max
                ),
            );
        }
        if self.rows_max < self.page_default {
            wrong.insert(
                "rows_max",
                format!(
                    "{} is less than page_default, {}: every list would be refused",
                    self.rows_max, self.page_default
                ),
            );
        }
        wrong
    }
}

impl Table for DeliveryOptions {
    const LIMITS: &'static [Limit<Self>] = limits! { Self:
        /// Tries of one entry before it becomes a dead letter.
        attempts_max: Count 1..=100;
        /// Pause after the first failure; doubles with each further one.
        pause_first: Time 1..=HOUR;
        /// Longest pause.
        pause_max: Time 1..=7 * DAY;
        /// How often the outbox is looked at without being woken: other processes write as well.
        look_every: Time 10..=HOUR;
        /// How long a commit waits for others before the outbox is looked at.
        coalesce: Time 1..=SECOND;
        /// How far apart the outbox is looked at while commits keep coming.
        spacing: Time 1..=MINUTE;
        /// Entries that are read at once.
        page: Count 1..=10_000;
        /// Most entries that one transaction delivers.
        batch_entries: Count 1..=10_000;
        /// A transaction that has held its turn for this long begins no further entry.
        batch_time: Time 1..=SECOND;
    };

    fn contradictions(&self) -> BTreeMap<&'static str, String> {
        let mut wrong = BTreeMap::new();
        if self.pause_first > self.pause_max {
            wrong.insert(
                "pause_first",
                format!(
                    "{} is more than pause_max, {}",
                    Time(self.pause_first),
                    Time(self.pause_max)
                ),
            );
        }
        wrong
    }
}

impl Table for RetentionOptions {
    const LIMITS: &'static [Limit<Self>] = limits! { Self:
        /// Records in the trash, before they are removed for good.
        trash: Time SECOND..=36_500 * DAY;
        /// Tables and columns of removed elements: for an undo, and for requests of older
        /// revisions.
        parked: Time MINUTE..=3_650 * DAY;
        /// Entries of the outbox after everybody has got them.
        outbox: Time SECOND..=365 * DAY;
        /// Answers to requests with an `Idempotency-Key`.
        answers: Time SECOND..=365 * DAY;
        /// Jobs that have ended, with what an import needs to be undone.
        jobs: Time SECOND..=36_500 * DAY;
        /// Files that no record and no job holds any more: undoing an import may give them back.
        files: Time SECOND..=36_500 * DAY;
        /// Files of which not all has arrived: uploads that were broken off.
        arriving: Time SECOND..=30 * DAY;
        /// Bytes of such an answer.
        answer_bytes_max: Size KIB..=64 * MIB;
        /// How often is looked for what may go; in the trash, ten times less often.
        look_every: Time SECOND..=DAY;
    };
}

impl Table for SearchOptions {
    const LIMITS: &'static [Limit<Self>] = limits! { Self:
        /// How often the outbox is looked at without being woken: other processes write as well.
        look_every: Time 10..=HOUR;
        /// How far apart commits of the index are while records keep changing.
        spacing: Time 10..=MINUTE;
        /// Records that are read at once.
        batch: Count 1..=10_000;
        /// Searches at a time; the next ones wait.
        concurrent_max: Count 1..=1_024;
        /// Hits of a page, where nobody says how many.
        page_default: Count 1..=1_000;
        /// Hits of a page, at most.
        page_max: Count 1..=1_000;
    };

    fn contradictions(&self) -> BTreeMap<&'static str, String> {
        let mut wrong = BTreeMap::new();
        if self.page_default > self.page_max {
            wrong.insert(
                "page_default",
                format!(
                    "{} is more than page_max, {}",
                    self.page_default, self.page_max
                ),
            );
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every member is a setting, and its default is one that may be set.
    fn check<T: Table + std::fmt::Debug>() {
        let default = T::default();
        let members: Vec<String> = format!("{default:#?}")
            .lines()
            .filter(|line| line.ends_with(','))
            .filter_map(|line| line.split_once(':'))
            .map(|(member, _)| member.trim().to_owned())
            .collect();
        let mut keys: Vec<&str> = T::LIMITS.iter().map(Limit::key).collect();
        assert!(members.len() > 5, "{members:?}");
        for member in &members {
            assert!(keys.contains(&member.as_str()), "{member} can't be set");
        }
        assert_eq!(members.len(), keys.len());
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), T::LIMITS.len(), "a name stands twice");
        for limit in T::LIMITS {
            let key = limit.key();
            assert!(limit.range.contains(&(limit.get)(&default)), "{key}");
            assert!(!limit.about.is_empty(), "{key}");
            for number in [*limit.range.start(), *limit.range.end()] {
                let mut changed = T::default();
                let text = limit.form.text(number);
                limit
                    .read(&mut changed, &[text])
                    .unwrap_or_else(|wrong| panic!("{key} {wrong}"));
                assert_eq!((limit.get)(&changed), number, "{key}");
            }
        }
        assert_eq!(default.contradictions(), BTreeMap::new());
    }

    #[test]
    fn every_limit_can_be_set_within_its_range() {
        check::<PluginLimits>();
        check::<RecordsLimits>();
        check::<DocumentLimits>();
        check::<DeliveryOptions>();
        check::<RetentionOptions>();
        check::<SearchOptions>();
    }
}
