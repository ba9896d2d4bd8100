//! Authenticator data (6.1): the domain's hash, flags, counter, and with a new key its id and
//! public half.

use super::{AUTHENTICATOR_DATA_BYTES_MAX, CREDENTIAL_ID_BYTES_MAX, WebAuthnError, cbor};

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const BACKUP_ELIGIBLE: u8 = 0x08;
const BACKED_UP: u8 = 0x10;
const ATTESTED: u8 = 0x40;
const EXTENSIONS: u8 = 0x80;

pub(super) struct AuthenticatorData<'a> {
    pub(super) rp_id_hash: &'a [u8],
    flags: u8,
    pub(super) sign_count: u32,
    pub(super) attested: Option<Attested<'a>>,
}

#[derive(Clone, Copy)]
pub(super) struct Attested<'a> {
    pub(super) aaguid: [u8; 16],
    pub(super) credential_id: &'a [u8],
    pub(super) public_key: &'a [u8],
}

impl<'a> AuthenticatorData<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, WebAuthnError> {
        if bytes.len() > AUTHENTICATOR_DATA_BYTES_MAX {
            return Err(WebAuthnError::TooLarge);
        }
        Self::parse(bytes).ok_or(WebAuthnError::AuthenticatorDataMalformed)
    }

    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (rp_id_hash, rest) = bytes.split_at_checked(32)?;
        let (&flags, rest) = rest.split_first()?;
        let (count, mut rest) = rest.split_first_chunk::<4>()?;
        let mut attested = None;
        if flags & ATTESTED != 0 {
            let (found, after) = Attested::parse(rest)?;
            attested = Some(found);
            rest = after;
        }
        if flags & EXTENSIONS != 0 {
            let (_, length) = cbor::leading_map(rest)?;
            rest = &rest[length..];
        }
        // Copied already, though it may not be copied: no authenticator says so.
        let contradictory = flags & BACKED_UP != 0 && flags & BACKUP_ELIGIBLE == 0;
        (rest.is_empty() && !contradictory).then_some(Self {
            rp_id_hash,
            flags,
            sign_count: u32::from_be_bytes(*count),
            attested,
        })
    }

    pub(super) fn user_present(&self) -> bool {
        self.flags & USER_PRESENT != 0
    }
    pub(super) fn user_verified(&self) -> bool {
        self.flags & USER_VERIFIED != 0
    }
    pub(super) fn backup_eligible(&self) -> bool {
        self.flags & BACKUP_ELIGIBLE != 0
    }
    pub(super) fn backed_up(&self) -> bool {
        self.flags & BACKED_UP != 0
    }
}

impl<'a> Attested<'a> {
    fn parse(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (aaguid, rest) = bytes.split_first_chunk::<16>()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length));
        if length == 0 || length > CREDENTIAL_ID_BYTES_MAX {
            return None;
        }
        let (credential_id, rest) = rest.split_at_checked(length)?;
        let (_, length) = cbor::leading_map(rest)?;
        let (public_key, rest) = rest.split_at(length);
        let found = Self {
            aaguid: *aaguid,
            credential_id,
            public_key,
        };
        Some((found, rest))
    }
}
