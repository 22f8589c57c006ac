-- 0002_run.sql: what was accounted, and where its records are sealed.
-- Why: the same inputs under the same settings are one run (the key); readers find a day's segments here and hold files against digests.
CREATE TABLE run (
  id              BIGINT PRIMARY KEY CHECK (id > 0),
  key             TEXT   NOT NULL UNIQUE,  -- digest of programme, settings and inputs
  programme       TEXT   NOT NULL,
  started_ms      BIGINT NOT NULL,
  finished_ms     BIGINT NOT NULL CHECK (finished_ms >= started_ms),
  inputs_digest   BYTEA  NOT NULL CHECK (length(inputs_digest) = 32),
  settings_digest BYTEA  NOT NULL CHECK (length(settings_digest) = 32),
  postings_digest BYTEA  NOT NULL CHECK (length(postings_digest) = 32),  -- of the ledger's transfer
  records         BIGINT NOT NULL CHECK (records >= 0),
  accepted        BIGINT NOT NULL CHECK (accepted >= 0),
  duplicate       BIGINT NOT NULL CHECK (duplicate >= 0),
  capped          BIGINT NOT NULL CHECK (capped >= 0),
  rejected        BIGINT NOT NULL CHECK (rejected >= 0),
  held            BIGINT NOT NULL CHECK (held >= 0),
  no_consent      BIGINT NOT NULL CHECK (no_consent >= 0),
  adjusted        BIGINT NOT NULL CHECK (adjusted >= 0),  -- earlier records that this run changed; not among `records`
  people          BIGINT NOT NULL CHECK (people >= 0),
  milligrams      BIGINT NOT NULL,
  points          BIGINT NOT NULL,
  report          TEXT   NOT NULL,  -- JSON, as it was shown; empty when none was kept
  CHECK (records = accepted + duplicate + capped + rejected + held + no_consent)  -- counts in equal counts out
) STRICT;

-- A sealed Parquet file of the journal. It never changes.
CREATE TABLE segment (
  programme    TEXT   NOT NULL,
  day          TEXT   NOT NULL CHECK (length(day) = 10),  -- local day, 2024-09-02
  run          BIGINT NOT NULL REFERENCES run (id),
  path         TEXT   NOT NULL,                           -- below the instance's journal folder
  records      BIGINT NOT NULL CHECK (records > 0),
  milligrams   BIGINT NOT NULL,
  points       BIGINT NOT NULL,
  bytes        BIGINT NOT NULL CHECK (bytes > 0),
  sha256       BYTEA  NOT NULL CHECK (length(sha256) = 32),
  person_min   BYTEA  NOT NULL CHECK (length(person_min) = 16),
  person_max   BYTEA  NOT NULL CHECK (length(person_max) = 16),
  start_min_ms BIGINT NOT NULL,
  start_max_ms BIGINT NOT NULL,
  PRIMARY KEY (programme, day, run)
) STRICT;
CREATE INDEX segment_run ON segment (run);
