-- Configuration rows of every kind: the body is the row as JSON; what must be unique and what is
-- named by it stand in tables of their own.

CREATE TABLE config_row (
    kind       INTEGER NOT NULL,
    id         BLOB NOT NULL,
    tenant     BLOB NOT NULL,
    version    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    body       TEXT NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX config_row_tenant ON config_row (tenant, kind, id);

CREATE TABLE config_key (
    space TEXT NOT NULL,   -- `phone.user`, `number.number`, …
    scope BLOB NOT NULL,   -- the tenant, or empty: unique on the whole platform
    key   TEXT NOT NULL,
    kind  INTEGER NOT NULL,
    id    BLOB NOT NULL,
    PRIMARY KEY (space, key, scope)
) STRICT, WITHOUT ROWID;
CREATE INDEX config_key_row ON config_key (kind, id);

CREATE TABLE config_reference (
    from_kind INTEGER NOT NULL,
    from_id   BLOB NOT NULL,
    to_kind   INTEGER NOT NULL,
    to_id     BLOB NOT NULL,
    PRIMARY KEY (from_kind, from_id, to_kind, to_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX config_reference_to ON config_reference (to_kind, to_id);

CREATE TABLE session (
    id         BLOB PRIMARY KEY,
    tenant     BLOB NOT NULL,
    user       BLOB NOT NULL,
    token_hash BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_user ON session (user);
CREATE INDEX session_expiry ON session (expires_at);

CREATE TABLE idempotency (
    tenant       BLOB NOT NULL,
    key          TEXT NOT NULL,
    request_hash BLOB NOT NULL,
    status       INTEGER,      -- null: being carried out
    content_type TEXT,
    body         BLOB,
    expires_at   INTEGER NOT NULL,
    PRIMARY KEY (tenant, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_expiry ON idempotency (expires_at);
