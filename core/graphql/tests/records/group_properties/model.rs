//! The same questions, answered in memory: with whole numbers of the last digit, and calendars of
//! their own.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, ToSpan as _, civil::Date, tz::TimeZone};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

/// A record.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) id: String,
    name: Option<&'static str>,
    pub(crate) size: Option<i64>,
    /// Thousandths.
    rate: Option<i64>,
    /// Hundredths, and the currency.
    worth: Option<(i64, &'static str)>,
    active: Option<bool>,
    day: Option<Date>,
    /// Microseconds.
    at: Option<i64>,
    tier: Option<&'static str>,
    tags: Vec<&'static str>,
    country: Option<&'static str>,
    /// Who made it.
    pub(crate) owner: u128,
    /// Position of an earlier one.
    pub(crate) mother: Option<usize>,
}

impl Sample {
    pub(crate) fn data(&self, mother: Option<String>) -> Json {
        let mut data = json!({"tags": self.tags});
        let mut put = |name: &str, value: Option<Json>| {
            if let Some(value) = value {
                data[name] = value;
            }
        };
        put("name", self.name.map(Json::from));
        put("size", self.size.map(Json::from));
        put("rate", self.rate.map(|rate| decimal(rate.into(), 3).into()));
        put(
            "worth",
            self.worth.map(|(amount, currency)| {
                json!({"amount": decimal(amount.into(), 2), "currency": currency})
            }),
        );
        put("active", self.active.map(Json::from));
        put("day", self.day.map(|day| day.to_string().into()));
        put("at", self.at.map(|at| instant(at).into()));
        put("tier", self.tier.map(Json::from));
        put(
            "place",
            self.country.map(|country| json!({"country": country})),
        );
        put("mother", mother.map(|id| json!({"connect": {"id": id}})));
        data
    }
}

/// Around changes of clocks in one of the zones, and ends of years.
const TIMES: [&str; 6] = [
    "2010-11-07T01:00:00Z",
    "2026-03-28T21:30:00Z",
    "2026-10-24T21:30:00Z",
    "2026-04-04T13:00:00Z",
    "2025-12-31T12:00:00Z",
    "1969-12-31T18:00:00Z",
];

/// A record, of which there are so many before it.
pub(crate) fn sample(before: usize) -> impl Strategy<Value = Sample> {
    let amount = prop_oneof![
        4 => -2_000..2_000_i64,
        1 => prop_oneof![Just(999_999_999_999_999_999_i64), Just(-999_999_999_999_999_998)],
    ];
    let at = (0..TIMES.len(), 0..40_i64, 0..4_i64).prop_map(|(base, quarters, more)| {
        let base: Timestamp = TIMES[base].parse().unwrap();
        base.as_microsecond()
            + quarters * 900_000_000
            + [0, 1, 59_999_999, 1_500_000][more as usize]
    });
    let day = (0..900_i32).prop_map(|days| Date::constant(2024, 2, 20) + days.days());
    (
        (
            prop::option::of(prop::sample::select(vec![
                "Ärger", "ärger", "arger", "Zorn", "zorn", "B",
            ])),
            prop::option::of(-6..20_i64),
            prop::option::of(amount.clone()),
            prop::option::of((amount, prop::sample::select(vec!["EUR", "USD", "CHF"]))),
            any::<Option<bool>>(),
            prop::option::of(day),
            prop::option::of(at),
        ),
        (
            prop::option::of(prop::sample::select(vec!["GOLD", "SILVER"])),
            prop::sample::subsequence(vec!["A_B", "AB", "C"], 0..=3),
            prop::option::of(prop::sample::select(vec!["DE", "FR"])),
            1..=2_u128,
            prop::option::of(0..before.clamp(1, 4)),
        ),
    )
        .prop_map(
            move |(
                (name, size, rate, worth, active, day, at),
                (tier, tags, country, owner, mother),
            )| Sample {
                id: String::new(),
                name,
                size,
                rate,
                worth,
                active,
                day,
                at,
                tier,
                tags,
                country,
                owner,
                mother: mother.filter(|index| *index < before),
            },
        )
}

