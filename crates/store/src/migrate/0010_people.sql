-- People: how they prove themselves, what programs hold, and who did what.

ALTER TABLE session ADD COLUMN proved_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE session ADD COLUMN origin TEXT NOT NULL DEFAULT '{}';

-- Passkeys, authenticator apps and recovery codes.
CREATE TABLE factor (
    id         BLOB PRIMARY KEY,
    tenant     BLOB NOT NULL,
    user       BLOB NOT NULL,
    kind       INTEGER NOT NULL,
    key        BLOB NOT NULL,     -- what it is found by: a passkey's id, a code's hash
    mark       INTEGER NOT NULL,  -- rises with use: counter of a passkey, step of a code
    created_at INTEGER NOT NULL,
    used_at    INTEGER,
    body       TEXT NOT NULL,
    UNIQUE (kind, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX factor_user ON factor (user, kind);

-- Tokens of OAuth 2 clients.
CREATE TABLE access_token (
    hash       BLOB PRIMARY KEY,
    tenant     BLOB NOT NULL,
    client     BLOB NOT NULL,
    scopes     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX access_token_client ON access_token (client);
CREATE INDEX access_token_expiry ON access_token (expires_at);

-- Who did what, chained by hashes: one chain per tenant.
CREATE TABLE audit (
    tenant  BLOB NOT NULL,
    seq     INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    actor   TEXT NOT NULL,
    action  TEXT NOT NULL,
    target  TEXT NOT NULL,
    address TEXT NOT NULL,
    detail  TEXT NOT NULL,
    hash    BLOB NOT NULL,
    PRIMARY KEY (tenant, seq)
) STRICT, WITHOUT ROWID;

-- Where each chain ends, marked with a key that does not lie in the database.
CREATE TABLE audit_head (
    tenant BLOB PRIMARY KEY,
    seq    INTEGER NOT NULL,
    hash   BLOB NOT NULL,
    mark   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
