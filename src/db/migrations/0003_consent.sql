-- 0003_consent.sql: what people agreed to and took back, as it happened. The latest word on a source counts.
-- Why: consent is per source and purpose and is asked before crediting; who withdrew must be provable, so nothing is overwritten.
CREATE TABLE consent (
  programme TEXT   NOT NULL,
  person    BYTEA  NOT NULL CHECK (length(person) = 16),
  source    TEXT   NOT NULL,  -- a source of the programme, or * for all of them
  purpose   TEXT   NOT NULL CHECK (purpose IN ('crediting')),
  at_ms     BIGINT NOT NULL,
  given     BIGINT NOT NULL CHECK (given IN (0, 1)),  -- 0: withdrawn
  PRIMARY KEY (programme, person, source, purpose, at_ms)
) STRICT, WITHOUT ROWID;
