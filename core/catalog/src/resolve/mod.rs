//! A blueprint against the current catalogue: the target catalogue, or all that is wrong.
//!
//! A story of stages, each in a file of its own, each adding to the same list of issues:
//! find what the document speaks of (`scope`), make its fields (`fields`), put its objects and
//! unique keys among everybody's (`objects`), its pipelines (`pipelines`), then look at the whole:
//! names that meet (`meeting`), what others have built on what goes (`dependents`), rules and
//! expressions (`expressions`), and the configuration records (`records`).
//!
//! A stage that meets a mistake leaves the element out, or takes what is likely, and goes on, so
//! that one run finds everything; the target of a run with issues is thrown away.

mod dependents;
mod duplicates;
mod expressions;
mod fields;
mod kinds;
mod meeting;
mod objects;
mod pipelines;
mod records;
mod scope;

pub(crate) use objects::unique_owner;

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;

use crate::{
    Blueprint, Catalogue, Field, Issue, Issues, Key, Limits, OWNER_PLATFORM, OWNER_WORKSPACE,
    PathSegment,
};

/// Physical names that are in use although the catalogue does not know them: what was removed is
/// parked for a while.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TakenNames {
    /// Tables.
    pub tables: HashSet<String>,
    /// First parts of column names ([`Field::column`]), by table.
    pub columns: HashMap<String, HashSet<String>>,
    /// Indexes.
    pub indexes: HashSet<String>,
}

/// The catalogue in which `owner` has exactly what `blueprint` says, and everybody else what they
/// have now. Its revision is the current one: [`diff`](crate::diff) counts.
///
/// # Errors
/// All issues, each with its path into the document and what would be right.
pub fn resolve(
    current: &Catalogue,
    owner: &str,
    blueprint: &Blueprint,
    taken: &TakenNames,
) -> Result<Catalogue, Issues> {
    resolve_within(current, owner, blueprint, taken, &Limits::default())
}

/// As [`resolve`], with limits of one's own.
///
/// # Errors
/// All issues, each with its path into the document and what would be right.
pub fn resolve_within(
    current: &Catalogue,
    owner: &str,
    blueprint: &Blueprint,
    taken: &TakenNames,
    limits: &Limits,
) -> Result<Catalogue, Issues> {
    let (target, issues) = run(current, owner, blueprint, taken, limits, &Issues::default());
    issues.into_result(target)
}

/// Reads a document and resolves it, so that mistakes of its form and of its meaning are found in
/// one run. What only follows from another mistake is left out.
///
/// # Errors
/// All issues, each with its path into the document and what would be right.
pub fn resolve_document(
    current: &Catalogue,
    owner: &str,
    document: &serde_json::Value,
    taken: &TakenNames,
    limits: &Limits,
) -> Result<(Blueprint, Catalogue), Issues> {
    let (blueprint, form) = Blueprint::scan(document, limits);
    resolve_scanned(current, owner, blueprint, form, taken, limits)
}

/// As [`resolve_document`], from a text in YAML or JSON.
///
/// # Errors
/// All issues, each with its path into the document and what would be right.
pub fn resolve_text(
    current: &Catalogue,
    owner: &str,
    text: &str,
    taken: &TakenNames,
    limits: &Limits,
) -> Result<(Blueprint, Catalogue), Issues> {
    let (document, mut form) = crate::blueprint::read_text(text, limits)?;
    let (blueprint, issues) = Blueprint::scan(&document, limits);
    form.0.extend(issues.0);
    resolve_scanned(current, owner, blueprint, form, taken, limits)
}

fn resolve_scanned(
    current: &Catalogue,
    owner: &str,
    blueprint: Blueprint,
    form: Issues,
    taken: &TakenNames,
    limits: &Limits,
) -> Result<(Blueprint, Catalogue), Issues> {
    let (target, meaning) = run(current, owner, &blueprint, taken, limits, &form);
    let mut issues = form;
    let of_form = issues.0.len();
    for issue in meaning.0 {
        // An element that could not be read is at its default: whatever is wrong with that is the
        // reader's issue.
        let follows = issues.0[..of_form]
            .iter()
            .any(|cause| issue.path.starts_with(&cause.path));
        if !follows {
            issues.push(issue);
        }
    }
    issues.into_result((blueprint, target))
}

/// The target, right only if there are no issues. `form` is what the reader has found.
fn run(
    current: &Catalogue,
    owner: &str,
    blueprint: &Blueprint,
    taken: &TakenNames,
    limits: &Limits,
    form: &Issues,
) -> (Catalogue, Issues) {
    if !is_owner(owner) {
        let issue = Issue::new(
            "BAD_OWNER",
            format!("\"{owner}\" is no owner: expected relata, workspace or publisher.name"),
        );
        return (Catalogue::default(), issue.into());
    }
    let mut resolver = Resolver::new(current, owner, blueprint, taken, limits);
    resolver.find_unreadable(form);
    resolver.find_objects();
    resolver.make_fields();
    let objects = resolver.place_objects();
    let pipelines = resolver.place_pipelines(&objects);
    let mut target = Catalogue {
        revision: current.revision,
        objects,
        pipelines,
    };
    resolver.check_names(&target);
    resolver.check_dependents(&target);
    resolver.link_expressions(&mut target);
    resolver.check_records(&target);
    (target, resolver.issues)
}

