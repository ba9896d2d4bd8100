//! Certificates that sign for telephone numbers (RFC 8226, 9060, 9118; ATIS-1000080): reading a
//! chain as it was fetched, building its path to given roots once, and judging it at every use.

use crate::Fault;
use crate::crl::RevocationList;
use crate::tnauth::{ClaimConstraints, TnAuthList};
use aws_lc_rs::signature::{self as sig, ParsedPublicKey, VerificationAlgorithm};
use cp_vocab::Timestamp;
use std::sync::Arc;
use x509_parser::extensions::ParsedExtension;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Certificates in one fetched file; a file with more is refused.
pub const CHAIN_CERTIFICATES_MAX: usize = 5;
/// Largest file that is read (a chain of three in PEM can exceed 8 KiB).
pub const CHAIN_BYTES_MAX: usize = 32 * 1_024;
/// Roots beyond this are not taken; the lists published today have some tens.
pub const ROOTS_MAX: usize = 500;

/// Content octets of the object identifiers we look for.
pub(crate) mod oid {
    pub(crate) const TN_AUTH_LIST: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 26];
    pub(super) const CLAIM_CONSTRAINTS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 27];
    pub(super) const ENHANCED_CONSTRAINTS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 33];
    pub(crate) const CERTIFICATE_ISSUER: &[u8] = &[0x55, 0x1d, 29];
    pub(super) const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
    pub(super) const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
    pub(super) const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    pub(super) const P384: &[u8] = &[0x2b, 0x81, 4, 0, 34];
    pub(super) const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    pub(super) const ECDSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];
    pub(super) const RSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];
    pub(super) const RSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12];
    pub(super) const RSA_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13];
}

/// The kinds of key a path may be signed with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum KeyKind {
    P256,
    P384,
    Rsa,
}

/// What is kept of one certificate.
#[derive(Clone, Debug)]
pub struct Certificate {
    der: Vec<u8>,
    /// Raw names and serial, for chaining and revocation.
    subject: Vec<u8>,
    issuer: Vec<u8>,
    serial: Vec<u8>,
    common_name: Option<String>,
    /// The whole name as text, and its organisations.
    names: Vec<String>,
    not_before: i64,
    not_after: i64,
    key_kind: Option<KeyKind>,
    key: Vec<u8>,
    subject_key_id: Option<Vec<u8>>,
    authority_key_id: Option<Vec<u8>>,
    is_ca: bool,
    path_length: Option<u32>,
    may_sign_certificates: bool,
    may_sign_lists: bool,
    may_sign_tokens: bool,
    /// A critical extension we do not understand: RFC 5280 4.2 wants the certificate refused.
    unknown_critical: bool,
    /// `None` without the extension; `Some(None)` when it is there but malformed.
    tn_auth: Option<Option<TnAuthList>>,
    constraints: Vec<Option<ClaimConstraints>>,
}

impl Certificate {
    /// Reads DER that must be one certificate and nothing more.
    pub fn parse(der: &[u8]) -> Option<Self> {
        let (rest, c) = X509Certificate::from_der(der).ok()?;
        if !rest.is_empty() || c.version().0 != 2 {
            return None;
        }
        let spki = c.public_key();
        let key_kind = key_kind(
            spki.algorithm.algorithm.as_bytes(),
            spki.algorithm.parameters.as_ref().map(|p| p.data),
        );
        let mut found = Self {
            der: der.to_vec(),
            subject: c.subject().as_raw().to_vec(),
            issuer: c.issuer().as_raw().to_vec(),
            serial: c.raw_serial().to_vec(),
            common_name: c
                .subject()
                .iter_common_name()
                .next()
                .and_then(|n| n.as_str().ok())
                .map(str::to_string),
            names: std::iter::once(c.subject().to_string())
                .chain(
                    c.subject()
                        .iter_organization()
                        .filter_map(|o| o.as_str().ok().map(str::to_string)),
                )
                .collect(),
            not_before: c.validity().not_before.timestamp(),
            not_after: c.validity().not_after.timestamp(),
            key_kind,
            key: spki.subject_public_key.data.to_vec(),
            subject_key_id: None,
            authority_key_id: None,
            is_ca: false,
            path_length: None,
            may_sign_certificates: true,
            may_sign_lists: true,
            may_sign_tokens: true,
            unknown_critical: false,
            tn_auth: None,
            constraints: Vec::new(),
        };
        found.read_extensions(&c)?;
        Some(found)
    }

