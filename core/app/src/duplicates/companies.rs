//! Names of companies: what is left of them without legal forms and signs, and how alike two are.

use pinyin::ToPinyin as _;
use relata_search::words;
use strsim::jaro_winkler;

/// Words that say what a company is by law, or nothing. Several languages; folded.
const FORMS: &[&str] = &[
    "ab",
    "adr",
    "ag",
    "aktiengesellschaft",
    "aps",
    "as",
    "asa",
    "bhd",
    "bv",
    "co",
    "company",
    "corp",
    "corporation",
    "cv",
    "eg",
    "ev",
    "gmbh",
    "gruppe",
    "group",
    "grupo",
    "holding",
    "holdings",
    "inc",
    "incorporated",
    "kft",
    "kg",
    "kgaa",
    "kk",
    "limited",
    "llc",
    "llp",
    "lp",
    "ltd",
    "ltda",
    "mbh",
    "nv",
    "ohg",
    "oy",
    "oyj",
    "oao",
    "ooo",
    "plc",
    "pte",
    "pty",
    "pvt",
    "sa",
    "sab",
    "sal",
    "sarl",
    "sas",
    "sasu",
    "sc",
    "sdn",
    "se",
    "sl",
    "slu",
    "spa",
    "spzoo",
    "sro",
    "srl",
    "ug",
    "zrt",
    "the",
    "and",
    "und",
    "et",
    "y",
    "of",
    "de",
    "des",
    "der",
    "di",
    "do",
    "da",
    "la",
    "le",
    "el",
];
/// The same of Chinese, longest first.
const CHINESE_FORMS: &[&str] = &[
    "股份有限公司",
    "有限责任公司",
    "集团有限公司",
    "有限公司",
    "股份公司",
    "总公司",
    "分公司",
    "集团股份",
    "公司",
    "集团",
    "股份",
    "控股",
];
/// Words that many names have: alone they make no two the same.
const COMMON: &[&str] = &[
    "bank",
    "capital",
    "consulting",
    "design",
    "digital",
    "electric",
    "electronics",
    "energy",
    "engineering",
    "financial",
    "first",
    "foods",
    "general",
    "global",
    "health",
    "industries",
    "insurance",
    "international",
    "logistics",
    "management",
    "media",
    "medical",
    "motors",
    "national",
    "new",
    "partners",
    "pharmaceuticals",
    "power",
    "products",
    "properties",
    "realty",
    "resources",
    "services",
    "software",
    "solutions",
    "systems",
    "tech",
    "technologies",
    "technology",
    "trading",
    "trust",
    "united",
    "american",
    "america",
    "china",
    "deutsche",
    "europe",
];
/// Words that are short for others.
const SHORT: &[(&str, &str)] = &[
    ("intl", "international"),
    ("tech", "technologies"),
    ("technology", "technologies"),
    ("mfg", "manufacturing"),
    ("svcs", "services"),
    ("service", "services"),
    ("bros", "brothers"),
    ("pharma", "pharmaceuticals"),
    ("pharmaceutical", "pharmaceuticals"),
    ("natl", "national"),
    ("mgmt", "management"),
    ("sys", "systems"),
    ("system", "systems"),
    ("solution", "solutions"),
    ("fin", "financial"),
    ("assoc", "associates"),
    ("ind", "industries"),
    ("industry", "industries"),
    ("motor", "motors"),
    ("electronic", "electronics"),
    ("labs", "laboratories"),
    ("ctr", "center"),
    ("centre", "center"),
    ("st", "saint"),
    ("dept", "department"),
];

/// A company's name, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CompanyName {
    /// Its words without those of [`FORMS`], in order; a run of Chinese is one.
    pub core: Vec<String>,
    /// Its Chinese characters by their sound, together, where it has any.
    pub sound: Option<String>,
}

/// Takes a name apart.
#[must_use]
pub fn company_name(name: &str) -> CompanyName {
    // `(Class A)`, `-U`: of the share, not of the company.
    let lower = relata_catalog::folded(name);
    let bare = strip_share(&lower);
    let mut core: Vec<String> = Vec::new();
    let mut letters = String::new();
    let mut run = String::new();
    let found = words(bare);
    for (position, word) in found.iter().enumerate() {
        if word.is_single {
            run.push_str(&word.text);
            let goes_on = found
                .get(position + 1)
                .is_some_and(|next| next.is_single && next.start == word.end);
            if !goes_on {
                push_run(&std::mem::take(&mut run), &mut core);
            }
            continue;
        }
        // `S.A.`, `L L C`: letters that stand alone are one word.
        if word.text.chars().count() == 1 && word.text.chars().all(char::is_alphabetic) {
            letters.push_str(&word.text);
            let goes_on = found
                .get(position + 1)
                .is_some_and(|next| next.text.chars().count() == 1 && !next.is_single);
            if !goes_on {
                push_word(&std::mem::take(&mut letters), &mut core);
            }
            continue;
        }
        push_word(&word.text, &mut core);
    }
    if core.is_empty() {
        // Nothing but forms: then they are the name.
        core = found.into_iter().map(|word| word.text).collect();
    }
    let han: String = core
        .iter()
        .filter(|word| is_chinese(word))
        .map(String::as_str)
        .collect();
    let sound = (!han.is_empty()).then(|| sound_of(&han));
    CompanyName { core, sound }
}

