//! Where the records of a list come from: pointing at the record that has it, over links, or along
//! a tree.

use relata_catalog::{Catalogue, ObjectIndex, Towards, Via};

use super::columns::{find_relation, quoted};
use super::compile::CompileError;
use super::condition::Scope;
use crate::filter::Deleted;

/// Most records over each other in a tree. A write that would make a longer line is refused.
pub const TREE_DEPTH_MAX: usize = 100;

/// What stands behind FROM, and what must hold.
pub(super) struct Listed {
    pub(super) tables: String,
    pub(super) condition: String,
}

/// The records of a list, under the alias of `scope`; `of` is the text of the id of the record that
/// has it, `link` the alias of what joins the two. What is in the trash joins nothing, but for a
/// list of what is in the trash.
pub(super) fn listed(
    catalogue: &Catalogue,
    via: Via,
    scope: &Scope,
    link: &str,
    of: &str,
    deleted: Deleted,
) -> Result<Listed, CompileError> {
    let alias = &scope.alias;
    let table = table(catalogue, scope.object)?;
    match via {
        Via::Relation(field) => {
            let (_, key) = find_relation(catalogue, scope.object, field)?;
            Ok(Listed {
                tables: format!("{table} AS {alias}"),
                condition: format!("{alias}.{} = {of}", quoted(&key)),
            })
        }
        Via::Link {
            object,
            here,
            there,
        } => {
            let (_, here) = find_relation(catalogue, object, here)?;
            let (_, there) = find_relation(catalogue, object, there)?;
            Ok(Listed {
                tables: format!(
                    "{} AS {link} JOIN {table} AS {alias} ON {alias}.\"id\" = {link}.{}",
                    self::table(catalogue, object)?,
                    quoted(&there)
                ),
                condition: format!(
                    "{link}.{} = {of} AND {link}.\"_deleted_at\" IS NULL",
                    quoted(&here)
                ),
            })
        }
        Via::Tree { relation, towards } => {
            let (_, key) = find_relation(catalogue, scope.object, relation)?;
            let key = quoted(&key);
            // A record in the trash is nobody's parent for who reads; so a line ends there.
            let alive = match deleted {
                Deleted::Exclude => " AND s.\"_deleted_at\" IS NULL",
                Deleted::Include | Deleted::Only => "",
            };
            // `UNION ALL` would not end in a circle, but for the depth: there is none, because no
            // write makes one.
            let walk = match towards {
                Towards::Ancestors => format!(
                    "SELECT s.{key}, CAST(1 AS BIGINT) FROM {table} AS s WHERE s.\"id\" = {of} AND s.{key} IS NOT NULL \
                     UNION ALL SELECT s.{key}, w.depth + 1 FROM w JOIN {table} AS s ON s.\"id\" = w.id \
                     WHERE s.{key} IS NOT NULL AND w.depth < {TREE_DEPTH_MAX}{alive}"
                ),
                Towards::Descendants => format!(
                    "SELECT s.\"id\", CAST(1 AS BIGINT) FROM {table} AS s WHERE s.{key} = {of}{alive} \
                     UNION ALL SELECT s.\"id\", w.depth + 1 FROM w JOIN {table} AS s ON s.{key} = w.id \
                     WHERE w.depth < {TREE_DEPTH_MAX}{alive}"
                ),
            };
            Ok(Listed {
                tables: format!(
                    "(WITH RECURSIVE w(id, depth) AS ({walk}) SELECT id, depth FROM w) AS {link} \
                     JOIN {table} AS {alias} ON {alias}.\"id\" = {link}.id"
                ),
                condition: "TRUE".to_owned(),
            })
        }
    }
}

fn table(catalogue: &Catalogue, object: ObjectIndex) -> Result<String, CompileError> {
    catalogue
        .objects
        .get(object.0)
        .map(|object| quoted(&object.table))
        .ok_or(CompileError::Missing("an object"))
}
