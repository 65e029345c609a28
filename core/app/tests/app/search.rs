//! Records are found by their words: what the index says is what a slow look through all records
//! says, whatever became of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use relata_app::{
    AppError, Workspace,
    search::{SearchPage, SearchRequest, highlights, search},
};
use serde_json::json;
use uuid::Uuid;

use crate::fixture::{
    Place, create, create_many, delete, destroy, eventually, issues, nobody, restore, update,
};

macro_rules! on_each_place {
    ($($name:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(&super::Place::sqlite()).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(place) = super::Place::postgres().await {
                    super::$name(&place).await;
                    place.drop().await;
                }
            })*
        }
    };
}

on_each_place! {
    what_is_found_is_what_has_the_words
    a_record_is_found_as_it_is_now
    an_index_goes_on_where_it_was
    an_index_that_is_lost_is_made_again
    better_hits_come_first
    words_are_marked
    what_is_wrong_is_told_at_once
}

async fn open(place: &Place, folder: &str) -> Workspace {
    let folder = place.path().join(folder);
    place
        .open_with(|options| options.search_folder = Some(folder))
        .await
}

/// Gives the database and the index back.
async fn close(workspace: Workspace) {
    workspace.close().await;
}

fn asked(query: &str) -> SearchRequest {
    SearchRequest {
        query: query.to_owned(),
        objects: None,
        first: None,
        after: None,
    }
}

async fn page(workspace: &Workspace, request: &SearchRequest) -> SearchPage {
    search(workspace, &workspace.state(), request)
        .await
        .unwrap()
}

async fn ids(workspace: &Workspace, query: &str) -> Vec<Uuid> {
    let page = page(workspace, &asked(query)).await;
    page.hits.iter().map(|hit| hit.id).collect()
}

/// Waits until exactly these are found.
async fn found(workspace: &Workspace, query: &str, expected: &[Uuid]) {
    eventually(&format!("{query} finds {expected:?}"), async || {
        (ids(workspace, query).await == expected).then_some(())
    })
    .await;
}

/// All pages, and whether typos were allowed.
async fn all(workspace: &Workspace, query: &str) -> (Vec<Uuid>, bool) {
    let mut request = SearchRequest {
        first: Some(7),
        ..asked(query)
    };
    let mut ids = Vec::new();
    loop {
        let page = page(workspace, &request).await;
        ids.extend(page.hits.iter().map(|hit| hit.id));
        if !page.has_next {
            assert_eq!(page.total, ids.len() as u64, "{query}");
            return (ids, page.with_typos);
        }
        request.after = page.hits.last().map(|hit| hit.cursor());
    }
}

/// SplitMix64: the same choices in each run.
struct Choice(u64);

impl Choice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % end as u64).unwrap()
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// Words of both scripts, in any mixture.
    fn text(&mut self) -> String {
        const WORDS: [&str; 14] = [
            "a",
            "Ann",
            "ANNA",
            "Ånnabel",
            "annabelle",
            "co",
            "Company",
            "compañía",
            "ｃｏｍｐ",
            "x1",
            "12",
            "123456",
            "Straße",
            "strasbourg",
        ];
        const CHARACTERS: [&str; 6] = ["公", "司", "华", "为", "有", "限"];
        let mut text = String::new();
        for _ in 0..=self.below(4) {
            if self.below(2) == 0 {
                text.push_str(self.of(&WORDS));
                text.push(' ');
            } else {
                for _ in 0..=self.below(5) {
                    text.push_str(self.of(&CHARACTERS));
                }
                if self.below(2) == 0 {
                    text.push(' ');
                }
            }
        }
        text.trim_end().to_owned()
    }
}

/// Looks through a text, slowly.
fn has(text: &str, word: &str) -> bool {
    let is_han = |character: char| ('\u{4e00}'..='\u{9fff}').contains(&character);
    let text = relata_catalog::folded(text);
    if word.chars().all(is_han) {
        return text.contains(word);
    }
    text.split(|character: char| !character.is_alphanumeric() || is_han(character))
        .any(|found| found.starts_with(word))
}

