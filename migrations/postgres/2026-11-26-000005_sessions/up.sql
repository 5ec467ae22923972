-- Desktop sessions.
CREATE TABLE sessions (
    id                TEXT    NOT NULL PRIMARY KEY,
    owner             TEXT    NOT NULL, -- a user's name
    template          TEXT    NOT NULL,
    state             TEXT    NOT NULL, -- pending, creating, running, hibernated, failed, deleting or deleted
    reason            TEXT    NOT NULL, -- of the last change of the state; empty: none was given
    cpu               TEXT    NOT NULL, -- quantities as Kubernetes writes them; empty: not given
    memory            TEXT    NOT NULL,
    storage           TEXT    NOT NULL,
    rfb_address       TEXT,             -- host:port, while there is a desktop
    url               TEXT,
    idle_timeout_secs BIGINT,
    persistent_home   BOOLEAN NOT NULL,
    created_us        BIGINT  NOT NULL, -- microseconds since 1970-01-01 UTC
    updated_us        BIGINT  NOT NULL, -- when it was last changed, heartbeats and activity apart
    request           TEXT    NOT NULL, -- SHA-256 of what it was created with, in hexadecimal
    idempotency_key   TEXT    UNIQUE
);

CREATE INDEX sessions_by_age ON sessions (created_us DESC, id DESC);
CREATE INDEX sessions_by_owner ON sessions (owner);
CREATE INDEX sessions_by_state ON sessions (state, updated_us);

-- What changes often: what a session uses, and whether its user is there.
CREATE TABLE session_activity (
    session       TEXT    NOT NULL PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
    idle          BOOLEAN NOT NULL,
    active_us     BIGINT, -- when its user was last active
    heartbeat_us  BIGINT,
    cpu_usage     DOUBLE PRECISION NOT NULL, -- as the last heartbeat has it
    memory_usage  DOUBLE PRECISION NOT NULL,
    storage_usage DOUBLE PRECISION NOT NULL
);

CREATE TABLE session_tags (
    session TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    tag     TEXT NOT NULL,
    PRIMARY KEY (session, tag)
);

CREATE INDEX session_tags_by_tag ON session_tags (tag);

-- Who else may use a session.
CREATE TABLE session_shares (
    session     TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    shared_with TEXT    NOT NULL, -- a user's name
    access      TEXT    NOT NULL, -- view or control
    shared_us   BIGINT  NOT NULL,
    PRIMARY KEY (session, shared_with)
);

CREATE INDEX session_shares_by_user ON session_shares (shared_with);

-- Who is connected now.
CREATE TABLE session_connections (
    session        TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    id             TEXT    NOT NULL,
    client_address TEXT    NOT NULL,
    user_agent     TEXT    NOT NULL,
    connected_us   BIGINT  NOT NULL,
    PRIMARY KEY (session, id)
);
