//! Which column is which field, as far as the header and the values tell: names, labels in every
//! language that the catalogue has, what people in offices call things in English and Chinese, and
//! what the first rows look like. Each guess has a score and a reason. What is not sure is left
//! alone, and listed: a column in the wrong field is worse than one that a person has to map.

use relata_catalog::{Catalogue, Field, Kind, Object, ObjectIndex, folded};
use serde_json::Value as Json;

use super::{
    cells::{self, Reading},
    mapping::parts,
    source::{Cell, RawRow},
};

/// Of 100; below, a guess is only listed.
pub(super) const SURE: u8 = 60;
/// The header is the very name of the field, or its label.
const NAMED: u8 = 95;
/// Rows that are looked at.
pub(super) const ROWS: usize = 50;

/// What a column may be.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Guess {
    /// The column's name.
    pub column: String,
    /// What is mapped, in the form of [`ImportOptions::map`](super::ImportOptions::map); none
    /// where nothing is sure.
    pub target: Option<String>,
    /// What it may be, sure or not.
    pub candidate: Option<String>,
    /// 0 to 100.
    pub score: u8,
    /// Why.
    pub reason: String,
}

/// One way to fill a field.
struct Candidate<'c> {
    target: String,
    field: &'c Field,
    part: Option<&'static str>,
    /// Names with their scores and what they are.
    names: Vec<(String, u8, &'static str)>,
    holds: Holds,
}

/// What the cells of a candidate's column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Anything,
    /// Text: in JSON an object says all of the field.
    Texts,
    /// JSON objects.
    Objects,
}

impl Holds {
    fn fits(self, cells: &[&Cell]) -> bool {
        let has_objects = cells
            .iter()
            .any(|cell| matches!(cell, Cell::Json(Json::Object(_))));
        match self {
            Self::Anything => true,
            Self::Texts => !has_objects,
            Self::Objects => has_objects,
        }
    }
}

/// What people call what fields of other names hold: by the field's name or its kind, and for a
/// composite by its part.
const SYNONYMS: &[(&str, &[&str])] = &[
    (
        "emails",
        &[
            "email",
            "e-mail",
            "mail",
            "email address",
            "primary email",
            "邮箱",
            "电子邮件",
            "电邮",
            "邮件",
            "邮箱地址",
            "email 1 value",
        ],
    ),
    (
        "phones",
        &[
            "phone",
            "telephone",
            "tel",
            "mobile",
            "mobile phone",
            "cell",
            "cell phone",
            "phone number",
            "primary phone",
            "business phone",
            "电话",
            "手机",
            "手机号",
            "手机号码",
            "联系电话",
            "电话号码",
            "移动电话",
            "phone 1 value",
        ],
    ),
    (
        "website",
        &["url", "web", "homepage", "web site", "网址", "官网", "主页"],
    ),
    (
        "jobTitle",
        &["title", "position", "job", "role", "职务", "岗位", "职称"],
    ),
    (
        "birthday",
        &[
            "birthdate",
            "birth date",
            "date of birth",
            "dob",
            "出生日期",
            "生日日期",
        ],
    ),
    (
        "description",
        &[
            "note", "notes", "comment", "comments", "remark", "remarks", "about", "备注", "说明",
            "描述",
        ],
    ),
    (
        "employees",
        &[
            "number of employees",
            "headcount",
            "staff",
            "员工数",
            "人数",
            "规模",
        ],
    ),
    (
        "annualRevenue",
        &["revenue", "turnover", "sales", "营收", "营业额", "年营业额"],
    ),
    ("industry", &["sector", "branch", "所属行业"]),
    (
        "closeDate",
        &[
            "expected close",
            "expected close date",
            "closing date",
            "成交日期",
        ],
    ),
    (
        "amount",
        &[
            "value",
            "deal value",
            "deal amount",
            "price",
            "金额",
            "合同金额",
        ],
    ),
    (
        "name.full",
        &[
            "full name",
            "fullname",
            "contact name",
            "contact",
            "姓名",
            "名字",
            "联系人",
            "客户姓名",
        ],
    ),
    (
        "name.given",
        &["first name", "given name", "forename", "名"],
    ),
    (
        "name.family",
        &["last name", "family name", "surname", "姓", "姓氏"],
    ),
    (
        "address.street",
        &[
            "street",
            "street address",
            "address line 1",
            "address 1",
            "mailing street",
            "街道",
            "详细地址",
            "地址",
        ],
    ),
    (
        "address.city",
        &["city", "town", "mailing city", "城市", "市"],
    ),
    (
        "address.region",
        &["state", "province", "region", "county", "省", "省份", "州"],
    ),
    (
        "address.postalCode",
        &[
            "zip",
            "zip code",
            "postcode",
            "post code",
            "postal code",
            "邮编",
            "邮政编码",
        ],
    ),
    ("address.country", &["country", "国家", "国家地区"]),
    (
        "company",
        &[
            "company name",
            "organisation",
            "organization",
            "employer",
            "account",
            "account name",
            "firm",
            "公司名称",
            "单位",
            "企业",
            "工作单位",
            "公司名",
            "企业名称",
        ],
    ),
    ("owner", &["record owner", "负责人", "所有者"]),
];

