//! How fast an index of N records is filled and searched, without a server around it.
//!
//! `cargo run --release --example search_speed -- [RECORDS]`

#![allow(clippy::print_stdout)]

use std::time::{Duration, Instant};

use relata_search::{Document, Find, Index, Part, Query, SearchError, Weight};
use uuid::Uuid;

const GIVEN: [&str; 20] = [
    "James", "Mary", "Wei", "José", "Anna", "Oliver", "Zoë", "Amélie", "Chen", "Aiko", "Noah",
    "Emma", "Liam", "Sofía", "Ahmed", "Fatima", "Ivan", "Olga", "Lars", "Ingrid",
];
const FAMILY: [&str; 20] = [
    "Smith",
    "Müller",
    "García",
    "Wang",
    "Ivanova",
    "O'Brien",
    "Jensen",
    "Rossi",
    "Dubois",
    "Tanaka",
    "Kim",
    "Silva",
    "Novák",
    "Kowalski",
    "Andersson",
    "Johnson",
    "Brown",
    "Lee",
    "Martin",
    "Clark",
];
const PLACES: [&str; 10] = [
    "北京", "上海", "深圳", "广州", "杭州", "成都", "南京", "武汉", "西安", "重庆",
];
const TRADES: [&str; 10] = [
    "科技", "贸易", "电子", "食品", "机械", "软件", "医药", "建筑", "物流", "文化",
];
const CHARACTERS: &str =
    "华为中兴联想海尔美的格力比亚迪腾讯百度阿里京东小米新安盛鑫源泰恒丰宏达瑞祥和平";
const QUERIES: [&str; 24] = [
    "a",
    "公",
    "公司",
    "有限公司",
    "j",
    "smith",
    "james smith",
    "北京 科技",
    "华",
    "华为",
    "muller",
    "o'br",
    "company",
    "company 12",
    "person12345@example.com",
    "+861380013",
    "1380012345",
    "garcia sofia",
    "jhonson",
    "andresson",
    "zzzz",
    "1",
    "de",
    "海尔科技有限公司",
];

fn main() -> Result<(), SearchError> {
    let records: u64 = std::env::args()
        .nth(1)
        .and_then(|count| count.parse().ok())
        .unwrap_or(1_000_000);
    let folder = std::env::temp_dir().join(format!("relata-search-speed-{}", std::process::id()));
    let index = Index::open(&folder)?;
    let begun = Instant::now();
    let mut writer = index.writer()?;
    for number in 0..records {
        writer.put(&document(number), 0)?;
        if number % 100_000 == 99_999 {
            writer.commit("")?;
        }
    }
    writer.commit("")?;
    println!(
        "{records} records indexed in {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    let mut all = Vec::new();
    for text in QUERIES {
        let Ok(query) = Query::parse(text) else {
            continue;
        };
        let mut took = Vec::new();
        let mut total = 0;
        for _ in 0..20 {
            let begun = Instant::now();
            total = index
                .find(&Find {
                    query: &query,
                    objects: &["relata/company", "relata/person"],
                    first: 20,
                    after: None,
                    typos: true,
                })?
                .total;
            took.push(begun.elapsed());
        }
        took.sort_unstable();
        println!(
            "{text:30} {total:8} hits, p50 {:.2} ms, worst {:.2} ms",
            ms(took[10]),
            ms(took[19])
        );
        all.extend(took);
    }
    all.sort_unstable();
    println!(
        "all: p50 {:.2} ms, p99 {:.2} ms",
        ms(all[all.len() / 2]),
        ms(all[all.len() * 99 / 100])
    );
    drop(writer);
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

fn ms(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

fn document(number: u64) -> Document {
    // SplitMix64: the same records in each run.
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut pick = |below: usize| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as usize % below
    };
    let part = |weight, text: String| Part { weight, text };
    let is_company = number.is_multiple_of(3);
    let (object, parts, phones) = if is_company {
        let characters: Vec<char> = CHARACTERS.chars().collect();
        let name = if pick(2) == 0 {
            format!(
                "{}{}{}{}有限公司",
                PLACES[pick(10)],
                characters[pick(characters.len())],
                characters[pick(characters.len())],
                TRADES[pick(10)]
            )
        } else {
            format!(
                "{} {} Company {}",
                FAMILY[pick(20)],
                FAMILY[pick(20)],
                number % 5_000
            )
        };
        let site = format!("https://www.company{number}.example.com");
        (
            "relata/company",
            vec![part(Weight::Label, name), part(Weight::Text, site)],
            vec![],
        )
    } else {
        let name = format!("{} {}", GIVEN[pick(20)], FAMILY[pick(20)]);
        let mail = format!("person{number}@example.com");
        let phone = format!("+86138{:08}", pick(100_000_000));
        let note = format!(
            "Met at the fair in {}; wants a demo of the new {}.",
            PLACES[pick(10)],
            TRADES[pick(10)]
        );
        let parts = vec![
            part(Weight::Label, name),
            part(Weight::Text, mail),
            part(Weight::Text, phone.clone()),
            part(Weight::Long, note),
        ];
        ("relata/person", parts, vec![phone])
    };
    Document {
        id: Uuid::from_u128((u128::from(number) << 80) | u128::from(pick(usize::MAX) as u64)),
        object: object.to_owned(),
        parts,
        phones,
        keys: Vec::new(),
    }
}
