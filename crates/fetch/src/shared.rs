//! Single flight: who asks for what somebody else is fetching already waits for that.

use crate::{FetchError, Response};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::OnceCell;

pub(crate) type Flight = OnceCell<Result<Response, FetchError>>;

#[derive(Default)]
pub(crate) struct Flights {
    by_url: Mutex<HashMap<String, Weak<Flight>>>,
}

impl Flights {
    /// The flight to this URL; it lasts while somebody waits for it.
    pub(crate) fn board(&self, url: &str) -> Arc<Flight> {
        let mut by_url = self.by_url.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = by_url.get(url).and_then(Weak::upgrade)
            && !flight.initialized()
        {
            return flight;
        }
        by_url.retain(|_, f| f.strong_count() > 0);
        let flight = Arc::new(OnceCell::new());
        by_url.insert(url.to_string(), Arc::downgrade(&flight));
        flight
    }
}
