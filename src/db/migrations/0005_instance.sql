-- 0005_instance.sql: the instance folder that this database belongs to.
-- Why: a folder's secret.key recognises the people whose accounts are here; a folder and a database that do not belong together would
-- credit everybody a second time under another key. The digest says nothing about the key, which is random.
CREATE TABLE instance (
  one        BIGINT PRIMARY KEY CHECK (one = 1),
  key_digest BYTEA  NOT NULL CHECK (length(key_digest) = 32)  -- SHA-256 of 'tanhui instance' and the bytes of secret.key
) STRICT;
