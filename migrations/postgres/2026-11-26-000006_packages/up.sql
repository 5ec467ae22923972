-- Keys of vendors whose packages the operator takes.
CREATE TABLE trusted_keys (
    public_key TEXT    NOT NULL PRIMARY KEY, -- as minisign writes it: 56 characters of base64
    key_id     TEXT    NOT NULL, -- 16 hexadecimal digits, upper case
    name       TEXT    NOT NULL UNIQUE,
    added_us   BIGINT  NOT NULL -- microseconds since 1970-01-01 UTC
);

-- What is refused, whoever signed it.
CREATE TABLE revocations (
    subject    TEXT    NOT NULL PRIMARY KEY, -- the id of a key, or the SHA-256 of a package's package.json
    reason     TEXT    NOT NULL, -- may be empty
    revoked_us BIGINT  NOT NULL
);

-- Plugins that may be unsigned, for a while.
CREATE TABLE unsigned_plugins (
    plugin     TEXT    NOT NULL PRIMARY KEY, -- need not be installed
    until_us   BIGINT  NOT NULL,
    allowed_us BIGINT  NOT NULL
);

-- The versions of a plugin whose files are kept. The one in `plugins` is among them, unless an older host installed it.
CREATE TABLE plugin_generations (
    plugin       TEXT    NOT NULL REFERENCES plugins (name) ON DELETE CASCADE,
    content      TEXT    NOT NULL, -- the folder of its files
    version      TEXT    NOT NULL,
    library      TEXT    NOT NULL, -- the file name of its library
    trust        TEXT    NOT NULL, -- built-in, vendor, local, unsigned or folder
    key_id       TEXT,             -- of the key that it was taken for
    signer       TEXT,             -- the name that key had
    package      TEXT,             -- the SHA-256 of package.json; null: it came from a folder
    files        TEXT    NOT NULL, -- a JSON object: the SHA-256 of each file by its path
    installed_us BIGINT  NOT NULL,
    PRIMARY KEY (plugin, content)
);

-- Plugins that stay at a version.
CREATE TABLE plugin_pins (
    plugin  TEXT NOT NULL PRIMARY KEY REFERENCES plugins (name) ON DELETE CASCADE,
    version TEXT NOT NULL
);

-- What was begun with a plugin and is not done: written before each step, gone at the end.
CREATE TABLE plugin_operations (
    plugin       TEXT    NOT NULL PRIMARY KEY, -- need not be installed
    kind         TEXT    NOT NULL, -- install, upgrade, rollback or uninstall
    step         TEXT    NOT NULL,
    from_content TEXT,
    to_content   TEXT,
    purge        BOOLEAN NOT NULL, -- whether an uninstall takes what is stored too
    begun_us     BIGINT  NOT NULL
);
