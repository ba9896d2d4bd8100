//! The event log of an interaction, as the API gives it.

use serde_json::Value;

/// One interaction's events in order.
#[derive(Debug, Clone)]
pub struct Trail {
    pub interaction: String,
    pub events: Vec<Value>,
}

impl Trail {
    /// The kinds in order, `leg.quality` and digits included.
    pub fn kinds(&self) -> Vec<&str> {
        self.events.iter().map(kind).collect()
    }

    pub fn has(&self, kind: &str) -> bool {
        self.find(kind).is_some()
    }

    pub fn count(&self, wanted: &str) -> usize {
        self.events.iter().filter(|e| kind(e) == wanted).count()
    }

    /// The first event of a kind: its own fields.
    pub fn find(&self, wanted: &str) -> Option<&Value> {
        self.all(wanted).next()
    }

    pub fn all<'s>(&'s self, wanted: &str) -> impl Iterator<Item = &'s Value> {
        let found = self.events.iter().filter(move |e| kind(e) == wanted);
        found.map(body)
    }

    /// Id of the leg whose address has this user part.
    ///
    /// # Panics
    /// When there is none.
    pub fn leg_of(&self, user: &str) -> String {
        let mut added = self.all("leg.added");
        let leg = added.find(|e| e["address"].to_string().contains(user));
        let leg = leg.and_then(|e| e["leg"].as_str());
        leg.unwrap_or_else(|| panic!("no leg of {user} in {:#?}", self.events))
            .to_string()
    }

    pub fn is_over(&self) -> bool {
        self.has("interaction.ended")
    }

    /// `reason` of the end, empty while it lives.
    pub fn end_reason(&self) -> &str {
        let ended = self.find("interaction.ended");
        ended.and_then(|e| e["reason"].as_str()).unwrap_or("")
    }

    /// # Panics
    /// When the kinds of `wanted` do not occur in that order (others may lie between).
    pub fn assert_order(&self, wanted: &[&str]) {
        let kinds = self.kinds();
        let mut rest = kinds.iter();
        for w in wanted {
            assert!(
                rest.any(|k| k == w),
                "{w} is not in its place of {wanted:?} in {kinds:#?}"
            );
        }
    }

    /// # Panics
    /// When sequence numbers are not 1, 2, 3 …
    pub fn assert_gapless(&self) {
        let seqs: Vec<u64> = self
            .events
            .iter()
            .filter_map(|e| e["sequence"].as_u64())
            .collect();
        let want: Vec<u64> = (1..=self.events.len() as u64).collect();
        assert_eq!(seqs, want, "sequence of {}", self.interaction);
    }
}

/// The fields of the event in a CloudEvent.
fn body(record: &Value) -> &Value {
    &record["data"]
}

fn kind(record: &Value) -> &str {
    record["type"].as_str().unwrap_or("?")
}

/// The rows of a page.
pub fn items(page: &Value) -> Vec<Value> {
    page["items"].as_array().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn order_allows_others_between() {
        let trail = Trail {
            interaction: "int_1".into(),
            events: vec![
                json!({"sequence": 1, "type": "interaction.started", "data": {}}),
                json!({"sequence": 2, "type": "leg.added", "data": {"leg": "leg_1"}}),
                json!({"sequence": 3, "type": "interaction.ended", "data": {"reason": "hung_up"}}),
            ],
        };
        trail.assert_order(&["interaction.started", "interaction.ended"]);
        trail.assert_gapless();
        assert_eq!(trail.end_reason(), "hung_up");
        assert_eq!(
            trail.find("leg.added").map(|e| e["leg"].clone()),
            Some(json!("leg_1"))
        );
        let wrong = || trail.assert_order(&["leg.added", "interaction.started"]);
        assert!(std::panic::catch_unwind(wrong).is_err());
    }
}
