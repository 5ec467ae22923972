-- Plugins' jobs, those that were registered when the plugin was last loaded.
CREATE TABLE jobs (
    plugin       TEXT    NOT NULL REFERENCES plugins (name) ON DELETE CASCADE,
    name         TEXT    NOT NULL,
    schedule     TEXT    NOT NULL, -- the expression
    time_zone    TEXT    NOT NULL, -- an IANA name
    paused       INTEGER NOT NULL, -- 0 or 1
    since_us     INTEGER NOT NULL, -- what was due up to then is accounted for; microseconds since 1970-01-01 UTC
    last_run_us  INTEGER,          -- when the last run began
    last_outcome TEXT,
    PRIMARY KEY (plugin, name)
) STRICT, WITHOUT ROWID;

-- What became of their newest runs.
CREATE TABLE job_runs (
    plugin       TEXT    NOT NULL,
    job          TEXT    NOT NULL,
    number       INTEGER NOT NULL, -- counts the job's runs
    scheduled_us INTEGER NOT NULL,
    started_us   INTEGER,          -- null: it did not begin
    duration_us  INTEGER,          -- null: it has not ended, or did not begin
    cause        TEXT    NOT NULL, -- due, by_hand or missed
    outcome      TEXT    NOT NULL, -- ok, error, panicked, skipped, missed or hanging
    message      TEXT    NOT NULL,
    PRIMARY KEY (plugin, job, number),
    FOREIGN KEY (plugin, job) REFERENCES jobs (plugin, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
