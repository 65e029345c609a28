//! Options that no record gets any more. A retired option is a value like any other wherever a
//! record has it already: it is shown, found and grouped by. It may stay, and may not come.

use crate::names::one_of;
use crate::{Issue, Issues, Kind, SelectOption, Value};

/// The retired options that a value of this kind has and the one before it had not.
#[must_use]
pub fn newly_retired(kind: &Kind, before: &Value, after: &Value) -> Issues {
    let (Kind::Select { options } | Kind::MultiSelect { options }) = kind else {
        return Issues::default();
    };
    let had = chosen(before);
    Issues(
        chosen(after)
            .iter()
            .filter(|value| !had.contains(value))
            .filter(|value| {
                options
                    .iter()
                    .any(|option| option.value == **value && option.retired)
            })
            .map(|value| {
                let expected = one_of(offered(options));
                Issue::new(
                    "RETIRED",
                    format!("\"{value}\" is retired; expected {expected}"),
                )
                .with("value", value.as_str())
            })
            .collect(),
    )
}

/// Values of the options that may be given.
pub(crate) fn offered(options: &[SelectOption]) -> impl Iterator<Item = &str> {
    options
        .iter()
        .filter(|option| !option.retired)
        .map(|option| option.value.as_str())
}

fn chosen(value: &Value) -> &[String] {
    match value {
        Value::Text(option) => std::slice::from_ref(option),
        Value::Choices(options) => options,
        _ => &[],
    }
}
