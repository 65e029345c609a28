//! Any text as a blueprint, of the workspace and of a plugin, over the standard objects.
//!
//! It never panics. What can be read is written as what it was. What resolves is exported as what
//! resolves to the same, at once and after the plan has been carried out.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use relata_catalog::{
    Blueprint, Catalogue, Limits, OWNER_PLATFORM, OWNER_WORKSPACE, STANDARD, TakenNames, diff,
    export, resolve, resolve_text,
};

static CURRENT: LazyLock<Catalogue> = LazyLock::new(|| {
    let nothing = Catalogue::default();
    resolved(&nothing, OWNER_PLATFORM, STANDARD).expect("the standard objects resolve")
});

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Corpus::Reject;
    };
    if let Ok(blueprint) = Blueprint::parse(text) {
        assert_eq!(Blueprint::from_json(&blueprint.to_json()), Ok(blueprint.clone()));
        let yaml = blueprint.to_yaml();
        // Numbers that a double can't hold are written as texts.
        let read = Blueprint::parse(&yaml).unwrap_or_else(|issues| panic!("{issues}\n{yaml}"));
        assert_eq!(Blueprint::parse(&read.to_yaml()), Ok(read));
    }
    for owner in [OWNER_WORKSPACE, "acme.made"] {
        if let Some(target) = resolved(&CURRENT, owner, text) {
            check(owner, &target);
        }
    }
    Corpus::Keep
});

fn resolved(current: &Catalogue, owner: &str, text: &str) -> Option<Catalogue> {
    let names = TakenNames::default();
    match resolve_text(current, owner, text, &names, &Limits::default()) {
        Ok((_, target)) => Some(target),
        Err(issues) => {
            assert!(!issues.is_empty());
            assert!(
                issues
                    .0
                    .iter()
                    .all(|issue| !issue.code.is_empty() && !issue.message.is_empty()),
                "{issues}"
            );
            None
        }
    }
}

fn check(owner: &str, target: &Catalogue) {
    let names = TakenNames::default();
    let plan = diff(&CURRENT, target);
    assert_eq!(plan.is_empty(), *CURRENT == *target);
    assert_eq!(diff(&CURRENT, target).id, plan.id);
    for step in &plan.steps {
        assert!(!step.name().is_empty() && !step.describe().is_empty());
    }
    let yaml = export(target, owner).to_yaml();
    let exported = Blueprint::parse(&yaml).unwrap_or_else(|issues| panic!("{issues}\n{yaml}"));
    for current in [target, &*CURRENT] {
        let again = resolve(current, owner, &exported, &names)
            .unwrap_or_else(|issues| panic!("{issues}\n{yaml}"));
        assert!(diff(target, &again).is_empty(), "{:#?}", diff(target, &again).steps);
    }
    let without = resolve(target, owner, &Blueprint::default(), &names)
        .unwrap_or_else(|issues| panic!("{issues}"));
    assert!(diff(&CURRENT, &without).is_empty());
}
