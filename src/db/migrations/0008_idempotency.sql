-- 0008_idempotency.sql: answers to requests that carried an Idempotency-Key, for a day.
-- Why: a client whose connection broke does not know whether it was heard. It asks again with the same key and gets the first answer; the
-- work is not done twice. Written in the transaction of the work itself, so there is never one without the other. Who called is kept as a
-- digest: the table names nobody.
CREATE TABLE idempotency (
  caller   BYTEA  NOT NULL CHECK (length(caller) = 32),        -- SHA-256 of the kind of caller and their id
  key      TEXT   NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
  request  BYTEA  NOT NULL CHECK (length(request) = 32),       -- SHA-256 of method, target and body
  begun_ms BIGINT NOT NULL,
  status   BIGINT CHECK (status BETWEEN 200 AND 299),          -- null while work goes on that is not one transaction
  headers  TEXT,                                               -- JSON, [[name, value], ...]
  body     BYTEA,
  PRIMARY KEY (caller, key),
  CHECK ((status IS NULL) = (body IS NULL) AND (status IS NULL) = (headers IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_age ON idempotency (begun_ms);
