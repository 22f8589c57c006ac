-- 0013_webhook.sql: who is told what over HTTP, and what is on its way to them.
-- Why: a delivery commits with what it tells of, so nothing that happened is forgotten; it is sent until it is taken, or kept as dead.
CREATE TABLE webhook (
  id           TEXT   NOT NULL PRIMARY KEY,
  organisation TEXT   NOT NULL,
  programme    TEXT   NOT NULL,
  url          TEXT   NOT NULL CHECK (length(url) BETWEEN 8 AND 2000),
  events       TEXT   NOT NULL,  -- types with commas; * for all
  secret       BYTEA  NOT NULL CHECK (length(secret) BETWEEN 32 AND 200),  -- sealed (identity/box.h)
  created_ms   BIGINT NOT NULL,
  ended_ms     BIGINT
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_programme ON webhook (programme) WHERE ended_ms IS NULL;

CREATE TABLE webhook_delivery (
  id         BIGINT PRIMARY KEY CHECK (id > 0),
  webhook    TEXT   NOT NULL REFERENCES webhook (id),
  type       TEXT   NOT NULL,
  body       TEXT   NOT NULL CHECK (length(body) <= 1000000),
  created_ms BIGINT NOT NULL,
  state      TEXT   NOT NULL CHECK (state IN ('waiting', 'delivered', 'dead')),
  attempts   BIGINT NOT NULL CHECK (attempts >= 0),
  next_ms    BIGINT NOT NULL,  -- of a waiting one: when it is tried
  answered   BIGINT NOT NULL,  -- status of the last answer, 0 when there was none
  problem    TEXT   NOT NULL   -- of the last attempt; empty when it was taken
) STRICT;
CREATE INDEX webhook_due ON webhook_delivery (next_ms, id) WHERE state = 'waiting';
CREATE INDEX webhook_of ON webhook_delivery (webhook, id);
