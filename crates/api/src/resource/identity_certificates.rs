//! Certificates that sign for telephone numbers. The key comes in and is never given out; the chain
//! is public and is served to whoever verifies what it signed.

use crate::auth::permission::Permission;
use crate::crud::{Making, Resource};
use crate::problem::{FieldError, Problem, Reply};
use crate::resource::secret;
use crate::state::ApiState;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use cp_identity::Fault;
use cp_identity::passport::sign::Signer;
use cp_vocab::model::IdentityCertificate;
use cp_vocab::{CertificateId, Pii};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Verifiers may keep what they fetched for so long.
const KEEP: &str = "public, max-age=3600";

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdentityCertificateInput {
    #[schema(min_length = 1, max_length = 100)]
    pub(crate) name: String,
    /// PEM, leaf first, with a TNAuthList (RFC 8226).
    #[schema(
        min_length = 1,
        max_length = 32_768,
        content_media_type = "application/pem-certificate-chain"
    )]
    pub(crate) chain: String,
    /// The leaf's key: PKCS#8 in PEM, P-256. Needed to make one; in a change, with a new chain.
    #[serde(default, skip_serializing_if = "secret")]
    #[schema(
        write_only,
        max_length = 8_192,
        content_media_type = "application/x-pem-file"
    )]
    pub(crate) key: Option<String>,
    /// Where verifiers fetch the chain; empty: from this server, below `identity.public_url`.
    #[serde(default)]
    #[schema(max_length = 512)]
    pub(crate) url: String,
}

pub(crate) struct IdentityCertificates;

impl Resource for IdentityCertificates {
    type Id = CertificateId;
    type Row = IdentityCertificate;
    type Input = IdentityCertificateInput;
    const PATHS: (&'static str, &'static str) = (
        "/v1/identity/certificates",
        "/v1/identity/certificates/{id}",
    );
    const IDS: [&'static str; 5] = [
        "listIdentityCertificates",
        "createIdentityCertificate",
        "getIdentityCertificate",
        "changeIdentityCertificate",
        "removeIdentityCertificate",
    ];
    const TAG: &'static str = "Call identity";
    const SCHEMA: &'static str = "IdentityCertificate";
    const READ: &'static [Permission] = &[Permission::IdentityRead];
    const WRITE: &'static [Permission] = &[Permission::IdentityWrite];

    fn id(row: &IdentityCertificate) -> CertificateId {
        row.id
    }
    fn input(row: &IdentityCertificate) -> IdentityCertificateInput {
        IdentityCertificateInput {
            name: row.name.clone(),
            chain: row.chain.clone(),
            key: None,
            url: row.url.clone(),
        }
    }
    fn build(
        input: IdentityCertificateInput,
        of: &Making<'_, CertificateId, IdentityCertificate>,
    ) -> Result<IdentityCertificate, Vec<FieldError>> {
        let mut errors = Vec::new();
        let kept = of.before.map(|b| b.key.expose().clone());
        let key = input.key.or(kept).unwrap_or_default();
        if key.is_empty() {
            errors.push(FieldError::new(
                "/key",
                "required",
                "the leaf's key is needed",
            ));
        } else if let Err(fault) = Signer::from_pem(&key, &input.chain, "") {
            errors.push(fault_of(fault));
        }
        if !input.url.is_empty()
            && let Err(why) = cp_identity::fetch::check_url(&input.url)
        {
            let detail = format!("verifiers would not fetch it: {why}");
            errors.push(FieldError::new("/url", "format", detail));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(IdentityCertificate {
            id: of.id,
            tenant: of.tenant,
            name: input.name,
            chain: input.chain,
            key: Pii(key),
            url: input.url,
        })
    }
}

fn fault_of(fault: Fault) -> FieldError {
    match fault {
        Fault::CertificateUnsuitable => {
            let detail =
                "is no PKCS#8 key on P-256, or not the key of the chain's first certificate";
            FieldError::new("/key", "conflict", detail)
        }
        Fault::TnAuthList => {
            let detail = "its first certificate has no proper TNAuthList (RFC 8226)";
            FieldError::new("/chain", "format", detail)
        }
        _ => {
            let detail = "is no PEM chain of at most five certificates, leaf first";
            FieldError::new("/chain", "format", detail)
        }
    }
}

/// `GET /identity/certificates/{id}.pem`, for verifiers anywhere.
pub(crate) async fn publish(State(state): State<ApiState>, Path(file): Path<String>) -> Reply {
    let none = || Problem::not_found("certificate");
    let id = file.strip_suffix(".pem").ok_or_else(none)?;
    let id: CertificateId = id.parse().map_err(|_| none())?;
    let snapshot = state.snapshot().await?;
    let found = snapshot.certificates.iter().find(|c| c.id == id);
    let chain = found.ok_or_else(none)?.chain.clone();
    let headers = [
        (header::CONTENT_TYPE, "application/pem-certificate-chain"),
        (header::CACHE_CONTROL, KEEP),
    ];
    Ok((headers, chain).into_response())
}