async fn what_is_found_is_what_has_the_words(place: &Place) {
    let workspace = open(place, "search").await;
    let mut choice = Choice(11);
    let mut texts: BTreeMap<Uuid, [String; 2]> = BTreeMap::new();
    let written: Vec<[String; 2]> = (0..300).map(|_| [choice.text(), choice.text()]).collect();
    let rows = written
        .iter()
        .map(|[name, about]| json!({"name": name, "description": about}))
        .collect();
    let created = create_many(&workspace, "company", rows).await.unwrap();
    texts.extend(created.into_iter().zip(written));
    let last = create(&workspace, "company", json!({"name": "sentinel"}))
        .await
        .unwrap();
    found(&workspace, "sentinel", &[last]).await;

    let queries = [
        "a",
        "an",
        "ann",
        "anna",
        "annab",
        "annabell",
        "c",
        "comp",
        "company",
        "compania",
        "x",
        "1",
        "12",
        "1234",
        "12345",
        "stras",
        "strass",
        "strassb",
        "公",
        "司",
        "公司",
        "司公",
        "华为",
        "有限公司",
        "公司有限",
        "华为 公",
        "a 公司",
        "ann co",
        "co 12 公",
        "anna annabel",
        "限 有 为",
    ];
    let mut strict = 0;
    for query in queries {
        let expected: BTreeSet<Uuid> = texts
            .iter()
            .filter(|(_, texts)| {
                let mut words = query.split(' ');
                words.all(|word| texts.iter().any(|text| has(text, word)))
            })
            .map(|(id, _)| *id)
            .collect();
        let (ids, with_typos) = all(&workspace, query).await;
        let found: BTreeSet<Uuid> = ids.iter().copied().collect();
        assert_eq!(found.len(), ids.len(), "{query}: a hit comes once");
        if with_typos {
            assert!(found.is_superset(&expected), "{query}");
        } else {
            assert_eq!(found, expected, "{query}");
            strict += usize::from(!expected.is_empty());
        }
    }
    assert!(
        strict > 15,
        "most of the queries find something without typos: {strict}"
    );
    close(workspace).await;
}

async fn a_record_is_found_as_it_is_now(place: &Place) {
    let workspace = open(place, "search").await;
    let id = create(&workspace, "company", json!({"name": "Zephyr Würfel"}))
        .await
        .unwrap();
    found(&workspace, "wurf", &[id]).await;
    update(&workspace, "company", id, json!({"name": "华为技术"}), None)
        .await
        .unwrap();
    found(&workspace, "为技", &[id]).await;
    found(&workspace, "zephyr", &[]).await;
    delete(&workspace, "company", id).await.unwrap();
    found(&workspace, "技", &[]).await;
    restore(&workspace, "company", id).await.unwrap();
    found(&workspace, "技", &[id]).await;
    delete(&workspace, "company", id).await.unwrap();
    destroy(&workspace, "company", id).await.unwrap();
    found(&workspace, "技", &[]).await;

    // The usual case of several: one may meet a neighbour's test.
    let mut took = Vec::new();
    for number in 0..5 {
        let name = format!("Fresh{number}");
        let id = create(&workspace, "company", json!({"name": name}))
            .await
            .unwrap();
        let committed = Instant::now();
        found(&workspace, &name, &[id]).await;
        took.push(committed.elapsed());
    }
    took.sort_unstable();
    assert!(took[2] < Duration::from_secs(1), "{took:?}");
    close(workspace).await;
}

async fn an_index_goes_on_where_it_was(place: &Place) {
    let workspace = open(place, "search").await;
    let first = create(&workspace, "company", json!({"name": "Alpha"}))
        .await
        .unwrap();
    let second = create(&workspace, "company", json!({"name": "Beta"}))
        .await
        .unwrap();
    found(&workspace, "beta", &[second]).await;
    close(workspace).await;

    let without = place.open().await;
    delete(&without, "company", first).await.unwrap();
    let third = create(&without, "company", json!({"name": "Gamma"}))
        .await
        .unwrap();
    let refused = search(&without, &without.state(), &asked("beta")).await;
    assert_eq!(refused.unwrap_err().code(), "UNAVAILABLE");
    close(without).await;

    let workspace = open(place, "search").await;
    // What it had, it has from the first moment on.
    assert_eq!(ids(&workspace, "beta").await, [second]);
    found(&workspace, "gamma", &[third]).await;
    found(&workspace, "alpha", &[]).await;
    close(workspace).await;
}

async fn an_index_that_is_lost_is_made_again(place: &Place) {
    let without = place.open().await;
    let rows = (0..40).map(|number| json!({"name": format!("Walker {number}")}));
    let mut created = create_many(&without, "company", rows.collect())
        .await
        .unwrap();
    let person = create(&without, "person", json!({"name": {"full": "Jo Walker"}}))
        .await
        .unwrap();
    delete(&without, "company", created.remove(0))
        .await
        .unwrap();
    close(without).await;

    let folder = place.path().join("elsewhere");
    let workspace = place
        .open_with(|options| {
            options.search_folder = Some(folder);
            // So that the walk takes several steps.
            options.search.batch = 7;
        })
        .await;
    created.push(person);
    created.sort_unstable();
    eventually("all records are found", async || {
        let (mut ids, _) = all(&workspace, "walker").await;
        ids.sort_unstable();
        (ids == created).then_some(())
    })
    .await;
    close(workspace).await;
}

