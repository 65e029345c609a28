//! Names that people mistype: what they may have meant.

/// `: did you mean "x"?` where one of the candidates is near, and the list of them where there
/// are few; else nothing.
pub(crate) fn instead<'a>(given: &str, candidates: impl Iterator<Item = &'a str>) -> String {
    /// More than this many are not listed.
    const LISTED_MAX: usize = 12;
    let candidates: Vec<&str> = candidates.collect();
    let nearest = candidates
        .iter()
        .map(|candidate| (distance(given, candidate), *candidate))
        .min();
    match nearest {
        Some((near, candidate)) if near <= 1 + given.chars().count() / 4 => {
            format!("; did you mean {candidate}?")
        }
        Some(_) if candidates.len() <= LISTED_MAX => {
            format!("; there are {}", candidates.join(", "))
        }
        Some(_) => String::new(),
        None => "; there are none".to_owned(),
    }
}

/// Levenshtein distance, ASCII case ignored.
fn distance(left: &str, right: &str) -> usize {
    strsim::levenshtein(&left.to_ascii_lowercase(), &right.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_suggested_and_few_are_listed() {
        let check = |given: &str, expect: &str| {
            assert_eq!(instead(given, ["amount", "stage"].into_iter()), expect);
        };
        check("amuont", "; did you mean amount?");
        check("Stage", "; did you mean stage?");
        check("colour", "; there are amount, stage");
    }
}
