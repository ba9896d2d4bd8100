//! TLS: certificates from files, reloadable; names from certificates.

use super::config::CertificateFiles;
use crate::error::EdgeError;
use arc_swap::ArcSwap;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where systems keep the authorities they trust.
const SYSTEM_AUTHORITIES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// What new handshakes use; running connections keep what they began with.
pub(super) struct TlsState {
    files: CertificateFiles,
    provider: Arc<CryptoProvider>,
    server: ArcSwap<Option<Arc<ServerConfig>>>,
    client: ArcSwap<ClientConfig>,
}

impl TlsState {
    pub(super) fn load(files: CertificateFiles) -> Result<Self, EdgeError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let server = server_config(&files, &provider)?;
        let client = client_config(&files, &provider)?;
        Ok(Self {
            files,
            provider,
            server: ArcSwap::from_pointee(server),
            client: ArcSwap::from_pointee(client),
        })
    }

    /// Read the files again. On an error what was in force stays in force.
    pub(super) fn reload(&self) -> Result<(), EdgeError> {
        let server = server_config(&self.files, &self.provider)?;
        let client = client_config(&self.files, &self.provider)?;
        self.server.store(Arc::new(server));
        self.client.store(Arc::new(client));
        Ok(())
    }

    /// For accepting; `None` when no certificate is set.
    pub(super) fn server(&self) -> Option<Arc<ServerConfig>> {
        Option::clone(&self.server.load())
    }

    /// For connecting.
    pub(super) fn client(&self) -> Arc<ClientConfig> {
        self.client.load_full()
    }
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn identity(files: &CertificateFiles) -> Result<Option<Identity>, EdgeError> {
    let (Some(chain_path), Some(key_path)) = (&files.chain, &files.key) else {
        return Ok(None);
    };
    let chain = certificates(chain_path, "certificate chain")?;
    let key = PrivateKeyDer::from_pem_file(key_path).map_err(|e| unusable(key_path, "key", e))?;
    Ok(Some((chain, key)))
}

fn server_config(
    files: &CertificateFiles,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<ServerConfig>>, EdgeError> {
    let Some((chain, key)) = identity(files)? else {
        return Ok(None);
    };
    let path = files.chain.as_deref().unwrap_or(Path::new(""));
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| unusable(path, "certificate chain", e))?;
    let builder = match &files.client_authorities {
        None => builder.with_no_client_auth(),
        Some(authorities) => {
            let what = "client authorities";
            let mut verifier = WebPkiClientVerifier::builder_with_provider(
                Arc::new(roots(authorities, what)?),
                Arc::clone(provider),
            );
            if !files.client_required {
                verifier = verifier.allow_unauthenticated();
            }
            let verifier = verifier
                .build()
                .map_err(|e| unusable(authorities, what, e))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let config = builder
        .with_single_cert(chain, key)
        .map_err(|e| unusable(path, "certificate chain", e))?;
    Ok(Some(Arc::new(config)))
}

fn client_config(
    files: &CertificateFiles,
    provider: &Arc<CryptoProvider>,
) -> Result<ClientConfig, EdgeError> {
    let what = "server authorities";
    let roots = match &files.server_authorities {
        Some(path) => Some((path.clone(), roots(path, what)?)),
        // Without any, connections over TLS fail one by one with a clear reason.
        None => SYSTEM_AUTHORITIES
            .iter()
            .map(PathBuf::from)
            .find(|p| p.exists())
            .and_then(|p| roots(&p, what).ok().map(|r| (p, r))),
    };
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| unusable(Path::new(""), what, e))?;
    let builder = match roots {
        Some((path, roots)) => {
            let verifier =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
                    .build()
                    .map_err(|e| unusable(&path, what, e))?;
            builder.with_webpki_verifier(verifier)
        }
        None => builder.with_root_certificates(RootCertStore::empty()),
    };
    match identity(files)? {
        None => Ok(builder.with_no_client_auth()),
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(|e| {
            unusable(
                files.chain.as_deref().unwrap_or(Path::new("")),
                "certificate chain",
                e,
            )
        }),
    }
}

fn roots(path: &Path, what: &'static str) -> Result<RootCertStore, EdgeError> {
    let mut store = RootCertStore::empty();
    let (added, _) = store.add_parsable_certificates(certificates(path, what)?);
    if added == 0 {
        return Err(unusable(path, what, "it holds no usable certificate"));
    }
    Ok(store)
}

fn certificates(
    path: &Path,
    what: &'static str,
) -> Result<Vec<CertificateDer<'static>>, EdgeError> {
    let list: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(|e| unusable(path, what, e))?
        .collect::<Result<_, _>>()
        .map_err(|e| unusable(path, what, e))?;
    if list.is_empty() {
        return Err(unusable(path, what, "it holds no certificate"));
    }
    Ok(list)
}

fn unusable(path: &Path, what: &'static str, why: impl std::fmt::Display) -> EdgeError {
    EdgeError::Certificate {
        path: path.to_owned(),
        what,
        why: why.to_string(),
    }
}

/// The identity a verified certificate gives its owner as a SIP domain: its first `sip:` URI in
/// subjectAltName without a user, else its first DNS name (RFC 5922 7.1). The common name counts
/// for nothing.
pub(super) fn proven_name(certificates: Option<&[CertificateDer<'_>]>) -> Option<String> {
    let leaf = certificates?.first()?;
    let certificate = webpki::EndEntityCert::try_from(leaf).ok()?;
    certificate
        .valid_uri_names()
        .filter_map(|uri| {
            let (scheme, host) = uri.split_once(':')?;
            (scheme.eq_ignore_ascii_case("sip") && !host.contains('@') && !host.is_empty())
                .then(|| host.to_ascii_lowercase())
        })
        .next()
        .or_else(|| {
            certificate
                .valid_dns_names()
                .next()
                .map(str::to_ascii_lowercase)
        })
}
