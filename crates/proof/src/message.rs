//! How words reach a customer beside the call. The adapters stand in the server; a further channel
//! is one more implementation. Links, menus and requests to a customer's device that come with the
//! channels go the same way.

use cp_vocab::Pii;

/// By what way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    Email,
    Sms,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SendFault {
    #[error("this way is not set up")]
    NotSetUp,
    #[error("the address cannot be written to")]
    Address,
    /// Without personal data.
    #[error("{0}")]
    Refused(String),
}

/// Sends one message and waits until the next server has taken it.
pub trait Messages: Send + Sync + 'static {
    fn can(&self, route: Route) -> bool;
    fn send(
        &self,
        route: Route,
        to: &Pii<String>,
        subject: &str,
        text: &Pii<String>,
    ) -> Result<(), SendFault>;
}