fn strip_share(name: &str) -> &str {
    let mut bare = name.trim();
    for mark in [
        "(class ",
        "- class ",
        " class a",
        " class b",
        " class c",
        " common stock",
        " ordinary shares",
    ] {
        if let Some((before, _)) = bare.split_once(mark) {
            bare = before;
        }
    }
    for mark in ["-u", "-w", "-uw"] {
        if !bare.is_ascii() {
            bare = bare.strip_suffix(mark).unwrap_or(bare);
        }
    }
    bare.trim()
}

fn push_word(word: &str, core: &mut Vec<String>) {
    if FORMS.contains(&word) {
        return;
    }
    let full = SHORT.iter().find(|(short, _)| *short == word);
    core.push(full.map_or(word, |(_, full)| full).to_owned());
}

fn push_run(run: &str, core: &mut Vec<String>) {
    let mut bare = run;
    while let Some(shorter) = CHINESE_FORMS
        .iter()
        .find_map(|form| bare.strip_suffix(form))
        .filter(|shorter| !shorter.is_empty())
    {
        bare = shorter;
    }
    core.push(bare.to_owned());
}

pub(super) fn is_chinese(word: &str) -> bool {
    word.chars()
        .any(|character| ('\u{3400}'..='\u{9fff}').contains(&character))
}

/// Chinese by its sound, without tones and blanks; other characters as they are.
pub(super) fn sound_of(text: &str) -> String {
    text.chars()
        .map(|character| {
            character.to_pinyin().map_or_else(
                || character.to_string(),
                |sound| sound.plain().replace('ü', "v"),
            )
        })
        .collect()
}

/// How alike two names are: the logarithm of the odds that they mean the same company.
#[must_use]
pub fn compare_companies(mine: &CompanyName, theirs: &CompanyName) -> f64 {
    let joined = |name: &CompanyName| name.core.concat();
    let (left, right) = (joined(mine), joined(theirs));
    if left == right {
        let says_something = mine
            .core
            .iter()
            .any(|word| !COMMON.contains(&word.as_str()));
        return if says_something { 4.5 } else { 1.5 };
    }
    if numbers(mine) != numbers(theirs) {
        return -5.0;
    }
    match (&mine.sound, &theirs.sound) {
        (None, None) => compare_words(mine, theirs, &left, &right),
        (Some(_), Some(_)) => compare_runs(&left, &right),
        (Some(sound), None) => compare_sound(sound, &right),
        (None, Some(sound)) => compare_sound(sound, &left),
    }
}

/// Digits and Roman numbers: `Fund II` is another one than `Fund III`.
fn numbers(name: &CompanyName) -> Vec<&str> {
    const ROMAN: [&str; 9] = ["ii", "iii", "iv", "vi", "vii", "viii", "ix", "xi", "xii"];
    name.core
        .iter()
        .map(String::as_str)
        .filter(|word| ROMAN.contains(word) || word.chars().all(|c| c.is_ascii_digit()))
        .collect()
}

fn compare_words(mine: &CompanyName, theirs: &CompanyName, left: &str, right: &str) -> f64 {
    let mut sorted = [mine.core.clone(), theirs.core.clone()];
    sorted.iter_mut().for_each(|words| words.sort_unstable());
    if sorted[0] == sorted[1] {
        return 3.5;
    }
    if is_acronym(mine, right) || is_acronym(theirs, left) {
        return 0.6;
    }
    let weight = |word: &str| -> f64 { if COMMON.contains(&word) { 0.35 } else { 1.0 } };
    // Each word of the one with its best among the other's.
    let covered = |from: &CompanyName, to: &CompanyName| -> (f64, f64) {
        let mut sum = 0.0;
        let mut of = 0.0;
        for word in &from.core {
            let best = to
                .core
                .iter()
                .map(|other| alike(word, other))
                .fold(0.0, f64::max);
            sum += weight(word) * best;
            of += weight(word);
        }
        (sum, of)
    };
    let ((sum, of), (other_sum, other_of)) = (covered(mine, theirs), covered(theirs, mine));
    if of == 0.0 || other_of == 0.0 {
        return -2.0;
    }
    let share = (sum + other_sum) / (of + other_of);
    // One name within the other: `Fox`, `Fox Factory`.
    let (least, most) = (f64::min(of, other_of), f64::max(of, other_of));
    let is_within = f64::max(sum / of, other_sum / other_of) > 0.97;
    let whole = alike(left, right);
    if is_within && most - least > 0.7 {
        return -0.6;
    }
    if is_within && most - least > 0.1 {
        // What one of them says more is a word that many have.
        return 1.8;
    }
    if whole >= 0.93 && share >= 0.9 {
        2.5
    } else if whole >= 0.93 {
        1.2
    } else if share >= 0.9 {
        1.0
    } else if share >= 0.75 {
        -1.0
    } else {
        -4.0
    }
}

