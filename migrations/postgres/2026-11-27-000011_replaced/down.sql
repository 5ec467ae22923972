ALTER TABLE plugin_generations DROP COLUMN replaced;
