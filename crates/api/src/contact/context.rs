//! What a page says of itself: bounded, of the fields the point takes, and nothing but text.

use cp_store::Point;
use cp_vocab::{Code, Refusal};
use serde_json::{Map, Value};

/// Longest context, in bytes of JSON; longer ones are refused with `too_large`.
pub(crate) const CONTEXT_BYTES_MAX: usize = 8 * 1024;
/// Longest text in it, in characters; longer ones are cut.
const TEXT_CHARS_MAX: usize = 2_000;

/// The context as it is kept: `url`, `title`, `language`, and of `fields` those the point names.
///
/// # Errors
/// `too_large`, and `bad_request` for what is no object of texts.
pub(crate) fn checked(point: &Point, given: Option<Value>) -> Result<Value, Refusal> {
    let Some(given) = given else {
        return Ok(Value::Object(Map::new()));
    };
    if given.to_string().len() > CONTEXT_BYTES_MAX {
        let detail = format!("the context may have at most {CONTEXT_BYTES_MAX} bytes");
        return Err(Refusal::new(Code::TooLarge, detail));
    }
    let Value::Object(given) = given else {
        return Err(malformed());
    };
    let mut kept = Map::new();
    for name in ["url", "title", "language"] {
        if let Some(value) = given.get(name) {
            kept.insert(name.into(), text(value).ok_or_else(malformed)?);
        }
    }
    // An address that a browser would run when pressed is no address.
    let url = kept.get("url").and_then(Value::as_str).unwrap_or_default();
    if !url.is_empty() && !url.starts_with("https://") && !url.starts_with("http://") {
        kept.remove("url");
    }
    let fields = match given.get("fields") {
        None => None,
        Some(Value::Object(fields)) => Some(fields),
        Some(_) => return Err(malformed()),
    };
    let mut taken = Map::new();
    for name in &point.fields {
        if let Some(value) = fields.and_then(|f| f.get(name)) {
            taken.insert(name.clone(), text(value).ok_or_else(malformed)?);
        }
    }
    kept.insert("fields".into(), Value::Object(taken));
    kept.insert("point".into(), point.name.clone().into());
    Ok(Value::Object(kept))
}

/// A text without control characters, cut; markup stays what it is, characters.
fn text(value: &Value) -> Option<Value> {
    let text = match value {
        Value::String(s) => s.clone(),
        Value::Number(n) => n.to_string(),
        Value::Bool(b) => b.to_string(),
        _ => return None,
    };
    let clean = text.chars().filter(|c| !c.is_control());
    Some(clean.take(TEXT_CHARS_MAX).collect::<String>().into())
}

fn malformed() -> Refusal {
    let detail = "the context is an object with the texts url, title, language and an object of texts, fields";
    Refusal::new(Code::BadRequest, detail)
}

/// A telephone number as people write it, reduced to digits and a leading `+`.
pub(crate) fn number(text: &str) -> Option<String> {
    let fine = |c: char| c.is_ascii_digit() || " -()./+".contains(c);
    if text.len() > 32 || !text.chars().all(fine) {
        return None;
    }
    let trimmed = text.trim_start();
    let plus = trimmed.starts_with('+');
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let inside = trimmed.chars().skip(1).any(|c| c == '+');
    (!inside && (3..=15).contains(&digits.len()))
        .then(|| if plus { format!("+{digits}") } else { digits })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contact::points::tests_point;
    use serde_json::json;

    #[test]
    fn keeps_what_the_point_takes() {
        let point = tests_point(&["product", "cart"]);
        let given = json!({"url": "https://shop.example/a", "title": "A\u{7}b", "extra": 1,
            "fields": {"product": "<script>alert(1)</script>", "secret": "x", "cart": 3}});
        let kept = checked(&point, Some(given)).unwrap();
        assert_eq!(
            kept,
            json!({"url": "https://shop.example/a", "title": "Ab", "point": "Shop",
                "fields": {"product": "<script>alert(1)</script>", "cart": "3"}})
        );
        let script = json!({"url": "javascript:alert(1)", "fields": {}});
        assert!(checked(&point, Some(script)).unwrap().get("url").is_none());
    }

    #[test]
    fn refuses_what_is_too_much_or_no_data() {
        let point = tests_point(&["product"]);
        let code = |v: Value| checked(&point, Some(v)).unwrap_err().code;
        assert_eq!(
            code(json!({"fields": {"product": "x".repeat(1_000_000)}})),
            Code::TooLarge
        );
        assert_eq!(code(json!([1])), Code::BadRequest);
        assert_eq!(code(json!({"url": {"a": 1}})), Code::BadRequest);
        assert_eq!(
            code(json!({"fields": {"product": ["x"]}})),
            Code::BadRequest
        );
        assert!(checked(&point, None).is_ok());
    }

    #[test]
    fn numbers_as_people_write_them() {
        for (text, want) in [
            ("+49 (30) 123-456", Some("+4930123456")),
            ("030/123456", Some("030123456")),
            ("12", None),
            ("++4930", None),
            ("+49 30 1234567890123", None),
            ("sip:x@y", None),
            ("", None),
        ] {
            assert_eq!(number(text).as_deref(), want, "{text}");
        }
    }
}
