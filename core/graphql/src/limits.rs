//! Everything that a request to the records endpoint can grow, and how far.

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
    /// Groups on a page that does not say how many.
    pub groups_default: u64,
    /// Groups on a page, at most.
    pub groups_max: u64,
    /// Keys that records are grouped by.
    pub group_keys_max: usize,
    /// Memory of cached documents and plans, in bytes, roughly.
    pub cache_bytes_max: u64,
}

impl RecordsLimits {
    /// The highest [`RecordsLimits::filter_depth_max`] at which planner and databases stay within
    /// their stacks; a test goes there.
    pub const FILTER_DEPTH_HIGHEST: usize = 50;
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
            groups_default: 50,
            groups_max: 500,
            group_keys_max: 4,
            cache_bytes_max: 64 * 1024 * 1024,
        }
    }
}
