-- Catalogues of plugins.
CREATE TABLE catalogues (
    name       TEXT    NOT NULL PRIMARY KEY,
    own_name   TEXT    NOT NULL,            -- what its index calls itself
    location   TEXT    NOT NULL,            -- a URL, or a folder; of an imported one the file
    public_key TEXT,                        -- what its index is signed with; null: it was imported and has no signature
    next_key   TEXT,                        -- what it may be signed with from now on too: its index says so
    version    BIGINT  NOT NULL,            -- of the index that was read last: an older one is refused
    digest     TEXT    NOT NULL,            -- SHA-256 of that index
    expires_us BIGINT  NOT NULL,            -- microseconds since 1970-01-01 UTC
    added_us   BIGINT  NOT NULL,
    synced_us  BIGINT  NOT NULL,            -- when an index was accepted last
    failed_us  BIGINT ,                     -- when it failed, if the last time did
    failure    TEXT                         -- why
);

-- What catalogues have. Replaced as a whole by each sync.
CREATE TABLE catalogue_listings (
    catalogue TEXT NOT NULL REFERENCES catalogues (name) ON DELETE CASCADE,
    plugin    TEXT NOT NULL,
    document  TEXT NOT NULL, -- JSON, as the index has it
    PRIMARY KEY (catalogue, plugin)
);
CREATE INDEX catalogue_listings_by_plugin ON catalogue_listings (plugin);

-- What catalogues revoke: ids of keys, hashes of packages.
CREATE TABLE catalogue_revocations (
    catalogue TEXT NOT NULL REFERENCES catalogues (name) ON DELETE CASCADE,
    subject   TEXT NOT NULL,
    reason    TEXT NOT NULL,
    PRIMARY KEY (catalogue, subject)
);

-- What users think of plugins. Of plugins, and not of listings: no sync touches it.
CREATE TABLE plugin_ratings (
    plugin     TEXT    NOT NULL,
    user_id    TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    rating     BIGINT  NOT NULL, -- 1 to 5
    review     TEXT    NOT NULL, -- may be empty
    created_us BIGINT  NOT NULL,
    updated_us BIGINT  NOT NULL,
    PRIMARY KEY (plugin, user_id)
);
CREATE INDEX plugin_ratings_by_user ON plugin_ratings (user_id);

-- How often a plugin was installed here from a catalogue, and what was installed last.
CREATE TABLE plugin_downloads (
    plugin       TEXT    NOT NULL PRIMARY KEY,
    installs     BIGINT  NOT NULL,
    version      TEXT    NOT NULL,
    package      TEXT    NOT NULL, -- SHA-256 of its package.json
    catalogue    TEXT    NOT NULL, -- which may be gone
    installed_us BIGINT  NOT NULL
);
