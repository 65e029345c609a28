//! How a field stands in its table.

use super::{Field, Kind, UniqueBy};
use crate::geo::DEGREE_SCALE;

/// One physical column of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Name in the table.
    pub name: String,
    /// What it holds.
    pub column_type: ColumnType,
}

/// What a physical column holds. How it is spelled in SQL is the store's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// Text, compared by code point.
    Text,
    /// Folded key of the text column before it (see [`crate::folded`]).
    Folded,
    /// 64-bit integer.
    Integer,
    /// Decimal at this scale: NUMERIC, or a scaled 64-bit integer on SQLite.
    Decimal(u32),
    /// Boolean.
    Boolean,
    /// Calendar day.
    Date,
    /// Instant in microseconds.
    DateTime,
    /// JSON text.
    Json,
    /// Microseconds since midnight, a 64-bit integer.
    Time,
    /// Length of time in microseconds, a 64-bit integer.
    Duration,
    /// List of texts.
    TextList,
    /// UUID; of a relation with a foreign key to its target, of a file with one to the file.
    Reference,
}

impl Field {
    /// The kind that its values have for who reads them: of what is worked out, the result's.
    #[must_use]
    pub fn shown(&self) -> &Kind {
        match &self.kind {
            Kind::Formula(formula) => &formula.result,
            Kind::Rollup(rollup) => &rollup.result,
            kind => kind,
        }
    }

    /// The columns of its table, in order: none of what is worked out.
    #[must_use]
    pub fn stored_columns(&self) -> Vec<Column> {
        if self.kind.is_stored() {
            self.columns()
        } else {
            Vec::new()
        }
    }

    /// The columns, in order; of what is worked out those that a field of its result would have.
    /// The store and the read compiler both count on this order.
    #[must_use]
    pub fn columns(&self) -> Vec<Column> {
        use ColumnType as Type;
        let parts: &[(&str, ColumnType)] = match self.shown() {
            // Neither is ever the result of one.
            Kind::Formula(_) | Kind::Rollup(_) => &[],
            Kind::Text { .. }
            | Kind::LongText { .. }
            | Kind::RichText { .. }
            | Kind::Email
            | Kind::Url => &[("", Type::Text), ("folded", Type::Folded)],
            Kind::Select { .. } => &[("", Type::Text)],
            Kind::Integer { .. } | Kind::Rating { .. } | Kind::Autonumber { .. } => {
                &[("", Type::Integer)]
            }
            Kind::Decimal { scale, .. } | Kind::Percent { scale, .. } => {
                return vec![self.column_of("", Type::Decimal(*scale))];
            }
            Kind::Money { scale, .. } => {
                return vec![
                    self.column_of("amount", Type::Decimal(*scale)),
                    self.column_of("currency", Type::Text),
                ];
            }
            Kind::Boolean => &[("", Type::Boolean)],
            Kind::Date => &[("", Type::Date)],
            Kind::DateTime => &[("", Type::DateTime)],
            Kind::Time => &[("", Type::Time)],
            Kind::Duration => &[("", Type::Duration)],
            Kind::Uuid => &[("", Type::Reference)],
            Kind::MultiSelect { .. } | Kind::Texts | Kind::Tags => &[("", Type::TextList)],
            Kind::Json { .. } => &[("", Type::Json)],
            Kind::Phone => &[("e164", Type::Text), ("typed", Type::Text)],
            Kind::FullName => &[
                ("full", Type::Text),
                ("folded", Type::Folded),
                ("given", Type::Text),
                ("family", Type::Text),
                ("order", Type::Text),
            ],
            Kind::Emails => &[
                ("primary", Type::Text),
                ("folded", Type::Folded),
                ("additional", Type::TextList),
            ],
            Kind::Phones => &[
                ("e164", Type::Text),
                ("typed", Type::Text),
                ("additional", Type::Json),
            ],
            Kind::Address => &[
                ("street", Type::Text),
                ("city", Type::Text),
                ("city_folded", Type::Folded),
                ("region", Type::Text),
                ("postal_code", Type::Text),
                ("country", Type::Text),
            ],
            Kind::File { .. } => &[
                ("id", Type::Reference),
                ("name", Type::Text),
                ("name_folded", Type::Folded),
                ("content_type", Type::Text),
                ("size", Type::Integer),
                ("sha256", Type::Text),
            ],
            Kind::GeoPoint => &[
                ("latitude", Type::Decimal(DEGREE_SCALE)),
                ("longitude", Type::Decimal(DEGREE_SCALE)),
                // Where it lies on the sphere, for what is near: see `GeoPoint::position`.
                ("x", Type::Integer),
                ("y", Type::Integer),
                ("z", Type::Integer),
            ],
            Kind::Relation(_) | Kind::User => &[("id", Type::Reference)],
            Kind::Stage => &[
                ("pipeline", Type::Text),
                ("stage", Type::Text),
                ("entered_at", Type::DateTime),
            ],
        };
        parts
            .iter()
            .map(|(suffix, column_type)| self.column_of(suffix, *column_type))
            .collect()
    }

