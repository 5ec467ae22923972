-- Installed plugins. Their files are in the data directory.
CREATE TABLE plugins (
    name         TEXT    NOT NULL PRIMARY KEY,
    version      TEXT    NOT NULL,
    content      TEXT    NOT NULL, -- the folder of its files: a SHA-256, in hexadecimal
    library      TEXT    NOT NULL, -- the file name of its library
    enabled      INTEGER NOT NULL, -- 0 or 1
    quarantine   TEXT,             -- why it is not to run although it is enabled
    config       BLOB    NOT NULL, -- sealed JSON: what the operator set
    installed_us INTEGER NOT NULL  -- microseconds since 1970-01-01 UTC
) STRICT, WITHOUT ROWID;

-- What the operator allowed a plugin.
CREATE TABLE grants (
    plugin     TEXT    NOT NULL REFERENCES plugins (name) ON DELETE CASCADE,
    permission TEXT    NOT NULL,
    granted_us INTEGER NOT NULL,
    PRIMARY KEY (plugin, permission)
) STRICT, WITHOUT ROWID;

-- The event log. The newest event is always kept: its number says which comes next.
CREATE TABLE events (
    seq        INTEGER NOT NULL PRIMARY KEY,
    id         BLOB    NOT NULL, -- a UUID, 16 bytes
    time_us    INTEGER NOT NULL, -- when it happened
    stored_us  INTEGER NOT NULL, -- when it was accepted
    topic      TEXT    NOT NULL,
    source     TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    data       BLOB    NOT NULL, -- a JSON value
    attributes BLOB    NOT NULL  -- a JSON object, or empty
) STRICT;

-- Durable consumers.
CREATE TABLE consumers (
    id         INTEGER NOT NULL PRIMARY KEY,
    plugin     TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    filters    TEXT    NOT NULL, -- a JSON list of topics with wildcards
    position   INTEGER NOT NULL, -- events up to this number are settled, or are refusals below
    active_us  INTEGER NOT NULL, -- when it was last connected to its plugin
    missed     INTEGER NOT NULL, -- events that were removed from the log before it had them
    UNIQUE (plugin, name)
) STRICT;

-- Events that a consumer refused, with the event, which the log may have removed meanwhile.
CREATE TABLE refusals (
    consumer   INTEGER NOT NULL REFERENCES consumers (id) ON DELETE CASCADE,
    seq        INTEGER NOT NULL,
    event_id   BLOB    NOT NULL,
    time_us    INTEGER NOT NULL,
    topic      TEXT    NOT NULL,
    source     TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    data       BLOB    NOT NULL,
    attributes BLOB    NOT NULL,
    attempts   INTEGER NOT NULL, -- how often it was tried
    due_us     INTEGER,          -- when it is tried again; null: a dead letter
    refused_us INTEGER NOT NULL,
    reason     TEXT    NOT NULL,
    PRIMARY KEY (consumer, event_id)
) STRICT;
