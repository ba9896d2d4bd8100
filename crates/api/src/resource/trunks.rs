//! Ways to and from the telephone network. Passwords come in and are never given out.

use crate::auth::password::digest_secrets;
use crate::auth::permission::Permission;
use crate::crud::{Making, Resource};
use crate::problem::FieldError;
use crate::resource::{realm, secret};
use crate::schema::identity;
use crate::schema::vocabulary as published;
use cp_vocab::media::Codec;
use cp_vocab::model::{Network, Trunk, TrunkAuth, TrunkIdentity};
use cp_vocab::net::Transport;
use cp_vocab::party::NumberRules;
use cp_vocab::{Pii, TrunkId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How the far side proves that it is this trunk.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(tag = "by", rename_all = "snake_case")]
pub(crate) enum TrunkAuthInput {
    /// By where it sends from.
    Address {
        #[schema(value_type = Vec<published::Network>, max_items = 100)]
        networks: Vec<Network>,
    },
    /// By digest. The password is kept only as digest secrets and never given out.
    Digest {
        #[schema(min_length = 1, max_length = 64)]
        user: String,
        #[serde(default, skip_serializing_if = "secret")]
        #[schema(write_only, min_length = 8, max_length = 128)]
        password: Option<String>,
    },
    /// By a TLS certificate that bears this name.
    Tls {
        #[schema(min_length = 1, max_length = 253)]
        name: String,
    },
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrunkInput {
    #[schema(min_length = 1, max_length = 100)]
    pub(crate) name: String,
    pub(crate) auth: TrunkAuthInput,
    /// Host or `host:port` that calls leave to; empty for inbound only.
    #[serde(default)]
    #[schema(max_length = 260)]
    pub(crate) host: String,
    #[serde(default = "udp")]
    #[schema(value_type = published::Transport)]
    pub(crate) transport: Transport,
    /// What we answer its challenges with.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub(crate) user: String,
    /// Goes with `user`. Kept, since the carrier names the realm; never given out.
    #[serde(default, skip_serializing_if = "secret")]
    #[schema(write_only, max_length = 128)]
    pub(crate) password: Option<String>,
    /// Whether we register there.
    #[serde(default)]
    pub(crate) register: bool,
    #[serde(default)]
    #[schema(value_type = published::NumberRules)]
    pub(crate) rules: NumberRules,
    /// In order of preference; empty: all.
    #[serde(default)]
    #[schema(value_type = Vec<published::Codec>, max_items = 8)]
    pub(crate) codecs: Vec<Codec>,
    /// OPTIONS every so many seconds; 0: never.
    #[serde(default = "health_interval_s")]
    #[schema(maximum = 86_400, default = 30)]
    pub(crate) health_interval_s: u32,
    /// Calls at a time; 0: no limit.
    #[serde(default)]
    #[schema(maximum = 100_000)]
    pub(crate) channels_max: u32,
    /// SDES-SRTP on calls that leave here.
    #[serde(default)]
    pub(crate) srtp: bool,
    /// Prefixes of numbers that may leave here (`+49`; an empty text: all). An empty list: none.
    #[serde(default)]
    #[schema(max_items = 500)]
    pub(crate) dial_prefixes: Vec<String>,
    /// Calls from here may leave by other trunks (a customer's own exchange).
    #[serde(default)]
    pub(crate) may_dial_out: bool,
    #[serde(default)]
    #[schema(value_type = identity::TrunkIdentity)]
    pub(crate) identity: TrunkIdentity,
}

fn udp() -> Transport {
    Transport::Udp
}
fn health_interval_s() -> u32 {
    30
}

pub(crate) struct Trunks;

impl Resource for Trunks {
    type Id = TrunkId;
    type Row = Trunk;
    type Input = TrunkInput;
    const PATHS: (&'static str, &'static str) = ("/v1/trunks", "/v1/trunks/{id}");
    const IDS: [&'static str; 5] = [
        "listTrunks",
        "createTrunk",
        "getTrunk",
        "changeTrunk",
        "removeTrunk",
    ];
    const TAG: &'static str = "Trunks";
    const SCHEMA: &'static str = "Trunk";
    const READ: &'static [Permission] = &[Permission::TrunksRead];
    const WRITE: &'static [Permission] = &[Permission::TrunksWrite];

