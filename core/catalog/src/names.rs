//! What elements may be called, and what their tables and columns are called.
//!
//! Names are the user's and may change; physical names are minted once from the first name and
//! stay. A minted name fits PostgreSQL's 63 bytes together with the suffixes of composites
//! (`__city_folded`) and of indexes.

use std::collections::HashSet;

/// Most bytes of a name or a key.
pub(crate) const NAME_BYTES_MAX: usize = 60;

/// Most bytes of a minted table or column base, before the suffix of a composite's part.
const PHYSICAL_BYTES_MAX: usize = 48;

/// Names that the record schema gives a meaning of its own: operators of filters, members that
/// every record has, root fields.
pub const RESERVED_NAMES: [&str; 23] = [
    "and",
    "or",
    "not",
    "some",
    "none",
    "every",
    "node",
    "nodes",
    "search",
    "viewer",
    "id",
    "label",
    "version",
    "owner",
    "history",
    "aggregate",
    "groups",
    "createdAt",
    "updatedAt",
    "createdBy",
    "updatedBy",
    "deletedAt",
    "mergedInto",
];

/// Endings of the types and root fields that the record schema derives from an object.
pub const RESERVED_OBJECT_SUFFIXES: [&str; 18] = [
    "Filter",
    "Order",
    "Connection",
    "Edge",
    "Create",
    "Update",
    "Unique",
    "Match",
    "Merge",
    "Group",
    "Having",
    "Aggregate",
    "Bulk",
    "Change",
    "Changed",
    "Duplicates",
    "Preview",
    "Key",
];

/// Types of the record schema that do not come from the catalogue: those that it has, and those
/// that the API names for later. An object's type or a select's enum may not be called so. (All
/// others that are added later contain `_`.)
pub const PLATFORM_TYPES: [&str; 156] = [
    "Actor",
    "Actor_Filter",
    "Actor_IdFilter",
    "Actor_Kind",
    "Actor_KindFilter",
    "Address",
    "AddressFilter",
    "AddressInput",
    "Address_GroupBy",
    "Address_GroupKey",
    "Address_GroupKeyOrder",
    "AutonumberFilter",
    "Boolean",
    "BooleanAggregate",
    "BooleanFilter",
    "Boolean_Having",
    "Boolean_Order",
    "BulkError",
    "BulkMode",
    "Bulk_Issue",
    "Date",
    "DateAggregate",
    "DateFilter",
    "DateHaving",
    "DateTime",
    "DateTimeAggregate",
    "DateTimeFilter",
    "DateTimeHaving",
    "DateTime_Having",
    "DateTime_Order",
    "Date_Having",
    "Date_Order",
    "Decimal",
    "DecimalAggregate",
    "DecimalFilter",
    "DecimalHaving",
    "Decimal_Having",
    "Decimal_Order",
    "Deleted",
    "Duplicate_Pair",
    "Duration",
    "DurationAggregate",
    "DurationFilter",
    "DurationHaving",
    "Duration_Having",
    "Duration_Order",
    "Emails",
    "EmailsFilter",
    "EmailsInput",
    "ExactTextFilter",
    "File_Filter",
    "File_Order",
    "File_Value",
    "Filled_Aggregate",
    "Filled_Having",
    "Filled_Order",
    "Float",
    "FullName",
    "FullNameFilter",
    "FullNameInput",
    "FullName_GroupBy",
    "FullName_GroupKey",
    "FullName_GroupKeyOrder",
    "Geo_Near",
    "Geo_Point",
    "Geo_PointFilter",
    "Geo_PointInput",
    "Group_DaySpan",
    "Group_Span",
    "Group_Stage",
    "HistoryChange",
    "HistoryConnection",
    "HistoryEntry",
    "HistoryField",
    "ID",
    "IdFilter",
    "Int",
    "IntAggregate",
    "Int_Having",
    "Int_Order",
    "JSON",
    "JsonFilter",
    "ListFilter",
    "Match_Reason",
    "Merge_Conflict",
    "Merge_Field",
    "Merge_Move",
    "Merge_Value",
    "Money",
    "MoneyAggregate",
    "MoneyFilter",
    "MoneyInput",
    "Money_AmountHaving",
    "Money_AmountOrder",
    "Money_GroupBy",
    "Money_GroupKey",
    "Money_GroupKeyOrder",
    "Money_Having",
    "Money_Order",
    "Mutation",
    "NameOrder",
    "Node",
    "OrderDirection",
    "Owner",
    "PageInfo",
    "Phone",
    "PhoneFilter",
    "Phones",
    "PhonesFilter",
    "PhonesInput",
    "Pipeline",
    "Plugin",
    "Query",
    "Record",
    "RecordChange",
    "SafeInt",
    "SafeIntFilter",
    "SafeIntHaving",
    "SearchConnection",
    "SearchEdge",
    "Search_Highlight",
    "Search_Range",
    "Stage",
    "StageFilter",
    "StageInput",
    "StageOption",
    "StagePassage",
    "StageType",
    "StageTypeFilter",
    "StageUnmet",
    "StageValue",
    "String",
    "Subscription",
    "System",
    "Team",
    "TextAggregate",
    "TextFilter",
    "Text_Having",
    "Text_Order",
    "Time",
    "TimeAggregate",
    "TimeFilter",
    "TimeHaving",
    "Time_Having",
    "Time_Order",
    "Token",
    "Unmerge_Left",
    "Unmerge_Result",
    "User",
    "Uuid_Filter",
    "Value_Aggregate",
    "Value_Having",
    "Value_Order",
    "Viewer",
    "Within",
    "WithinUnit",
];

