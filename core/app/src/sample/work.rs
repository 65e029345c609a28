//! What goes on between companies and us: deals, tasks, notes, memberships.

use jiff::{Span, ToSpan as _};
use rand::RngExt as _;
use relata_catalog::{Kind, StageType};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::{
    Data, Sample,
    cultures::{Culture, NOTES, OFFERS, TASKS},
};

/// A company that was written.
pub(super) struct Firm {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) culture: &'static Culture,
}

/// A person who was written.
pub(super) struct Contact {
    pub(super) id: Uuid,
    /// Position of the person's company.
    pub(super) firm: Option<usize>,
}

/// Roughly what one euro is in a currency: so that amounts look right where they are read.
fn per_euro(currency: &str) -> f64 {
    match currency {
        "CNY" => 7.8,
        "INR" => 90.0,
        "JPY" => 160.0,
        "NGN" => 1_700.0,
        "HUF" => 395.0,
        "PLN" => 4.3,
        "USD" => 1.1,
        _ => 1.0,
    }
}

impl Sample {
    pub(super) fn deal(&mut self, firms: &[Firm], contacts: &[Contact]) -> Map<String, Json> {
        let contact = self.pick(contacts);
        let position = contact
            .firm
            .unwrap_or_else(|| self.random.random_range(0..firms.len()));
        let firm = &firms[position];
        let (offer, typical) = *self.pick(OFFERS);
        let stage = self.stage();
        let is_open = stage
            .as_ref()
            .is_none_or(|(_, stage_type)| *stage_type == StageType::Open);
        let close_date = if is_open {
            self.today
                .saturating_add(self.random.random_range(3..200).days())
        } else {
            self.today
                .saturating_sub(self.random.random_range(1..700).days())
        };
        // Between a third and three times of what is usual, in round hundreds.
        let factor: f64 = 3_f64.powf(self.random.random_range(-1.0..1.0));
        let hundreds = (f64::from(typical) * factor * per_euro(firm.culture.currency) / 100.0)
            .round()
            .max(1.0);
        let amount = json!({"amount": format!("{}.00", hundreds as i64 * 100), "currency": firm.culture.currency});
        let loss_reason = self.option("deal", "lossReason");

        let mut data = Data::of(self, "deal");
        data.set("name", format!("{}: {offer}", firm.name))
            .set("amount", amount)
            .set("closeDate", close_date.to_string())
            .connect("company", firm.id)
            .connect("contact", contact.id);
        if let Some((name, stage_type)) = stage {
            data.set("stage", json!({"to": name}));
            if stage_type == StageType::Lost {
                data.set(
                    "lossReason",
                    loss_reason.unwrap_or_else(|| json!("The price")),
                );
            }
        }
        data.fields
    }

    pub(super) fn task(
        &mut self,
        firms: &[Firm],
        contacts: &[Contact],
        deals: &[Uuid],
    ) -> Map<String, Json> {
        let contact = self.pick(contacts);
        let title = *self.pick(TASKS);
        let status = self.option("task", "status");
        let priority = self.option("task", "priority");
        let due = self
            .today
            .saturating_add(Span::new().days(self.random.random_range(-20..40)))
            .at(
                self.random.random_range(8..18),
                [0, 15, 30, 45][self.random.random_range(0..4)],
                0,
                0,
            );
        let deal =
            (!deals.is_empty() && self.random.random_range(0..2) == 0).then(|| *self.pick(deals));
        let mut data = Data::of(self, "task");
        data.set("title", title)
            .set("dueAt", format!("{due}Z"))
            .connect("person", contact.id);
        if let Some(status) = status {
            data.set("status", status);
        }
        if let Some(priority) = priority {
            data.set("priority", priority);
        }
        if let Some(position) = contact.firm {
            data.connect("company", firms[position].id);
        }
        if let Some(deal) = deal {
            data.connect("deal", deal);
        }
        data.fields
    }

    pub(super) fn note(&mut self, firms: &[Firm], contacts: &[Contact]) -> Map<String, Json> {
        let contact = self.pick(contacts);
        let body = *self.pick(NOTES);
        let title: String = body.chars().take(40).collect();
        let mut data = Data::of(self, "note");
        data.set("title", title)
            .set("body", body)
            .connect("person", contact.id);
        if let Some(position) = contact.firm {
            data.connect("company", firms[position].id);
        }
        data.fields
    }

    pub(super) fn member(&mut self, contact: &Contact) -> Map<String, Json> {
        let joined = self
            .today
            .saturating_sub(self.random.random_range(30..1_500).days());
        let mut data = Data::of(self, "member");
        data.set("joinedOn", joined.to_string())
            .connect("person", contact.id);
        data.fields
    }

    /// What a member earned and redeemed; never more than there is.
    pub(super) fn ledger(&mut self, member: Uuid) -> Vec<Map<String, Json>> {
        let mut balance: i64 = 0;
        (0..self.random.random_range(2..6))
            .map(|_| {
                let burns = balance > 500 && self.random.random_range(0..4) == 0;
                let (kind, points, reason) = if burns {
                    ("BURN", -(balance / 500 * 100), "Voucher")
                } else {
                    ("EARN", self.random.random_range(20..1_600), "Purchase")
                };
                balance += points;
                let mut data = Data::of(self, "pointsEntry");
                data.connect("member", member)
                    .set("kind", kind)
                    .set("points", points)
                    .set("reason", reason);
                data.fields
            })
            .collect()
    }

    /// A stage of the deal's first pipeline: most are open, early ones more often than late ones.
    fn stage(&mut self) -> Option<(String, StageType)> {
        let (_, object) = self.object("deal")?;
        let (_, field) = object.field_named("stage")?;
        let catalogue = std::sync::Arc::clone(&self.catalogue);
        let pipeline = catalogue.pipelines_of(&object.key, &field.key).next()?;
        let weights: Vec<u32> = pipeline
            .stages
            .iter()
            .enumerate()
            .map(|(position, stage)| match stage.stage_type {
                StageType::Won => 6,
                StageType::Lost => 5,
                StageType::Open => 10_u32
                    .saturating_sub(2 * u32::try_from(position).unwrap_or(u32::MAX))
                    .max(2),
            })
            .collect();
        let mut at = self.random.random_range(0..weights.iter().sum());
        for (stage, weight) in pipeline.stages.iter().zip(weights) {
            // A stage that can only be reached from another is no place to begin.
            if at < weight {
                return stage
                    .from
                    .is_empty()
                    .then(|| (stage.name.clone(), stage.stage_type));
            }
            at -= weight;
        }
        None
    }

    /// Any option of a select field that may be given.
    fn option(&mut self, object: &str, field: &str) -> Option<Json> {
        let (_, object) = self.object(object)?;
        match &object.field_named(field)?.1.kind {
            Kind::Select { options } => {
                let given: Vec<_> = options.iter().filter(|option| !option.retired).collect();
                if given.is_empty() {
                    return None;
                }
                let option = self.random.random_range(0..given.len());
                Some(Json::String(given[option].value.clone()))
            }
            _ => None,
        }
    }
}
