-- What outgoing calls cost, by the tenant's day: derived from the log.
CREATE TABLE outbound_spend (
    tenant  BLOB NOT NULL,
    day     INTEGER NOT NULL,  -- 20261120
    calls   INTEGER NOT NULL,
    seconds INTEGER NOT NULL,
    micros  INTEGER NOT NULL,
    PRIMARY KEY (tenant, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE consent (
    id            BLOB PRIMARY KEY,
    tenant        BLOB NOT NULL,
    identifier    TEXT NOT NULL,
    what          TEXT NOT NULL,
    how           TEXT NOT NULL,
    interaction   BLOB,
    given_at      INTEGER NOT NULL,
    recorded_by   TEXT NOT NULL,
    withdrawn_at  INTEGER,
    withdrawn_how TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX consent_person ON consent (tenant, identifier, id);

-- Erasures and sweeps of retention, with what they did.
CREATE TABLE privacy_job (
    id          BLOB PRIMARY KEY,
    tenant      BLOB NOT NULL,
    kind        TEXT NOT NULL,     -- erasure, retention
    state       TEXT NOT NULL,     -- waiting, running, done, held
    requested   TEXT NOT NULL,     -- by whom
    request     TEXT NOT NULL,     -- what for, as JSON; emptied when done
    total       INTEGER NOT NULL,
    done        INTEGER NOT NULL,
    counts      TEXT NOT NULL,     -- JSON
    certificate TEXT,
    created_at  INTEGER NOT NULL,
    finished_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX privacy_job_tenant ON privacy_job (tenant, id);
CREATE INDEX privacy_job_open ON privacy_job (id) WHERE finished_at IS NULL;
