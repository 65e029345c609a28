//! Which records have all words of a query, best first.
//!
//! Every document of a segment has one number while a query runs: what the words found in it are
//! worth together. Postings are walked once each, whatever they are of, so the worst query (a
//! letter, a word that half of the records have) costs what it takes to walk through them:
//! milliseconds for a million records. No hit is left out, the count is exact, and a page further
//! on is as right as the first.
//!
//! A word is worth most as a whole word of the label, less as the beginning of one, less in other
//! texts, least in long ones. Labels that have the words side by side are worth more, and those
//! that are nothing else even more. Among equals the newer record comes first: ids grow with time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use tantivy::postings::BlockSegmentPostings;
use tantivy::query::{EnableScoring, FuzzyTermQuery, PhraseQuery, Query as _};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocId, DocSet as _, SegmentReader, TERMINATED, Term};
use uuid::Uuid;

use crate::document::{EDGE_CHARACTERS_MAX, Weight, object_number};
use crate::error::SearchError;
use crate::index::{Fields, Index};
use crate::query::{Query, QueryWord};

/// Words of the vocabulary that one prefix, or one typo, may stand for in a segment. Prefixes of
/// up to [`EDGE_CHARACTERS_MAX`] characters have entries of their own and know no limit.
const EXPANSIONS_MAX: usize = 10_000;
/// With fewer hits than this, words may have typos.
const TYPOS_BELOW: u64 = 10;
/// From so many characters on a word may have one typo.
const TYPO_CHARACTERS_MIN: usize = 4;
/// And from so many, two.
const TYPOS_CHARACTERS_MIN: usize = 8;

// What a word is worth where it is found.
const TEXT_TYPO: u8 = 1;
const LONG_BEGINNING: u8 = 2;
const LONG_WORD: u8 = 3;
const LABEL_TYPO: u8 = 4;
const TEXT_BEGINNING: u8 = 6;
const TEXT_WORD: u8 = 7;
const LABEL_BEGINNING: u8 = 10;
const LABEL_WORD: u8 = 12;
// What a label is worth for each word where it has them in order, and where it is nothing else.
const SIDE_BY_SIDE: u16 = 3;
const NOTHING_ELSE: u16 = 20;

/// What is looked for.
#[derive(Debug)]
pub struct Find<'q> {
    /// The words.
    pub query: &'q Query,
    /// Keys of the objects whose records count.
    pub objects: &'q [&'q str],
    /// Hits of a page.
    pub first: usize,
    /// Only what comes after it.
    pub after: Option<Place>,
    /// Whether words may have typos where nothing much is found without.
    pub typos: bool,
}

/// Where a hit stands. The greatest comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// What it is worth.
    pub score: u16,
    /// Its record.
    pub id: Uuid,
}

/// A record that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Where it stands.
    pub place: Place,
    /// Position of its object in [`Find::objects`].
    pub object: usize,
}

/// A page of hits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Best first.
    pub hits: Vec<Hit>,
    /// Hits on all pages.
    pub total: u64,
    /// Whether there are more behind these.
    pub goes_on: bool,
    /// Whether words were allowed to have typos.
    pub with_typos: bool,
}

impl Index {
    /// A page of records that have all words.
    ///
    /// # Errors
    /// Where the index can't be read.
    pub fn find(&self, find: &Find<'_>) -> Result<Found, SearchError> {
        let searcher = self.searcher();
        let strict = page(&searcher, &self.fields, find, false)?;
        if find.typos && strict.total < TYPOS_BELOW && find.query.may_have_typos() {
            return page(&searcher, &self.fields, find, true);
        }
        Ok(strict)
    }

    /// Records of an object that have any of these keys, with how many of them; those with most
    /// first, at most so many. A key that more than `common` records have says nothing.
    ///
    /// # Errors
    /// Where the index can't be read.
    pub fn with_keys(
        &self,
        object: &str,
        keys: &[String],
        common: u32,
        limit: usize,
    ) -> Result<Vec<Uuid>, SearchError> {
        let asked = [(Uuid::max(), keys.to_vec())];
        let found = self.with_keys_before(object, &asked, common, limit)?;
        Ok(found.into_iter().flatten().collect())
    }