    fn read_extensions(&mut self, c: &X509Certificate<'_>) -> Option<()> {
        let mut seen: Vec<&[u8]> = Vec::new();
        for e in c.extensions() {
            let id = e.oid.as_bytes();
            if seen.contains(&id) {
                return None; // RFC 5280 4.2: at most one of each
            }
            seen.push(id);
            match (id, e.parsed_extension()) {
                (oid::TN_AUTH_LIST, _) => self.tn_auth = Some(TnAuthList::parse(e.value)),
                (oid::CLAIM_CONSTRAINTS, _) => self
                    .constraints
                    .push(ClaimConstraints::parse(e.value, false)),
                (oid::ENHANCED_CONSTRAINTS, _) => self
                    .constraints
                    .push(ClaimConstraints::parse(e.value, true)),
                (_, ParsedExtension::BasicConstraints(b)) => {
                    self.is_ca = b.ca;
                    self.path_length = b.path_len_constraint;
                }
                (_, ParsedExtension::KeyUsage(u)) => {
                    self.may_sign_certificates = u.key_cert_sign();
                    self.may_sign_lists = u.crl_sign();
                    self.may_sign_tokens = u.digital_signature();
                }
                (_, ParsedExtension::SubjectKeyIdentifier(k)) => {
                    self.subject_key_id = Some(k.0.to_vec());
                }
                (_, ParsedExtension::AuthorityKeyIdentifier(k)) => {
                    self.authority_key_id = k.key_identifier.as_ref().map(|k| k.0.to_vec());
                }
                (_, ParsedExtension::ParseError { .. }) => return None,
                (_, ParsedExtension::CertificatePolicies(_)) => {}
                (_, ParsedExtension::ExtendedKeyUsage(_)) => {}
                _ => self.unknown_critical |= e.critical,
            }
        }
        Some(())
    }

    /// The one certificate of a PEM text.
    pub fn from_pem(pem: &str) -> Result<Self, Fault> {
        let mut all = read_pem(pem.as_bytes(), 1)?;
        all.pop().ok_or(Fault::CertificateMalformed)
    }

    /// Raw issuer name (DER) and serial content octets.
    pub fn issuer_and_serial(&self) -> (&[u8], &[u8]) {
        (&self.issuer, &self.serial)
    }
    pub fn common_name(&self) -> Option<&str> {
        self.common_name.as_deref()
    }
    /// Whether `issuer` names the certificate's subject, whole or by its common name or
    /// organisation: what a third party's `iss` must do (RFC 9795 14).
    pub fn is_named(&self, issuer: &str) -> bool {
        let plain = |t: &str| t.replace(", ", ",").to_lowercase();
        let issuer = plain(issuer.trim());
        let names = self.names.iter().chain(&self.common_name);
        !issuer.is_empty() && names.into_iter().any(|n| plain(n) == issuer)
    }
    /// What it may sign for, when it says so properly.
    pub fn numbers(&self) -> Option<&TnAuthList> {
        self.tn_auth.as_ref()?.as_ref()
    }
    pub(crate) fn public_key(&self) -> &[u8] {
        &self.key
    }
    /// End of its validity.
    pub fn expires_at(&self) -> Timestamp {
        Timestamp::from_secs(u64::try_from(self.not_after).unwrap_or(0))
    }
    pub(crate) fn subject(&self) -> &[u8] {
        &self.subject
    }
    pub(crate) fn may_sign_lists(&self) -> bool {
        self.may_sign_lists
    }

    fn is_current(&self, now: Timestamp) -> bool {
        let now_s = (now.as_micros() / 1_000_000) as i64;
        (self.not_before..=self.not_after).contains(&now_s)
    }

