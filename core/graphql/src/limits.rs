//! Everything that a request to the records endpoint can grow, and how far.

use relata_app::records::NestedLimits;

use crate::guard::DocumentLimits;

/// Limits of the records endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordsLimits {
    /// Of the document itself.
    pub document: DocumentLimits,
    /// Records on a page of a root field that does not say how many.
    pub page_default: u64,
    /// The same, below the root.
    pub page_nested_default: u64,
    /// Records on a page, at most.
    pub page_max: u64,
    /// Rows that an operation could read: the product of its page sizes, summed over root fields.
    pub rows_max: u64,
    /// Conditions inside each other.
    pub filter_depth_max: usize,
    /// Conditions of one root field.
    pub conditions_max: usize,
    /// Values in one list that is compared with.
    pub list_max: usize,
    /// Terms of one order.
    pub order_terms_max: usize,
    /// Relations that one term follows.
    pub order_depth_max: usize,
    /// Records that one mutation is given the data of.
    pub bulk_rows_max: usize,
    /// Records that one mutation changes by a condition: they are locked until it ends.
    pub bulk_records_max: u64,
    /// Records inside the data of records, counted from the one that the mutation names.
    pub nested_depth_max: usize,
    /// Records that one mutation creates, connects or disconnects inside the data of others.
    pub nested_records_max: usize,
    /// Groups on a page that does not say how many.
    pub groups_default: u64,
    /// Groups on a page, at most.
    pub groups_max: u64,
    /// Keys that records are grouped by.
    pub group_keys_max: usize,
    /// Memory of cached documents and plans, in bytes, roughly. Texts of documents that are named
    /// by their hashes have a quarter as much beside it.
    pub cache_bytes_max: u64,
}

impl RecordsLimits {
    /// The highest [`RecordsLimits::filter_depth_max`] at which planner and databases stay within
    /// their stacks; a test goes there.
    pub const FILTER_DEPTH_HIGHEST: usize = 50;
    /// The same of [`RecordsLimits::nested_depth_max`].
    pub const NESTED_DEPTH_HIGHEST: usize = 20;

    /// How much may hang on the data of one mutation.
    pub(crate) fn nested(&self) -> NestedLimits {
        NestedLimits {
            depth_max: self.nested_depth_max,
            records_max: self.nested_records_max,
        }
    }
}

impl Default for RecordsLimits {
    fn default() -> Self {
        Self {
            document: DocumentLimits::default(),
            page_default: 50,
            page_nested_default: 10,
            page_max: 500,
            rows_max: 20_000,
            filter_depth_max: 10,
            conditions_max: 200,
            list_max: 1_000,
            order_terms_max: 8,
            order_depth_max: 3,
            bulk_rows_max: 1_000,
            bulk_records_max: 10_000,
            nested_depth_max: 5,
            nested_records_max: 1_000,
            groups_default: 50,
            groups_max: 500,
            group_keys_max: 4,
            cache_bytes_max: 64 * 1024 * 1024,
        }
    }
}