/// How alike two words are, 0 to 1: only near ones count.
fn alike(left: &str, right: &str) -> f64 {
    if left == right {
        return 1.0;
    }
    let (left_count, right_count) = (left.chars().count(), right.chars().count());
    let (shorter, longer) = (left_count.min(right_count), left_count.max(right_count));
    if shorter < 5 {
        return 0.0;
    }
    let may_have = if shorter >= 8 { 2 } else { 1 };
    // Each character more is a typo at least.
    if longer - shorter <= may_have && strsim::osa_distance(left, right) <= may_have {
        // The beginning is what people get right.
        let starts_alike = left.chars().next() == right.chars().next();
        return if starts_alike { 0.95 } else { 0.8 };
    }
    // With less than three fifths of the characters in common it is at most 0.92.
    if shorter * 5 < longer * 3 {
        return 0.0;
    }
    let near = jaro_winkler(left, right);
    if near >= 0.95 { 0.85 } else { 0.0 }
}

/// `IBM` of International Business Machines.
fn is_acronym(long: &CompanyName, short: &str) -> bool {
    (2..=6).contains(&short.chars().count())
        && long.core.len() > 1
        && long
            .core
            .iter()
            .filter_map(|word| word.chars().next())
            .eq(short.chars())
}

/// Names in Chinese: a character is a syllable, and one that differs makes another name.
fn compare_runs(left: &str, right: &str) -> f64 {
    let (short, long) = if left.chars().count() <= right.chars().count() {
        (left, right)
    } else {
        (right, left)
    };
    let count = short.chars().count();
    if long.contains(short) && count >= 3 {
        // The short form that everybody uses.
        return 1.8;
    }
    let typos = strsim::osa_distance(left, right);
    if typos == 1 && count == long.chars().count() && sound_of(left) == sound_of(right) {
        return 1.5;
    }
    -3.0
}

/// A name in Chinese beside one in letters: `华为` is Huawei.
fn compare_sound(sound: &str, letters: &str) -> f64 {
    let letters: String = letters
        .replace("technologies", "")
        .replace("electronics", "");
    if letters == *sound {
        3.0
    } else if letters.len() >= 6 && sound.starts_with(letters.as_str()) {
        1.8
    } else {
        -3.0
    }
}

/// What two spellings of one name share.
pub(super) fn company_keys(name: &CompanyName, keys: &mut Vec<String>) {
    let joined = name.core.concat();
    keys.push(format!("n:{joined}"));
    keys.push(format!("k:{}", skeleton(&joined)));
    let mut sorted = name.core.clone();
    sorted.sort_unstable();
    keys.push(format!("n:{}", sorted.concat()));
    for word in &name.core {
        if word.chars().count() >= 3 && !COMMON.contains(&word.as_str()) {
            keys.push(format!("w:{word}"));
            keys.push(format!("k:{}", skeleton(word)));
        }
        if is_chinese(word) {
            let characters: Vec<char> = word.chars().collect();
            keys.extend(
                characters
                    .windows(2)
                    .map(|pair| format!("c:{}{}", pair[0], pair[1])),
            );
        }
    }
    if let Some(sound) = &name.sound {
        keys.push(format!("n:{sound}"));
        keys.push(format!("s:{}", sound.chars().take(6).collect::<String>()));
    } else if joined.len() >= 6 {
        keys.push(format!("s:{}", joined.chars().take(6).collect::<String>()));
    } else {
        let acronym: String = name
            .core
            .iter()
            .filter_map(|word| word.chars().next())
            .collect();
        keys.push(format!("a:{acronym}"));
    }
    if name.core.len() > 1 {
        let acronym: String = name
            .core
            .iter()
            .filter_map(|word| word.chars().next())
            .collect();
        keys.push(format!("n:{acronym}"));
    }
}

/// The consonants of a word, each once and in the order of the alphabet: swapped, doubled and
/// wrong vowels are the same.
pub(super) fn skeleton(word: &str) -> String {
    let mut consonants: Vec<char> = word
        .chars()
        .filter(|character| !"aeiouy".contains(*character))
        .collect();
    consonants.sort_unstable();
    consonants.dedup();
    consonants.into_iter().collect()
}
