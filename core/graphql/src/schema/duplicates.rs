//! Duplicates over a whole object: their fields, and what they answer.

use relata_catalog::{Object, capitalised};

use super::writer::{InputDefinition as In, OutputDefinition as Out, SchemaWriter};

/// What the duplicates of all objects share.
pub(super) fn write_platform(writer: &mut SchemaWriter) {
    writer.object(
        "Duplicate_Pair",
        Some("Two records that may be the same.".to_owned()),
        &[],
        vec![
            Out::new("mine", "ID!").about("Of the older record."),
            Out::new("theirs", "ID!").about("Of the other one."),
            Out::new("score", "Float!").about("How likely it is, 0 to 1."),
            Out::new("reasons", "[Match_Reason!]!").about("The weightiest first."),
        ],
    );
}

/// The object's types and its fields of `Query` and `Mutation`.
pub(super) fn write(writer: &mut SchemaWriter, object: &Object, type_name: &str) {
    let (set, page) = (
        format!("{type_name}_DuplicateSet"),
        format!("{type_name}_DuplicatePage"),
    );
    writer.object(
        &set,
        Some("Records that may all be the same, as they are now.".to_owned()),
        &[],
        vec![
            Out::new("score", "Float!").about("Of its likeliest pair, 0 to 1."),
            Out::new("records", format!("[{type_name}!]!"))
                .about("At least two, the oldest first."),
            Out::new("pairs", "[Duplicate_Pair!]!")
                .about("What holds them together, the likeliest first."),
        ],
    );
    writer.object(
        &page,
        None,
        &[],
        vec![
            Out::new("sets", format!("[{set}!]!")).about("The likeliest first."),
            Out::new("pageInfo", "PageInfo!"),
            Out::new("foundAt", "DateTime")
                .about("When they were looked for; null: never. `findDuplicates` does."),
        ],
    );
    writer.queries.push(
        Out::new(format!("{}Duplicates", object.plural), format!("{page}!"))
            .about(
                "What the last search over all records has found. They are compared again when \
                 they are read: what was merged, deleted, changed or dismissed since is left out, \
                 so a page may have fewer sets than were asked for, and its cursor goes on.",
            )
            .arguments(vec![
                In::new("first", "Int"),
                In::new("after", "String"),
                In::new("minScore", "Float"),
            ]),
    );
    let ids = || vec![In::new("ids", "[ID!]!")];
    writer.mutations.push(
        Out::new(dismissing("dismiss", object), "Int!")
            .about(
                "Says that no two of these records are the same: they are shown as duplicates of \
                 each other no more. Gives how many pairs they are.",
            )
            .arguments(ids()),
    );
    writer.mutations.push(
        Out::new(dismissing("undismiss", object), "Int!")
            .about("Takes that back. Gives of how many pairs it had been said.")
            .arguments(ids()),
    );
}

/// `dismissCompanyDuplicates`
pub(crate) fn dismissing(verb: &str, object: &Object) -> String {
    format!("{verb}{}Duplicates", capitalised(&object.singular))
}
