//! What came by a communication point (S4.2): the points themselves, the requests to talk, and the
//! numbers lent to a context or an account.

pub(crate) mod sqlite;

use crate::error::Result;
use crate::page::{Page, PageRequest};
use cp_vocab::model::Destination;
use cp_vocab::*;
use serde::{Deserialize, Serialize};

/// Requests are kept this long, then swept away: they hold what people wrote about themselves.
pub const CONTACT_DAYS_MAX: u64 = 90;
/// Open requests of one point at most; more are refused with `Conflict`.
pub const CONTACTS_OPEN_MAX: u64 = 10_000;

/// How two people may meet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    Audio,
    Video,
    /// In writing.
    Chat,
}

/// Where a communication point stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PointKind {
    /// A button on a web page.
    #[default]
    Page,
    App,
    /// A link that opens a page of ours.
    Link,
    /// The same as a picture to be scanned.
    Qr,
    /// A line beneath an e-mail.
    Email,
}

/// A communication point: where customers come in without number or app.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Point {
    pub id: PointId,
    pub tenant: TenantId,
    pub name: String,
    pub kind: PointKind,
    pub destination: Destination,
    /// What this point offers at all.
    pub modes: Vec<Mode>,
    /// What the business takes at this moment: the callee's own choice, changed while calls run.
    pub now: Vec<Mode>,
    /// Origins whose pages may use it; its own always may.
    pub origins: Vec<String>,
    /// Names of the page's fields that may come along; others are left out.
    pub fields: Vec<String>,
    /// What the customer agrees to first; empty: the house's own sentence.
    pub consent: String,
    /// Shown on the button.
    pub title: String,
    /// Dialled numbers (of the tenant's list) that are lent to contexts and accounts.
    pub numbers: Vec<String>,
    /// How long a number stays with a context.
    pub number_ttl_s: u32,
    #[serde(default)]
    pub disabled: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContactKind {
    Call,
    Callback,
    Message,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContactState {
    /// Another mode than the wanted one was offered; the customer has not said yes or no.
    Offered,
    /// To be called back, answered, or being called.
    Open,
    /// An agent has it.
    Taken,
    Done,
}

/// A request that came by a point.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Contact {
    pub id: ContactId,
    pub tenant: TenantId,
    pub point: PointId,
    pub kind: ContactKind,
    pub state: ContactState,
    pub created_at: Timestamp,
    /// What the customer chose, what was agreed.
    pub wanted: Option<Mode>,
    pub mode: Option<Mode>,
    /// A change of mode one side asked for; the other has not answered.
    pub asked: Option<AskedMode>,
    pub name: Option<Pii<String>>,
    pub number: Option<Pii<String>>,
    /// Where an answer in writing goes.
    pub reply_to: Option<Pii<String>>,
    pub text: Option<Pii<String>>,
    /// When a callback suits.
    pub at: Option<Timestamp>,
    /// Page, product, cart …: data, never markup.
    pub context: Pii<serde_json::Value>,
    pub interaction: Option<InteractionId>,
    pub agent: Option<AgentId>,
    /// Proves to later requests of the page that it is the one that began; a hash.
    pub secret_hash: Pii<[u8; 32]>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AskedMode {
    pub mode: Mode,
    /// Asked by the customer (else by the agent).
    pub by_customer: bool,
}

/// Which contacts are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ContactFilter {
    pub kind: Option<ContactKind>,
    pub state: Option<ContactState>,
    pub point: Option<PointId>,
}

/// A number of a point that is lent for a while, or belongs to an account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NumberLease {
    pub number: String,
    pub tenant: TenantId,
    pub point: PointId,
    /// Whose context a call to it carries.
    pub contact: Option<ContactId>,
    /// The account it was assigned to, for good.
    pub account: Option<Pii<String>>,
    /// The payment's reference at whoever took it.
    pub payment: Option<String>,
    pub until: Option<Timestamp>,
}

/// Changes a contact inside the writer's transaction; the event, if any, goes to the tenant's log.
pub type ContactChange = Box<dyn FnOnce(&mut Contact) -> Result<Option<Event>> + Send>;

/// The part of [`crate::Store`] that keeps what came by communication points.
pub trait ContactStore: Send + Sync {
    /// A point by its id alone: the public side knows nothing else.
    ///
    /// # Errors
    /// `NotFound`.
    fn point(&self, id: PointId) -> Result<Point>;

    /// Keeps a request and tells the tenant's log of it.
    ///
    /// # Errors
    /// `Conflict` beyond [`CONTACTS_OPEN_MAX`] open ones of a point.
    fn contact_create(&self, contact: Contact, told: Event) -> Result<()>;

    /// # Errors
    /// `NotFound`, also when it belongs to another tenant.
    fn contact(&self, tenant: TenantId, id: ContactId) -> Result<Contact>;

    /// Newest first.
    fn contacts(
        &self,
        tenant: TenantId,
        filter: &ContactFilter,
        page: &PageRequest,
    ) -> Result<Page<Contact>>;

    /// Reads, changes and writes with nobody in between.
    fn contact_change(
        &self,
        tenant: TenantId,
        id: ContactId,
        now: Timestamp,
        change: ContactChange,
    ) -> Result<Contact>;

    /// Lends a free number of the pool; `None` when there is none.
    fn number_lend(
        &self,
        pool: Vec<String>,
        lease: NumberLease,
        now: Timestamp,
    ) -> Result<Option<String>>;

    /// Whose a number is at the moment.
    fn number_lease(
        &self,
        tenant: TenantId,
        number: &str,
        now: Timestamp,
    ) -> Result<Option<NumberLease>>;

    /// The numbers of a point that are not free.
    fn number_leases(
        &self,
        tenant: TenantId,
        point: PointId,
        now: Timestamp,
    ) -> Result<Vec<NumberLease>>;

    /// Gives a number to an account for good.
    ///
    /// # Errors
    /// `Conflict` when it is lent or belongs to somebody.
    fn number_assign(&self, lease: NumberLease, now: Timestamp) -> Result<()>;

    /// # Errors
    /// `NotFound` when it was free.
    fn number_free(&self, tenant: TenantId, number: &str) -> Result<()>;
}
