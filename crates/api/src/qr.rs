//! A link as a picture to be scanned.

use crate::problem::Problem;
use cp_vocab::Code;
use fast_qr::convert::{Builder, Shape, svg::SvgBuilder};
use fast_qr::{ECL, QRBuilder};

/// An SVG of the QR code of `link`.
///
/// # Errors
/// A link longer than a QR code holds (2,331 bytes at this error correction).
pub(crate) fn svg(link: &str) -> Result<String, Problem> {
    let code = QRBuilder::new(link)
        .ecl(ECL::M)
        .build()
        .map_err(|_| Problem::new(Code::TooLarge, "the link is too long for a QR code"))?;
    Ok(SvgBuilder::default()
        .shape(Shape::Square)
        .margin(4)
        .to_str(&code))
}
