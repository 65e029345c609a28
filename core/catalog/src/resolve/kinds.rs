//! Parameters of kinds: which are possible, and which changes keep every value that is stored.

use crate::coerce::{covers, currency};
use crate::names::is_option_value;
use crate::reading::limit;
use crate::{
    DECIMAL_DIGITS_MAX, Field, INTEGER_MAX, Issue, Issues, Kind, Limits, Pattern, SelectOption,
    UniqueBy,
};

/// Characters of a text.
const TEXT_MAX: u32 = 4_000;
/// Characters of a long text.
const LONG_TEXT_MAX: u32 = 1_000_000;
/// Digits behind the point.
const SCALE_MAX: u32 = 9;
/// Fewest symbols of a rating: with one there is nothing to choose.
const RATING_MIN: u32 = 2;
/// Most symbols of a rating.
const RATING_MAX: u32 = 10;
/// Digits of an autonumber.
const AUTONUMBER_DIGITS_MAX: u32 = 15;
/// Characters before an autonumber's digits.
const AUTONUMBER_PREFIX_MAX: usize = 20;
/// Types that a file may have.
const FILE_TYPES_MAX: usize = 20;
/// Bytes of each of them.
const FILE_TYPE_BYTES_MAX: usize = 127;
/// Bytes of the columns of one unique key: PostgreSQL's B-tree takes 2,704.
pub(super) const UNIQUE_BYTES_MAX: u32 = 2_600;

/// What is wrong with a kind's parameters, relative to the field.
pub(super) fn parameters(kind: &Kind, limits: &Limits) -> Issues {
    let mut issues = Issues::default();
    match kind {
        Kind::Text { max } => within(&mut issues, "max", *max, 1, TEXT_MAX),
        Kind::LongText { max } | Kind::RichText { max } => {
            within(&mut issues, "max", *max, 1, LONG_TEXT_MAX);
        }
        Kind::Rating { max } => within(&mut issues, "max", *max, RATING_MIN, RATING_MAX),
        Kind::Integer { min, max } => {
            for (name, bound) in [("min", min), ("max", max)] {
                if bound.is_some_and(|bound| bound.unsigned_abs() > INTEGER_MAX.unsigned_abs()) {
                    issues.push(
                        Issue::new(
                            "OUT_OF_RANGE",
                            format!("expected a number between -{INTEGER_MAX} and {INTEGER_MAX}"),
                        )
                        .at(name),
                    );
                }
            }
            ordered(&mut issues, min.as_ref(), max.as_ref());
        }
        Kind::Decimal { scale, min, max } | Kind::Percent { scale, min, max } => {
            within(&mut issues, "scale", *scale, 0, SCALE_MAX);
            for (name, bound) in [("min", min), ("max", max)] {
                if let Some(bound) = bound {
                    let digits = bound
                        .normalize()
                        .mantissa()
                        .unsigned_abs()
                        .to_string()
                        .len();
                    if bound.normalize().scale() > *scale || digits > DECIMAL_DIGITS_MAX as usize {
                        issues.push(
                            Issue::new(
                                "OUT_OF_RANGE",
                                format!(
                                    "expected at most {scale} digits behind the point and \
                                     {DECIMAL_DIGITS_MAX} in all"
                                ),
                            )
                            .at(name),
                        );
                    }
                }
            }
            ordered(&mut issues, min.as_ref(), max.as_ref());
        }
        Kind::Money {
            scale,
            currency: code,
        } => {
            within(&mut issues, "scale", *scale, 0, SCALE_MAX);
            if let Some(code) = code {
                match currency(code) {
                    Err(part) => issues.extend_at("currency", part),
                    Ok(upper) if upper != *code => issues.push(
                        Issue::new("BAD_CURRENCY", format!("expected \"{upper}\"")).at("currency"),
                    ),
                    Ok(_) => {}
                }
            }
        }
        Kind::Select { options } | Kind::MultiSelect { options } => {
            issues.extend_at("options", option_issues(options, limits));
        }
        Kind::File { types, max_size } => {
            issues.extend_at("types", type_issues(types));
            if max_size.is_some_and(|max| !(1..=INTEGER_MAX).contains(&max)) {
                issues.push(
                    Issue::new(
                        "OUT_OF_RANGE",
                        format!("expected a number of bytes between 1 and {INTEGER_MAX}"),
                    )
                    .at("maxSize"),
                );
            }
        }
        Kind::Json {
            schema: Some(schema),
        } => issues.extend_at("schema", schema.check()),
        Kind::Autonumber {
            prefix,
            digits,
            start,
            gapless: _,
        } => {
            within(&mut issues, "digits", *digits, 1, AUTONUMBER_DIGITS_MAX);
            if !(0..=INTEGER_MAX).contains(start) {
                issues.push(
                    Issue::new(
                        "OUT_OF_RANGE",
                        format!("expected a number between 0 and {INTEGER_MAX}"),
                    )
                    .at("start"),
                );
            }
            if prefix.chars().count() > AUTONUMBER_PREFIX_MAX
                || prefix.chars().any(char::is_control)
            {
                issues.push(
                    Issue::new(
                        "OUT_OF_RANGE",
                        format!("expected at most {AUTONUMBER_PREFIX_MAX} printable characters"),
                    )
                    .at("prefix"),
                );
            }
        }
        Kind::Formula(_)
        | Kind::Rollup(_)
        | Kind::Boolean
        | Kind::Date
        | Kind::DateTime
        | Kind::Time
        | Kind::Duration
        | Kind::Uuid
        | Kind::Texts
        | Kind::Tags
        | Kind::User
        | Kind::Email
        | Kind::Phone
        | Kind::Url
        | Kind::Json { schema: None }
        | Kind::FullName
        | Kind::Emails
        | Kind::Phones
        | Kind::Address
        | Kind::GeoPoint
        | Kind::Relation(_)
        | Kind::Stage => {}
    }
    issues
}

