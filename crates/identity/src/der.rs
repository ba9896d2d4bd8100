//! Just enough DER to read the few STIR structures that X.509 libraries do not know. Definite
//! lengths in their shortest form only; every read is bounded by its slice.

/// Reads one element after the other from a slice.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const IA5_STRING: u8 = 0x16;

/// `[n] EXPLICIT`, constructed and context specific.
pub(crate) const fn explicit(n: u8) -> u8 {
    0xa0 | n
}

impl<'a> Reader<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn peek_tag(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// Tag and content of the next element.
    pub(crate) fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        if tag & 0x1f == 0x1f {
            return None; // long tags do not occur in what we read
        }
        let (&first, mut rest) = rest.split_first()?;
        let length = match first {
            0..=0x7f => usize::from(first),
            0x81..=0x83 => {
                let n = usize::from(first & 0x7f);
                let (digits, after) = rest.split_at_checked(n)?;
                rest = after;
                let value = digits
                    .iter()
                    .fold(0usize, |v, &b| (v << 8) | usize::from(b));
                let shortest = value > 0x7f && digits[0] != 0;
                shortest.then_some(value)?
            }
            _ => return None,
        };
        let (content, after) = rest.split_at_checked(length)?;
        self.0 = after;
        Some((tag, content))
    }

    /// Content of the next element, which must have this tag.
    pub(crate) fn tagged(&mut self, tag: u8) -> Option<&'a [u8]> {
        let mut probe = *self;
        let (found, content) = probe.any()?;
        (found == tag).then(|| {
            *self = probe;
            content
        })
    }

    /// Opens the next element, which must have this tag.
    pub(crate) fn nested(&mut self, tag: u8) -> Option<Reader<'a>> {
        self.tagged(tag).map(Reader)
    }

    pub(crate) fn text(&mut self, tag: u8) -> Option<&'a str> {
        let bytes = self.tagged(tag)?;
        let text = std::str::from_utf8(bytes).ok()?;
        (tag != IA5_STRING || text.is_ascii()).then_some(text)
    }

    pub(crate) fn unsigned(&mut self) -> Option<u64> {
        let bytes = self.tagged(INTEGER)?;
        let fits = !bytes.is_empty() && bytes.len() <= 8 && bytes[0] & 0x80 == 0;
        fits.then(|| bytes.iter().fold(0u64, |v, &b| (v << 8) | u64::from(b)))
    }
}
