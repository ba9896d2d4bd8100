-- The log: append only. Nothing here is ever updated or deleted by the program.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What the small number in event.kind means. Rows are added when a release knows a new kind or
-- a new version of one.
CREATE TABLE event_kind (
    code    INTEGER PRIMARY KEY,
    name    TEXT NOT NULL,
    version INTEGER NOT NULL,
    UNIQUE (name, version)
) STRICT;

CREATE TABLE event (
    cursor INTEGER PRIMARY KEY,  -- order of commit
    stream BLOB NOT NULL,        -- one byte of kind, 16 of id
    seq    INTEGER NOT NULL,
    kind   INTEGER NOT NULL,
    at     INTEGER NOT NULL,     -- microseconds since 1970
    tenant BLOB NOT NULL,
    body   TEXT NOT NULL         -- JSON
) STRICT;
CREATE UNIQUE INDEX event_stream ON event (stream, seq);