/// The object's own name is what its files call it: `Company name` of a company.
const OF_OWN_NAME: &[&str] = &["name", "名称", "名"];

/// A guess for each column.
pub(super) fn guess(
    catalogue: &Catalogue,
    object: ObjectIndex,
    header: &[String],
    rows: &[RawRow],
    reading: &Reading,
    finds_by_id: bool,
) -> Vec<Guess> {
    let described = catalogue.object(object);
    let candidates = candidates(catalogue, described);
    let mut guesses: Vec<Guess> = header
        .iter()
        .enumerate()
        .map(|(position, column)| {
            let cells: Vec<&Cell> = rows
                .iter()
                .filter_map(|row| row.cells.get(position))
                .filter(|cell| !cell.is_empty())
                .collect();
            of_column(described, &candidates, column, &cells, reading, finds_by_id)
        })
        .collect();
    without_doubles(&mut guesses, header);
    guesses
}

fn candidates<'c>(catalogue: &'c Catalogue, object: &'c Object) -> Vec<Candidate<'c>> {
    let mut all = Vec::new();
    for field in &object.fields {
        let mut names = vec![(field.name.clone(), 98, "the name of the field")];
        names.extend(
            field
                .labels
                .values()
                .map(|label| (label.clone(), NAMED, "the field's label")),
        );
        names.extend(called(&field.name));
        if object.label_field.as_ref() == Some(&field.key) {
            for label in object.labels.values().chain([&object.singular]) {
                for word in OF_OWN_NAME {
                    let name = format!("{label} {word}");
                    names.push((name, 90, "the object's name"));
                }
            }
        }
        match &field.kind {
            Kind::Relation(relation) => {
                let Some((_, target)) = catalogue.object_keyed(&relation.target) else {
                    continue;
                };
                all.push(Candidate {
                    target: format!("{}.id", field.name),
                    field,
                    part: None,
                    names: vec![(format!("{}.id", field.name), 100, "the name of the field")],
                    holds: Holds::Anything,
                });
                for by in keys_of(target) {
                    let mut names = names.clone();
                    let target = format!("{}.{by}", field.name);
                    names.push((target.clone(), 100, "the name of the field"));
                    all.push(Candidate {
                        target,
                        field,
                        part: None,
                        names,
                        holds: Holds::Texts,
                    });
                }
                all.push(Candidate {
                    target: field.name.clone(),
                    field,
                    part: None,
                    names,
                    holds: Holds::Objects,
                });
            }
            kind => {
                let is_address = matches!(kind, Kind::Address);
                for part in parts(kind) {
                    let target = format!("{}.{part}", field.name);
                    let mut names_of_part = vec![(target.clone(), 100, "the name of the field")];
                    names_of_part.extend(called(&target));
                    // An address in one cell is a street, as far as anybody can tell.
                    if is_address && *part == "street" {
                        names_of_part.extend(names.clone());
                    }
                    all.push(Candidate {
                        target,
                        field,
                        part: Some(part),
                        names: names_of_part,
                        holds: Holds::Texts,
                    });
                }
                all.push(Candidate {
                    target: field.name.clone(),
                    field,
                    part: None,
                    names,
                    holds: if is_address {
                        Holds::Objects
                    } else {
                        Holds::Anything
                    },
                });
            }
        }
    }
    all
}

fn called(target: &str) -> impl Iterator<Item = (String, u8, &'static str)> {
    SYNONYMS
        .iter()
        .filter(move |(known, _)| *known == target)
        .flat_map(|(_, names)| names.iter())
        .map(|name| ((*name).to_owned(), 85, "what people call it"))
}

/// Fields by which records of an object are named in files: its unique ones, and its label.
fn keys_of(object: &Object) -> Vec<&str> {
    let label = object.label_field.as_ref();
    let unique = object
        .uniques
        .iter()
        .filter_map(|unique| match unique.fields.as_slice() {
            [only] => Some(only),
            _ => None,
        });
    let mut names: Vec<&str> = Vec::new();
    for key in label.into_iter().chain(unique) {
        if let Some((_, field)) = object.field_keyed(key)
            && !names.contains(&field.name.as_str())
        {
            names.push(&field.name);
        }
    }
    names
}