/// What a plugin's names on other owners' objects begin with: `membership` of
/// `relata.membership`, `courtDays` of `acme.court-days`. The platform and the workspace have none.
#[must_use]
pub fn plugin_prefix(owner: &str) -> Option<String> {
    if matches!(owner, OWNER_PLATFORM | OWNER_WORKSPACE) {
        return None;
    }
    let name = owner.rsplit('.').next().unwrap_or(owner);
    let mut prefix = String::with_capacity(name.len());
    let mut is_word_start = false;
    for character in name.chars() {
        if character == '-' || character == '_' {
            is_word_start = true;
        } else if is_word_start {
            prefix.push(character.to_ascii_uppercase());
            is_word_start = false;
        } else {
            prefix.push(character);
        }
    }
    Some(prefix)
}

fn is_owner(owner: &str) -> bool {
    let is_part = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_lowercase())
            && part.chars().all(|each| {
                each.is_ascii_lowercase() || each.is_ascii_digit() || matches!(each, '-' | '_')
            })
    };
    matches!(owner, OWNER_PLATFORM | OWNER_WORKSPACE)
        || (owner.len() <= 100
            && owner
                .split_once('.')
                .is_some_and(|(publisher, name)| is_part(publisher) && is_part(name)))
}

/// A field of the document, made, and where it stands there.
struct OwnField {
    field: Field,
    /// Position in `objects`.
    entry: usize,
    /// Position in its `fields`.
    position: usize,
}

impl OwnField {
    fn path(&self) -> Vec<PathSegment> {
        path(&[
            "objects".into(),
            self.entry.into(),
            "fields".into(),
            self.position.into(),
        ])
    }
}

/// Where a unique key was asked for.
struct OwnUnique {
    fields: Vec<Key>,
    /// As in [`Unique::folded`](crate::Unique::folded).
    folded: Vec<Key>,
}

struct Resolver<'a> {
    current: &'a Catalogue,
    owner: &'a str,
    blueprint: &'a Blueprint,
    limits: &'a Limits,
    prefix: Option<String>,
    taken_tables: HashSet<String>,
    taken_columns: HashMap<String, HashSet<String>>,
    taken_indexes: HashSet<String>,
    issues: Issues,
    /// Own objects of the document: key → position in `objects`.
    defined: IndexMap<Key, usize>,
    /// For each entry of `objects` the object that it is about, where that is known.
    subjects: Vec<Option<Key>>,
    /// Fields of the document by object, in its order.
    fields: IndexMap<Key, Vec<OwnField>>,
    /// Entry and position of fields whose kind could not be read: nothing is asked of their kind.
    unreadable: HashSet<(usize, usize)>,
}

impl<'a> Resolver<'a> {
    fn new(
        current: &'a Catalogue,
        owner: &'a str,
        blueprint: &'a Blueprint,
        taken: &TakenNames,
        limits: &'a Limits,
    ) -> Self {
        let mut tables = taken.tables.clone();
        let mut columns = taken.columns.clone();
        let mut indexes = taken.indexes.clone();
        // What is in use now stays taken, even if this very document removes it: it gets parked.
        for object in &current.objects {
            tables.insert(object.table.clone());
            columns
                .entry(object.table.clone())
                .or_default()
                .extend(object.fields.iter().map(|field| field.column.clone()));
            indexes.extend(object.uniques.iter().map(|unique| unique.index.clone()));
        }
        Self {
            current,
            owner,
            blueprint,
            limits,
            prefix: plugin_prefix(owner),
            taken_tables: tables,
            taken_columns: columns,
            taken_indexes: indexes,
            issues: Issues::default(),
            defined: IndexMap::new(),
            subjects: Vec::new(),
            fields: IndexMap::new(),
            unreadable: HashSet::new(),
        }
    }

    /// Fields whose kind the reader could not make out, by its issues.
    fn find_unreadable(&mut self, form: &Issues) {
        for issue in &form.0 {
            let [
                PathSegment::Name(objects),
                PathSegment::Index(entry),
                PathSegment::Name(fields),
                PathSegment::Index(position),
                rest @ ..,
            ] = issue.path.as_slice()
            else {
                continue;
            };
            let is_kind = match rest {
                [] => true,
                [PathSegment::Name(name), ..] => {
                    matches!(name.as_str(), "kind" | "options" | "to" | "schema")
                }
                _ => false,
            };
            if objects == "objects" && fields == "fields" && is_kind {
                self.unreadable.insert((*entry, *position));
            }
        }
    }

    /// Whether the kind of a field is what its author meant.
    fn is_readable(&self, object: &Key, field: &Key) -> bool {
        self.own_field(object, field)
            .is_none_or(|own| !self.unreadable.contains(&(own.entry, own.position)))
    }

    fn report(&mut self, path: Vec<PathSegment>, mut issue: Issue) {
        let mut full = path;
        full.append(&mut issue.path);
        issue.path = full;
        self.issues.push(issue);
    }

    fn report_all(&mut self, path: &[PathSegment], part: Issues) {
        for issue in part.0 {
            self.report(path.to_vec(), issue);
        }
    }

    fn own_field(&self, object: &Key, field: &Key) -> Option<&OwnField> {
        self.fields
            .get(object)?
            .iter()
            .find(|own| own.field.key == *field)
    }
}

fn path(segments: &[PathSegment]) -> Vec<PathSegment> {
    segments.to_vec()
}

fn under(mut path: Vec<PathSegment>, segment: impl Into<PathSegment>) -> Vec<PathSegment> {
    path.push(segment.into());
    path
}
