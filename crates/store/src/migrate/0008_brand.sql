-- Pictures that are shown with calls, by the digest of their bytes; incentives that were given out.

CREATE TABLE picture (
    digest TEXT PRIMARY KEY,
    bytes  BLOB NOT NULL
) STRICT;

CREATE TABLE incentive_use (
    brand       BLOB NOT NULL,
    interaction BLOB NOT NULL,
    tenant      BLOB NOT NULL,
    at          INTEGER NOT NULL,
    PRIMARY KEY (brand, interaction)
) STRICT, WITHOUT ROWID;