/// What a record is grouped by: as a client writes it, and where it is in the answer.
pub(crate) const KEYS: [(&str, &str); 22] = [
    ("name", "true"),
    ("size", "true"),
    ("rate", "true"),
    ("active", "true"),
    ("tier", "true"),
    ("tags", "true"),
    ("worth.currency", "true"),
    ("place.country", "true"),
    ("mother.id", "true"),
    ("mother.name", "true"),
    ("mother.tier", "true"),
    ("owner", "true"),
    ("day", "DAY"),
    ("day", "WEEK"),
    ("day", "MONTH"),
    ("day", "QUARTER"),
    ("day", "YEAR"),
    ("at", "HOUR"),
    ("at", "DAY"),
    ("at", "WEEK"),
    ("at", "MONTH"),
    ("at", "QUARTER"),
];

/// A value of a key, as it orders.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Number(i128),
    Text(String, String),
}

/// Digits behind the point, and the name of each measure that is compared and ordered by.
pub(crate) const MEASURES: [(&str, u32); 24] = [
    ("count", 0),
    ("name.countDistinct", 0),
    ("name.min", 0),
    ("name.max", 0),
    ("size.sum", 0),
    ("size.avg", 6),
    ("size.median", 6),
    ("size.max", 0),
    ("rate.count", 0),
    ("rate.countDistinct", 0),
    ("rate.sum", 3),
    ("rate.avg", 6),
    ("rate.median", 6),
    ("rate.min", 3),
    ("worth.countDistinct", 0),
    ("worth.sum.EUR", 2),
    ("worth.avg.EUR", 2),
    ("worth.median.USD", 2),
    ("worth.min.CHF", 2),
    ("worth.max.EUR", 2),
    ("active.countFalse", 0),
    ("day.max", 0),
    ("at.min", 0),
    ("tags.count", 0),
];

/// A question.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) zone: usize,
    /// Least size.
    pub(crate) filter: Option<i64>,
    pub(crate) keys: Vec<usize>,
    /// Measure, operator, operand in units of the measure, or one digit finer.
    pub(crate) having: Option<(usize, usize, i128, bool)>,
    pub(crate) order: Option<(usize, usize)>,
    /// Way of the first key, where it is ordered by.
    pub(crate) key_order: Option<usize>,
}

const OPERATORS: [&str; 6] = ["eq", "ne", "lt", "lte", "gt", "gte"];
const DIRECTIONS: [&str; 4] = ["ASC", "DESC", "ASC_NULLS_FIRST", "DESC_NULLS_LAST"];

pub(crate) fn question(zones: usize) -> impl Strategy<Value = Question> {
    let operand = prop_oneof![
        2 => -10..60_i128,
        2 => -5_000_000..50_000_000_i128,
        1 => prop_oneof![Just(99_999_999_999_999_999_i128), Just(-99_999_999_999_999_999)],
    ];
    (
        0..zones,
        prop::option::of(-3..6_i64),
        prop::sample::subsequence((0..KEYS.len()).collect::<Vec<_>>(), 1..=3),
        prop::option::of((
            0..MEASURES.len(),
            0..OPERATORS.len(),
            operand,
            any::<bool>(),
        )),
        prop::option::of((0..MEASURES.len(), 0..DIRECTIONS.len())),
        prop::option::of(0..DIRECTIONS.len()),
    )
        .prop_map(|(zone, filter, keys, having, order, key_order)| {
            // The same field twice is refused.
            let mut fields = BTreeSet::new();
            Question {
                zone,
                filter,
                keys: keys
                    .into_iter()
                    .filter(|key| fields.insert(KEYS[*key].0))
                    .collect(),
                // Of texts and times there is no number to compare with here.
                having: having
                    .map(|(measure, operator, operand, finer)| {
                        // Whole numbers end at 2^53.
                        let is_whole = MEASURES[measure].1 == 0;
                        let operand = if is_whole {
                            operand % 1_000_000_000
                        } else {
                            operand
                        };
                        (measure, operator, operand, finer)
                    })
                    .filter(|(measure, ..)| {
                        !matches!(
                            MEASURES[*measure].0,
                            "name.min" | "name.max" | "day.max" | "at.min"
                        )
                    }),
                order,
                key_order,
            }
        })
}

impl Question {
    pub(crate) fn by(&self) -> Json {
        self.keys
            .iter()
            .map(|key| {
                let (path, value) = KEYS[*key];
                let value = if value == "true" {
                    json!(true)
                } else {
                    json!(value)
                };
                nested(path, value)
            })
            .collect()
    }

