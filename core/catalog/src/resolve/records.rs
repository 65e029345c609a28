//! Configuration records: that their objects and fields exist and their values fit. The records
//! themselves are the caller's business.

use std::collections::HashMap;

use super::{Resolver, path, under};
use crate::{Catalogue, CoerceContext, Issue, Key, Kind, Object, PathSegment, coerce};

impl Resolver<'_> {
    /// All `records` sections.
    pub(super) fn check_records(&mut self, target: &Catalogue) {
        for (position, part) in self.blueprint.records.iter().enumerate() {
            let place = path(&["records".into(), position.into()]);
            let Some(object_key) =
                self.object_or_report(&part.object, under(place.clone(), "object"))
            else {
                continue;
            };
            // What the document defines wrongly is not in the target; that has been reported.
            let Some((_, object)) = target.object_keyed(&object_key) else {
                continue;
            };
            let object = object.clone();
            let by = self.field_or_report(&object_key, &part.by, under(place.clone(), "by"));
            if let Some(by) = &by
                && !object
                    .uniques
                    .iter()
                    .any(|unique| unique.fields.len() == 1 && unique.fields[0] == *by)
            {
                let issue = Issue::new(
                    "UNIQUE_MISSING",
                    format!(
                        "\"{}\" must be unique, so that a row finds its record: add \"unique: \
                         true\" to the field",
                        part.by
                    ),
                );
                self.report(under(place.clone(), "by"), issue);
            }
            let mut seen: HashMap<String, usize> = HashMap::new();
            for (row_position, row) in part.rows.iter().enumerate() {
                let row_place = under(under(place.clone(), "rows"), row_position);
                for (reference, value) in row {
                    let cell_place = under(row_place.clone(), reference.clone());
                    if let Some(key) =
                        self.field_or_report(&object_key, reference, cell_place.clone())
                    {
                        self.check_cell(&object, &key, value, &cell_place);
                    }
                }
                match row.get(&part.by).filter(|value| !value.is_null()) {
                    None => {
                        let issue = Issue::new(
                            "MISSING",
                            format!("the row has no \"{}\" to find its record by", part.by),
                        );
                        self.report(under(row_place, part.by.clone()), issue);
                    }
                    Some(value) => {
                        if let Some(first) = seen.insert(value.to_string(), row_position) {
                            let issue = Issue::new(
                                "DUPLICATE_KEY",
                                format!("row {first} has the same \"{}\"", part.by),
                            );
                            self.report(under(row_place, part.by.clone()), issue);
                        }
                    }
                }
            }
        }
    }

    fn check_cell(
        &mut self,
        object: &Object,
        key: &Key,
        value: &serde_json::Value,
        place: &[PathSegment],
    ) {
        let Some((_, field)) = object.field_keyed(key) else {
            return;
        };
        // How rows point at each other, and where they stand, the caller knows.
        if matches!(field.kind, Kind::Relation(_) | Kind::Stage)
            || !self.is_readable(&object.key, key)
        {
            return;
        }
        if let Err(issues) = coerce(field, value, &CoerceContext::default()) {
            self.report_all(place, issues);
        }
    }
}