async fn better_hits_come_first(place: &Place) {
    let workspace = open(place, "search").await;
    let mut made = Vec::new();
    for data in [
        json!({"name": "Elsewhere", "description": "they sell orange juice"}),
        json!({"name": "Other", "website": "https://www.orange.example"}),
        json!({"name": "Oranges and more"}),
        json!({"name": "More than Orange"}),
        json!({"name": "Juice, of the Orange"}),
        json!({"name": "Orange Juice Company"}),
        json!({"name": "Orange Juice"}),
        json!({"name": "orange"}),
        json!({"name": "Orange"}),
    ] {
        made.push(create(&workspace, "company", data).await.unwrap());
    }
    let [
        long,
        site,
        beginning,
        word,
        apart,
        together,
        both,
        older,
        newer,
    ] = made[..]
    else {
        panic!("nine records were made");
    };
    found(
        &workspace,
        "orange",
        &[
            newer, older, both, together, apart, word, beginning, site, long,
        ],
    )
    .await;
    found(&workspace, "orange juice", &[both, together, apart, long]).await;
    let typos = ids(&workspace, "ornage juise").await;
    assert!(
        typos.starts_with(&[both]) || typos.contains(&both),
        "{typos:?}"
    );
    close(workspace).await;
}

async fn words_are_marked(place: &Place) {
    let workspace = open(place, "search").await;
    let id = create(
        &workspace,
        "person",
        json!({
            "name": {"full": "Zoë 王小明"},
            "phones": {"primary": "+49 30 901820"},
            "description": "met Zoe at the fair"
        }),
    )
    .await
    .unwrap();
    let marked = async |query: &str| -> Vec<String> {
        found(&workspace, query, &[id]).await;
        let page = page(&workspace, &asked(query)).await;
        let unit = workspace.snapshot(&nobody()).await.unwrap();
        let found = highlights(&unit, &page).await.unwrap();
        found[0]
            .iter()
            .map(|highlight| {
                let units: Vec<u16> = highlight.text.encode_utf16().collect();
                let words: Vec<String> = highlight
                    .ranges
                    .iter()
                    .map(|range| String::from_utf16(&units[range.start..range.end]).unwrap())
                    .collect();
                format!("{}: {}", highlight.field, words.join("|"))
            })
            .collect()
    };
    assert_eq!(
        marked("zoe 小明").await,
        ["name: Zoë|小明", "description: Zoe"]
    );
    assert_eq!(marked("901820").await, ["phones: +49 30 901820"]);
    assert_eq!(marked("030 901820").await, ["phones: +49 30 901820"]);
    close(workspace).await;
}

async fn what_is_wrong_is_told_at_once(place: &Place) {
    let workspace = open(place, "search").await;
    let refused = async |request: SearchRequest| -> AppError {
        let state = workspace.state();
        search(&workspace, &state, &request).await.unwrap_err()
    };
    let error = refused(SearchRequest {
        query: " \"*:() ".to_owned(),
        objects: Some(vec!["company".to_owned(), "nothing".to_owned()]),
        first: Some(101),
        after: Some("zz".to_owned()),
    })
    .await;
    assert_eq!(error.code(), "BAD_INPUT");
    assert_eq!(
        issues(&error),
        [
            "after CURSOR",
            "first OUT_OF_RANGE",
            "objects[1] UNKNOWN",
            "query REQUIRED",
        ]
    );
    let error = refused(asked(&"a".repeat(10_000))).await;
    assert_eq!(issues(&error), ["query TOO_LONG"]);
    let error = refused(asked(&"a ".repeat(17))).await;
    assert_eq!(issues(&error), ["query TOO_MANY"]);
    for query in [
        "NEAR(a, b)",
        "a* OR b",
        "name:x",
        "\"a",
        "a\u{0}b\u{1b}",
        "-a",
        "\\",
    ] {
        let found = search(&workspace, &workspace.state(), &asked(query)).await;
        match found {
            Ok(page) => assert!(page.hits.is_empty(), "{query}"),
            Err(error) => assert_eq!(error.code(), "BAD_INPUT", "{query}"),
        }
    }
    close(workspace).await;
}
