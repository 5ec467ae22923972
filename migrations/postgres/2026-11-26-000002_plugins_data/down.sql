DROP TABLE plugin_migrations;
DROP SEQUENCE plugin_storage_revisions;
DROP TABLE plugin_storage;
