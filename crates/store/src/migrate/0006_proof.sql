-- What persons prove themselves with, who is proven in which interaction, tickets that are good
-- once, and announced calls.

CREATE TABLE credential (
    id         BLOB PRIMARY KEY,
    tenant     BLOB NOT NULL,
    person     BLOB NOT NULL,
    method     TEXT NOT NULL,
    label      TEXT NOT NULL,
    body       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    used_at    INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX credential_person ON credential (person, id);

CREATE TABLE tries (
    tenant       BLOB NOT NULL,
    subject      TEXT NOT NULL,
    failures     INTEGER NOT NULL,
    last_at      INTEGER NOT NULL,
    day          INTEGER NOT NULL,
    day_failures INTEGER NOT NULL,
    PRIMARY KEY (tenant, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE ticket (
    key         BLOB PRIMARY KEY,   -- SHA-256 of the secret
    tenant      BLOB NOT NULL,
    kind        TEXT NOT NULL,
    interaction BLOB,
    body        TEXT NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX ticket_expiry ON ticket (expires_at);
CREATE INDEX ticket_interaction ON ticket (interaction) WHERE interaction IS NOT NULL;

CREATE TABLE proof (
    interaction BLOB PRIMARY KEY,
    tenant      BLOB NOT NULL,
    person      BLOB,
    body        TEXT NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX proof_person ON proof (person) WHERE person IS NOT NULL;

CREATE TABLE precall (
    id          BLOB PRIMARY KEY,
    tenant      BLOB NOT NULL,
    partner     BLOB NOT NULL,
    called      TEXT NOT NULL,      -- empty: any number of the tenant
    identifier  TEXT NOT NULL,
    body        TEXT NOT NULL,
    made_at     INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    interaction BLOB                -- the one call it is used by
) STRICT, WITHOUT ROWID;
CREATE INDEX precall_match ON precall (tenant, identifier);
CREATE INDEX precall_open ON precall (tenant, partner, expires_at);
CREATE INDEX precall_interaction ON precall (interaction) WHERE interaction IS NOT NULL;

CREATE TABLE signing_key (
    id         TEXT PRIMARY KEY,
    created_at INTEGER NOT NULL,
    pkcs8      BLOB NOT NULL
) STRICT, WITHOUT ROWID;