fn of_column(
    object: &Object,
    candidates: &[Candidate<'_>],
    column: &str,
    cells: &[&Cell],
    reading: &Reading,
    finds_by_id: bool,
) -> Guess {
    let nothing = |reason: String| Guess {
        column: column.to_owned(),
        target: None,
        candidate: None,
        score: 0,
        reason,
    };
    let written = plain(column);
    // What is called so elsewhere may be a field's name here.
    if written == "id" {
        return if finds_by_id {
            named(column, "id", 100, "the record's id")
        } else {
            nothing("ids are taken where records are found by them (on: id)".to_owned())
        };
    }
    if written == "owner" || called("owner").any(|(name, ..)| plain(&name) == written) {
        return named(column, "owner", 90, "the record's owner");
    }
    let by_name = candidates
        .iter()
        .filter(|candidate| candidate.holds.fits(cells))
        .filter_map(|candidate| {
            let scores = candidate
                .names
                .iter()
                .filter(|(name, ..)| plain(name) == written)
                .map(|(_, score, why)| (*score, *why));
            scores.max().map(|(score, why)| (score, why, candidate))
        })
        // Of equals the first: a composite's parts stand before the whole.
        .rev()
        .max_by_key(|(score, ..)| *score);
    if let Some((score, why, candidate)) = by_name {
        if matches!(candidate.field.kind, Kind::Autonumber { .. }) {
            return nothing("the number is given by the platform".to_owned());
        }
        let unread = unread(candidate, cells, reading);
        // What is called as the field itself is meant for it: then its values are wrong.
        if unread * 2 > cells.len() && score < NAMED {
            return Guess {
                column: column.to_owned(),
                target: None,
                candidate: Some(candidate.target.clone()),
                score: score / 2,
                reason: format!(
                    "the header is {why}, but {unread} of the first {} values are none",
                    cells.len()
                ),
            };
        }
        return named(
            column,
            &candidate.target,
            score,
            &format!("the header is {why}"),
        );
    }
    by_values(object, column, cells, reading)
        .unwrap_or_else(|| nothing("neither the header nor the values tell".to_owned()))
}

fn named(column: &str, target: &str, score: u8, reason: &str) -> Guess {
    Guess {
        column: column.to_owned(),
        target: (score >= SURE).then(|| target.to_owned()),
        candidate: Some(target.to_owned()),
        score,
        reason: reason.to_owned(),
    }
}

/// How many of the values can't be read as what the candidate holds.
fn unread(candidate: &Candidate<'_>, cells: &[&Cell], reading: &Reading) -> usize {
    let is_plain = candidate.part.is_none()
        && !matches!(candidate.field.kind, Kind::Relation(_) | Kind::Stage);
    if !is_plain {
        return 0;
    }
    cells
        .iter()
        .filter(|cell| {
            cells::json(candidate.field, cell, reading)
                // A date that may be two is a date.
                .is_err_and(|issues| issues.0.iter().any(|issue| issue.code != "AMBIGUOUS_DATE"))
        })
        .count()
}

/// Values of kinds that look like nothing else, where the object has one field of the kind.
fn by_values(object: &Object, column: &str, cells: &[&Cell], reading: &Reading) -> Option<Guess> {
    /// Fewer tell nothing.
    const VALUES_MIN: usize = 2;
    if cells.len() < VALUES_MIN {
        return None;
    }
    let mut fitting = object.fields.iter().filter(|field| {
        let tells = match &field.kind {
            Kind::Email | Kind::Emails => cells.iter().all(|cell| cell.text().contains('@')),
            Kind::Url => cells.iter().all(|cell| cell.text().contains("://")),
            Kind::Phone | Kind::Phones => cells.iter().all(|cell| {
                let text = cell.text();
                text.trim_start().starts_with('+') && text.len() > 7
            }),
            Kind::Select { .. } => true,
            _ => false,
        };
        tells
            && cells
                .iter()
                .all(|cell| cells::json(field, cell, reading).is_ok())
    });
    let first = fitting.next()?;
    if fitting.next().is_some() {
        return None;
    }
    Some(named(
        column,
        &first.name,
        SURE + 5,
        &format!(
            "all of the first {} values are of the kind {}",
            cells.len(),
            first.kind.name()
        ),
    ))
}

/// A field is filled by one column: the surest, of equals the first. A whole and its parts are not
/// filled both.
fn without_doubles(guesses: &mut [Guess], header: &[String]) {
    let mut order: Vec<usize> = (0..guesses.len()).collect();
    order.sort_by_key(|position| std::cmp::Reverse(guesses[*position].score));
    let mut taken: Vec<String> = Vec::new();
    for position in order {
        let twice = header
            .iter()
            .filter(|name| **name == header[position])
            .count()
            > 1;
        let guess = &mut guesses[position];
        let Some(target) = guess.target.clone() else {
            continue;
        };
        let rival = taken.iter().find(|known| collide(known, &target)).cloned();
        if let Some(rival) = rival {
            guess.target = None;
            guess.reason = format!("{}; but another column is `{rival}`", guess.reason);
        } else if twice {
            guess.target = None;
            guess.reason = "another column has the same name".to_owned();
        } else {
            taken.push(target);
        }
    }
}

fn collide(one: &str, other: &str) -> bool {
    let root = |target: &str| target.split('.').next().unwrap_or_default().to_owned();
    let is_whole = |target: &str| !target.contains('.');
    one == other
        || root(one) == root(other) && (is_whole(one) || is_whole(other))
        || root(one) == root(other) && [one, other].iter().any(|target| target.ends_with(".id"))
}

/// What is compared of a name: letters and digits, folded.
fn plain(name: &str) -> String {
    folded(name)
        .chars()
        .filter(|character| character.is_alphanumeric())
        .collect()
}