/// What is wrong with a field's rules, relative to the field. Their expressions are looked at when
/// all of the catalogue is there.
pub(super) fn rules(field: &Field) -> Issues {
    let mut issues = Issues::default();
    let rules = &field.rules;
    let is_text = matches!(
        field.kind,
        Kind::Text { .. } | Kind::LongText { .. } | Kind::RichText { .. } | Kind::Email | Kind::Url
    );
    for (name, is_given) in [
        ("minLength", rules.min_length.is_some()),
        ("pattern", rules.pattern.is_some()),
    ] {
        if is_given && !is_text {
            issues.push(rule_unfit(&field.kind, "has no text to look at").at(name));
        }
    }
    if let (Some(min), Kind::Text { max } | Kind::LongText { max } | Kind::RichText { max }) =
        (rules.min_length, &field.kind)
    {
        within(&mut issues, "minLength", min, 1, *max);
    }
    if let Some(issue) = rules.pattern.as_ref().and_then(Pattern::issue) {
        issues.push(issue.at("pattern"));
    }
    if !field.kind.is_written() {
        for (name, is_given) in [
            ("required", field.required),
            ("default", field.default.is_some()),
            ("requiredWhen", rules.required_when.is_some()),
            ("defaultFrom", rules.default_from.is_some()),
            ("lockedWhen", rules.locked_when.is_some()),
            ("immutable", rules.immutable),
        ] {
            if is_given {
                issues.push(rule_unfit(&field.kind, "is worked out, not written").at(name));
            }
        }
    }
    if rules.default_from.is_some() && field.default.is_some() {
        issues.push(
            Issue::new(
                "RULE_UNFIT",
                "the field has a default already: give one of default and defaultFrom",
            )
            .at("defaultFrom"),
        );
    }
    issues
}

fn rule_unfit(kind: &Kind, reason: &str) -> Issue {
    Issue::new(
        "RULE_UNFIT",
        format!("a field of kind {} {reason}: remove this", kind.name()),
    )
}

fn within(issues: &mut Issues, name: &str, value: u32, min: u32, max: u32) {
    if !(min..=max).contains(&value) {
        issues.push(
            Issue::new(
                "OUT_OF_RANGE",
                format!("expected a number between {min} and {max}, got {value}"),
            )
            .with("min", min)
            .with("max", max)
            .at(name),
        );
    }
}

