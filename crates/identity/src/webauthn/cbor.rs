//! The little CBOR (RFC 8949) that authenticators write, with limits.

use ciborium::Value;
use ciborium::de::from_reader_with_recursion_limit;

/// Maps and lists within each other; CTAP2's canonical form allows four.
const DEPTH_MAX: usize = 8;

/// One map that is all there is. `None` when it is not, or names a member twice.
pub(super) fn map(bytes: &[u8]) -> Option<Vec<(Value, Value)>> {
    let (map, length) = leading_map(bytes)?;
    (length == bytes.len()).then_some(map)
}

/// One map at the beginning and its length in bytes.
pub(super) fn leading_map(bytes: &[u8]) -> Option<(Vec<(Value, Value)>, usize)> {
    let mut rest = bytes;
    let value: Value = from_reader_with_recursion_limit(&mut rest, DEPTH_MAX).ok()?;
    let map = value.into_map().ok()?;
    let twice = map
        .iter()
        .enumerate()
        .any(|(i, (k, _))| map[..i].iter().any(|(other, _)| other == k));
    (!twice).then(|| (map, bytes.len() - rest.len()))
}

pub(super) fn get_text<'a>(map: &'a [(Value, Value)], name: &str) -> Option<&'a Value> {
    let (_, value) = map.iter().find(|(k, _)| k.as_text() == Some(name))?;
    Some(value)
}

pub(super) fn get_number(map: &[(Value, Value)], label: i64) -> Option<&Value> {
    let (_, value) = map
        .iter()
        .find(|(k, _)| k.as_integer() == Some(label.into()))?;
    Some(value)
}
