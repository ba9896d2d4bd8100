-- How often numbers forward, for the next start (S1.2); derived from the log.

CREATE TABLE forwarding (
    tenant BLOB NOT NULL,
    number TEXT NOT NULL,             -- canonical, without a plus
    calls  TEXT NOT NULL DEFAULT '',  -- the last hundred, newest first: 1 was forwarded
    kept   INTEGER NOT NULL DEFAULT 0,
    hits   INTEGER NOT NULL DEFAULT 0,
    misses INTEGER NOT NULL DEFAULT 0,
    used   INTEGER NOT NULL,
    PRIMARY KEY (tenant, number)
) STRICT, WITHOUT ROWID;
