//! Emergency calls: where they go, from where, and the two people who switch them live.

use super::{change, patched, published, read, refuse};
use crate::auth::permission::Permission;
use crate::auth::{Caller, Principal};
use crate::extract::{Document, if_match};
use crate::operation::{self, Api};
use crate::problem::{Problem, Reply};
use crate::schema::vocabulary as words;
use crate::state::ApiState;
use axum::extract::State;
use axum::http::HeaderMap;
use cp_vocab::safety::{Emergency, Live, Safety};
use cp_vocab::{Code, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

const READ: &[Permission] = &[Permission::EmergencyRead];
const WRITE: &[Permission] = &[Permission::EmergencyWrite];
const KEEP: &[&str] = &["live"];

/// The short path of emergency calls. Any change of it switches them off.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = Emergency)]
#[serde(deny_unknown_fields)]
struct EmergencyInput {
    /// The trunk whose far end takes emergency calls.
    trunk: Option<PublishedTrunk>,
    /// Tried in this order when it, or the one before, is busy, refuses or cannot be reached.
    #[schema(max_items = 4)]
    further_trunks: Vec<PublishedTrunk>,
    /// What is asked for there; empty: `urn:service:sos`.
    #[schema(max_length = 32)]
    number: String,
    /// In E.164; who calls it back within a day reaches the caller.
    #[schema(max_length = 16)]
    callback: String,
    location: LocationInput,
    #[schema(max_items = 1000)]
    phones: Vec<PhoneLocationInput>,
}

type PublishedTrunk = words::TrunkId;

#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = EmergencyPhone)]
#[serde(deny_unknown_fields)]
struct PhoneLocationInput {
    phone: words::PhoneId,
    location: LocationInput,
}

/// A place as RFC 5139 and RFC 5491 write it.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = EmergencyLocation)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct LocationInput {
    #[schema(max_length = 2)]
    country: String,
    #[schema(max_length = 100)]
    state: String,
    #[schema(max_length = 100)]
    city: String,
    #[schema(max_length = 100)]
    street: String,
    #[schema(max_length = 20)]
    house_number: String,
    #[schema(max_length = 20)]
    postal_code: String,
    #[schema(max_length = 100)]
    building: String,
    #[schema(max_length = 20)]
    floor: String,
    #[schema(max_length = 50)]
    room: String,
    #[schema(minimum = -90, maximum = 90)]
    latitude: Option<f64>,
    #[schema(minimum = -180, maximum = 180)]
    longitude: Option<f64>,
    radius_m: Option<u32>,
}

/// The path, and who switched it on.
#[derive(ToSchema)]
#[schema(as = EmergencyState)]
#[allow(dead_code)]
struct EmergencyView {
    trunk: Option<words::TrunkId>,
    further_trunks: Vec<words::TrunkId>,
    number: String,
    callback: String,
    location: LocationInput,
    phones: Vec<PhoneLocationInput>,
    /// `off`, `requested`, or `on`.
    state: String,
    requested_by: Option<words::UserId>,
    approved_by: Option<words::UserId>,
    #[schema(format = DateTime)]
    since: Option<String>,
}