/// Column names that a database keeps for itself, or that every record has.
const PHYSICAL_RESERVED: [&str; 9] = [
    "id", "oid", "rowid", "tableoid", "xmin", "xmax", "cmin", "cmax", "ctid",
];

/// `[a-z][A-Za-z0-9]*`, at most [`NAME_BYTES_MAX`] bytes: a name of GraphQL without `_`.
#[must_use]
pub(crate) fn is_name(text: &str) -> bool {
    text.len() <= NAME_BYTES_MAX
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.chars().all(|each| each.is_ascii_alphanumeric())
}

/// `[a-z][A-Za-z0-9_-]*`, at most [`NAME_BYTES_MAX`] bytes: a key, or a pipeline's or stage's name.
#[must_use]
pub(crate) fn is_key(text: &str) -> bool {
    text.len() <= NAME_BYTES_MAX
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text
            .chars()
            .all(|each| each.is_ascii_alphanumeric() || each == '_' || each == '-')
}

/// `[A-Z][A-Z0-9_]*`, at most [`NAME_BYTES_MAX`] bytes: the value of an option, a GraphQL enum value.
#[must_use]
pub(crate) fn is_option_value(text: &str) -> bool {
    text.len() <= NAME_BYTES_MAX
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text
            .chars()
            .all(|each| each.is_ascii_uppercase() || each.is_ascii_digit() || each == '_')
}

/// A language tag as far as labels need it: `en`, `zh-CN`, `sr-Latn-RS`.
#[must_use]
pub(crate) fn is_language(text: &str) -> bool {
    let mut parts = text.split('-');
    let primary = parts.next().unwrap_or_default();
    (2..=3).contains(&primary.len())
        && primary.chars().all(|each| each.is_ascii_lowercase())
        && parts.clone().count() <= 3
        && parts.all(|part| {
            (2..=8).contains(&part.len()) && part.chars().all(|each| each.is_ascii_alphanumeric())
        })
}

