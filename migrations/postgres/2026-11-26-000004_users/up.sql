-- Accounts.
CREATE TABLE users (
    id            TEXT    NOT NULL PRIMARY KEY, -- a UUID
    name          TEXT    NOT NULL UNIQUE,      -- to sign in with; in lower case
    full_name     TEXT    NOT NULL,
    email         TEXT    NOT NULL,
    tier          TEXT    NOT NULL,
    role          TEXT    NOT NULL,             -- admin, operator or user
    password      TEXT,                         -- Argon2id, as a PHC string; null: no sign-in with a password
    disabled      BOOLEAN NOT NULL,
    created_us    BIGINT  NOT NULL,             -- microseconds since 1970-01-01 UTC
    updated_us    BIGINT  NOT NULL,
    last_login_us BIGINT 
);

CREATE TABLE user_groups (
    id          TEXT    NOT NULL PRIMARY KEY, -- a UUID
    name        TEXT    NOT NULL UNIQUE,
    description TEXT    NOT NULL,
    created_us  BIGINT  NOT NULL,
    updated_us  BIGINT  NOT NULL
);

CREATE TABLE group_members (
    user_group TEXT NOT NULL REFERENCES user_groups (id) ON DELETE CASCADE,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (user_group, user_id)
);
CREATE INDEX group_members_by_user ON group_members (user_id);

-- What accounts and groups are permitted beyond their roles.
CREATE TABLE user_permissions (
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    permission TEXT NOT NULL,
    PRIMARY KEY (user_id, permission)
);

CREATE TABLE group_permissions (
    user_group TEXT NOT NULL REFERENCES user_groups (id) ON DELETE CASCADE,
    permission TEXT NOT NULL,
    PRIMARY KEY (user_group, permission)
);

-- Tokens for programs. One that is revoked has no row.
CREATE TABLE tokens (
    id           TEXT    NOT NULL PRIMARY KEY, -- a UUID
    user_id      TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name         TEXT    NOT NULL,
    hash         BYTEA   NOT NULL UNIQUE,      -- SHA-256 of the token
    scopes       TEXT    NOT NULL,             -- a JSON list of permissions
    created_us   BIGINT  NOT NULL,
    expires_us   BIGINT ,                      -- null: never
    last_used_us BIGINT 
);
CREATE INDEX tokens_by_user ON tokens (user_id);

-- Who is signed in with a browser. One that signed out has no row.
CREATE TABLE sign_ins (
    hash       BYTEA   NOT NULL PRIMARY KEY, -- SHA-256 of the cookie
    user_id    TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_us BIGINT  NOT NULL,
    seen_us    BIGINT  NOT NULL              -- when it was used last, a little behind
);
CREATE INDEX sign_ins_by_user ON sign_ins (user_id);
