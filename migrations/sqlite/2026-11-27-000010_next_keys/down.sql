ALTER TABLE plugin_generations DROP COLUMN next_key;