    pub(crate) fn having(&self) -> Json {
        let Some((measure, operator, operand, finer)) = self.having else {
            return json!({"and": []});
        };
        let (path, digits) = MEASURES[measure];
        let digits = digits + u32::from(finer && digits > 0);
        let operand = match digits {
            0 => json!(operand as i64),
            digits => json!(decimal(operand, digits)),
        };
        let mut condition = json!({OPERATORS[operator]: operand});
        let path = match path
            .strip_prefix("worth.")
            .and_then(|rest| rest.split_once('.'))
        {
            Some((measure, currency)) => {
                condition["currency"] = currency.into();
                format!("worth.{measure}")
            }
            None => path.to_owned(),
        };
        nested(&path, condition)
    }

    pub(crate) fn order(&self) -> Json {
        let mut order = Vec::new();
        if let Some((measure, way)) = self.order {
            let way = DIRECTIONS[way];
            let (path, _) = MEASURES[measure];
            order.push(
                match path
                    .strip_prefix("worth.")
                    .and_then(|rest| rest.split_once('.'))
                {
                    Some((measure, currency)) => nested(
                        &format!("worth.{measure}"),
                        json!({"currency": currency, "direction": way}),
                    ),
                    None => nested(path, json!(way)),
                },
            );
        }
        if let Some(way) = self.key_order {
            let (path, _) = KEYS[self.keys[0]];
            order.push(json!({"key": nested(path, json!(DIRECTIONS[way]))}));
        }
        order.into()
    }
}

fn nested(path: &str, inner: Json) -> Json {
    path.rsplit('.')
        .fold(inner, |inner, name| json!({name: inner}))
}

/// A group.
pub(crate) struct Group<'s> {
    keys: Vec<Option<Value>>,
    pub(crate) key_json: Json,
    pub(crate) samples: Vec<&'s Sample>,
}

/// The groups, in their order.
pub(crate) fn grouped<'s>(
    samples: &[Sample],
    listed: &[&'s Sample],
    question: &Question,
    zone: &TimeZone,
) -> Vec<Group<'s>> {
    let mut groups: BTreeMap<String, Group<'s>> = BTreeMap::new();
    for sample in listed {
        let each = question
            .keys
            .iter()
            .map(|key| values(samples, sample, *key, zone))
            .collect::<Vec<_>>();
        for combination in combinations(&each) {
            let mut key_json = json!({
                "id": null, "name": null, "size": null, "rate": null, "active": null, "day": null,
                "at": null, "tier": null, "tags": null, "worth": null, "place": null,
                "owner": null, "mother": null,
            });
            for (key, (_, written)) in question.keys.iter().zip(&combination) {
                put_key(&mut key_json, KEYS[*key].0, written, samples);
            }
            groups
                .entry(key_json.to_string())
                .or_insert_with(|| Group {
                    keys: combination.iter().map(|(value, _)| value.clone()).collect(),
                    key_json,
                    samples: Vec::new(),
                })
                .samples
                .push(sample);
        }
    }
    let mut groups = groups
        .into_values()
        .filter(|group| holds(group, question))
        .collect::<Vec<_>>();
    groups.sort_by(|one, other| compare(one, other, question));
    groups
}

fn combinations(each: &[Vec<(Option<Value>, Json)>]) -> Vec<Vec<(Option<Value>, Json)>> {
    each.iter().fold(vec![Vec::new()], |before, values| {
        before
            .iter()
            .flat_map(|prefix| {
                values.iter().map(|value| {
                    let mut longer = prefix.clone();
                    longer.push(value.clone());
                    longer
                })
            })
            .collect()
    })
}

fn put_key(key: &mut Json, path: &str, written: &Json, samples: &[Sample]) {
    match path.split_once('.') {
        Some(("mother", part)) => {
            if key["mother"].is_null() {
                key["mother"] = json!({"id": null, "name": null, "tier": null, "node": null});
            }
            key["mother"][part] = written.clone();
            if let (true, Some(id)) = (part == "id", written.as_str()) {
                let mother = samples.iter().find(|sample| sample.id == id).unwrap();
                let label = mother.name.unwrap_or(id);
                key["mother"]["node"] = json!({"id": id, "label": label});
            }
        }
        Some((field, part)) => key[field] = json!({part: written}),
        None => key[path] = written.clone(),
    }
}

