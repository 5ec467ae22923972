-- The platform's four tables, with its names of columns, and what they lacked.
CREATE TABLE session_recordings (
    id text PRIMARY KEY,
    session_id text NOT NULL,
    recording_type text NOT NULL DEFAULT 'screen',
    storage_path text NOT NULL,
    file_size_bytes bigint NOT NULL DEFAULT 0,
    duration_seconds double precision NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    status text NOT NULL
        CHECK (status IN ('starting', 'recording', 'paused', 'finalising', 'completed', 'failed', 'truncated')),
    error_message text,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    user_id text NOT NULL,
    file_hash text,
    format text NOT NULL DEFAULT 'webm',
    metadata jsonb NOT NULL,
    retention_days bigint NOT NULL,
    expires_at timestamptz,
    is_automatic boolean NOT NULL,
    reason text NOT NULL DEFAULT '',
    -- Ours.
    template text NOT NULL DEFAULT '',
    policy_id text,
    policy_name text,
    allow_playback boolean NOT NULL,
    allow_download boolean NOT NULL,
    legal_hold boolean NOT NULL,
    notified boolean NOT NULL,
    ended_by text,
    continues text,
    by_permission boolean NOT NULL
);
-- One at a time of each session.
CREATE UNIQUE INDEX session_recordings_live ON session_recordings (session_id)
    WHERE status IN ('starting', 'recording', 'paused');
CREATE INDEX session_recordings_started ON session_recordings (started_at);
CREATE INDEX session_recordings_user ON session_recordings (user_id, started_at);
CREATE INDEX session_recordings_expires ON session_recordings (expires_at);

CREATE TABLE recording_policies (
    id text PRIMARY KEY,
    name text NOT NULL UNIQUE,
    description text NOT NULL,
    auto_record boolean NOT NULL,
    recording_format text NOT NULL,
    retention_days bigint NOT NULL,
    apply_to_users jsonb NOT NULL,
    apply_to_teams jsonb NOT NULL,
    apply_to_templates jsonb NOT NULL,
    require_reason boolean NOT NULL,
    allow_user_playback boolean NOT NULL,
    allow_user_download boolean NOT NULL,
    require_approval boolean NOT NULL,
    require_consent boolean NOT NULL,
    notify_on_recording boolean NOT NULL,
    metadata jsonb NOT NULL,
    enabled boolean NOT NULL,
    priority bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

-- It has no reference to the recording: who saw it is known longer than the recording is there.
CREATE TABLE recording_access_log (
    id text PRIMARY KEY,
    recording_id text NOT NULL,
    user_id text NOT NULL,
    action text NOT NULL,
    detail text NOT NULL DEFAULT '',
    accessed_at timestamptz NOT NULL,
    ip_address text,
    user_agent text
);
CREATE INDEX recording_access_log_recording ON recording_access_log (recording_id, accessed_at);

CREATE TABLE recording_playback (
    id text PRIMARY KEY,
    recording_id text NOT NULL REFERENCES session_recordings (id) ON DELETE CASCADE,
    user_id text NOT NULL,
    started_at timestamptz NOT NULL,
    position bigint NOT NULL,
    speed double precision NOT NULL,
    UNIQUE (recording_id, user_id)
);

CREATE TABLE recording_approvals (
    id text PRIMARY KEY,
    session_id text NOT NULL,
    user_id text NOT NULL,
    template text NOT NULL,
    policy_id text NOT NULL,
    policy_name text NOT NULL,
    requested_by text NOT NULL,
    is_automatic boolean NOT NULL,
    format text NOT NULL,
    reason text NOT NULL,
    status text NOT NULL CHECK (status IN ('pending', 'approved', 'refused')),
    decided_by text,
    decided_at timestamptz,
    note text NOT NULL DEFAULT '',
    recording_id text,
    created_at timestamptz NOT NULL,
    by_permission boolean NOT NULL
);
-- One question at a time.
CREATE UNIQUE INDEX recording_approvals_pending ON recording_approvals (session_id) WHERE status = 'pending';

CREATE TABLE recording_consents (
    session_id text NOT NULL,
    user_id text NOT NULL,
    accepted boolean NOT NULL,
    notice text NOT NULL,
    given_at timestamptz NOT NULL,
    PRIMARY KEY (session_id, user_id)
);

CREATE TABLE recording_holds (
    id text PRIMARY KEY,
    recording_id text NOT NULL,
    reason text NOT NULL,
    placed_by text NOT NULL,
    placed_at timestamptz NOT NULL,
    lifted_by text,
    lifted_at timestamptz
);
CREATE INDEX recording_holds_recording ON recording_holds (recording_id);

CREATE TABLE recording_tombstones (
    recording_id text PRIMARY KEY,
    session_id text NOT NULL,
    user_id text NOT NULL,
    created_by text NOT NULL,
    started_at timestamptz NOT NULL,
    duration_seconds double precision NOT NULL,
    file_size_bytes bigint NOT NULL,
    file_hash text,
    deleted_by text NOT NULL,
    deleted_at timestamptz NOT NULL,
    why text NOT NULL
);

CREATE TABLE recording_markers (
    id text PRIMARY KEY,
    recording_id text NOT NULL REFERENCES session_recordings (id) ON DELETE CASCADE,
    at_ms bigint NOT NULL,
    kind text NOT NULL,
    text text NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX recording_markers_recording ON recording_markers (recording_id, at_ms);

CREATE TABLE recording_exports (
    id text PRIMARY KEY,
    recording_id text NOT NULL REFERENCES session_recordings (id) ON DELETE CASCADE,
    format text NOT NULL,
    status text NOT NULL CHECK (status IN ('queued', 'running', 'done', 'failed')),
    storage_path text NOT NULL,
    file_size_bytes bigint NOT NULL DEFAULT 0,
    error_message text,
    requested_by text NOT NULL,
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    UNIQUE (recording_id, format)
);