/// What the author may have meant: the candidate at the least edit distance, if that is small for
/// the length of what was written.
#[must_use]
pub(crate) fn nearest<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if written.is_empty() || written.len() > 2 * NAME_BYTES_MAX {
        return None;
    }
    let folded = written.to_lowercase();
    let tolerance = (written.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= 2 * NAME_BYTES_MAX)
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&folded, &candidate.to_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, _)| *distance <= tolerance)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// ` Did you mean "company"?`, or nothing: to be put behind a message.
#[must_use]
pub(crate) fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!(" Did you mean \"{name}\"?"))
}

/// A list for a message: `"a", "b" or "c"`, cut after a dozen.
#[must_use]
pub(crate) fn one_of<'a>(candidates: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN_MAX: usize = 12;
    let all: Vec<String> = candidates
        .into_iter()
        .map(|candidate| format!("\"{candidate}\""))
        .collect();
    match all.as_slice() {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [first @ .., last] if all.len() <= SHOWN_MAX => {
            format!("{} or {last}", first.join(", "))
        }
        _ => format!("{} … ({} in all)", all[..SHOWN_MAX].join(", "), all.len()),
    }
}

/// `annualRevenue` → `annual_revenue`, `myURLText` → `my_url_text`. Only for valid names.
#[must_use]
pub(crate) fn snake(name: &str) -> String {
    let characters: Vec<char> = name.chars().collect();
    let mut text = String::with_capacity(name.len() + 4);
    for (position, character) in characters.iter().enumerate() {
        if character.is_ascii_uppercase() && position > 0 {
            let after_lower = !characters[position - 1].is_ascii_uppercase();
            let before_lower = characters
                .get(position + 1)
                .is_some_and(char::is_ascii_lowercase);
            if (after_lower || before_lower) && !text.ends_with('_') {
                text.push('_');
            }
        }
        text.push(character.to_ascii_lowercase());
    }
    text
}

/// A physical name made of `base` that nobody has: cut to [`PHYSICAL_BYTES_MAX`], then `_2`, `_3` …
/// The name is added to `taken`.
pub(crate) fn mint(base: &str, taken: &mut HashSet<String>) -> String {
    let mut number = 1_u32;
    loop {
        let suffix = if number == 1 {
            String::new()
        } else {
            format!("_{number}")
        };
        // Names are ASCII: any byte is a boundary.
        let kept = base.len().min(PHYSICAL_BYTES_MAX - suffix.len());
        let name = format!("{}{suffix}", base[..kept].trim_end_matches('_'));
        if !PHYSICAL_RESERVED.contains(&name.as_str()) && taken.insert(name.clone()) {
            return name;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snake_follows_words_and_acronyms() {
        for (name, expected) in [
            ("company", "company"),
            ("annualRevenue", "annual_revenue"),
            ("myURLText", "my_url_text"),
            ("e164", "e164"),
            ("aB", "a_b"),
            ("membership_points", "membership_points"),
        ] {
            assert_eq!(snake(name), expected);
        }
    }

    #[test]
    fn minted_names_are_short_free_and_not_the_databases_own() {
        let mut taken = HashSet::from(["visit".to_owned()]);
        assert_eq!(mint("visit", &mut taken), "visit_2");
        assert_eq!(mint("visit", &mut taken), "visit_3");
        assert_eq!(mint("xmin", &mut taken), "xmin_2");
        let long = "a".repeat(60);
        let first = mint(&long, &mut taken);
        let second = mint(&long, &mut taken);
        assert!(first.len() <= PHYSICAL_BYTES_MAX && second.len() <= PHYSICAL_BYTES_MAX);
        assert_ne!(first, second);
    }

    #[test]
    fn suggests_only_what_is_near() {
        let names = ["company", "person", "deal"];
        assert_eq!(nearest("compnay", names), Some("company"));
        assert_eq!(nearest("Deal", names), Some("deal"));
        assert_eq!(nearest("invoice", names), None);
    }

    #[test]
    fn platform_types_are_listed_once() {
        let distinct: HashSet<_> = PLATFORM_TYPES.iter().collect();
        assert_eq!(distinct.len(), PLATFORM_TYPES.len());
    }
}
