//! Names of people: in either order, with initials, short forms, and Chinese names by their sound.

use relata_search::words;

use super::companies::{is_chinese, skeleton, sound_of};

/// Short forms and the names that they stand for.
const NICKNAMES: &[(&str, &str)] = &[
    ("abby", "abigail"),
    ("al", "albert"),
    ("alex", "alexander"),
    ("andy", "andrew"),
    ("ben", "benjamin"),
    ("beth", "elizabeth"),
    ("bill", "william"),
    ("billy", "william"),
    ("bob", "robert"),
    ("bobby", "robert"),
    ("cathy", "catherine"),
    ("charlie", "charles"),
    ("chris", "christopher"),
    ("dan", "daniel"),
    ("dave", "david"),
    ("dick", "richard"),
    ("don", "donald"),
    ("ed", "edward"),
    ("fred", "frederick"),
    ("greg", "gregory"),
    ("hans", "johannes"),
    ("jack", "john"),
    ("jen", "jennifer"),
    ("jenny", "jennifer"),
    ("jim", "james"),
    ("jimmy", "james"),
    ("joe", "joseph"),
    ("kate", "catherine"),
    ("katherine", "catherine"),
    ("kathy", "catherine"),
    ("katie", "catherine"),
    ("ken", "kenneth"),
    ("larry", "lawrence"),
    ("leo", "leonard"),
    ("liz", "elizabeth"),
    ("maggie", "margaret"),
    ("matt", "matthew"),
    ("max", "maximilian"),
    ("meg", "margaret"),
    ("mike", "michael"),
    ("nick", "nicholas"),
    ("pat", "patrick"),
    ("paco", "francisco"),
    ("pepe", "jose"),
    ("peggy", "margaret"),
    ("pete", "peter"),
    ("phil", "philip"),
    ("phillip", "philip"),
    ("rick", "richard"),
    ("rob", "robert"),
    ("ron", "ronald"),
    ("sam", "samuel"),
    ("sepp", "josef"),
    ("steve", "steven"),
    ("stephen", "steven"),
    ("sue", "susan"),
    ("ted", "edward"),
    ("tom", "thomas"),
    ("tony", "anthony"),
    ("vicky", "victoria"),
    ("will", "william"),
    ("zach", "zachary"),
];
/// What stands before or behind a name.
const TITLES: &[&str] = &[
    "mr", "mrs", "ms", "miss", "dr", "prof", "herr", "frau", "sir", "jr", "sr", "phd", "mba",
    "ing", "dipl", "mag", "md", "esq", "先生", "女士", "小姐", "博士", "教授",
];

/// A person's name, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PersonName {
    /// Its words, sorted; nicknames as the names that they stand for. Chinese is one word of
    /// sounds.
    pub parts: Vec<String>,
    /// The name in Chinese, where it is.
    pub han: Option<String>,
}

/// Takes a name apart.
#[must_use]
pub fn person_name(name: &str) -> PersonName {
    let mut han = String::new();
    let mut parts: Vec<String> = Vec::new();
    // `O'Reilly` is one word here, not an initial and a name.
    for word in words(&name.replace(['\'', '’'], "")) {
        if word.is_single {
            han.push_str(&word.text);
            continue;
        }
        if TITLES.contains(&word.text.as_str()) || word.text == "junior" {
            continue;
        }
        let full = NICKNAMES.iter().find(|(short, _)| *short == word.text);
        parts.push(full.map_or(word.text.clone(), |(_, full)| (*full).to_owned()));
    }
    for title in TITLES.iter().filter(|title| is_chinese(title)) {
        if let Some(bare) = han.strip_suffix(title) {
            han = bare.to_owned();
        }
    }
    parts.sort_unstable();
    PersonName {
        parts,
        han: (!han.is_empty()).then_some(han),
    }
}

/// How alike two names are: the logarithm of the odds that they mean the same person.
#[must_use]
pub fn compare_people(mine: &PersonName, theirs: &PersonName) -> f64 {
    if mine == theirs {
        if mine.parts.iter().any(|part| part.chars().count() == 1) {
            // An initial stands for many.
            return 0.5;
        }
        return if mine.parts.len() > 1 || mine.han.is_some() {
            3.0
        } else {
            -1.0
        };
    }
    match (&mine.han, &theirs.han) {
        (Some(left), Some(right)) => {
            if left == right {
                3.0
            } else if sound_of(left) == sound_of(right) {
                -0.5
            } else {
                -5.0
            }
        }
        (Some(han), None) => compare_sound(han, &theirs.parts),
        (None, Some(han)) => compare_sound(han, &mine.parts),
        (None, None) => compare_parts(&mine.parts, &theirs.parts),
    }
}

