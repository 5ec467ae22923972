-- The platform's four tables, with its names of columns, and what they lacked.
CREATE TABLE session_recordings (
    id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL,
    recording_type TEXT NOT NULL DEFAULT 'screen',
    storage_path TEXT NOT NULL,
    file_size_bytes INTEGER NOT NULL DEFAULT 0,
    duration_seconds REAL NOT NULL DEFAULT 0,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    status TEXT NOT NULL
        CHECK (status IN ('starting', 'recording', 'paused', 'finalising', 'completed', 'failed', 'truncated')),
    error_message TEXT,
    created_by TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    user_id TEXT NOT NULL,
    file_hash TEXT,
    format TEXT NOT NULL DEFAULT 'webm',
    metadata TEXT NOT NULL,
    retention_days INTEGER NOT NULL,
    expires_at TEXT,
    is_automatic INTEGER NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    -- Ours.
    template TEXT NOT NULL DEFAULT '',
    policy_id TEXT,
    policy_name TEXT,
    allow_playback INTEGER NOT NULL,
    allow_download INTEGER NOT NULL,
    legal_hold INTEGER NOT NULL,
    notified INTEGER NOT NULL,
    ended_by TEXT,
    continues TEXT,
    by_permission INTEGER NOT NULL
) STRICT;
-- One at a time of each session.
CREATE UNIQUE INDEX session_recordings_live ON session_recordings (session_id)
    WHERE status IN ('starting', 'recording', 'paused');
CREATE INDEX session_recordings_started ON session_recordings (started_at);
CREATE INDEX session_recordings_user ON session_recordings (user_id, started_at);
CREATE INDEX session_recordings_expires ON session_recordings (expires_at);

CREATE TABLE recording_policies (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    auto_record INTEGER NOT NULL,
    recording_format TEXT NOT NULL,
    retention_days INTEGER NOT NULL,
    apply_to_users TEXT NOT NULL,
    apply_to_teams TEXT NOT NULL,
    apply_to_templates TEXT NOT NULL,
    require_reason INTEGER NOT NULL,
    allow_user_playback INTEGER NOT NULL,
    allow_user_download INTEGER NOT NULL,
    require_approval INTEGER NOT NULL,
    require_consent INTEGER NOT NULL,
    notify_on_recording INTEGER NOT NULL,
    metadata TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;

-- It has no reference to the recording: who saw it is known longer than the recording is there.
CREATE TABLE recording_access_log (
    id TEXT PRIMARY KEY,
    recording_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    action TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT '',
    accessed_at TEXT NOT NULL,
    ip_address TEXT,
    user_agent TEXT
) STRICT;
CREATE INDEX recording_access_log_recording ON recording_access_log (recording_id, accessed_at);

CREATE TABLE recording_playback (
    id TEXT PRIMARY KEY,
    recording_id TEXT NOT NULL REFERENCES session_recordings (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL,
    started_at TEXT NOT NULL,
    position INTEGER NOT NULL,
    speed REAL NOT NULL,
    UNIQUE (recording_id, user_id)
) STRICT;

CREATE TABLE recording_approvals (
    id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    template TEXT NOT NULL,
    policy_id TEXT NOT NULL,
    policy_name TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    is_automatic INTEGER NOT NULL,
    format TEXT NOT NULL,
    reason TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'approved', 'refused')),
    decided_by TEXT,
    decided_at TEXT,
    note TEXT NOT NULL DEFAULT '',
    recording_id TEXT,
    created_at TEXT NOT NULL,
    by_permission INTEGER NOT NULL
) STRICT;
-- One question at a time.
CREATE UNIQUE INDEX recording_approvals_pending ON recording_approvals (session_id) WHERE status = 'pending';

CREATE TABLE recording_consents (
    session_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    accepted INTEGER NOT NULL,
    notice TEXT NOT NULL,
    given_at TEXT NOT NULL,
    PRIMARY KEY (session_id, user_id)
) STRICT;

CREATE TABLE recording_holds (
    id TEXT PRIMARY KEY,
    recording_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    placed_by TEXT NOT NULL,
    placed_at TEXT NOT NULL,
    lifted_by TEXT,
    lifted_at TEXT
) STRICT;
CREATE INDEX recording_holds_recording ON recording_holds (recording_id);

CREATE TABLE recording_tombstones (
    recording_id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    created_by TEXT NOT NULL,
    started_at TEXT NOT NULL,
    duration_seconds REAL NOT NULL,
    file_size_bytes INTEGER NOT NULL,
    file_hash TEXT,
    deleted_by TEXT NOT NULL,
    deleted_at TEXT NOT NULL,
    why TEXT NOT NULL
) STRICT;

CREATE TABLE recording_markers (
    id TEXT PRIMARY KEY,
    recording_id TEXT NOT NULL REFERENCES session_recordings (id) ON DELETE CASCADE,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX recording_markers_recording ON recording_markers (recording_id, at_ms);

CREATE TABLE recording_exports (
    id TEXT PRIMARY KEY,
    recording_id TEXT NOT NULL REFERENCES session_recordings (id) ON DELETE CASCADE,
    format TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'done', 'failed')),
    storage_path TEXT NOT NULL,
    file_size_bytes INTEGER NOT NULL DEFAULT 0,
    error_message TEXT,
    requested_by TEXT NOT NULL,
    created_at TEXT NOT NULL,
    finished_at TEXT,
    UNIQUE (recording_id, format)
) STRICT;
