//! What an interaction may look up while it decides: the configuration snapshot, seen from one tenant.

use cp_vocab::event::Endpoint;
use cp_vocab::media::Sound;
use cp_vocab::model::{Conference, Destination, DialTarget, Queue};
use cp_vocab::*;

/// A dial target made concrete.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolved {
    pub endpoint: Endpoint,
    pub address: Address,
    /// The agent behind the phone, when there is one.
    pub agent: Option<AgentId>,
    /// What goes into the request: a URI for [`Endpoint::Uri`], the number as the trunk wants it, or the phone's user.
    pub dial: String,
}

/// Read-only view; implemented by the engine over its snapshot and registrations.
pub trait Directory {
    /// Where a dial target leads. `NotFound` for nothing there, `Unavailable` for a phone that is
    /// not registered, `Refused` when the tenant may not dial it.
    fn resolve(&self, tenant: TenantId, target: &DialTarget) -> Result<Resolved, EndReason>;
    /// What dialling this means inside the tenant (`None`: nothing).
    fn dialled(&self, tenant: TenantId, digits: &str) -> Option<Destination>;
    fn queue(&self, queue: QueueId) -> Option<&Queue>;
    /// Whether a queue would take a caller now: `Err` when it is full, or refuses while nobody is there.
    fn queue_admits(&self, queue: QueueId) -> Result<(), EndReason>;
    fn conference(&self, conference: ConferenceId) -> Option<&Conference>;
    /// Where recordings of an interaction go, without extension.
    fn recording_path(
        &self,
        tenant: TenantId,
        interaction: InteractionId,
        recording: RecordingId,
    ) -> String;
    fn record_by_default(&self, tenant: TenantId) -> bool;
    /// What everybody on a recorded call is to hear, when these are the parties outside the house.
    fn recording_notice(&self, tenant: TenantId, parties: &[&Address]) -> Option<Sound>;
    /// A free park slot of the tenant; `wanted` when given and free.
    fn park_slot(&self, tenant: TenantId, wanted: Option<&str>) -> Option<String>;
    /// Legs in a conference room at this moment.
    fn conference_members(&self, conference: ConferenceId) -> u32;
}
