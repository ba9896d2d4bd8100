-- Browsers that are reached by Web Push.

CREATE TABLE push_subscription (
    id         BLOB PRIMARY KEY,
    tenant     BLOB NOT NULL,
    user       BLOB NOT NULL,
    endpoint   TEXT NOT NULL UNIQUE,
    p256dh     TEXT NOT NULL,
    auth       TEXT NOT NULL,
    label      TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX push_subscription_user ON push_subscription (user, created_at);
