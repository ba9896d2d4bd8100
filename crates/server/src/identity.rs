//! Call identity's shell: whom to believe, from files, and certificates over HTTP for the engine.

use crate::config::Config;
use crate::drive::{Handle, Message};
use anyhow::{Context, Result};
use cp_engine::IdentityConfig;
use cp_fetch::{Client, FetchError, Limits, Request};
use cp_identity::Fault;
use cp_identity::certificate::{Certificate, Trust};
use cp_identity::crl::RevocationList;
use cp_identity::fetch::{BODY_BYTES_MAX, FETCH_TIME_MAX, Fetched};
use cp_identity::forward::ForwardLimits;
use cp_identity::verify::Policy;
use cp_vocab::Timestamp;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How the engine is to judge and keep identities.
///
/// # Errors
/// A file that cannot be read or is not what it should be.
pub fn engine_config(config: &Config) -> Result<IdentityConfig> {
    let seconds = Duration::from_secs;
    Ok(IdentityConfig {
        trust: trust(config)?,
        policy: Policy {
            freshness: seconds(config.identity_freshness_s),
            ..Policy::default()
        },
        wait: Duration::from_millis(config.identity_wait_ms_max),
        forwarding: ForwardLimits {
            retention: seconds(config.identity_forward_retention_s),
            calls_min: config.identity_forward_calls_min,
            threshold_permille: (config.identity_forward_threshold_pct * 10.0).round() as u32,
            ..ForwardLimits::default()
        },
        public_url: config.identity_public_url.clone(),
        pictures_url: pictures_url(config),
        ..IdentityConfig::default()
    })
}

/// Where others reach our pictures: where customers reach us, else where verifiers do.
fn pictures_url(config: &Config) -> String {
    let public = config.public_url.clone();
    public.unwrap_or_else(|| config.identity_public_url.clone())
}

/// Roots, and the policy administrator's list of what was revoked, when it is a file.
pub fn trust(config: &Config) -> Result<Option<Arc<Trust>>> {
    let Some(path) = &config.identity_roots else {
        return Ok(None);
    };
    let text = read_text(path)?;
    let mut trust = Trust::new(&text).map_err(|f| unusable("identity.roots", path, f))?;
    let signer = revocations_signer(config)?;
    if let (Some(list), Some(signer)) = (&config.identity_revocations, &signer) {
        let bytes =
            std::fs::read(list).with_context(|| format!("cannot read {}", list.display()))?;
        let read = RevocationList::read(&bytes, signer)
            .map_err(|f| unusable("identity.revocations", list, f))?;
        tracing::info!(entries = read.len(), "revocation list read");
        trust.set_revocations(Arc::new(read));
    }
    Ok(Some(Arc::new(trust)))
}

pub(crate) fn revocations_signer(config: &Config) -> Result<Option<Certificate>> {
    let Some(path) = &config.identity_revocations_signer else {
        return Ok(None);
    };
    let signer = Certificate::from_pem(&read_text(path)?);
    let signer = signer.map_err(|f| unusable("identity.revocations_signer", path, f))?;
    Ok(Some(signer))
}

fn read_text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn unusable(key: &str, path: &Path, fault: Fault) -> anyhow::Error {
    anyhow::anyhow!("{key}: {} cannot be used: {fault}", path.display())
}

/// Fetches certificates for the engine.
pub struct Certificates {
    client: Client,
    runtime: tokio::runtime::Handle,
    handle: Handle,
}

impl Certificates {
    pub fn new(client: Client, runtime: tokio::runtime::Handle, handle: Handle) -> Self {
        Self {
            client,
            runtime,
            handle,
        }
    }

    /// Fetches one; the engine is told what came of it.
    pub fn fetch(&self, url: String, now: Timestamp, deadline: Timestamp) {
        let (client, handle) = (self.client.clone(), self.handle.clone());
        let total = deadline.since(now).min(FETCH_TIME_MAX);
        self.runtime.spawn(async move {
            let request = Request::get(&url)
                .header(
                    "accept",
                    "application/pem-certificate-chain, application/pkix-cert, */*",
                )
                .limits(Limits {
                    total,
                    first_byte: total,
                    body_bytes_max: BODY_BYTES_MAX,
                    redirects_max: 0,
                    ..Limits::default()
                });
            let fetched = match client.fetch(request).await {
                Ok(r) if r.status == 200 => Fetched::Body {
                    max_age_s: r.max_age_s(),
                    bytes: r.body.to_vec(),
                },
                Ok(r) => failed("status", Some(r.status), Fault::FetchFailed),
                Err(e) if e.is_refusal() => failed(e.code(), None, Fault::FetchRefused),
                Err(FetchError::Redirected) => {
                    failed("fetch_redirected", None, Fault::FetchRefused)
                }
                Err(e) => failed(e.code(), None, Fault::FetchFailed),
            };
            // A full inbox is an engine in distress; the call goes on at its deadline.
            let _ = handle.send(Message::Certificate { url, fetched });
        });
    }
}

fn failed(code: &'static str, status: Option<u16>, fault: Fault) -> Fetched {
    tracing::info!(code, status, "a certificate could not be fetched");
    Fetched::Failed(fault)
}
