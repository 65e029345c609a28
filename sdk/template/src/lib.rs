//! Refuses a deal over the limit unless somebody has approved it.

use relata_sdk::prelude::*;
use serde::Deserialize;

/// The plugin.
pub struct {{type}};

/// Inputs of the hook `limit`, as plugin.toml lists them.
#[derive(Fields)]
struct Deal {
    amount: Option<Money>,
    #[field("{{local}}_approvedBy")]
    approved_by: Option<String>,
}

/// The settings that plugin.toml describes.
#[derive(Deserialize)]
struct Settings {
    limit: Decimal,
}

impl Plugin for {{type}} {
    fn before(call: Before) -> Result<Outcome> {
        match call.hook() {
            "limit" => limit(&call),
            _ => Err(call.unknown()),
        }
    }
}

fn limit(call: &Before) -> Result<Outcome> {
    let deal: Deal = call.record()?;
    let settings: Settings = settings::get()?;
    match deal.amount {
        Some(amount) if amount.amount > settings.limit && deal.approved_by.is_none() => {
            // The text of the code stands in i18n/, in each language.
            Err(Reject::new("OVER_LIMIT")
                .at("amount")
                .with("amount", amount)
                .with("limit", settings.limit)
                .into())
        }
        _ => Ok(Outcome::accept()),
    }
}

relata_sdk::register!({{type}}: hooks);
