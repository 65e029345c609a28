//! Any bytes as a document: the guard says yes or no, and what it lets through is what it says.
//!
//! It is read on a thread with a server's stack, so that a parser that recurses too far is found.
//!
//! What the guard turns away the parser may take: `queryA { a }`, `[true1.5]` and a block string
//! without an end, of none of which the specification knows.

#![no_main]

use std::collections::HashMap;

use async_graphql::parser::{
    parse_query,
    types::{ExecutableDocument, Selection, SelectionSet},
};
use libfuzzer_sys::fuzz_target;
use relata_graphql::guard::{Counted, DocumentLimits, Refusal, inspect, position};

/// Of a thread of tokio.
const STACK_BYTES: usize = 2 * 1024 * 1024;

fuzz_target!(|bytes: &[u8]| {
    let Ok(document) = std::str::from_utf8(bytes) else {
        return;
    };
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || {
                check(document, &DocumentLimits::default());
                // As deep as an administrator may allow.
                let deepest = DocumentLimits {
                    depth_max: DocumentLimits::DEPTH_HIGHEST,
                    ..DocumentLimits::default()
                };
                check(document, &deepest);
            })
            .expect("a thread starts");
    });
});

fn check(document: &str, limits: &DocumentLimits) {
    match inspect(document, limits) {
        Ok(counted) => {
            assert!(document.len() <= limits.bytes_max);
            assert!(counted.tokens <= limits.tokens_max, "{counted:?}");
            assert!(counted.selections <= limits.selections_max, "{counted:?}");
            // Each token once, each definition once, and once more for each spread of it.
            assert!(counted.steps <= 3 * counted.tokens as u64, "{counted:?}");
            if let Ok(parsed) = parse_query(document) {
                compare(&parsed, counted, limits);
            }
        }
        Err(Refusal::Malformed { message, at }) => {
            assert!(!message.is_empty() && at <= document.len());
            assert!(position(document, at) >= (1, 1));
        }
        Err(Refusal::Limit {
            limit, message, at, ..
        }) => {
            assert!(!limit.is_empty() && !message.is_empty());
            assert!(position(document, at.unwrap_or_default()) >= (1, 1));
        }
    }
}

/// What the parser found is what the guard has counted.
fn compare(document: &ExecutableDocument, counted: Counted, limits: &DocumentLimits) {
    let mut fragments = HashMap::new();
    // Fragments inside fragments end: those that spread themselves have been refused.
    while fragments.len() < document.fragments.len() {
        for (name, fragment) in &document.fragments {
            let set = &fragment.node.selection_set.node;
            if let Some(size) = size_of(set, document, &fragments) {
                fragments.insert(name.as_str(), size);
            }
        }
    }
    let mut selections = 0;
    for (_, operation) in document.operations.iter() {
        let set = &operation.node.selection_set.node;
        let size = size_of(set, document, &fragments).expect("all fragments are known");
        selections += size.selections;
        assert!(size.depth <= limits.depth_max, "{size:?}");
    }
    assert_eq!(selections, counted.selections);
}

#[derive(Debug, Clone, Copy, Default)]
struct Size {
    selections: u64,
    depth: usize,
}

/// None: it spreads a fragment whose size isn't known yet.
fn size_of(
    set: &SelectionSet,
    document: &ExecutableDocument,
    fragments: &HashMap<&str, Size>,
) -> Option<Size> {
    let mut size = Size::default();
    for selection in &set.items {
        let inside = match &selection.node {
            Selection::Field(field) => {
                size_of(&field.node.selection_set.node, document, fragments)?
            }
            Selection::InlineFragment(inline) => {
                size_of(&inline.node.selection_set.node, document, fragments)?
            }
            Selection::FragmentSpread(spread) => {
                let name = spread.node.fragment_name.node.as_str();
                match fragments.get(name) {
                    Some(size) => *size,
                    None if document.fragments.contains_key(name) => return None,
                    None => Size::default(),
                }
            }
        };
        size.selections += 1 + inside.selections;
        size.depth = size.depth.max(inside.depth);
    }
    size.depth += usize::from(!set.items.is_empty());
    Some(size)
}