/// `王小明` is Wang Xiaoming, Xiaoming Wang, Xiao Ming Wang. Many names sound like that.
fn compare_sound(han: &str, parts: &[String]) -> f64 {
    let mut sounds: Vec<String> = han.chars().map(|c| sound_of(&c.to_string())).collect();
    let together: String = sounds.concat();
    let is_same = {
        let mut written: Vec<&str> = parts.iter().map(String::as_str).collect();
        sounds.sort_unstable();
        written.sort_unstable();
        let mut characters: Vec<Vec<char>> = [sounds.concat(), written.concat()]
            .iter()
            .map(|text| text.chars().collect())
            .collect();
        characters.iter_mut().for_each(|text| text.sort_unstable());
        // The family name stands as a word of its own.
        characters[0] == characters[1]
            && parts.iter().any(|part| together.starts_with(part.as_str()))
    };
    if is_same { 1.7 } else { -5.0 }
}

fn compare_parts(mine: &[String], theirs: &[String]) -> f64 {
    if mine.is_empty() || theirs.is_empty() {
        return -3.0;
    }
    if mine.concat() == theirs.concat() && mine.concat().len() > 5 {
        return 2.5;
    }
    // `Van der Berg`, `Vanderberg`: the same letters, cut elsewhere.
    let letters = sorted_letters(&mine.concat());
    if mine.len() != theirs.len()
        && letters.len() > 7
        && letters == sorted_letters(&theirs.concat())
    {
        return 2.0;
    }
    let (short, long) = if mine.len() <= theirs.len() {
        (mine, theirs)
    } else {
        (theirs, mine)
    };
    // Each word of the shorter name has one of the longer to itself.
    let mut free: Vec<&String> = long.iter().collect();
    let mut sum = 0.0;
    let mut worst = f64::INFINITY;
    for part in short {
        let Some((place, worth)) = free
            .iter()
            .enumerate()
            .map(|(place, other)| (place, part_alike(part, other)))
            .max_by(|left, right| left.1.total_cmp(&right.1))
        else {
            break;
        };
        free.remove(place);
        sum += worth;
        worst = worst.min(worth);
    }
    if worst < 0.0 {
        return -4.0;
    }
    if short.len() < 2 {
        return -1.5;
    }
    let left_over = free.iter().filter(|part| part.chars().count() > 1).count();
    let mean = sum / short.len() as f64;
    // A second given name or family name more is usual.
    mean * 3.0 - 0.7 * left_over as f64 - if worst < 0.5 { 0.6 } else { 0.0 }
}

/// 1 for the same, less for near ones and initials, below 0 for different ones.
fn part_alike(left: &str, right: &str) -> f64 {
    if left == right {
        return 1.0;
    }
    let (short, long) = if left.chars().count() <= right.chars().count() {
        (left, right)
    } else {
        (right, left)
    };
    let count = short.chars().count();
    if count == 1 {
        return if long.starts_with(short) { 0.4 } else { -1.0 };
    }
    // Umlauts are written in two ways.
    let plain = |word: &str| {
        word.replace("ae", "a")
            .replace("oe", "o")
            .replace("ue", "u")
    };
    if plain(left) == plain(right) {
        return 0.95;
    }
    // `Paul` and `Paula`, `Maria` and `Mario` are two people.
    let stem = |word: &str| word.trim_end_matches(['a', 'e', 'i', 'o']).to_owned();
    if stem(left) == stem(right) {
        return -1.0;
    }
    if count >= 5 && strsim::osa_distance(left, right) == 1 {
        return 0.8;
    }
    let starts_alike = left.chars().next() == right.chars().next();
    if count >= 3 && starts_alike && strsim::osa_distance(left, right) == 1 {
        return 0.3;
    }
    -1.0
}

/// What two spellings of one name share.
pub(super) fn person_keys(name: &PersonName, keys: &mut Vec<String>) {
    if let Some(han) = &name.han {
        keys.push(format!("h:{han}"));
        keys.push(format!("l:{}", sorted_letters(&sound_of(han))));
        return;
    }
    keys.push(format!("l:{}", sorted_letters(&name.parts.concat())));
    // Two words by their bones, whatever is wrong with their vowels.
    for (place, left) in name.parts.iter().enumerate() {
        for right in &name.parts[place + 1..] {
            let bone = |word: &str| {
                word.chars()
                    .next()
                    .map(|first| format!("{first}{}", skeleton(word)))
            };
            if let (Some(left_bone), Some(right_bone)) = (bone(left), bone(right)) {
                let mut pair = [left_bone, right_bone];
                pair.sort_unstable();
                keys.push(format!("b:{}", pair.join("+")));
            }
            // And by an initial.
            for (word, other) in [(left, right), (right, left)] {
                if let Some(initial) = other.chars().next() {
                    keys.push(format!("i:{word}+{initial}"));
                }
            }
        }
    }
}

fn sorted_letters(text: &str) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    letters.sort_unstable();
    letters.into_iter().collect()
}
