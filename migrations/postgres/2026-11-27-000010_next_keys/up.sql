-- The key that the vendor will sign later versions with, if the package says so: what the key in `key_id` says of it.
ALTER TABLE plugin_generations ADD COLUMN next_key TEXT; -- as minisign writes it: 56 characters of base64
