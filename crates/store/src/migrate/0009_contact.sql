-- What came by communication points, and the numbers lent to it.

CREATE TABLE contact (
    id         BLOB PRIMARY KEY,
    tenant     BLOB NOT NULL,
    point      BLOB NOT NULL,
    kind       TEXT NOT NULL,
    state      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    body       TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX contact_tenant ON contact (tenant, id);
CREATE INDEX contact_open ON contact (point, state);
CREATE INDEX contact_age ON contact (created_at);

CREATE TABLE number_lease (
    tenant  BLOB NOT NULL,
    number  TEXT NOT NULL,
    point   BLOB NOT NULL,
    contact BLOB,
    until   INTEGER,          -- null: assigned for good
    body    TEXT NOT NULL,
    PRIMARY KEY (tenant, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX number_lease_point ON number_lease (tenant, point);
