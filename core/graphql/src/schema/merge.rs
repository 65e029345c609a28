//! Merges: their fields, and what they answer.

use relata_catalog::{Object, capitalised};

use super::writer::{InputDefinition as In, OutputDefinition as Out, SchemaWriter};

/// What merges of all objects share.
pub(super) fn write_platform(writer: &mut SchemaWriter) {
    writer.object(
        "Merge_Field",
        Some("A field as it would be.".to_owned()),
        &[],
        vec![
            Out::new("name", "String!"),
            Out::new("value", "JSON!"),
            Out::new("from", "[ID!]!").about(
                "Whose value it is: several where lists are united, none where it was given or is worked out.",
            ),
        ],
    );
    writer.object(
        "Merge_Move",
        Some("Records that would point at the one that stays.".to_owned()),
        &[],
        vec![
            Out::new("object", "String!"),
            Out::new("field", "String!").about("By which of its relations."),
            Out::new("count", "SafeInt!").about("Outside the trash."),
            Out::new("trashed", "SafeInt!").about("In the trash."),
        ],
    );
    writer.object(
        "Merge_Conflict",
        Some("A field in which the records differ.".to_owned()),
        &[],
        vec![
            Out::new("name", "String!"),
            Out::new("values", "[Merge_Value!]!")
                .about("The one that would stay comes first; `data` says otherwise."),
        ],
    );
    writer.object(
        "Merge_Value",
        None,
        &[],
        vec![
            Out::new("id", "ID!").about("Of the record that has it."),
            Out::new("value", "JSON!"),
        ],
    );
    writer.object(
        "Unmerge_Result",
        Some("What came of undoing a merge.".to_owned()),
        &[],
        vec![
            Out::new("survivor", "ID!").about("The record that had stayed."),
            Out::new("restored", "[ID!]!").about("The others, which are there again."),
            Out::new("gone", "[ID!]!").about("Those that were destroyed since, and stay so."),
            Out::new("left", "[Unmerge_Left!]!")
                .about("What somebody has changed since, and what is of those that are gone: left as it is."),
        ],
    );
    writer.object(
        "Unmerge_Left",
        None,
        &[],
        vec![
            Out::new("object", "String!"),
            Out::new("id", "ID!"),
            Out::new("field", "String!"),
        ],
    );
}

/// The object's answer type and its fields of `Query` and `Mutation`.
pub(super) fn write(writer: &mut SchemaWriter, object: &Object, type_name: &str) {
    let preview = format!("{type_name}MergePreview");
    writer.object(
        &preview,
        Some("What a merge would do, and what would refuse it.".to_owned()),
        &[],
        vec![
            Out::new("fields", "[Merge_Field!]!").about("Those that would be filled."),
            Out::new("moves", "[Merge_Move!]!"),
            Out::new("conflicts", "[Merge_Conflict!]!"),
            Out::new("issues", "[Bulk_Issue!]!").about("None: it would not be refused."),
        ],
    );
    let arguments = || {
        vec![
            In::new("ids", "[ID!]!"),
            In::new("keep", "ID!"),
            In::new("data", format!("{type_name}Update")),
        ]
    };
    writer.queries.push(
        Out::new(
            format!("{}MergePreview", object.singular),
            format!("{preview}!"),
        )
        .about("What merging these records would do. Nothing is changed.")
        .arguments(arguments()),
    );
    writer.mutations.push(
        Out::new(
            format!("merge{}", capitalised(&object.plural)),
            format!("{type_name}!"),
        )
        .about("Makes one record of several: `keep` takes `data`, and what it has empty from the others, in the order of `ids`; what points at them points at it; they go to the trash, and their ids answer with it.")
        .arguments(arguments()),
    );
    writer.mutations.push(
        Out::new(format!("unmerge{}", object.type_name()), "Unmerge_Result!")
            .about("Undoes the merge in which this record was lost.")
            .arguments(vec![In::new("id", "ID!")]),
    );
}