/// The values of a key: several of a list.
fn values(
    samples: &[Sample],
    sample: &Sample,
    key: usize,
    zone: &TimeZone,
) -> Vec<(Option<Value>, Json)> {
    let text = |text: Option<&str>| {
        let value = text.map(|text| Value::Text(relata_catalog::folded(text), text.to_owned()));
        (value, json!(text))
    };
    // Of options by code points alone.
    let exact = |text: Option<&str>| {
        let value = text.map(|text| Value::Text(String::new(), text.to_owned()));
        (value, json!(text))
    };
    let mother = sample.mother.map(|index| &samples[index]);
    let (path, span) = KEYS[key];
    vec![match path {
        "name" => text(sample.name),
        "size" => (
            sample.size.map(|size| Value::Number(size.into())),
            json!(sample.size),
        ),
        "rate" => (
            sample.rate.map(|rate| Value::Number(rate.into())),
            json!(sample.rate.map(|rate| decimal(rate.into(), 3))),
        ),
        "active" => (
            sample.active.map(|active| Value::Number(active.into())),
            json!(sample.active),
        ),
        "tier" => exact(sample.tier),
        "tags" if !sample.tags.is_empty() => {
            return sample.tags.iter().map(|tag| exact(Some(tag))).collect();
        }
        "tags" => (None, json!(null)),
        "owner" => {
            let id = uuid::Uuid::from_u128(sample.owner).to_string();
            let (value, _) = exact(Some(&id));
            (value, json!({"id": id}))
        }
        "worth.currency" => exact(sample.worth.map(|(_, currency)| currency)),
        "place.country" => exact(sample.country),
        "mother.id" => exact(mother.map(|mother| mother.id.as_str())),
        "mother.name" => text(mother.and_then(|mother| mother.name)),
        "mother.tier" => exact(mother.and_then(|mother| mother.tier)),
        "day" => {
            let day = sample.day.map(|day| first_day(span, day));
            let value = day.map(|day| Value::Text(String::new(), day.to_string()));
            (value, json!(day.map(|day| day.to_string())))
        }
        _ => match sample.at {
            Some(at) => {
                let start = start(span, at, zone);
                (
                    Some(Value::Number(start.timestamp().as_microsecond().into())),
                    moment(&start),
                )
            }
            None => (None, json!(null)),
        },
    }]
}

fn first_day(span: &str, day: Date) -> Date {
    match span {
        "WEEK" => day - i64::from(day.weekday().to_monday_zero_offset()).days(),
        "MONTH" => day.first_of_month(),
        "QUARTER" => Date::constant(day.year(), (day.month() - 1) / 3 * 3 + 1, 1),
        "YEAR" => day.first_of_year(),
        _ => day,
    }
}

fn start(span: &str, micros: i64, zone: &TimeZone) -> jiff::Zoned {
    let zoned = Timestamp::from_microsecond(micros)
        .unwrap()
        .to_zoned(zone.clone());
    if span == "HOUR" {
        let into = i64::from(zoned.minute()) * 60_000_000_000
            + i64::from(zoned.second()) * 1_000_000_000
            + i64::from(zoned.subsec_nanosecond());
        return zoned
            .timestamp()
            .checked_sub(into.nanoseconds())
            .unwrap()
            .to_zoned(zone.clone());
    }
    first_day(span, zoned.date())
        .to_zoned(zone.clone())
        .unwrap()
}

fn moment(zoned: &jiff::Zoned) -> Json {
    if zoned.offset().seconds() == 0 {
        return zoned.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into();
    }
    zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string().into()
}