    /// The same for many at once, each among the records whose ids are smaller: so a walk over all
    /// of them meets each pair once.
    ///
    /// # Errors
    /// What the index says.
    pub fn with_keys_before(
        &self,
        object: &str,
        asked: &[(Uuid, Vec<String>)],
        common: u32,
        limit: usize,
    ) -> Result<Vec<Vec<Uuid>>, SearchError> {
        let number = object_number(object);
        let mut counts: Vec<HashMap<Uuid, u32>> = vec![HashMap::new(); asked.len()];
        for segment in self.searcher().segment_readers() {
            let inverted = segment.inverted_index(self.fields.keys)?;
            let columns = Columns::of(segment)?;
            for ((before, keys), counts) in asked.iter().zip(&mut counts) {
                for key in keys {
                    let term = Term::from_field_text(self.fields.keys, key);
                    let Some(info) = inverted.get_term_info(&term)? else {
                        continue;
                    };
                    if info.doc_freq > common {
                        continue;
                    }
                    let postings = inverted
                        .read_block_postings_from_terminfo(&info, IndexRecordOption::Basic)?;
                    walk(postings, |doc| {
                        if columns.is_there(doc) && columns.object.get_val(doc) == number {
                            let id = columns.id(doc);
                            if id < *before {
                                *counts.entry(id).or_default() += 1;
                            }
                        }
                    });
                }
            }
        }
        Ok(counts
            .into_iter()
            .map(|counts| {
                let mut found: Vec<(u32, Uuid)> =
                    counts.into_iter().map(|(id, n)| (n, id)).collect();
                found.sort_unstable_by_key(|found| Reverse(*found));
                found.truncate(limit);
                found.into_iter().map(|(_, id)| id).collect()
            })
            .collect())
    }
}

/// What is read of each hit.
struct Columns<'s> {
    segment: &'s SegmentReader,
    high: Column,
    low: Column,
    object: Column,
}

type Column = std::sync::Arc<dyn tantivy::columnar::ColumnValues<u64>>;

impl<'s> Columns<'s> {
    fn of(segment: &'s SegmentReader) -> Result<Self, SearchError> {
        let column = |name: &str| -> Result<Column, SearchError> {
            Ok(segment.fast_fields().u64(name)?.first_or_default_col(0))
        };
        Ok(Self {
            segment,
            high: column("high")?,
            low: column("low")?,
            object: column("object_number")?,
        })
    }

    fn is_there(&self, doc: DocId) -> bool {
        !self.segment.is_deleted(doc)
    }

    fn id(&self, doc: DocId) -> Uuid {
        Uuid::from_u64_pair(self.high.get_val(doc), self.low.get_val(doc))
    }
}

fn page(
    searcher: &tantivy::Searcher,
    fields: &Fields,
    find: &Find<'_>,
    with_typos: bool,
) -> Result<Found, SearchError> {
    let numbers: Vec<u64> = find.objects.iter().map(|key| object_number(key)).collect();
    // One more than asked for tells whether there are more.
    let wanted = find.first.saturating_add(1);
    let mut best: BinaryHeap<Reverse<(Place, usize)>> = BinaryHeap::with_capacity(wanted);
    let mut total = 0;
    for segment in searcher.segment_readers() {
        let worth = Worth::of(segment, fields, find.query, with_typos)?;
        let Some(worth) = worth else { continue };
        let columns = Columns::of(segment)?;
        // From behind: later documents are newer as a rule, so most of the others are out at once.
        let worth = worth.iter().enumerate().rev();
        for (doc, score) in worth.filter(|(_, score)| **score > 0) {
            let doc = doc as DocId;
            if !columns.is_there(doc) {
                continue;
            }
            let number = columns.object.get_val(doc);
            let Some(object) = numbers.iter().position(|known| *known == number) else {
                continue;
            };
            total += 1;
            let is_out = |place: Place| {
                find.after.is_some_and(|after| place >= after)
                    || (best.len() == wanted && best.peek().is_some_and(|worst| place <= worst.0.0))
            };
            // Most are out by their score alone, or by the time in their id.
            let score = *score;
            if best.len() == wanted
                && let Some(Reverse((worst, _))) = best.peek()
                && (score < worst.score
                    || (score == worst.score
                        && columns.high.get_val(doc) < worst.id.as_u64_pair().0))
            {
                continue;
            }
            let place = Place {
                score,
                id: columns.id(doc),
            };
            if is_out(place) {
                continue;
            }
            if best.len() == wanted {
                best.pop();
            }
            best.push(Reverse((place, object)));
        }
    }
    let mut hits: Vec<Hit> = best
        .into_sorted_vec()
        .into_iter()
        .map(|Reverse((place, object))| Hit { place, object })
        .collect();
    let goes_on = hits.len() == wanted;
    hits.truncate(find.first);
    Ok(Found {
        hits,
        total,
        goes_on,
        with_typos,
    })
}

/// What the documents of a segment are worth while a query is answered.
struct Worth<'s> {
    segment: &'s SegmentReader,
    fields: &'s Fields,
    /// Of the word at hand.
    of_word: Vec<u8>,
}