pub(super) fn add(api: &mut Api) {
    let tag = "Emergency";
    api.add(
        operation::get(
            "/v1/emergency",
            "getEmergency",
            tag,
            "Read where emergency calls go",
        )
        .needs(READ)
        .replies::<EmergencyView>(200, "The path"),
        get,
    );
    api.add(
        operation::patch(
            "/v1/emergency",
            "changeEmergency",
            tag,
            "Change where emergency calls go",
        )
        .describe("Switches them off: two people must agree anew.")
        .needs(WRITE)
        .header("If-Match", "The `ETag` you read.")
        .merge_patch::<EmergencyInput>()
        .replies::<EmergencyView>(200, "Changed"),
        patch,
    );
    for (path, id, summary, step) in STEPS {
        api.add(
            operation::post(path, id, tag, summary)
                .describe("A person must do it: keys of programs may not.")
                .needs(WRITE)
                .idempotent()
                .replies::<EmergencyView>(200, "Done"),
            move |State(state): State<ApiState>, caller: Caller| step_by(state, caller, *step),
        );
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Request,
    Approve,
    Off,
}

const STEPS: &[(&str, &str, &str, Step)] = &[
    (
        "/v1/emergency/request",
        "requestEmergency",
        "Ask that emergency calls go live",
        Step::Request,
    ),
    (
        "/v1/emergency/approve",
        "approveEmergency",
        "Agree as the second person",
        Step::Approve,
    ),
    (
        "/v1/emergency/off",
        "stopEmergency",
        "Switch emergency calls off",
        Step::Off,
    ),
];

fn view(safety: &Safety) -> Value {
    let e = &safety.emergency;
    let mut document = published(e, KEEP);
    let (state, requested, approved, since) = match &e.live {
        Live::Off => ("off", None, None, None),
        Live::Requested { by, at } => ("requested", Some(*by), None, Some(*at)),
        Live::On {
            requested_by,
            approved_by,
            at,
        } => ("on", Some(*requested_by), Some(*approved_by), Some(*at)),
    };
    document["state"] = state.into();
    document["requested_by"] = serde_json::json!(requested);
    document["approved_by"] = serde_json::json!(approved);
    document["since"] = since.map_or(Value::Null, |t| t.to_rfc3339().into());
    document
}

async fn get(State(state): State<ApiState>, caller: Caller) -> Reply {
    read(&state, &caller, view).await
}

async fn patch(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    Document(patch): Document,
) -> Reply {
    let expected = if_match(&headers)?;
    let tenant = caller.tenant;
    change(&state, caller, expected, view, move |safety, snapshot| {
        let mut new = patched::<EmergencyInput, Emergency>(&safety.emergency, KEEP, patch)?;
        let trunk = |id| {
            snapshot
                .trunks
                .iter()
                .any(|t| t.id == id && t.tenant == tenant && !t.host.is_empty())
        };
        if new.trunk.is_some_and(|id| !trunk(id)) {
            return Err(refuse(
                "/trunk",
                "missing_reference",
                "no trunk of yours that calls can leave by",
            ));
        }
        for (i, id) in new.further_trunks.iter().enumerate() {
            let at = format!("/further_trunks/{i}");
            if !trunk(*id) {
                let detail = "no trunk of yours that calls can leave by";
                return Err(refuse(at, "missing_reference", detail));
            }
            if new.trunk == Some(*id) || new.further_trunks[..i].contains(id) {
                return Err(refuse(at, "conflict", "this trunk is tried before already"));
            }
        }
        let phone = |id| {
            snapshot
                .phones
                .iter()
                .any(|p| p.id == id && p.tenant == tenant)
        };
        if let Some(i) = new.phones.iter().position(|p| !phone(p.phone)) {
            return Err(refuse(
                format!("/phones/{i}/phone"),
                "missing_reference",
                "no such phone",
            ));
        }
        let digits = new.callback.strip_prefix('+').unwrap_or("");
        let e164 = (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if !new.callback.is_empty() && !e164 {
            return Err(refuse(
                "/callback",
                "format",
                "a number in E.164, such as +4930123456",
            ));
        }
        if new != safety.emergency {
            new.live = Live::Off;
        }
        safety.emergency = new;
        Ok(())
    })
    .await
}

async fn step_by(state: ApiState, caller: Caller, step: Step) -> Reply {
    let Principal::User { id: me, .. } = caller.principal else {
        let detail = "a person must do this, not a program's key";
        return Err(Problem::new(Code::Forbidden, detail));
    };
    let at = state.now();
    change(&state, caller, None, view, move |safety, _| {
        safety.emergency.live = next(&safety.emergency, step, me, at)?;
        Ok(())
    })
    .await
}

fn next(e: &Emergency, step: Step, me: UserId, at: cp_vocab::Timestamp) -> Result<Live, Problem> {
    match (step, &e.live) {
        (Step::Off, _) => Ok(Live::Off),
        (Step::Request, Live::Off | Live::Requested { .. }) => {
            complete(e)?;
            Ok(Live::Requested { by: me, at })
        }
        (Step::Approve, Live::Requested { by, .. }) if *by == me => Err(Problem::new(
            Code::Forbidden,
            "a second person must agree: you asked for it yourself",
        )),
        (Step::Approve, Live::Requested { by, .. }) => {
            complete(e)?;
            Ok(Live::On {
                requested_by: *by,
                approved_by: me,
                at,
            })
        }
        (Step::Approve, Live::Off) => Err(Problem::new(
            Code::Conflict,
            "nobody asked for it yet, or the path was changed since",
        )),
        (_, Live::On { .. }) => Err(Problem::new(
            Code::Conflict,
            "emergency calls are live already",
        )),
    }
}

/// Who cannot be found or called back is not let through.
fn complete(e: &Emergency) -> Result<(), Problem> {
    let missing = match () {
        () if e.trunk.is_none() => ("/trunk", "a trunk is needed first"),
        () if e.callback.is_empty() => ("/callback", "a number to call back is needed first"),
        () if !e.location.is_dispatchable() => (
            "/location",
            "a street with city and country, or a point, is needed first",
        ),
        () => return Ok(()),
    };
    Err(refuse(missing.0, "required", missing.1))
}