    /// Whether this certificate's key made the signature over `signed`.
    pub(crate) fn verifies(&self, algorithm: &[u8], signed: &[u8], signature: &[u8]) -> bool {
        let algorithm: &'static dyn VerificationAlgorithm = match (self.key_kind, algorithm) {
            (Some(KeyKind::P256), oid::ECDSA_SHA256) => &sig::ECDSA_P256_SHA256_ASN1,
            (Some(KeyKind::P256), oid::ECDSA_SHA384) => &sig::ECDSA_P256_SHA384_ASN1,
            (Some(KeyKind::P384), oid::ECDSA_SHA256) => &sig::ECDSA_P384_SHA256_ASN1,
            (Some(KeyKind::P384), oid::ECDSA_SHA384) => &sig::ECDSA_P384_SHA384_ASN1,
            (Some(KeyKind::Rsa), oid::RSA_SHA256) => &sig::RSA_PKCS1_2048_8192_SHA256,
            (Some(KeyKind::Rsa), oid::RSA_SHA384) => &sig::RSA_PKCS1_2048_8192_SHA384,
            (Some(KeyKind::Rsa), oid::RSA_SHA512) => &sig::RSA_PKCS1_2048_8192_SHA512,
            _ => return false,
        };
        sig::UnparsedPublicKey::new(algorithm, &self.key)
            .verify(signed, signature)
            .is_ok()
    }

    /// Whether `self` may stand over `child`, which has `below` authorities under it.
    fn issued(&self, child: &Self, below: usize) -> bool {
        let key_ids_fit = match (&child.authority_key_id, &self.subject_key_id) {
            (Some(a), Some(s)) => a == s,
            _ => true,
        };
        let depth_fits = self.path_length.is_none_or(|most| below <= most as usize);
        if child.issuer != self.subject
            || !key_ids_fit
            || !depth_fits
            || !self.is_ca
            || !self.may_sign_certificates
            || self.unknown_critical
        {
            return false;
        }
        match X509Certificate::from_der(&child.der) {
            Ok((_, c)) => self.verifies(
                c.signature_algorithm.algorithm.as_bytes(),
                c.tbs_certificate.as_ref(),
                &c.signature_value.data,
            ),
            Err(_) => false,
        }
    }
}

fn key_kind(algorithm: &[u8], parameters: Option<&[u8]>) -> Option<KeyKind> {
    match (algorithm, parameters) {
        (oid::EC_PUBLIC_KEY, Some(oid::P256)) => Some(KeyKind::P256),
        (oid::EC_PUBLIC_KEY, Some(oid::P384)) => Some(KeyKind::P384),
        (oid::RSA, _) => Some(KeyKind::Rsa),
        _ => None,
    }
}

/// Whom we trust and what we demand beyond RFC 5280.
#[derive(Clone, Debug)]
pub struct Trust {
    roots: Vec<Certificate>,
    /// ATIS-1000080: the common name is `SHAKEN <code>`. Looked at only when the list has a code.
    pub common_name_shows_spc: bool,
    revocations: Option<Arc<RevocationList>>,
    /// What a list past its next update means: refuse, or go on with the last good copy.
    pub stale_list_refuses: bool,
}

impl Trust {
    /// Roots in PEM, as many as there are in the text; text that is no certificate is an error.
    pub fn new(roots_pem: &str) -> Result<Self, Fault> {
        let roots = read_pem(roots_pem.as_bytes(), ROOTS_MAX)?;
        Ok(Self {
            roots,
            common_name_shows_spc: true,
            revocations: None,
            stale_list_refuses: false,
        })
    }

    pub fn roots(&self) -> &[Certificate] {
        &self.roots
    }

    /// Puts a newer list in place; see [`RevocationList::read`].
    pub fn set_revocations(&mut self, list: Arc<RevocationList>) {
        self.revocations = Some(list);
    }
}

/// A fetched chain whose path was built and whose signatures were checked, once. Time, revocation
/// and what the token says are checked at every use.
#[derive(Debug)]
pub struct Credential {
    /// Leaf first, root last.
    path: Vec<Certificate>,
    key: ParsedPublicKey,
    tn_auth: TnAuthList,
    constraints: Vec<ClaimConstraints>,
}

impl Credential {
    /// Reads a PEM chain (or one DER certificate), leaf first, and builds its path to a root.
    pub fn read(bytes: &[u8], trust: &Trust) -> Result<Self, Fault> {
        if bytes.len() > CHAIN_BYTES_MAX {
            return Err(Fault::CertificateMalformed);
        }
        let chain = if bytes.first() == Some(&0x30) {
            vec![Certificate::parse(bytes).ok_or(Fault::CertificateMalformed)?]
        } else {
            read_pem(bytes, CHAIN_CERTIFICATES_MAX)?
        };
        let (leaf, others) = chain.split_first().ok_or(Fault::CertificateMalformed)?;
        let tn_auth = suitable_leaf(leaf, trust)?;
        let constraints = leaf
            .constraints
            .iter()
            .cloned()
            .collect::<Option<Vec<_>>>()
            .ok_or(Fault::CertificateMalformed)?;
        let path = build_path(leaf, others, trust)?;
        // RFC 9060 5: a delegate speaks for no more than the one who delegates.
        let mut scope = &tn_auth;
        for parent in &path[1..] {
            match &parent.tn_auth {
                None => {}
                Some(None) => return Err(Fault::TnAuthList),
                Some(Some(list)) => {
                    if !scope.within(list) {
                        return Err(Fault::NotAuthoritative);
                    }
                    scope = list;
                }
            }
        }
        let key = ParsedPublicKey::new(&sig::ECDSA_P256_SHA256_FIXED, &leaf.key)
            .map_err(|_| Fault::CertificateUnsuitable)?;
        Ok(Self {
            path,
            key,
            tn_auth,
            constraints,
        })
    }