impl<'s> Worth<'s> {
    /// By document; 0 where a word is missing. None where no document has all words.
    fn of(
        segment: &'s SegmentReader,
        fields: &'s Fields,
        query: &Query,
        with_typos: bool,
    ) -> Result<Option<Vec<u16>>, SearchError> {
        let documents = segment.max_doc() as usize;
        let mut worth = Self {
            segment,
            fields,
            of_word: vec![0; documents],
        };
        let mut totals: Vec<u16> = Vec::new();
        for (position, word) in query.words.iter().enumerate() {
            if position > 0 {
                worth.of_word.fill(0);
            }
            worth.word(word, with_typos)?;
            let mut any = 0_u8;
            if position == 0 {
                totals = worth
                    .of_word
                    .iter()
                    .map(|level| {
                        any |= *level;
                        u16::from(*level)
                    })
                    .collect();
            } else {
                for (total, level) in totals.iter_mut().zip(&worth.of_word) {
                    *total = if *total == 0 || *level == 0 {
                        0
                    } else {
                        any = 1;
                        *total + u16::from(*level)
                    };
                }
            }
            if any == 0 {
                totals.fill(0);
                break;
            }
        }
        for phone in &query.phones {
            let floor = u16::from(TEXT_WORD) * query.words.len() as u16;
            worth.beginnings(fields.digits, phone, &mut |doc| {
                totals[doc as usize] = totals[doc as usize].max(floor);
            })?;
        }
        if totals.iter().all(|total| *total == 0) {
            return Ok(None);
        }
        worth.add_order(query, &mut totals)?;
        Ok(Some(totals))
    }

    /// From what is worth least to what is worth most: the last one stays.
    fn word(&mut self, word: &QueryWord, with_typos: bool) -> Result<(), SearchError> {
        let place = |weight: Weight| weight as usize;
        let levels = [
            (Weight::Text, TEXT_TYPO, None),
            (Weight::Long, LONG_BEGINNING, Some(LONG_WORD)),
            (Weight::Label, LABEL_TYPO, None),
            (Weight::Text, TEXT_BEGINNING, Some(TEXT_WORD)),
            (Weight::Label, LABEL_BEGINNING, Some(LABEL_WORD)),
        ];
        for (weight, level, whole) in levels {
            let words = self.fields.words[place(weight)];
            match (word, whole) {
                (QueryWord::Word(text), None) if with_typos => self.typos(words, text, level)?,
                (QueryWord::Run(run), None) if with_typos && run.len() > 2 => {
                    self.scattered(words, run, level)?;
                }
                (_, None) => {}
                (QueryWord::Word(text), Some(whole)) => {
                    let edges = self.fields.edges[place(weight)];
                    if text.chars().count() <= EDGE_CHARACTERS_MAX {
                        self.term(edges, text, level)?;
                    } else {
                        let mut of_word = std::mem::take(&mut self.of_word);
                        let done = self.beginnings(words, text, &mut |doc| {
                            of_word[doc as usize] = level;
                        });
                        self.of_word = of_word;
                        done?;
                    }
                    self.term(words, text, whole)?;
                }
                (QueryWord::Run(run), Some(whole)) => match run.as_slice() {
                    [one] => self.term(words, one, whole)?,
                    [one, other] => self.term(words, &format!("{one}{other}"), whole)?,
                    _ => self.phrase(&pairs(words, 0, run), |of_word| *of_word = whole)?,
                },
            }
        }
        Ok(())
    }

    /// Documents that have exactly this entry.
    fn term(&mut self, field: Field, text: &str, level: u8) -> Result<(), SearchError> {
        let inverted = self.segment.inverted_index(field)?;
        let term = Term::from_field_text(field, text);
        if let Some(postings) = inverted.read_block_postings(&term, IndexRecordOption::Basic)? {
            walk(postings, |doc| self.of_word[doc as usize] = level);
        }
        Ok(())
    }

    /// Documents that have a word that begins so.
    fn beginnings(
        &self,
        field: Field,
        prefix: &str,
        each: &mut impl FnMut(DocId),
    ) -> Result<(), SearchError> {
        let inverted = self.segment.inverted_index(field)?;
        let mut terms = inverted
            .terms()
            .range()
            .ge(prefix.as_bytes())
            .into_stream()?;
        for _ in 0..EXPANSIONS_MAX {
            if !terms.advance() || !terms.key().starts_with(prefix.as_bytes()) {
                break;
            }
            let postings = inverted
                .read_block_postings_from_terminfo(terms.value(), IndexRecordOption::Basic)?;
            walk(postings, &mut *each);
        }
        Ok(())
    }

    /// Documents that have a word that is nearly this one.
    fn typos(&mut self, field: Field, text: &str, level: u8) -> Result<(), SearchError> {
        let Some(distance) = typos_of(text) else {
            return Ok(());
        };
        let inverted = self.segment.inverted_index(field)?;
        let query = FuzzyTermQuery::new(Term::from_field_text(field, text), distance, true);
        let automaton = query.automaton()?;
        let mut terms = inverted.terms().search(automaton).into_stream()?;
        for _ in 0..EXPANSIONS_MAX {
            if !terms.advance() {
                break;
            }
            let postings = inverted
                .read_block_postings_from_terminfo(terms.value(), IndexRecordOption::Basic)?;
            walk(postings, |doc| self.of_word[doc as usize] = level);
        }
        Ok(())
    }

