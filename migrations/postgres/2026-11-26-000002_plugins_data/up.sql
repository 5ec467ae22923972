-- Hosts before this migration made these tables themselves, where a plugin wanted one: they are taken over as they are.
-- With SQLite both are in the files of each plugin, so that there is no migration of this name.

-- Plugins' keys and values.
CREATE TABLE IF NOT EXISTS plugin_storage (
    plugin     TEXT COLLATE "C" NOT NULL,
    key        TEXT COLLATE "C" NOT NULL, -- in the order of its bytes
    value      BYTEA  NOT NULL,
    revision   BIGINT NOT NULL,
    expires_us BIGINT NOT NULL, -- microseconds since 1970-01-01 UTC; 0: never
    PRIMARY KEY (plugin, key)
);
CREATE INDEX IF NOT EXISTS plugin_storage_expiring ON plugin_storage (plugin, expires_us) WHERE expires_us > 0;

-- Which block of revisions is set apart next.
CREATE SEQUENCE IF NOT EXISTS plugin_storage_revisions;

-- What was applied of plugins' own migrations.
CREATE TABLE IF NOT EXISTS plugin_migrations (
    plugin      TEXT        NOT NULL,
    version     BIGINT      NOT NULL,
    name        TEXT        NOT NULL,
    sha256      TEXT        NOT NULL,
    state       TEXT        NOT NULL, -- applied, applying or undoing
    transaction TEXT        NOT NULL, -- the one that did so: a number of PostgreSQL's
    applied_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (plugin, version)
);

-- They are the host's alone, whatever rights the database gives out by default.
REVOKE ALL ON TABLE plugin_storage, plugin_migrations FROM PUBLIC;
REVOKE ALL ON SEQUENCE plugin_storage_revisions FROM PUBLIC;
