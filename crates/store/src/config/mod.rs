//! The configuration: rows with versions, unique keys and references in domain words.

pub(crate) mod edit;
mod keys;
pub(crate) use keys::hex;
pub(crate) mod read;
mod row;
pub(crate) mod snapshot;

pub use keys::{DESTINATION_DEPTH_MAX, KEY_BYTES_MAX};
pub use row::{ConfigId, ConfigKind, ConfigRow, Entity, Webhook};

use crate::auth::Idempotent;
use crate::error::Result;
use crate::page::{Page, PageRequest};
use crate::store::Store;
use cp_vocab::command::Actor;
use cp_vocab::{TenantId, Timestamp};
use serde::{Deserialize, Serialize};

/// Version of a row: 1 when made, one more with each change. The `ETag` of the API.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Version(pub u64);

/// A row with its version.
#[derive(Clone, PartialEq, Debug)]
pub struct Versioned<T> {
    pub version: Version,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub row: T,
}

impl<T> Versioned<T> {
    fn map<U>(self, f: impl FnOnce(T) -> U) -> Versioned<U> {
        Versioned {
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            row: f(self.row),
        }
    }
}

/// Who changes what tenant's configuration, and when.
#[derive(Clone, PartialEq, Debug)]
pub struct Edit {
    /// Every row changed must be of this tenant.
    pub tenant: TenantId,
    pub actor: Actor,
    pub at: Timestamp,
    /// Address the request came from, for the audit log; empty when it came from inside.
    pub address: String,
    /// Kept in the same transaction; answers a repetition with `AlreadyDone`.
    pub idempotency: Option<Idempotent>,
}

impl Edit {
    pub fn new(tenant: TenantId, actor: Actor, at: Timestamp) -> Self {
        Self {
            tenant,
            actor,
            at,
            address: String::new(),
            idempotency: None,
        }
    }
}

/// One change of a row.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    Create(ConfigRow),
    /// Replaces the row whole, if it is at `expected` (`None`: at any version).
    Update {
        row: ConfigRow,
        expected: Option<Version>,
    },
    Delete {
        id: ConfigId,
        expected: Option<Version>,
    },
}

/// The configuration by type: `store.get::<Queue>(tenant, id)`.
pub trait StoreExt: Store {
    fn create(&self, edit: Edit, row: impl Into<ConfigRow>) -> Result<Version> {
        self.apply(edit, vec![Change::Create(row.into())])
            .map(|v| v.first().copied().unwrap_or_default())
    }

    fn update(
        &self,
        edit: Edit,
        row: impl Into<ConfigRow>,
        expected: Option<Version>,
    ) -> Result<Version> {
        let row = row.into();
        self.apply(edit, vec![Change::Update { row, expected }])
            .map(|v| v.first().copied().unwrap_or_default())
    }

    fn delete(&self, edit: Edit, id: impl Into<ConfigId>, expected: Option<Version>) -> Result<()> {
        let id = id.into();
        self.apply(edit, vec![Change::Delete { id, expected }])
            .map(|_| ())
    }

    fn get<T: Entity>(&self, tenant: TenantId, id: T::Id) -> Result<Versioned<T>> {
        self.row(tenant, id.into())
            .map(|v| v.map(|row| T::from_row(row).expect("a row has the kind of its id")))
    }

    fn list<T: Entity>(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Versioned<T>>> {
        let rows = self.rows(tenant, T::KIND, page)?;
        Ok(rows.map(|v| v.map(|row| T::from_row(row).expect("a list has rows of one kind"))))
    }
}

impl<S: Store + ?Sized> StoreExt for S {}
