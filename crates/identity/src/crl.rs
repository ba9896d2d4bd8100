//! The indirect revocation list of the STI policy administrator (RFC 5280 5; ATIS-1000080): one
//! list for certificates of many issuers, signed by somebody who issued none of them.

use crate::Fault;
use crate::certificate::{Certificate, oid};
use crate::der::{self, Reader};
use cp_vocab::Timestamp;
use rustc_hash::FxHashSet;
use x509_parser::extensions::ParsedExtension;
use x509_parser::pem::Pem;
use x509_parser::prelude::{CertificateRevocationList, FromDer};

/// Largest list that is read.
pub const LIST_BYTES_MAX: usize = 8 * 1_024 * 1_024;
/// Entries beyond this make the list unreadable: a part of it would be worse than none.
pub const LIST_ENTRIES_MAX: usize = 200_000;

/// Issuer name and serial number, both in DER.
type Entry = (Box<[u8]>, Box<[u8]>);

/// Revoked certificates by issuer name and serial.
#[derive(Debug, Default)]
pub struct RevocationList {
    revoked: FxHashSet<Entry>,
    next_update: Option<Timestamp>,
}

impl RevocationList {
    /// Reads a list in DER or PEM and checks that `signer` signed it. The caller decides whom to
    /// trust with it: the signer is usually the policy administrator, not the certificates' issuer.
    pub fn read(bytes: &[u8], signer: &Certificate) -> Result<Self, Fault> {
        if bytes.len() > LIST_BYTES_MAX {
            return Err(Fault::CertificateMalformed);
        }
        let unwrapped;
        let der = if bytes.first() == Some(&0x30) {
            bytes
        } else {
            let block = Pem::iter_from_buffer(bytes)
                .next()
                .and_then(Result::ok)
                .filter(|b| b.label == "X509 CRL")
                .ok_or(Fault::CertificateMalformed)?;
            unwrapped = block.contents;
            unwrapped.as_slice()
        };
        let (rest, list) =
            CertificateRevocationList::from_der(der).map_err(|_| Fault::CertificateMalformed)?;
        if !rest.is_empty() {
            return Err(Fault::CertificateMalformed);
        }
        let signed = signer.may_sign_lists()
            && list.issuer().as_raw() == signer.subject()
            && signer.verifies(
                list.signature_algorithm.algorithm.as_bytes(),
                list.tbs_cert_list.as_ref(),
                &list.signature_value.data,
            );
        if !signed {
            return Err(Fault::CertificateUntrusted);
        }
        let indirect = list.extensions().iter().any(|e| {
            matches!(e.parsed_extension(), ParsedExtension::IssuingDistributionPoint(p) if p.indirect_crl)
        });
        Ok(Self {
            revoked: entries(&list, indirect)?,
            next_update: list
                .next_update()
                .and_then(|t| u64::try_from(t.timestamp()).ok())
                .map(Timestamp::from_secs),
        })
    }

    pub fn revokes(&self, certificate: &Certificate) -> bool {
        let (issuer, serial) = certificate.issuer_and_serial();
        // The set is keyed by owned pairs; a look-up per use is rare enough to build one.
        self.revoked.contains(&(issuer.into(), trim(serial).into()))
    }

    pub fn is_current(&self, now: Timestamp) -> bool {
        self.next_update.is_none_or(|t| now <= t)
    }

    pub fn len(&self) -> usize {
        self.revoked.len()
    }
    pub fn is_empty(&self) -> bool {
        self.revoked.is_empty()
    }
}

type Revoked = FxHashSet<(Box<[u8]>, Box<[u8]>)>;

fn entries(list: &CertificateRevocationList<'_>, indirect: bool) -> Result<Revoked, Fault> {
    let mut revoked = Revoked::default();
    // RFC 5280 5.3.3: an entry without its own issuer has that of the entry before it, and the
    // first has the list's.
    let mut issuer: Box<[u8]> = list.issuer().as_raw().into();
    for entry in list.iter_revoked_certificates() {
        let own = entry
            .extensions()
            .iter()
            .find(|e| e.oid.as_bytes() == oid::CERTIFICATE_ISSUER);
        if let Some(e) = own {
            if !indirect {
                return Err(Fault::CertificateMalformed);
            }
            issuer = issuer_name(e.value)
                .ok_or(Fault::CertificateMalformed)?
                .into();
        }
        let unknown = entry
            .extensions()
            .iter()
            .any(|e| e.critical && e.oid.as_bytes() != oid::CERTIFICATE_ISSUER);
        if unknown || revoked.len() == LIST_ENTRIES_MAX {
            return Err(Fault::CertificateMalformed);
        }
        revoked.insert((issuer.clone(), trim(entry.raw_serial()).into()));
    }
    Ok(revoked)
}

/// The directory name of GeneralNames, as DER.
fn issuer_name(value: &[u8]) -> Option<&[u8]> {
    let mut names = Reader(value).nested(der::SEQUENCE)?;
    while !names.is_empty() {
        let (tag, content) = names.any()?;
        if tag == der::explicit(4) {
            return Some(content);
        }
    }
    None
}

/// A serial without leading zeros: the two sides may differ in the sign octet.
fn trim(serial: &[u8]) -> &[u8] {
    let zeros = serial.iter().take_while(|&&b| b == 0).count();
    &serial[zeros..]
}
