//! The standard objects: an ordinary blueprint of the owner [`OWNER_PLATFORM`](crate::OWNER_PLATFORM).

/// The document: company, person, deal with the pipeline `sales`, task, note.
pub const STANDARD: &str = include_str!("../blueprints/standard.yaml");

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{Blueprint, Catalogue, OWNER_PLATFORM, TakenNames, resolve};

    #[test]
    fn resolves_and_speaks_both_languages_everywhere() {
        let blueprint = Blueprint::parse(STANDARD).unwrap();
        let catalogue = resolve(
            &Catalogue::default(),
            OWNER_PLATFORM,
            &blueprint,
            &TakenNames::default(),
        )
        .unwrap_or_else(|issues| panic!("{issues}"));
        let document = blueprint.to_json();
        let mut labels = 0;
        visit(&document, &mut |map| {
            for name in ["labels", "pluralLabels", "description"] {
                if let Some(texts) = map.get(name) {
                    labels += 1;
                    assert!(
                        texts.get("en").is_some() && texts.get("zh-CN").is_some(),
                        "{texts}"
                    );
                }
            }
            // Whatever is shown has a name for people.
            if map.contains_key("kind") || map.contains_key("value") {
                assert!(map.contains_key("labels"), "{map:?}");
            }
        });
        assert!(labels > 100);
        assert_eq!(catalogue.object_named("deal").unwrap().1.table, "rec_deal");
        assert_eq!(catalogue.pipelines[0].stages.len(), 6);
    }

    fn visit(
        value: &serde_json::Value,
        each: &mut impl FnMut(&serde_json::Map<String, serde_json::Value>),
    ) {
        match value {
            serde_json::Value::Array(items) => items.iter().for_each(|item| visit(item, each)),
            serde_json::Value::Object(map) => {
                each(map);
                map.values().for_each(|member| visit(member, each));
            }
            _ => {}
        }
    }
}