/// A measure: none where nothing is filled.
fn measure(samples: &[&Sample], measure: usize) -> Option<Value> {
    let (path, digits) = MEASURES[measure];
    let mut parts = path.split('.');
    let (field, what) = (parts.next().unwrap(), parts.next());
    let number = |number: usize| Some(Value::Number(number as i128));
    let Some(what) = what else {
        return number(samples.len());
    };
    match field {
        "name" => {
            let mut names = samples
                .iter()
                .filter_map(|sample| sample.name)
                .map(|name| Value::Text(relata_catalog::folded(name), name.to_owned()))
                .collect::<Vec<_>>();
            names.sort();
            names.dedup();
            match what {
                "min" => names.first().cloned(),
                "max" => names.last().cloned(),
                _ => number(names.len()),
            }
        }
        "active" => number(
            samples
                .iter()
                .filter(|sample| sample.active == Some(false))
                .count(),
        ),
        "tags" => number(
            samples
                .iter()
                .filter(|sample| !sample.tags.is_empty())
                .count(),
        ),
        "day" => samples
            .iter()
            .filter_map(|sample| sample.day)
            .max()
            .map(|day| Value::Text(String::new(), day.to_string())),
        "at" => samples
            .iter()
            .filter_map(|sample| sample.at)
            .min()
            .map(|at| Value::Number(at.into())),
        "worth" if what == "countDistinct" => {
            let different: BTreeSet<_> = samples.iter().filter_map(|sample| sample.worth).collect();
            number(different.len())
        }
        "worth" => numbers(&amounts(samples, parts.next().unwrap()), what, 2, digits),
        "size" => numbers(&sizes(samples), what, 0, digits),
        _ => numbers(&rates(samples), what, 3, digits),
    }
    .or_else(|| what.starts_with("count").then_some(Value::Number(0)))
}

fn numbers(numbers: &[i64], what: &str, scale: u32, digits: u32) -> Option<Value> {
    match what {
        "count" => Some(numbers.len() as i128),
        "countDistinct" => Some(numbers.iter().collect::<BTreeSet<_>>().len() as i128),
        what => one_of(numbers, what, scale, digits),
    }
    .map(Value::Number)
}

fn one_of(numbers: &[i64], what: &str, scale: u32, digits: u32) -> Option<i128> {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    let count = sorted.len();
    let wide = |index: usize| sorted.get(index).map(|number| i128::from(*number));
    let sum = sorted
        .iter()
        .map(|number| i128::from(*number))
        .sum::<i128>();
    wide(0)?;
    match what {
        "sum" => Some(sum),
        "min" => wide(0),
        "max" => wide(count - 1),
        "avg" => Some(divided(sum, count as i128, scale, digits)),
        _ => Some(divided(
            wide((count - 1) / 2)? + wide(count / 2)?,
            2,
            scale,
            digits,
        )),
    }
}

/// Rounded half away from zero.
fn divided(sum: i128, count: i128, scale: u32, digits: u32) -> i128 {
    let sum = sum * 10_i128.pow(digits - scale);
    (sum.abs() * 2 + count) / (count * 2) * sum.signum()
}

fn sizes(samples: &[&Sample]) -> Vec<i64> {
    samples.iter().filter_map(|sample| sample.size).collect()
}

fn rates(samples: &[&Sample]) -> Vec<i64> {
    samples.iter().filter_map(|sample| sample.rate).collect()
}

fn amounts(samples: &[&Sample], currency: &str) -> Vec<i64> {
    samples
        .iter()
        .filter_map(|sample| sample.worth)
        .filter(|(_, own)| *own == currency)
        .map(|(amount, _)| amount)
        .collect()
}

fn holds(group: &Group<'_>, question: &Question) -> bool {
    let Some((by, operator, operand, finer)) = question.having else {
        return true;
    };
    let (_, digits) = MEASURES[by];
    let finer = finer && digits > 0;
    let Some(Value::Number(found)) = measure(&group.samples, by) else {
        // What is empty is not equal to anything, and not compared.
        return OPERATORS[operator] == "ne";
    };
    let order = if finer {
        (found * 10).cmp(&operand)
    } else {
        found.cmp(&operand)
    };
    match OPERATORS[operator] {
        "eq" => order == Ordering::Equal,
        "ne" => order != Ordering::Equal,
        "lt" => order == Ordering::Less,
        "lte" => order != Ordering::Greater,
        "gt" => order == Ordering::Greater,
        _ => order != Ordering::Less,
    }
}

fn compare(one: &Group<'_>, other: &Group<'_>, question: &Question) -> Ordering {
    let mut order = Ordering::Equal;
    if let Some((by, way)) = question.order {
        let measures = [one, other].map(|group| measure(&group.samples, by));
        order = order.then(directed(&measures[0], &measures[1], way));
    }
    if let Some(way) = question.key_order {
        order = order.then(directed(&one.keys[0], &other.keys[0], way));
    }
    for (one, other) in one.keys.iter().zip(&other.keys) {
        order = order.then(directed(one, other, 0));
    }
    order
}

