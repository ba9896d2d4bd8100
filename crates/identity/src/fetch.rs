//! What may be fetched to check a token, and when. A token's `x5u` is an address a stranger wrote:
//! it is checked as text before anything happens, and again as a socket address after the name was
//! resolved, so that a name that changes its mind gets nowhere.

mod address;
mod cache;
mod url;

pub use address::{AddressFault, check_socket};
pub use cache::{Cache, CacheLimits, Fetched, Input, Output, Waiter};
pub use url::{Target, URL_BYTES_MAX, UrlFault, check_url};

use std::time::Duration;

/// Whole fetch, from look-up to last byte; then it has failed.
pub const FETCH_TIME_MAX: Duration = Duration::from_secs(2);
/// Body bytes; the rest is not read and the fetch has failed.
pub const BODY_BYTES_MAX: usize = crate::certificate::CHAIN_BYTES_MAX;
/// Bytes of one header line of the answer.
pub const HEADER_LINE_BYTES_MAX: usize = 2_048;
/// Redirects that are followed: none, each would be a new address from a stranger.
pub const REDIRECTS_MAX: usize = 0;