    /// The physical column that a unique key compares, or `None` where the kind is unfit for one.
    /// Text compares exactly unless told otherwise, addresses and names by their folded form,
    /// phones by E.164.
    #[must_use]
    pub fn unique_column(&self, by: UniqueBy) -> Option<String> {
        let part = match &self.kind {
            Kind::Text { .. } | Kind::Url if by == UniqueBy::Folded => "folded",
            Kind::Email | Kind::Emails | Kind::FullName => "folded",
            _ if by == UniqueBy::Folded => return None,
            Kind::Text { .. }
            | Kind::Url
            | Kind::Select { .. }
            | Kind::Integer { .. }
            | Kind::Decimal { .. }
            | Kind::Percent { .. }
            | Kind::Rating { .. }
            | Kind::Boolean
            | Kind::Date
            | Kind::DateTime
            | Kind::Time
            | Kind::Duration
            | Kind::Uuid
            | Kind::Autonumber { .. } => "",
            Kind::Phone | Kind::Phones => "e164",
            Kind::Relation(_) | Kind::User => "id",
            Kind::LongText { .. }
            | Kind::RichText { .. }
            | Kind::Money { .. }
            | Kind::MultiSelect { .. }
            | Kind::Texts
            | Kind::Tags
            | Kind::Json { .. }
            | Kind::Address
            | Kind::GeoPoint
            | Kind::File { .. }
            | Kind::Formula(_)
            | Kind::Rollup(_)
            | Kind::Stage => return None,
        };
        Some(self.column_of(part, ColumnType::Text).name)
    }

    /// The columns that an index of the field is over: those that lists compare and order by, text
    /// by its folded key and then by its letters. None where the kind is unfit for one.
    #[must_use]
    pub fn index_columns(&self) -> Vec<Column> {
        let is_unfit = matches!(
            self.kind,
            Kind::LongText { .. }
                | Kind::RichText { .. }
                | Kind::Json { .. }
                | Kind::MultiSelect { .. }
                | Kind::Texts
                | Kind::Tags
        );
        match self.stored_columns().as_slice() {
            [] => Vec::new(),
            _ if is_unfit => Vec::new(),
            [text, folded, ..]
                if text.column_type == ColumnType::Text
                    && folded.column_type == ColumnType::Folded =>
            {
                vec![folded.clone(), text.clone()]
            }
            [_, name, folded, ..] if matches!(self.kind, Kind::File { .. }) => {
                vec![folded.clone(), name.clone()]
            }
            [first, second, ..]
                if matches!(self.kind, Kind::Money { .. } | Kind::Stage | Kind::GeoPoint) =>
            {
                vec![first.clone(), second.clone()]
            }
            [first, ..] => vec![first.clone()],
        }
    }

    fn column_of(&self, suffix: &str, column_type: ColumnType) -> Column {
        let name = if suffix.is_empty() {
            self.column.clone()
        } else {
            format!("{}__{suffix}", self.column)
        };
        Column { name, column_type }
    }
}