fn directed(one: &Option<Value>, other: &Option<Value>, way: usize) -> Ordering {
    let (is_down, nulls_first) = match DIRECTIONS[way] {
        "ASC" => (false, false),
        "DESC" => (true, true),
        "ASC_NULLS_FIRST" => (false, true),
        _ => (true, false),
    };
    match (one, other) {
        (Some(one), Some(other)) if is_down => Reverse(one).cmp(&Reverse(other)),
        (Some(one), Some(other)) => one.cmp(other),
        (None, None) => Ordering::Equal,
        (None, Some(_)) if nulls_first => Ordering::Less,
        (Some(_), None) if !nulls_first => Ordering::Less,
        _ => Ordering::Greater,
    }
}

/// All measures, as they are written.
pub(crate) fn measures_json(samples: &[&Sample]) -> Json {
    let names = (0..MEASURES.len())
        .filter(|index| MEASURES[*index].0.starts_with("name"))
        .map(|index| measure(samples, index))
        .collect::<Vec<_>>();
    let name = |value: &Option<Value>| match value {
        Some(Value::Text(_, name)) => json!(name),
        _ => json!(null),
    };
    let Some(Value::Number(different)) = names[0] else {
        panic!("a number of names");
    };
    let days = samples
        .iter()
        .filter_map(|sample| sample.day)
        .collect::<BTreeSet<_>>();
    let times = samples
        .iter()
        .filter_map(|sample| sample.at)
        .collect::<BTreeSet<_>>();
    let filled =
        |is_filled: fn(&Sample) -> bool| samples.iter().filter(|sample| is_filled(sample)).count();
    let different_worths: BTreeSet<_> = samples.iter().filter_map(|sample| sample.worth).collect();
    json!({
        "count": samples.len(),
        "name": {
            "count": filled(|sample| sample.name.is_some()),
            "countDistinct": different as i64,
            "min": name(&names[1]),
            "max": name(&names[2]),
        },
        "size": numbers_json(&sizes(samples), 0),
        "rate": numbers_json(&rates(samples), 3),
        "worth": {
            "count": filled(|sample| sample.worth.is_some()),
            "countDistinct": different_worths.len(),
            "sum": amounts_json(samples, "sum"),
            "avg": amounts_json(samples, "avg"),
            "min": amounts_json(samples, "min"),
            "max": amounts_json(samples, "max"),
            "median": amounts_json(samples, "median"),
        },
        "active": {
            "count": filled(|sample| sample.active.is_some()),
            "countTrue": filled(|sample| sample.active == Some(true)),
            "countFalse": filled(|sample| sample.active == Some(false)),
        },
        "day": {
            "count": filled(|sample| sample.day.is_some()),
            "countDistinct": days.len(),
            "min": days.first().map(ToString::to_string),
            "max": days.last().map(ToString::to_string),
        },
        "at": {
            "count": filled(|sample| sample.at.is_some()),
            "countDistinct": times.len(),
            "min": times.first().map(|at| instant(*at)),
            "max": times.last().map(|at| instant(*at)),
        },
    })
}

fn numbers_json(numbers: &[i64], scale: u32) -> Json {
    let value = |what: &str, digits: u32| {
        one_of(numbers, what, scale, digits).map(|number| match digits {
            0 => json!(number as i64),
            digits => json!(decimal(number, digits)),
        })
    };
    json!({
        "count": numbers.len(),
        "countDistinct": numbers.iter().collect::<BTreeSet<_>>().len(),
        "sum": value("sum", scale),
        "avg": value("avg", 6),
        "min": value("min", scale),
        "max": value("max", scale),
        "median": value("median", 6),
    })
}

fn amounts_json(samples: &[&Sample], what: &str) -> Json {
    ["CHF", "EUR", "USD"]
        .iter()
        .filter_map(|currency| {
            let amount = one_of(&amounts(samples, currency), what, 2, 2)?;
            Some(json!({"amount": decimal(amount, 2), "currency": currency}))
        })
        .collect()
}

fn decimal(number: i128, digits: u32) -> String {
    let power = 10_u128.pow(digits);
    let (whole, rest) = (number.unsigned_abs() / power, number.unsigned_abs() % power);
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{whole}.{rest:0width$}", width = digits as usize)
}

fn instant(micros: i64) -> String {
    relata_catalog::format_instant(micros)
}
