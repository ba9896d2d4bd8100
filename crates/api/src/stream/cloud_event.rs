//! Log records as CloudEvents 1.0.

use cp_vocab::{EventRecord, StreamId, Timestamp};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// One event of the catalogue.
#[derive(Serialize, ToSchema)]
pub(crate) struct CloudEvent {
    /// `1.0`
    specversion: &'static str,
    /// The stream and the number in it: unique.
    id: String,
    /// Path of what it happened to.
    source: String,
    /// The kind, as `leg.answered`.
    #[serde(rename = "type")]
    kind: &'static str,
    #[schema(format = DateTime)]
    time: String,
    /// Id of what it happened to.
    subject: String,
    datacontenttype: &'static str,
    /// Number within the stream, from 1 on without gaps.
    sequence: u64,
    /// Version of the body of this kind.
    eventversion: u16,
    /// Where to resume after this event; on the event stream only.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
    #[schema(value_type = Object)]
    data: Value,
}

impl CloudEvent {
    pub(crate) fn of(record: &EventRecord, cursor: Option<u64>) -> Self {
        let mut data = serde_json::to_value(&record.event).expect("an event is plain data");
        if let Some(map) = data.as_object_mut() {
            map.remove("kind");
            // The dialog is what SIP needs after a crash: its tags are not for clients.
            map.remove("dialog");
        }
        readable_times(&mut data);
        let subject = record.stream.to_string();
        Self {
            specversion: "1.0",
            id: format!("{subject}/{}", record.seq),
            source: format!("/v1/{}/{subject}", collection(record.stream)),
            kind: record.event.kind(),
            time: record.at.to_rfc3339(),
            subject,
            datacontenttype: "application/json",
            sequence: record.seq,
            eventversion: record.event.version(),
            cursor: cursor.map(|c| c.to_string()),
            data,
        }
    }
}

fn collection(stream: StreamId) -> &'static str {
    match stream {
        StreamId::Interaction(_) => "interactions",
        StreamId::Agent(_) => "agents",
        StreamId::Phone(_) => "phones",
        StreamId::Trunk(_) => "trunks",
        StreamId::Tenant(_) => "tenants",
    }
}

/// Instants are microseconds in the log and RFC 3339 for readers.
pub(crate) fn readable_times(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, item) in map {
                let instant = name.ends_with("_at")
                    || name.ends_with("_since")
                    || matches!(name.as_str(), "deadline" | "until" | "since");
                match item.as_u64() {
                    Some(us) if instant => *item = Timestamp(us).to_rfc3339().into(),
                    _ => readable_times(item),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(readable_times),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cp_vocab::id::TypedId;
    use cp_vocab::{AgentId, Event, InteractionId, OfferId, TenantId};

    #[test]
    fn a_record_becomes_a_cloud_event() {
        let record = EventRecord {
            stream: StreamId::Interaction(InteractionId::from_u128(1)),
            seq: 7,
            at: Timestamp::from_secs(1_767_323_045),
            tenant: TenantId::from_u128(2),
            event: Event::OfferMade {
                offer: OfferId::from_u128(3),
                agent: AgentId::from_u128(4),
                queue: None,
                deadline: Timestamp::from_secs(1_767_323_065),
                explain: "longest idle".into(),
            },
        };
        let json = serde_json::to_value(CloudEvent::of(&record, Some(99))).unwrap();
        expect_test::expect![[r#"
            {
              "specversion": "1.0",
              "id": "int_00000000000000000000000001/7",
              "source": "/v1/interactions/int_00000000000000000000000001",
              "type": "offer.made",
              "time": "2026-01-02T03:04:05.000Z",
              "subject": "int_00000000000000000000000001",
              "datacontenttype": "application/json",
              "sequence": 7,
              "eventversion": 1,
              "cursor": "99",
              "data": {
                "agent": "agt_00000000000000000000000004",
                "deadline": "2026-01-02T03:04:25.000Z",
                "explain": "longest idle",
                "offer": "off_00000000000000000000000003",
                "queue": null
              }
            }"#]]
        .assert_eq(&serde_json::to_string_pretty(&CloudEvent::of(&record, Some(99))).unwrap());
        assert!(json.get("tenant").is_none());
    }
}
