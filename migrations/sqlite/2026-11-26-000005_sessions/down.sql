DROP TABLE session_connections;
DROP TABLE session_shares;
DROP TABLE session_tags;
DROP TABLE session_activity;
DROP TABLE sessions;
