-- Installed plugins. Their files are in the data directory.
CREATE TABLE plugins (
    name         TEXT    NOT NULL PRIMARY KEY,
    version      TEXT    NOT NULL,
    content      TEXT    NOT NULL, -- the folder of its files: a SHA-256, in hexadecimal
    library      TEXT    NOT NULL, -- the file name of its library
    enabled      BOOLEAN NOT NULL,
    quarantine   TEXT,             -- why it is not to run although it is enabled
    config       BYTEA   NOT NULL, -- sealed JSON: what the operator set
    installed_us BIGINT  NOT NULL  -- microseconds since 1970-01-01 UTC
);

-- What the operator allowed a plugin.
CREATE TABLE grants (
    plugin     TEXT    NOT NULL REFERENCES plugins (name) ON DELETE CASCADE,
    permission TEXT    NOT NULL,
    granted_us BIGINT  NOT NULL,
    PRIMARY KEY (plugin, permission)
);

-- The event log. The newest event is always kept: its number says which comes next.
CREATE TABLE events (
    seq        BIGINT  NOT NULL PRIMARY KEY,
    id         BYTEA   NOT NULL, -- a UUID, 16 bytes
    time_us    BIGINT  NOT NULL, -- when it happened
    stored_us  BIGINT  NOT NULL, -- when it was accepted
    topic      TEXT    NOT NULL,
    source     TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    data       BYTEA   NOT NULL, -- a JSON value
    attributes BYTEA   NOT NULL  -- a JSON object, or empty
);

-- Durable consumers.
CREATE TABLE consumers (
    id         BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plugin     TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    filters    TEXT    NOT NULL, -- a JSON list of topics with wildcards
    position   BIGINT  NOT NULL, -- events up to this number are settled, or are refusals below
    active_us  BIGINT  NOT NULL, -- when it was last connected to its plugin
    missed     BIGINT  NOT NULL, -- events that were removed from the log before it had them
    UNIQUE (plugin, name)
);

-- Events that a consumer refused, with the event, which the log may have removed meanwhile.
CREATE TABLE refusals (
    consumer   BIGINT  NOT NULL REFERENCES consumers (id) ON DELETE CASCADE,
    seq        BIGINT  NOT NULL,
    event_id   BYTEA   NOT NULL,
    time_us    BIGINT  NOT NULL,
    topic      TEXT    NOT NULL,
    source     TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    data       BYTEA   NOT NULL,
    attributes BYTEA   NOT NULL,
    attempts   BIGINT  NOT NULL, -- how often it was tried
    due_us     BIGINT,           -- when it is tried again; null: a dead letter
    refused_us BIGINT  NOT NULL,
    reason     TEXT    NOT NULL,
    PRIMARY KEY (consumer, event_id)
);
