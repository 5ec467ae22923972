-- The version in whose place this one came, for the way back: its content. None if it came in no other's place.
ALTER TABLE plugin_generations ADD COLUMN replaced TEXT;
