-- 0006_hold.sql: what is promised and not yet moved.
-- Why: decision 0014. What is held stays in the account and cannot be spent: `held` is the sum of the account's open holds, and the
-- constraint stands between every statement and a spend of it. Old rows are not rewritten.
ALTER TABLE balance ADD COLUMN held BIGINT NOT NULL DEFAULT 0 CHECK (held BETWEEN 0 AND amount);

-- A hold is open until it is settled by a transfer (in full or in part), released, or expired. Then it never changes again.
CREATE TABLE hold (
  key        TEXT   NOT NULL PRIMARY KEY,
  digest     BYTEA  NOT NULL CHECK (length(digest) = 32),  -- of the canonical bytes: the same key with other content is a conflict
  reason     TEXT   NOT NULL,
  owner      BYTEA  NOT NULL CHECK (length(owner) = 16),
  asset      BIGINT NOT NULL REFERENCES asset (id),
  amount     BIGINT NOT NULL CHECK (amount BETWEEN 1 AND 4611686018427387903),
  expires_ms BIGINT NOT NULL,  -- from this instant on it cannot be settled
  state      TEXT   NOT NULL CHECK (state IN ('open', 'settled', 'released', 'expired')),
  settled    BIGINT NOT NULL CHECK (settled BETWEEN 0 AND amount),
  transfer   BIGINT REFERENCES transfer (id),  -- that settled it
  CHECK ((state = 'settled') = (transfer IS NOT NULL)),
  CHECK (state = 'settled' OR settled = 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX hold_expiry ON hold (expires_ms, key) WHERE state = 'open';
CREATE INDEX hold_owner ON hold (owner, asset) WHERE state = 'open';
CREATE INDEX hold_transfer ON hold (transfer) WHERE transfer IS NOT NULL;

-- Small transfers come in batches of thousands too. Looking up transfer and asset again would be two more searches for every posting,
-- so these references go, as a run's postings never had them; ledger::check() holds them instead.
CREATE TABLE posting_free (
  transfer BIGINT NOT NULL,
  owner    BYTEA  NOT NULL CHECK (length(owner) = 16),
  asset    BIGINT NOT NULL,
  amount   BIGINT NOT NULL CHECK (amount <> 0 AND amount BETWEEN -4611686018427387903 AND 4611686018427387903),
  PRIMARY KEY (transfer, owner, asset)
) STRICT, WITHOUT ROWID;
INSERT INTO posting_free (transfer, owner, asset, amount) SELECT transfer, owner, asset, amount FROM posting ORDER BY transfer, owner, asset;
DROP TABLE posting;
ALTER TABLE posting_free RENAME TO posting;

CREATE TABLE system_posting_free (
  transfer BIGINT NOT NULL,
  account  BIGINT NOT NULL CHECK (account BETWEEN 1 AND 4),
  asset    BIGINT NOT NULL,
  amount   BIGINT NOT NULL CHECK (amount <> 0 AND amount BETWEEN -4611686018427387903 AND 4611686018427387903),
  PRIMARY KEY (transfer, account, asset)
) STRICT, WITHOUT ROWID;
INSERT INTO system_posting_free (transfer, account, asset, amount)
  SELECT transfer, account, asset, amount FROM system_posting ORDER BY transfer, account, asset;
DROP TABLE system_posting;
ALTER TABLE system_posting_free RENAME TO system_posting;
