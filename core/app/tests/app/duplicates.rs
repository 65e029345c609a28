//! How well duplicates are told from others, on pairs that a person has judged.

use std::collections::HashSet;

use relata_app::duplicates::{
    SCORE_MIN,
    rules::{Profile, compare, keys},
};

/// Of the pairs that are the same, at least so many are found.
const RECALL_MIN: f64 = 0.9;
/// Of those that are found, at least so many are the same.
const PRECISION_MIN: f64 = 0.95;

/// `tests/data/duplicates/pairs.csv`: a good half of the names are listed companies and the
/// customers of the Chinook sample. What is hard on purpose: other forms, spellings, orders and
/// scripts of one name, and names that are nearly another's.
#[test]
fn pairs_are_judged_as_a_person_does() {
    let mut reader = csv::Reader::from_path("../../tests/data/duplicates/pairs.csv").unwrap();
    let (mut right, mut wrong, mut missed, mut pairs) = (0.0, 0.0, 0.0, 0);
    for row in reader.records() {
        let row = row.unwrap();
        let field = |place: usize| row.get(place).unwrap();
        let profile = |side: usize| {
            let is_person = field(0) == "person";
            let [name, email, phone, city] = [2, 4, 6, 8].map(|place| field(place + side));
            Profile::of_texts(is_person, name, email, phone, city)
        };
        let (left, other) = (profile(0), profile(1));
        // Nobody is compared who shares no key.
        let own: HashSet<String> = keys(&left).into_iter().collect();
        let is_candidate = keys(&other).iter().any(|key| own.contains(key));
        let (score, reasons) = compare(&left, &other);
        let (back, _) = compare(&other, &left);
        assert!(
            (score - back).abs() < 1e-9,
            "{row:?}: which of them is asked about matters"
        );
        let is_found = is_candidate && score >= SCORE_MIN;
        pairs += 1;
        match (field(1) == "1", is_found) {
            (true, true) => right += 1.0,
            (false, true) => wrong += 1.0,
            (true, false) => missed += 1.0,
            (false, false) => {}
        }
        if (field(1) == "1") != is_found {
            println!(
                "{} | {} | same {} | candidate {is_candidate} | {score:.2} | {reasons:?}",
                field(2),
                field(3),
                field(1)
            );
        }
    }
    let recall: f64 = right / (right + missed);
    let precision: f64 = right / (right + wrong);
    println!("{pairs} pairs: recall {recall:.3}, precision {precision:.3}");
    assert!(pairs >= 300, "{pairs}");
    assert!(recall >= RECALL_MIN, "recall {recall:.3}");
    assert!(precision >= PRECISION_MIN, "precision {precision:.3}");
}
