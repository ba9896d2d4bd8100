-- Derived from the log, in the same transaction. May be dropped and built again.

CREATE TABLE interaction (
    tenant       BLOB NOT NULL,
    id           BLOB NOT NULL,
    direction    INTEGER NOT NULL,
    from_address TEXT NOT NULL,
    from_name    TEXT,
    to_address   TEXT NOT NULL,
    uci          BLOB NOT NULL,
    number       BLOB,
    trunk        BLOB,
    queue        BLOB,
    state        INTEGER NOT NULL,
    started_at   INTEGER NOT NULL,
    answered_at  INTEGER,
    bridged_at   INTEGER,
    ended_at     INTEGER,
    waited_ms    INTEGER NOT NULL DEFAULT 0,
    talk_ms      INTEGER NOT NULL DEFAULT 0,
    end_reason   TEXT,
    recordings   INTEGER NOT NULL DEFAULT 0,
    wrap_up_code BLOB,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX interaction_time ON interaction (tenant, started_at, id);
CREATE INDEX interaction_open ON interaction (id) WHERE ended_at IS NULL;

CREATE TABLE leg (
    interaction BLOB NOT NULL,
    id          BLOB NOT NULL,
    role        TEXT NOT NULL,
    direction   INTEGER NOT NULL,
    endpoint    TEXT NOT NULL,
    address     TEXT NOT NULL,
    agent       BLOB,
    call_id     TEXT NOT NULL,
    added_at    INTEGER NOT NULL,
    answered_at INTEGER,
    ended_at    INTEGER,
    end_reason  TEXT,
    codec       TEXT,
    secure      INTEGER NOT NULL DEFAULT 0,
    quality     TEXT,
    dialog      TEXT,
    PRIMARY KEY (interaction, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX leg_agent ON leg (agent, interaction) WHERE agent IS NOT NULL;

CREATE TABLE recording (
    id          BLOB PRIMARY KEY,
    tenant      BLOB NOT NULL,
    interaction BLOB NOT NULL,
    path        TEXT NOT NULL,
    left_leg    BLOB NOT NULL,
    right_leg   BLOB,
    started_at  INTEGER NOT NULL,
    ended_at    INTEGER,
    duration_ms INTEGER,
    paused      INTEGER NOT NULL DEFAULT 0,
    error       TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX recording_tenant ON recording (tenant, started_at, id);
CREATE INDEX recording_interaction ON recording (interaction);

CREATE TABLE agent_state (
    agent          BLOB PRIMARY KEY,
    tenant         BLOB NOT NULL,
    presence       TEXT NOT NULL,
    presence_since INTEGER NOT NULL,
    state          TEXT NOT NULL,
    state_since    INTEGER NOT NULL,
    interaction    BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX agent_state_tenant ON agent_state (tenant);

CREATE TABLE registration (
    phone         BLOB NOT NULL,
    contact       TEXT NOT NULL,
    tenant        BLOB NOT NULL,
    transport     TEXT NOT NULL,
    registered_at INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    PRIMARY KEY (phone, contact)
) STRICT, WITHOUT ROWID;

CREATE TABLE trunk_state (
    trunk  BLOB PRIMARY KEY,
    tenant BLOB NOT NULL,
    up     INTEGER NOT NULL,
    rtt_ms INTEGER,
    why    TEXT,
    since  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row per queue and quarter of an hour.
CREATE TABLE queue_interval (
    tenant            BLOB NOT NULL,
    queue             BLOB NOT NULL,
    quarter           INTEGER NOT NULL,  -- quarters of an hour since 1970
    entered           INTEGER NOT NULL DEFAULT 0,
    answered          INTEGER NOT NULL DEFAULT 0,
    abandoned         INTEGER NOT NULL DEFAULT 0,
    overflowed        INTEGER NOT NULL DEFAULT 0,
    timed_out         INTEGER NOT NULL DEFAULT 0,
    transferred       INTEGER NOT NULL DEFAULT 0,
    released          INTEGER NOT NULL DEFAULT 0,
    in_service_level  INTEGER NOT NULL DEFAULT 0,
    answered_wait_ms  INTEGER NOT NULL DEFAULT 0,
    abandoned_wait_ms INTEGER NOT NULL DEFAULT 0,
    wait_ms_max       INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, quarter, queue)
) STRICT, WITHOUT ROWID;

-- What must be sent; not derived again when projections are rebuilt.
CREATE TABLE outbox (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant   BLOB NOT NULL,
    kind     INTEGER NOT NULL,
    target   BLOB NOT NULL,
    cursor   INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at   INTEGER,             -- null: dead
    error    TEXT
) STRICT;
CREATE INDEX outbox_due ON outbox (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX outbox_dead ON outbox (tenant, id) WHERE due_at IS NULL;
