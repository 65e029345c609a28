//! The index on disk: its form, who writes it, and how far that has come.

use std::fs::File;
use std::path::{Path, PathBuf};

use tantivy::directory::MmapDirectory;
use tantivy::indexer::IndexWriterOptions;
use tantivy::schema::{
    BytesOptions, FAST, Field, INDEXED, IndexRecordOption, STRING, Schema, TextFieldIndexing,
    TextOptions,
};
use tantivy::{IndexReader, IndexWriter, ReloadPolicy, TantivyDocument, Term};
use uuid::Uuid;

use crate::document::Document;
use crate::error::SearchError;

/// Counts changes of what stands here and of how text becomes words. An index of another format
/// is made again.
pub const FORMAT: u32 = 1;

/// Memory in which documents are gathered before they become a segment, in bytes.
const WRITER_MEMORY: usize = 48 << 20;
/// Processes that may share a folder of indexes, each with its own.
const PLACES_MAX: usize = 64;

/// The fields of a document in the index.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields {
    pub(crate) id: Field,
    /// The id once more, in two numbers, to order by.
    pub(crate) high: Field,
    pub(crate) low: Field,
    pub(crate) object: Field,
    pub(crate) object_number: Field,
    /// By weight.
    pub(crate) words: [Field; 3],
    /// Beginnings of words, by weight.
    pub(crate) edges: [Field; 3],
    pub(crate) whole: Field,
    pub(crate) digits: Field,
    pub(crate) keys: Field,
    /// See [`Writer::forget`].
    pub(crate) generation: Field,
}

fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let texts = |option| {
        let indexing = TextFieldIndexing::default()
            .set_index_option(option)
            .set_fieldnorms(false);
        TextOptions::default().set_indexing_options(indexing)
    };
    let words = texts(IndexRecordOption::WithFreqsAndPositions);
    let edges = texts(IndexRecordOption::Basic);
    let fields = Fields {
        id: builder.add_bytes_field("id", BytesOptions::default().set_indexed()),
        high: builder.add_u64_field("high", FAST),
        low: builder.add_u64_field("low", FAST),
        object: builder.add_text_field("object", STRING),
        object_number: builder.add_u64_field("object_number", FAST | INDEXED),
        words: ["long", "text", "label"].map(|name| builder.add_text_field(name, words.clone())),
        edges: ["long_edges", "text_edges", "label_edges"]
            .map(|name| builder.add_text_field(name, edges.clone())),
        whole: builder.add_text_field("whole", STRING),
        digits: builder.add_text_field("digits", STRING),
        keys: builder.add_text_field("keys", STRING),
        generation: builder.add_u64_field("generation", INDEXED),
    };
    (builder.build(), fields)
}

/// An index in a folder that no other process uses.
pub struct Index {
    index: tantivy::Index,
    reader: IndexReader,
    pub(crate) fields: Fields,
    folder: PathBuf,
    /// Held as long as the index is.
    _held: File,
}

impl std::fmt::Debug for Index {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Index").field(&self.folder).finish()
    }
}

impl Index {
    /// Opens an index below this folder, the first that no other process has; makes it where there
    /// is none, and again where it has another format or is broken.
    ///
    /// # Errors
    /// [`SearchError::Folder`] and [`SearchError::Engine`] where none can be made.
    pub fn open(below: &Path) -> Result<Self, SearchError> {
        std::fs::create_dir_all(below)?;
        for place in 0..PLACES_MAX {
            let lock = File::options()
                .write(true)
                .create(true)
                .truncate(false)
                .open(below.join(format!("{place}.lock")))?;
            if lock.try_lock().is_err() {
                continue;
            }
            let folder = below.join(format!("{place}.v{FORMAT}"));
            return match Self::in_folder(&folder, &lock) {
                Ok(index) => Ok(index),
                Err(error) => {
                    tracing::warn!(%error, "the index of search is broken and made again");
                    std::fs::remove_dir_all(&folder)?;
                    Self::in_folder(&folder, &lock)
                }
            };
        }
        Err(SearchError::Crowded(PLACES_MAX))
    }

    fn in_folder(folder: &Path, lock: &File) -> Result<Self, SearchError> {
        std::fs::create_dir_all(folder)?;
        let (schema, fields) = schema();
        let directory = MmapDirectory::open(folder)?;
        let index = tantivy::Index::open_or_create(directory, schema)?;
        let reader = index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .try_into()?;
        Ok(Self {
            index,
            reader,
            fields,
            folder: folder.to_owned(),
            _held: lock.try_clone()?,
        })
    }

    /// What was noted with the last commit.
    ///
    /// # Errors
    /// Where the index can't be read.
    pub fn note(&self) -> Result<Option<String>, SearchError> {
        Ok(self.index.load_metas()?.payload)
    }

    /// Begins to write. One at a time; it holds memory until it is dropped.
    ///
    /// # Errors
    /// Where the index can't be written.
    pub fn writer(&self) -> Result<Writer, SearchError> {
        let options = IndexWriterOptions::builder()
            .num_worker_threads(1)
            .num_merge_threads(1)
            .memory_budget_per_thread(WRITER_MEMORY)
            .build();
        Ok(Writer {
            writer: self.index.writer_with_options(options)?,
            fields: self.fields,
            reader: self.reader.clone(),
        })
    }

    /// Records that can be found.
    #[must_use]
    pub fn documents(&self) -> u64 {
        self.reader.searcher().num_docs()
    }

    pub(crate) fn searcher(&self) -> tantivy::Searcher {
        self.reader.searcher()
    }
}

/// Changes an index. What is not committed is lost.
pub struct Writer {
    writer: IndexWriter<TantivyDocument>,
    fields: Fields,
    reader: IndexReader,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Writer")
    }
}

impl Writer {
    /// Puts a document in the place of the one with its id. It is of this generation.
    ///
    /// # Errors
    /// Where the index can't be written.
    pub fn put(&self, document: &Document, generation: u64) -> Result<(), SearchError> {
        self.remove(document.id);
        let mut indexed = document.indexed(&self.fields);
        indexed.add_u64(self.fields.generation, generation);
        self.writer.add_document(indexed)?;
        Ok(())
    }

    /// Takes a record out.
    pub fn remove(&self, id: Uuid) {
        self.writer
            .delete_term(Term::from_field_bytes(self.fields.id, id.as_bytes()));
    }

    /// Takes all records of an object out.
    pub fn remove_object(&self, object: &str) {
        self.writer
            .delete_term(Term::from_field_text(self.fields.object, object));
    }

    /// Takes out what was put in a generation: what has not been put again since then. So an index
    /// is made again while the old one still answers.
    pub fn forget(&self, generation: u64) {
        self.writer
            .delete_term(Term::from_field_u64(self.fields.generation, generation));
    }

    /// Makes what was done findable and lasting, together with the note.
    ///
    /// # Errors
    /// Where the index can't be written; then nothing of it has been.
    pub fn commit(&mut self, note: &str) -> Result<(), SearchError> {
        let mut prepared = self.writer.prepare_commit()?;
        prepared.set_payload(note);
        prepared.commit()?;
        self.reader.reload()?;
        Ok(())
    }
}