fn ordered<T: PartialOrd + std::fmt::Display>(
    issues: &mut Issues,
    min: Option<&T>,
    max: Option<&T>,
) {
    if let (Some(min), Some(max)) = (min, max)
        && min > max
    {
        issues.push(
            Issue::new(
                "OUT_OF_RANGE",
                format!("the least value {min} is greater than the greatest, {max}"),
            )
            .at("min"),
        );
    }
}

/// Each is `type/subtype`, or `type/*` for all of a type, in lower case as files have it.
fn type_issues(types: &[String]) -> Issues {
    let mut issues = Issues::default();
    if types.len() > FILE_TYPES_MAX {
        issues.push(limit("types", FILE_TYPES_MAX, types.len()));
        return issues;
    }
    let is_name = |name: &str| {
        !name.is_empty()
            && name.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$&-^_.+".contains(&byte)
            })
    };
    for (position, named) in types.iter().enumerate() {
        let is_type = named.len() <= FILE_TYPE_BYTES_MAX
            && named
                .split_once('/')
                .is_some_and(|(group, of)| is_name(group) && (of == "*" || is_name(of)));
        if !is_type {
            let shown: String = named.chars().take(60).collect();
            issues.push(
                Issue::new(
                    "CONTENT_TYPE",
                    format!(
                        "\"{shown}\" is no type of files: expected one such as \"application/pdf\" or \"image/*\""
                    ),
                )
                .at(position),
            );
        }
    }
    issues
}

fn option_issues(options: &[SelectOption], limits: &Limits) -> Issues {
    let mut issues = Issues::default();
    if options.is_empty() {
        issues.push(Issue::new("MISSING", "a select has at least one option"));
    }
    if options.len() > limits.options_max {
        issues.push(limit("options", limits.options_max, options.len()));
        return issues;
    }
    let mut seen = std::collections::HashMap::new();
    for (position, option) in options.iter().enumerate() {
        if !is_option_value(&option.value) {
            issues.push(
                Issue::new(
                    "NAME_INVALID",
                    format!(
                        "\"{}\" is no value of an option: expected capitals, digits and \"_\", \
                         beginning with a capital, such as \"{}\"",
                        option.value,
                        upper_snake(&option.value)
                    ),
                )
                .at("value")
                .at(position),
            );
        }
        if let Some(first) = seen.insert(option.value.as_str(), position) {
            issues.push(
                Issue::new(
                    "DUPLICATE_KEY",
                    format!(
                        "the option \"{}\" is there already, at {first}",
                        option.value
                    ),
                )
                .at("value")
                .at(position),
            );
        }
    }
    issues
}

/// What the value would be, if it is only spelled another way.
fn upper_snake(value: &str) -> String {
    let text: String = value
        .chars()
        .take(60)
        .map(|each| {
            if each.is_ascii_alphanumeric() {
                each.to_ascii_uppercase()
            } else {
                '_'
            }
        })
        .collect();
    let text = text.trim_matches('_');
    if is_option_value(text) {
        text.to_owned()
    } else {
        "ACTIVE".to_owned()
    }
}

