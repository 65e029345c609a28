//! Rows that have been fetched before they are written: level by level, each level's for all of
//! its parents.

use std::collections::HashMap;
use std::ops::Range;

use uuid::Uuid;

use super::plan::{Execution, Level};
use super::rows::{Flow, Row, Source, unexpected};
use crate::StoreError;

/// No group: the parent's row has no id there, or is not written.
const NOBODY: u32 = u32::MAX;

/// The parents of a level.
#[derive(Debug)]
pub(crate) struct Parents {
    /// Each id once.
    pub(crate) ids: Vec<Uuid>,
    /// For each row of the parents' level, the position of its id, or [`NOBODY`].
    of_rows: Vec<u32>,
}

/// The rows of a level.
#[derive(Debug)]
pub(crate) struct Table<R> {
    rows: Vec<R>,
    /// The rows of each parent; of a root, one.
    groups: Vec<Range<u32>>,
    of_rows: Vec<u32>,
}

impl<R: Row> Table<R> {
    /// Of a level without parents.
    pub(crate) fn root(rows: Vec<R>) -> Self {
        let everything = 0..rows.len() as u32;
        Self {
            rows,
            groups: vec![everything],
            of_rows: Vec::new(),
        }
    }

    /// Of a level whose parents are not there.
    pub(crate) fn none(parents: Parents) -> Self {
        Self {
            rows: Vec::new(),
            groups: Vec::new(),
            of_rows: parents.of_rows,
        }
    }

    /// Of a level whose rows say in their last column to which parent they belong, from 1.
    pub(crate) fn nested(rows: Vec<R>, last: usize, parents: Parents) -> Result<Self, StoreError> {
        let mut groups = vec![0..0; parents.ids.len()];
        let mut start = 0;
        let mut current = 0;
        for (index, row) in rows.iter().enumerate() {
            let number = row
                .integer(last)?
                .and_then(|number| usize::try_from(number).ok())
                .filter(|number| (1..=parents.ids.len()).contains(number))
                .ok_or_else(|| unexpected(last, "the number of a parent"))?;
            if number != current {
                // The statement loops over the parents, so that each parent's rows stand together.
                if !groups[number - 1].is_empty() {
                    return Err(unexpected(last, "in the order of the parents"));
                }
                start = index as u32;
                current = number;
            }
            groups[number - 1] = start..index as u32 + 1;
        }
        Ok(Self {
            rows,
            groups,
            of_rows: parents.of_rows,
        })
    }

    /// Of a level that was asked for each parent.
    pub(crate) fn groups(each: Vec<Vec<R>>, parents: Parents) -> Self {
        let mut rows = Vec::with_capacity(each.iter().map(Vec::len).sum());
        let mut groups = Vec::with_capacity(each.len());
        for group in each {
            let start = rows.len() as u32;
            rows.extend(group);
            groups.push(start..rows.len() as u32);
        }
        Self {
            rows,
            groups,
            of_rows: parents.of_rows,
        }
    }
}

/// The rows of an execution, as far as they have come.
pub(crate) struct Gathered<'p, R> {
    execution: &'p Execution<'p>,
    tables: Vec<Option<Table<R>>>,
}

impl<'p, R: Row> Gathered<'p, R> {
    pub(crate) fn new(execution: &'p Execution<'p>) -> Self {
        Self {
            execution,
            tables: execution.levels.iter().map(|_| None).collect(),
        }
    }

    pub(crate) fn add(&mut self, level: &Level, table: Table<R>) {
        self.tables[level.index] = Some(table);
    }

    /// The parents of a level, from the rows of the level above; none when it is a root.
    pub(crate) fn parents(&self, level: &Level) -> Result<Option<Parents>, StoreError> {
        let Some(place) = level.parent else {
            return Ok(None);
        };
        let table = self.table(place.level)?;
        let size = self.execution.window(place.level).size;
        let mut parents = Parents {
            ids: Vec::new(),
            of_rows: vec![NOBODY; table.rows.len()],
        };
        let mut known: HashMap<Uuid, u32> = HashMap::new();
        for group in &table.groups {
            // The row behind the window only shows that there are more.
            for index in group.clone().take(size) {
                let index = index as usize;
                let Some(id) = table.rows[index].uuid(place.column)? else {
                    continue;
                };
                let next = parents.ids.len() as u32;
                let position = if place.distinct {
                    next
                } else {
                    *known.entry(id).or_insert(next)
                };
                if position == next {
                    parents.ids.push(id);
                }
                parents.of_rows[index] = position;
            }
        }
        Ok(Some(parents))
    }

    fn table(&self, level: usize) -> Result<&Table<R>, StoreError> {
        self.tables[level]
            .as_ref()
            .ok_or_else(|| StoreError::value("read", "a level was asked before its parent's"))
    }

    pub(crate) fn source(&self) -> Rows<'_, 'p, R> {
        Rows { gathered: self }
    }
}

/// Hands gathered rows to the writer.
pub(crate) struct Rows<'g, 'p, R> {
    gathered: &'g Gathered<'p, R>,
}

/// A gathered row and where it stands in its table.
pub(crate) struct Placed<'r, R> {
    index: usize,
    row: &'r R,
}

impl<R: Row + 'static> Source for Rows<'_, '_, R> {
    type Row<'row> = Placed<'row, R>;

    fn visit<F>(
        &mut self,
        level: &Level,
        parent: Option<&Self::Row<'_>>,
        mut each: F,
    ) -> Result<(), StoreError>
    where
        F: FnMut(&mut Self, &Self::Row<'_>) -> Result<Flow, StoreError>,
    {
        let gathered = self.gathered;
        let table = gathered.table(level.index)?;
        let group = match parent {
            None => table.groups.first(),
            Some(parent) => table
                .of_rows
                .get(parent.index)
                .and_then(|position| table.groups.get(*position as usize)),
        };
        for index in group.cloned().unwrap_or_default() {
            let index = index as usize;
            let placed = Placed {
                index,
                row: &table.rows[index],
            };
            if each(self, &placed)? == Flow::Enough {
                break;
            }
        }
        Ok(())
    }
}

impl<R: Row> Row for Placed<'_, R> {
    fn is_null(&self, position: usize) -> Result<bool, StoreError> {
        self.row.is_null(position)
    }

    fn text(&self, position: usize) -> Result<Option<&str>, StoreError> {
        self.row.text(position)
    }

    fn integer(&self, position: usize) -> Result<Option<i64>, StoreError> {
        self.row.integer(position)
    }

    fn boolean(&self, position: usize) -> Result<Option<bool>, StoreError> {
        self.row.boolean(position)
    }

    fn uuid(&self, position: usize) -> Result<Option<Uuid>, StoreError> {
        self.row.uuid(position)
    }

    fn decimal(&self, position: usize, scale: u32) -> Result<Option<i64>, StoreError> {
        self.row.decimal(position, scale)
    }

    fn day(&self, position: usize) -> Result<Option<i64>, StoreError> {
        self.row.day(position)
    }

    fn instant(&self, position: usize) -> Result<Option<i64>, StoreError> {
        self.row.instant(position)
    }

    fn write_list(&self, position: usize, out: &mut Vec<u8>) -> Result<bool, StoreError> {
        self.row.write_list(position, out)
    }
}