    /// Time and revocation, for this use.
    pub fn usable(&self, trust: &Trust, now: Timestamp) -> Result<(), Fault> {
        if self.path.iter().any(|c| !c.is_current(now)) {
            return Err(Fault::CertificateExpired);
        }
        let Some(list) = &trust.revocations else {
            return Ok(());
        };
        if self.path.iter().any(|c| list.revokes(c)) {
            return Err(Fault::CertificateRevoked);
        }
        if trust.stale_list_refuses && !list.is_current(now) {
            return Err(Fault::RevocationUnknown);
        }
        Ok(())
    }

    /// The end of the path's validity, whatever ends first.
    pub fn expires_at(&self) -> Timestamp {
        let end = self.path.iter().map(|c| c.not_after).min().unwrap_or(0);
        Timestamp::from_secs(u64::try_from(end).unwrap_or(0))
    }

    pub fn verify(&self, signing_input: &[u8], signature: &[u8; 64]) -> bool {
        self.key.verify_sig(signing_input, signature).is_ok()
    }

    pub fn tn_auth(&self) -> &TnAuthList {
        &self.tn_auth
    }
    pub fn constraints(&self) -> &[ClaimConstraints] {
        &self.constraints
    }
    pub fn leaf(&self) -> &Certificate {
        &self.path[0]
    }

    /// The service provider code: from the list, or from the name (`SHAKEN 709J`) of a
    /// certificate that lists numbers.
    pub fn spc(&self) -> Option<&str> {
        self.tn_auth.spc().or_else(|| {
            self.leaf()
                .common_name
                .as_deref()
                .and_then(|n| n.strip_prefix("SHAKEN "))
        })
    }
}

fn suitable_leaf(leaf: &Certificate, trust: &Trust) -> Result<TnAuthList, Fault> {
    let tn_auth = leaf.tn_auth.clone().flatten().ok_or(Fault::TnAuthList)?;
    if leaf.is_ca
        || leaf.unknown_critical
        || !leaf.may_sign_tokens
        || leaf.key_kind != Some(KeyKind::P256)
    {
        return Err(Fault::CertificateUnsuitable);
    }
    if let (true, Some(code)) = (trust.common_name_shows_spc, tn_auth.spc()) {
        let shown = leaf
            .common_name
            .as_deref()
            .is_some_and(|n| n.rsplit(' ').next() == Some(code));
        if !shown {
            return Err(Fault::SubjectMismatch);
        }
    }
    Ok(tn_auth)
}

/// Leaf, authorities, root. The files are short, so the search tries every order; the depth is
/// bounded by [`CHAIN_CERTIFICATES_MAX`].
fn build_path(
    leaf: &Certificate,
    others: &[Certificate],
    trust: &Trust,
) -> Result<Vec<Certificate>, Fault> {
    let mut path = vec![leaf.clone()];
    for below in 0..CHAIN_CERTIFICATES_MAX {
        let last = &path[path.len() - 1];
        if let Some(root) = trust.roots.iter().find(|r| r.issued(last, below)) {
            if root.der != last.der {
                path.push(root.clone());
            }
            return Ok(path);
        }
        let next = others
            .iter()
            .find(|c| c.issued(last, below) && path.iter().all(|p| p.der != c.der));
        match next {
            Some(authority) => path.push(authority.clone()),
            None => break,
        }
    }
    Err(Fault::CertificateUntrusted)
}

/// Certificates of a PEM text; other blocks (keys!) make it malformed.
pub(crate) fn read_pem(bytes: &[u8], most: usize) -> Result<Vec<Certificate>, Fault> {
    let mut out = Vec::new();
    for block in Pem::iter_from_buffer(bytes) {
        let block = block.map_err(|_| Fault::CertificateMalformed)?;
        if out.len() == most || block.label != "CERTIFICATE" {
            return Err(Fault::CertificateMalformed);
        }
        out.push(Certificate::parse(&block.contents).ok_or(Fault::CertificateMalformed)?);
    }
    if out.is_empty() {
        return Err(Fault::CertificateMalformed);
    }
    Ok(out)
}
