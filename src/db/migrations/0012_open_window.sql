-- 0012_open_window.sql: records that come over the network: credited at once and not yet sealed, or as files that a run takes.
-- Why: decision 0017. A batch of credits is a few rows, not a row for each record: one with its records, one with its postings. When the
-- window is sealed, the records become segments and the postings those of a run; until then they are here and nowhere else.

-- A run that is still being posted, batch by batch. Its transfer has no digest yet.
CREATE TABLE open_run (
  transfer BIGINT PRIMARY KEY REFERENCES transfer (id)
) STRICT;

-- What a batch asks for, and, when it is in the balances, what was booked for it. Batches that are booked together become one row.
-- requested, booked := (owner[16] length:varint entries)*, people ascending, entries as in run_posting
CREATE TABLE open_posting (
  transfer  BIGINT NOT NULL,
  batch     BIGINT NOT NULL CHECK (batch > 0),
  requested BYTEA  NOT NULL,
  booked    BYTEA,           -- null: not in the balances yet
  PRIMARY KEY (transfer, batch)
) STRICT, WITHOUT ROWID;

-- The open window of a programme: which run its records will be sealed as.
CREATE TABLE open_window (
  programme       TEXT   NOT NULL PRIMARY KEY,
  key             TEXT   NOT NULL UNIQUE,  -- of the run and its transfer
  started_ms      BIGINT NOT NULL,
  settings_digest BYTEA  NOT NULL CHECK (length(settings_digest) = 32)
) STRICT, WITHOUT ROWID;

-- What one commit credited. Its inputs' digest continues that of the batch before.
CREATE TABLE open_batch (
  programme     TEXT   NOT NULL REFERENCES open_window (programme),
  batch         BIGINT NOT NULL CHECK (batch > 0),
  at_ms         BIGINT NOT NULL,
  inputs_digest BYTEA  NOT NULL CHECK (length(inputs_digest) = 32),
  records       BIGINT NOT NULL CHECK (records >= 0),  -- decided ones, without those that wait
  accepted      BIGINT NOT NULL CHECK (accepted >= 0),
  duplicate     BIGINT NOT NULL CHECK (duplicate >= 0),
  capped        BIGINT NOT NULL CHECK (capped >= 0),
  rejected      BIGINT NOT NULL CHECK (rejected >= 0),
  held          BIGINT NOT NULL CHECK (held >= 0),
  no_consent    BIGINT NOT NULL CHECK (no_consent >= 0),
  adjusted      BIGINT NOT NULL CHECK (adjusted >= 0),
  milligrams    BIGINT NOT NULL CHECK (milligrams BETWEEN -4611686018427387903 AND 4611686018427387903),
  points        BIGINT NOT NULL CHECK (points BETWEEN -4611686018427387903 AND 4611686018427387903),
  bytes         BYTEA  NOT NULL,  -- the rows (activity/open_rows.h)
  PRIMARY KEY (programme, batch),
  CHECK (records = accepted + duplicate + capped + rejected + held + no_consent)  -- counts in equal counts out
) STRICT, WITHOUT ROWID;

-- Records that only a run can decide: for a day that is sealed, or about a key that was used before. The next run takes them.
CREATE TABLE waiting_batch (
  programme TEXT   NOT NULL,
  batch     BIGINT NOT NULL CHECK (batch > 0),
  at_ms     BIGINT NOT NULL,
  records   BIGINT NOT NULL CHECK (records > 0),
  bytes     BYTEA  NOT NULL,
  PRIMARY KEY (programme, batch)
) STRICT, WITHOUT ROWID;

-- A file that was sent to be accounted. Its bytes lie in the instance's folder until the run is over.
CREATE TABLE import (
  id          TEXT   NOT NULL PRIMARY KEY CHECK (length(id) = 32),
  programme   TEXT   NOT NULL,
  source      TEXT   NOT NULL,  -- whose records alone it may hold; empty: any source of the programme
  sender      TEXT   NOT NULL,  -- key of a partner or id of a member of staff
  profile     TEXT   NOT NULL,  -- empty: the native format
  bytes       BIGINT NOT NULL CHECK (bytes >= 0),
  digest      BYTEA  NOT NULL CHECK (length(digest) = 32),
  state       TEXT   NOT NULL CHECK (state IN ('queued', 'done', 'failed')),
  created_ms  BIGINT NOT NULL,
  finished_ms BIGINT,
  run         BIGINT,           -- that booked it; null when it changed nothing
  report      TEXT   NOT NULL,  -- JSON of the report, or of the problem; empty while it is queued
  CHECK ((state = 'queued') = (finished_ms IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX import_queue ON import (created_ms, id) WHERE state = 'queued';