    fn id(row: &Trunk) -> TrunkId {
        row.id
    }
    fn input(row: &Trunk) -> TrunkInput {
        TrunkInput {
            name: row.name.clone(),
            auth: match &row.auth {
                TrunkAuth::Address { networks } => TrunkAuthInput::Address {
                    networks: networks.clone(),
                },
                TrunkAuth::Digest { user, .. } => TrunkAuthInput::Digest {
                    user: user.clone(),
                    password: None,
                },
                TrunkAuth::Tls { name } => TrunkAuthInput::Tls { name: name.clone() },
            },
            host: row.host.clone(),
            transport: row.transport,
            user: row.user.clone(),
            password: None,
            register: row.register,
            rules: row.rules.clone(),
            codecs: row.codecs.clone(),
            health_interval_s: row.health_interval_s,
            channels_max: row.channels_max,
            srtp: row.srtp,
            dial_prefixes: row.dial_prefixes.clone(),
            may_dial_out: row.may_dial_out,
            identity: row.identity,
        }
    }
    fn build(input: TrunkInput, of: &Making<'_, TrunkId, Trunk>) -> Result<Trunk, Vec<FieldError>> {
        let mut errors = Vec::new();
        let auth = auth(input.auth, of, &mut errors);
        if input.register && (input.host.is_empty() || input.user.is_empty()) {
            let detail = "registering needs host and user";
            errors.push(FieldError::new("/register", "conflict", detail));
        }
        let kept = of.before.map(|b| b.password.expose().clone());
        let password = input.password.or(kept).unwrap_or_default();
        let Some(auth) = auth.filter(|_| errors.is_empty()) else {
            return Err(errors);
        };
        Ok(Trunk {
            id: of.id,
            tenant: of.tenant,
            name: input.name,
            auth,
            host: input.host,
            transport: input.transport,
            user: input.user,
            password: Pii(password),
            register: input.register,
            rules: input.rules,
            codecs: input.codecs,
            health_interval_s: input.health_interval_s,
            channels_max: input.channels_max,
            srtp: input.srtp,
            dial_prefixes: input.dial_prefixes,
            may_dial_out: input.may_dial_out,
            identity: input.identity,
        })
    }
}

fn auth(
    input: TrunkAuthInput,
    of: &Making<'_, TrunkId, Trunk>,
    errors: &mut Vec<FieldError>,
) -> Option<TrunkAuth> {
    match input {
        TrunkAuthInput::Address { networks } => {
            check_networks(&networks, errors);
            Some(TrunkAuth::Address { networks })
        }
        TrunkAuthInput::Tls { name } => Some(TrunkAuth::Tls { name }),
        TrunkAuthInput::Digest {
            user,
            password: Some(p),
        } => {
            let s = digest_secrets(&user, &realm(of.snapshot, of.tenant), &p);
            Some(TrunkAuth::Digest {
                user,
                ha1_md5: Pii(s.ha1_md5),
                ha1_sha256: Pii(s.ha1_sha256),
            })
        }
        TrunkAuthInput::Digest { user, .. } => match of.before.map(|b| &b.auth) {
            Some(kept @ TrunkAuth::Digest { user: old, .. }) if *old == user => Some(kept.clone()),
            _ => {
                let detail = "password is required with a new user";
                errors.push(FieldError::new("/auth/password", "required", detail));
                None
            }
        },
    }
}

fn check_networks(networks: &[Network], errors: &mut Vec<FieldError>) {
    if networks.is_empty() {
        let detail = "name at least one network";
        errors.push(FieldError::new("/auth/networks", "too_short", detail));
    }
    for (i, n) in networks.iter().enumerate() {
        let max = if n.addr.is_ipv4() { 32 } else { 128 };
        if n.prefix > max {
            let at = format!("/auth/networks/{i}/prefix");
            let detail = format!("prefix may be at most {max} here");
            errors.push(FieldError::new(at, "too_large", detail));
        }
    }
}
