DROP TABLE plugin_operations;
DROP TABLE plugin_pins;
DROP TABLE plugin_generations;
DROP TABLE unsigned_plugins;
DROP TABLE revocations;
DROP TABLE trusted_keys;
