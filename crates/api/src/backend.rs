//! What the API asks of the process it runs in: the engine's driver implements it.

use cp_store::PushRow;
use cp_vocab::DeviceId;
use cp_vocab::command::{CommandEnvelope, CommandResult};
use cp_vocab::event::LogPosition;
use cp_vocab::web::Signal;
use futures_util::future::BoxFuture;
use serde::Serialize;
use tokio::sync::{mpsc, watch};

/// The way from HTTP to the engine. Implemented by the server's driver, doubled in tests.
pub trait Backend: Send + Sync + 'static {
    /// Hands a command to the engine and answers when what it did is durable.
    fn command(&self, envelope: CommandEnvelope) -> BoxFuture<'_, CommandResult>;

    /// Changes whenever records were committed. It is a wake-up and carries nothing: the API reads
    /// what is new from the store by cursor, so a missed or merged value loses nothing.
    fn commits(&self) -> watch::Receiver<LogPosition>;

    /// What the engine tells the browser `device`, from now on; ends when it does not keep up. The
    /// default tells nothing.
    fn signals(&self, _device: DeviceId) -> mpsc::Receiver<Signal> {
        mpsc::channel(1).1
    }

    /// Whether this node should be sent new work.
    fn readiness(&self) -> Readiness;

    /// Metrics of engine, store and media in the Prometheus text format (whole families, each line
    /// ended); the API appends its own.
    fn metrics(&self) -> String;

    /// What sends to browsers whose tabs are closed; `None` where nothing does.
    fn pusher(&self) -> Option<&dyn Pusher> {
        None
    }

    /// A picture that came with a call, by the SHA-256 of its bytes in hex.
    fn picture(&self, _digest: &str) -> Option<Vec<u8>> {
        None
    }

    /// What a virus scanner says of bytes that were sent in: the name of what it found, or `None`. The
    /// default has no scanner and finds nothing.
    ///
    /// # Errors
    /// Nobody could look at them, and they must not be taken unseen: why.
    fn scan<'a>(&'a self, _bytes: &'a [u8]) -> BoxFuture<'a, Result<Option<String>, String>> {
        Box::pin(async { Ok(None) })
    }

    /// What asks identity providers; `None` where nothing outside is reachable.
    fn outside(&self) -> Option<&dyn Outside> {
        None
    }
}

/// Asks identity providers over HTTP. Whoever implements it keeps requests off private addresses.
pub trait Outside: Send + Sync {
    /// The body of a 200 answer to GET.
    fn get<'a>(
        &'a self,
        url: &'a str,
        authorization: Option<String>,
    ) -> BoxFuture<'a, Result<Vec<u8>, String>>;

    /// The status and body of the answer to a form that was posted.
    fn post_form<'a>(
        &'a self,
        url: &'a str,
        authorization: Option<String>,
        form: String,
    ) -> BoxFuture<'a, Result<(u16, Vec<u8>), String>>;
}

/// Sends Web Push (S3.1).
pub trait Pusher: Send + Sync {
    /// The public half of the key that signs our pushes, in URL-safe Base64.
    fn public_key(&self) -> String;

    /// Whether pushes for this subscription could be made and may be sent where it says.
    fn check<'a>(&'a self, row: &'a PushRow) -> BoxFuture<'a, Result<(), PushRefused>>;

    /// Sends one message to try it; done when the push service has it.
    fn test(&self, row: PushRow) -> BoxFuture<'_, Result<(), PushRefused>>;
}

/// What is wrong with a subscription.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PushRefused {
    /// JSON pointer to the field at fault.
    pub pointer: &'static str,
    /// One sentence for a person.
    pub detail: String,
}

/// The answer of `/readyz`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Readiness {
    /// All checks passed and the node is not draining.
    pub ready: bool,
    pub draining: bool,
    /// Each check by name, with what is wrong when it fails.
    pub checks: Vec<Check>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Check {
    /// `store`, `sip_udp`, `media`, …
    pub name: &'static str,
    pub ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}
