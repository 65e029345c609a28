//! How large a blueprint, and what it makes, may be.

/// Limits of a document and of the catalogue that it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the text.
    pub document_bytes_max: usize,
    /// Values in the document, after aliases of YAML have been followed.
    pub nodes_max: usize,
    /// Lists and mappings inside each other.
    pub depth_max: usize,
    /// Objects in the workspace.
    pub objects_max: usize,
    /// Fields of one object, all owners together. A composite takes up to 6 columns, a table of
    /// PostgreSQL has at most 1,600.
    pub fields_max: usize,
    /// Options of one select.
    pub options_max: usize,
    /// Unique keys of one object.
    pub uniques_max: usize,
    /// Indexes of one object, beside those that every object has.
    pub indexes_max: usize,
    /// Fields of one unique key, or of one index.
    pub unique_fields_max: usize,
    /// Rules of one object.
    pub rules_max: usize,
    /// Rules of one owner by which records of one object may be the same. Each is compared of
    /// every pair of records that is looked at.
    pub duplicate_rules_max: usize,
    /// Pipelines in the workspace.
    pub pipelines_max: usize,
    /// Stages of one pipeline.
    pub stages_max: usize,
    /// Languages of one set of labels.
    pub languages_max: usize,
    /// Characters of one label; descriptions may have ten times as many.
    pub label_max: usize,
    /// Configuration records in one document.
    pub rows_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            document_bytes_max: 4 * 1024 * 1024,
            nodes_max: 500_000,
            depth_max: 64,
            objects_max: 500,
            fields_max: 200,
            options_max: 500,
            uniques_max: 32,
            indexes_max: 32,
            unique_fields_max: 8,
            rules_max: 50,
            duplicate_rules_max: 20,
            pipelines_max: 200,
            stages_max: 50,
            languages_max: 40,
            label_max: 200,
            rows_max: 10_000,
        }
    }
}
