//! From context to call (S4.2): communication points, the requests that come by them, and what
//! agents do with those.

mod context;
pub(crate) mod cors;
mod inbox;
mod matching;
mod message;
pub(crate) mod points;
mod public;
mod taps;
mod visit;

pub(crate) use taps::Taps;

use crate::operation::Api;

pub(crate) fn add(api: &mut Api) {
    points::add(api);
    public::add(api);
    inbox::add(api);
}
