//! How a business shows itself when it calls (S3.1).

use crate::id::{BrandId, NumberId, PictureId, TenantId};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A picture kept for others to see; its bytes lie beside, by digest.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Picture {
    pub id: PictureId,
    pub tenant: TenantId,
    pub name: String,
    pub kind: PictureKind,
    /// SHA-256 of the bytes, in lower-case hex.
    pub digest: String,
    pub bytes: u32,
}

/// What browsers and phones show; nothing that carries a script.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PictureKind {
    Png,
    Jpeg,
    Webp,
}

impl PictureKind {
    /// By the first bytes, whatever the sender says it is.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [
                b'R',
                b'I',
                b'F',
                b'F',
                _,
                _,
                _,
                _,
                b'W',
                b'E',
                b'B',
                b'P',
                ..,
            ] => Some(Self::Webp),
            _ => None,
        }
    }
    pub fn mime(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
        }
    }
}

/// What is shown to who is called by some of a tenant's numbers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Brand {
    pub id: BrandId,
    pub tenant: TenantId,
    /// Shown as the caller: at most 35 characters, as carriers take them.
    pub name: String,
    /// Why we call: at most 64 characters.
    #[serde(default)]
    pub reason: String,
    #[serde(default)]
    pub picture: Option<PictureId>,
    /// Template of a page with more, filled for each call: `https://…/{caller}`; empty for none.
    #[serde(default)]
    pub link: String,
    #[serde(default)]
    pub incentive: Option<BrandIncentive>,
    /// Calls that leave with one of these as caller id carry the brand.
    pub numbers: Vec<NumberId>,
    #[serde(default)]
    pub disabled: bool,
}

/// Something for who answers; it counts only once the call was accepted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BrandIncentive {
    pub text: String,
    /// How many there are in all; `None`: as many as are wanted.
    #[serde(default)]
    pub stock: Option<u32>,
    #[serde(default, with = "crate::time::rfc3339_option")]
    pub until: Option<Timestamp>,
}

impl Brand {
    /// The incentive that may be shown now, with `used` of its stock given out.
    pub fn shows(&self, used: u64, now: Timestamp) -> Option<&BrandIncentive> {
        self.incentive.as_ref().filter(|i| {
            i.stock.is_none_or(|stock| used < u64::from(stock))
                && i.until.is_none_or(|until| now < until)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_known_by_their_bytes() {
        for (bytes, kind) in [
            (&b"\x89PNG\r\n\x1a\nrest"[..], Some(PictureKind::Png)),
            (b"\xff\xd8\xff\xe0JFIF", Some(PictureKind::Jpeg)),
            (b"RIFF\x01\x02\x03\x04WEBPVP8 ", Some(PictureKind::Webp)),
            (b"<svg onload=alert(1)>", None),
            (b"GIF89a", None),
            (b"", None),
        ] {
            assert_eq!(PictureKind::of(bytes), kind, "{bytes:?}");
        }
    }

    #[test]
    fn an_incentive_is_shown_while_there_is_some() {
        let at = Timestamp::from_secs;
        let brand = |stock, until| Brand {
            id: crate::id::TypedId::from_u128(1),
            tenant: crate::id::TypedId::from_u128(1),
            name: "Example".into(),
            reason: String::new(),
            picture: None,
            link: String::new(),
            incentive: Some(BrandIncentive {
                text: "A coffee".into(),
                stock,
                until,
            }),
            numbers: vec![],
            disabled: false,
        };
        assert!(brand(None, None).shows(1_000, at(5)).is_some());
        assert!(brand(Some(2), None).shows(1, at(5)).is_some());
        assert!(brand(Some(2), None).shows(2, at(5)).is_none());
        assert!(brand(None, Some(at(5))).shows(0, at(4)).is_some());
        assert!(brand(None, Some(at(5))).shows(0, at(5)).is_none());
    }
}