    /// Documents that have each pair of a run somewhere.
    fn scattered(&mut self, field: Field, run: &[String], level: u8) -> Result<(), SearchError> {
        let inverted = self.segment.inverted_index(field)?;
        let mut counts: HashMap<DocId, usize> = HashMap::new();
        let pairs = pairs(field, 0, run);
        for (position, (_, term)) in pairs.iter().enumerate() {
            let Some(postings) = inverted.read_block_postings(term, IndexRecordOption::Basic)?
            else {
                return Ok(());
            };
            walk(postings, |doc| {
                if position == 0 {
                    counts.insert(doc, 1);
                } else if let Some(count) = counts.get_mut(&doc)
                    && *count == position
                {
                    *count += 1;
                }
            });
        }
        for (doc, _) in counts.iter().filter(|(_, count)| **count == pairs.len()) {
            self.of_word[*doc as usize] = level;
        }
        Ok(())
    }

    /// Documents that have these entries at these distances.
    fn phrase(
        &mut self,
        terms: &[(usize, Term)],
        each: impl Fn(&mut u8),
    ) -> Result<(), SearchError> {
        let mut of_word = std::mem::take(&mut self.of_word);
        let done = self.walk_phrase(terms, |doc| each(&mut of_word[doc as usize]));
        self.of_word = of_word;
        done
    }

    fn walk_phrase(
        &self,
        terms: &[(usize, Term)],
        mut each: impl FnMut(DocId),
    ) -> Result<(), SearchError> {
        let query = PhraseQuery::new_with_offset(terms.to_vec());
        let schema = self.segment.schema();
        let weight = query.weight(EnableScoring::disabled_from_schema(schema))?;
        let mut scorer = weight.scorer(self.segment, 1.0)?;
        let mut doc = scorer.doc();
        while doc != TERMINATED {
            each(doc);
            doc = scorer.advance();
        }
        Ok(())
    }

    /// Labels that have the words side by side, and those that are nothing else.
    fn add_order(&self, query: &Query, totals: &mut [u16]) -> Result<(), SearchError> {
        let mut add = |doc: DocId, bonus: u16| {
            if let Some(total) = totals.get_mut(doc as usize).filter(|total| **total > 0) {
                *total += bonus;
            }
        };
        if query.words.len() > 1 {
            let label = self.fields.words[Weight::Label as usize];
            let mut terms = Vec::new();
            let mut position = 0;
            for word in &query.words {
                match word {
                    QueryWord::Word(text) => {
                        terms.push((position, Term::from_field_text(label, text)));
                        position += 1;
                    }
                    QueryWord::Run(run) => {
                        terms.extend(pairs(label, position, run));
                        position += run.len();
                    }
                }
            }
            let bonus = SIDE_BY_SIDE * query.words.len() as u16;
            self.walk_phrase(&terms, |doc| add(doc, bonus))?;
        }
        let whole = self.fields.whole;
        let inverted = self.segment.inverted_index(whole)?;
        let term = Term::from_field_text(whole, &query.whole);
        if let Some(postings) = inverted.read_block_postings(&term, IndexRecordOption::Basic)? {
            walk(postings, |doc| add(doc, NOTHING_ELSE));
        }
        Ok(())
    }
}

/// The entries of a run: its pairs, or its one character.
fn pairs(field: Field, from: usize, run: &[String]) -> Vec<(usize, Term)> {
    if let [one] = run {
        return vec![(from, Term::from_field_text(field, one))];
    }
    run.windows(2)
        .enumerate()
        .map(|(place, pair)| (from + place, Term::from_field_text(field, &pair.concat())))
        .collect()
}

/// How many typos a word may have. Another number is another thing.
pub(crate) fn typos_of(word: &str) -> Option<u8> {
    if word.contains(char::is_numeric) {
        return None;
    }
    match word.chars().count() {
        TYPOS_CHARACTERS_MIN.. => Some(2),
        TYPO_CHARACTERS_MIN.. => Some(1),
        _ => None,
    }
}

impl Query {
    fn may_have_typos(&self) -> bool {
        self.words.iter().any(|word| match word {
            QueryWord::Word(text) => typos_of(text).is_some(),
            QueryWord::Run(run) => run.len() > 2,
        })
    }
}

fn walk(mut postings: BlockSegmentPostings, mut each: impl FnMut(DocId)) {
    loop {
        let docs = postings.docs();
        if docs.is_empty() {
            return;
        }
        for doc in docs {
            each(*doc);
        }
        postings.advance();
    }
}