/// Why a field that holds values can't become the other kind, relative to the field. Only what
/// leaves every stored value valid is possible.
pub(super) fn changed(old: &Kind, new: &Kind) -> Issues {
    const WAY_OUT: &str = "add a field with another key, move the values, and remove this one";
    let mut issues = Issues::default();
    let mut narrowed = |name: &str, from: String, to: String| {
        issues.push(
            Issue::new(
                "NARROWED",
                format!(
                    "was {from} and can't become {to}, because values may be outside; {WAY_OUT}"
                ),
            )
            .with("from", from)
            .at(name),
        );
    };
    match (old, new) {
        (Kind::Text { max: old }, Kind::Text { max: new })
        | (Kind::LongText { max: old }, Kind::LongText { max: new })
        | (Kind::RichText { max: old }, Kind::RichText { max: new })
        | (Kind::Rating { max: old }, Kind::Rating { max: new })
            if new < old =>
        {
            narrowed("max", old.to_string(), new.to_string());
        }
        (
            Kind::Integer {
                min: old_min,
                max: old_max,
            },
            Kind::Integer { min, max },
        ) => {
            if raises(old_min.as_ref(), min.as_ref()) {
                narrowed("min", shown(old_min.as_ref()), shown(min.as_ref()));
            }
            if lowers(old_max.as_ref(), max.as_ref()) {
                narrowed("max", shown(old_max.as_ref()), shown(max.as_ref()));
            }
        }
        (
            Kind::Decimal {
                scale: old_scale,
                min: old_min,
                max: old_max,
            },
            Kind::Decimal { scale, min, max },
        )
        | (
            Kind::Percent {
                scale: old_scale,
                min: old_min,
                max: old_max,
            },
            Kind::Percent { scale, min, max },
        ) => {
            if raises(old_min.as_ref(), min.as_ref()) {
                narrowed("min", shown(old_min.as_ref()), shown(min.as_ref()));
            }
            if lowers(old_max.as_ref(), max.as_ref()) {
                narrowed("max", shown(old_max.as_ref()), shown(max.as_ref()));
            }
            scale_changed(&mut issues, *old_scale, *scale, WAY_OUT);
        }
        (
            Kind::File {
                types: old_types,
                max_size: old_max,
            },
            Kind::File { types, max_size },
        ) => {
            let takes_all = types.is_empty()
                || (!old_types.is_empty()
                    && old_types
                        .iter()
                        .all(|old| types.iter().any(|new| covers(new, old))));
            if !takes_all {
                narrowed("types", types_text(old_types), types_text(types));
            }
            if lowers(old_max.as_ref(), max_size.as_ref()) {
                narrowed("maxSize", shown(old_max.as_ref()), shown(max_size.as_ref()));
            }
        }
        (
            Kind::Money {
                scale: old_scale, ..
            },
            Kind::Money { scale, .. },
        ) => scale_changed(&mut issues, *old_scale, *scale, WAY_OUT),
        (Kind::Relation(old), Kind::Relation(new)) if old.target != new.target => issues.push(
            Issue::new(
                "KIND_CHANGED",
                format!(
                    "points at {} and can't point at {}: {WAY_OUT}",
                    old.target, new.target
                ),
            )
            .with("from", old.target.as_str())
            .at("to"),
        ),
        (old, new) if old.name() != new.name() => issues.push(
            Issue::new(
                "KIND_CHANGED",
                format!(
                    "is {} and can't become {}: {WAY_OUT}",
                    old.name(),
                    new.name()
                ),
            )
            .with("from", old.name())
            .at("kind"),
        ),
        _ => {}
    }
    issues
}

fn scale_changed(issues: &mut Issues, old: u32, new: u32, way_out: &str) {
    if old != new {
        issues.push(
            Issue::new(
                "KIND_CHANGED",
                format!("the scale is {old} and can't become {new}: {way_out}"),
            )
            .with("from", old)
            .at("scale"),
        );
    }
}

fn raises<T: PartialOrd>(old: Option<&T>, new: Option<&T>) -> bool {
    match (old, new) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(old), Some(new)) => new > old,
    }
}

fn lowers<T: PartialOrd>(old: Option<&T>, new: Option<&T>) -> bool {
    match (old, new) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(old), Some(new)) => new < old,
    }
}

fn types_text(types: &[String]) -> String {
    match types {
        [] => "any".to_owned(),
        types => types.join(", "),
    }
}

fn shown<T: std::fmt::Display>(bound: Option<&T>) -> String {
    bound.map_or_else(|| "without bound".to_owned(), ToString::to_string)
}

/// Most bytes that the kind puts into a unique key: text at three bytes a character, which is
/// what all but emoji and historic scripts need, and folded at nine, because a syllable of Hangul
/// comes apart into three letters.
pub(super) fn unique_bytes(kind: &Kind, by: UniqueBy) -> u32 {
    match kind {
        Kind::Text { max } if by == UniqueBy::Folded => max.saturating_mul(9),
        Kind::Text { max } => max.saturating_mul(3),
        Kind::Url => 2_048,
        Kind::Email | Kind::Emails => 762,
        Kind::FullName => 900,
        Kind::Select { .. } => 60,
        _ => 20,
    }
}

/// Whether a record can be named to people by such a field.
pub(super) fn is_label(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Text { .. }
            | Kind::FullName
            | Kind::Email
            | Kind::Emails
            | Kind::Phone
            | Kind::Phones
            | Kind::Url
            | Kind::Select { .. }
            | Kind::Integer { .. }
            | Kind::Autonumber { .. }
            | Kind::Date
    )
}
