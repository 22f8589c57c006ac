-- 0004_log.sql: the transparency log, and where a segment stands in it.
-- Why: decision 0015. Entries commit with what they speak of; the files that the world reads are written from these rows afterwards.
CREATE TABLE log_entry (
  position BIGINT PRIMARY KEY CHECK (position >= 0),
  bytes    BYTEA  NOT NULL CHECK (length(bytes) BETWEEN 2 AND 65535)  -- one JSON object (journal/entry.h)
) STRICT;

-- Each checkpoint that was signed: one for each commit that added entries. They are never changed; witnesses only add lines.
CREATE TABLE log_checkpoint (
  size  BIGINT PRIMARY KEY CHECK (size > 0),
  at_ms BIGINT NOT NULL,
  note  TEXT   NOT NULL
) STRICT;

-- Which entries are about the log's key, the newest last.
CREATE TABLE log_key (
  position BIGINT PRIMARY KEY REFERENCES log_entry (position)
) STRICT;

-- The right edge of the tree, so that appending reads nothing else. One row; its lock is the order of appends.
CREATE TABLE log_head (
  id     BIGINT PRIMARY KEY CHECK (id = 1),
  origin TEXT   NOT NULL,
  edge   BYTEA  NOT NULL CHECK (length(edge) >= 8)
) STRICT;

ALTER TABLE segment ADD COLUMN root BYTEA CHECK (length(root) = 32);        -- Merkle root over its records
ALTER TABLE segment ADD COLUMN position BIGINT REFERENCES log_entry (position);  -- its entry; null only before the log was there
