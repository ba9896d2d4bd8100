//! SIP accounts of desk phones and softphones. A password comes in and is kept only as digest
//! secrets; it is never given out.

use crate::auth::Caller;
use crate::auth::password::{DigestSecrets, digest_secrets};
use crate::auth::permission::Permission;
use crate::crud::{Making, Resource};
use crate::extract::Id;
use crate::operation::{self, Api};
use crate::problem::FieldError;
use crate::problem::{Problem, Reply};
use crate::resource::{Written, check_dialable, link, realm, secret};
use crate::schema::vocabulary as published;
use crate::state::ApiState;
use axum::extract::State;
use axum::response::IntoResponse;
use cp_store::{Change, StoreExt};
use cp_vocab::id::TypedId;
use cp_vocab::model::{Device, Forward, Phone, Snapshot};
use cp_vocab::{AgentId, PhoneId, Pii};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PhoneInput {
    /// User part it registers with; also its extension.
    #[schema(min_length = 1, max_length = 32)]
    pub(crate) user: String,
    /// Needed to make one; in a change, sets a new one. Never given out.
    #[serde(default, skip_serializing_if = "secret")]
    #[schema(write_only, min_length = 8, max_length = 128)]
    pub(crate) password: Option<String>,
    #[serde(default)]
    #[schema(max_length = 100)]
    pub(crate) name: String,
    /// Whose phone it is; the agent's `phone` follows.
    #[serde(default)]
    #[schema(value_type = Option<published::AgentId>)]
    pub(crate) agent: Option<AgentId>,
    /// Refuse media without SRTP.
    #[serde(default)]
    pub(crate) require_srtp: bool,
    /// Whether it may dial out through trunks.
    #[serde(default)]
    pub(crate) may_dial_out: bool,
    /// Where its calls go, and when; null: nowhere else.
    #[serde(default)]
    #[schema(value_type = Option<crate::schema::identity::Forward>)]
    pub(crate) forward: Option<Forward>,
    /// What moving a call here needs to know.
    #[serde(default)]
    #[schema(value_type = published::Device)]
    pub(crate) device: Device,
}

pub(crate) struct Phones;

impl Resource for Phones {
    type Id = PhoneId;
    type Row = Phone;
    type Input = PhoneInput;
    const PATHS: (&'static str, &'static str) = ("/v1/phones", "/v1/phones/{id}");
    const IDS: [&'static str; 5] = [
        "listPhones",
        "createPhone",
        "getPhone",
        "changePhone",
        "removePhone",
    ];
    const TAG: &'static str = "Phones";
    const SCHEMA: &'static str = "Phone";
    const READ: &'static [Permission] = &[Permission::PhonesRead, Permission::PhonesReadOwn];
    const WRITE: &'static [Permission] = &[Permission::PhonesWrite];

    fn id(row: &Phone) -> PhoneId {
        row.id
    }
    fn input(row: &Phone) -> PhoneInput {
        PhoneInput {
            user: row.user.clone(),
            password: None,
            name: row.name.clone(),
            agent: row.agent,
            require_srtp: row.require_srtp,
            may_dial_out: row.may_dial_out,
            forward: row.forward.clone(),
            device: row.device.clone(),
        }
    }
    fn build(input: PhoneInput, of: &Making<'_, PhoneId, Phone>) -> Result<Phone, Vec<FieldError>> {
        let mut errors = Vec::new();
        check_dialable(&input.user, "/user", &mut errors);
        if let Some(forward) = &input.forward {
            check_dialable(&forward.to, "/forward/to", &mut errors);
        }
        let secrets = secrets(&input, of, &mut errors);
        let Some(secrets) = secrets.filter(|_| errors.is_empty()) else {
            return Err(errors);
        };
        Ok(Phone {
            id: of.id,
            tenant: of.tenant,
            user: input.user,
            ha1_md5: Pii(secrets.ha1_md5),
            ha1_sha256: Pii(secrets.ha1_sha256),
            agent: input.agent,
            name: input.name,
            require_srtp: input.require_srtp,
            may_dial_out: input.may_dial_out,
            forward: input.forward,
            device: input.device,
        })
    }
    fn visible(caller: &Caller, row: &Phone) -> bool {
        caller.has(Permission::PhonesRead) || (row.agent.is_some() && row.agent == caller.agent)
    }
    fn mirrored(snapshot: &Snapshot, id: PhoneId, after: Option<&Phone>) -> Vec<Change> {
        let before = snapshot.phones.iter().find(|p| p.id == id);
        let Some(tenant) = after.or(before).map(|p| p.tenant) else {
            return Vec::new();
        };
        let agent = after.and_then(|p| p.agent);
        link(snapshot, tenant, agent, Some(id), Written::Phone(id))
    }
}

/// From the new password, or as kept while the user part (which they are made with) stays.
fn secrets(
    input: &PhoneInput,
    of: &Making<'_, PhoneId, Phone>,
    errors: &mut Vec<FieldError>,
) -> Option<DigestSecrets> {
    if let Some(password) = &input.password {
        let realm = realm(of.snapshot, of.tenant);
        return Some(digest_secrets(&input.user, &realm, password));
    }
    match of.before {
        Some(b) if b.user == input.user => Some(DigestSecrets {
            ha1_md5: b.ha1_md5.expose().clone(),
            ha1_sha256: b.ha1_sha256.expose().clone(),
        }),
        Some(_) => {
            let detail =
                "a new user part needs the password again: what is kept was made with the old one";
            errors.push(FieldError::new("/password", "required", detail));
            None
        }
        None => {
            errors.push(FieldError::new(
                "/password",
                "required",
                "password is required",
            ));
            None
        }
    }
}

/// What to type into a softphone; the password is what was set.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PhoneSettings {
    pub(crate) user: String,
    /// Domain and digest realm.
    pub(crate) domain: String,
    pub(crate) server: String,
    pub(crate) udp_port: Option<u16>,
    pub(crate) tcp_port: Option<u16>,
    pub(crate) tls_port: Option<u16>,
    /// The whole address of record.
    pub(crate) address: String,
    pub(crate) srtp_required: bool,
}

pub(crate) fn add_settings(api: &mut Api) {
    let path = "/v1/phones/{id}/settings";
    let summary = "What to type into a softphone";
    api.add(
        operation::get(path, "getPhoneSettings", Phones::TAG, summary)
            .needs(Phones::READ)
            .path_id(PhoneId::PREFIX)
            .replies::<PhoneSettings>(200, "Settings"),
        settings,
    );
}

async fn settings(State(state): State<ApiState>, caller: Caller, Id(id): Id<PhoneId>) -> Reply {
    let tenant = caller.tenant;
    let phone = state.store(move |s| s.get::<Phone>(tenant, id)).await?.row;
    if !Phones::visible(&caller, &phone) {
        return Err(Problem::not_found("phone"));
    }
    let snapshot = state.snapshot().await?;
    let sip = &state.0.settings.sip;
    let own = snapshot
        .tenants
        .iter()
        .find(|t| t.id == tenant)
        .map_or("", |t| t.domain.as_str());
    let domain = if own.is_empty() {
        sip.host.as_str()
    } else {
        own
    };
    let settings = PhoneSettings {
        address: format!("sip:{}@{domain}", phone.user),
        user: phone.user,
        domain: domain.to_string(),
        server: sip.host.clone(),
        udp_port: sip.udp,
        tcp_port: sip.tcp,
        tls_port: sip.tls,
        srtp_required: phone.require_srtp,
    };
    Ok(axum::Json(settings).into_response())
}
