-- Who reported which caller, for the next start (S3.1); derived from the log.

CREATE TABLE caller_report (
    number TEXT NOT NULL,             -- canonical
    tenant BLOB NOT NULL,
    proven INTEGER NOT NULL,          -- the call was proven to be of that number
    at     INTEGER NOT NULL,          -- the latest
    PRIMARY KEY (number, tenant, proven)
) STRICT, WITHOUT ROWID;
