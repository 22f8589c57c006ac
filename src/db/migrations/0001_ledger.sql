-- 0001_ledger.sql: double entry for every asset; value moves here and nowhere else.
-- Why: decisions 0001 and 0010. Amounts are whole numbers within +-(2^62 - 1), so that no sum of two leaves 64 bits (SQLite would turn
-- such a sum into floating point). Types BIGINT, TEXT, BYTEA; each store has its own words for them.
CREATE TABLE asset (
  id        BIGINT PRIMARY KEY CHECK (id > 0),
  kind      TEXT   NOT NULL CHECK (kind IN ('reduction', 'points')),
  programme TEXT   NOT NULL,
  category  TEXT   NOT NULL,  -- of a reduction; empty for points
  period    BIGINT NOT NULL,  -- of a reduction its vintage year; of points the month they expire in (202509), 0 never
  UNIQUE (kind, programme, category, period)
) STRICT;

-- A transfer is small (posted at once) or a run's (in bulk). The key settles the race between two equal requests.
CREATE TABLE transfer (
  id     BIGINT PRIMARY KEY CHECK (id > 0),
  key    TEXT   NOT NULL UNIQUE,
  digest BYTEA  NOT NULL CHECK (length(digest) = 32),  -- of the canonical bytes: the same key with other content is a conflict
  reason TEXT   NOT NULL
) STRICT;

-- People and organisations: never below zero. Sorted as a run brings them. No foreign key, for the run's sake.
CREATE TABLE balance (
  owner  BYTEA  NOT NULL CHECK (length(owner) = 16),
  asset  BIGINT NOT NULL,
  amount BIGINT NOT NULL CHECK (amount BETWEEN 0 AND 4611686018427387903),
  PRIMARY KEY (owner, asset)
) STRICT, WITHOUT ROWID;

-- The programme's own side of an asset. 1 issuance (the source, below zero by what is out), 2 redeemed, 3 expired, 4 pool.
CREATE TABLE system_balance (
  account BIGINT NOT NULL CHECK (account BETWEEN 1 AND 4),
  asset   BIGINT NOT NULL REFERENCES asset (id),
  amount  BIGINT NOT NULL CHECK (amount BETWEEN -4611686018427387903 AND 4611686018427387903),
  PRIMARY KEY (account, asset),
  CHECK (account = 1 OR amount >= 0)
) STRICT, WITHOUT ROWID;

-- What a small transfer did to each account of a person or organisation.
CREATE TABLE posting (
  transfer BIGINT NOT NULL REFERENCES transfer (id),
  owner    BYTEA  NOT NULL CHECK (length(owner) = 16),
  asset    BIGINT NOT NULL REFERENCES asset (id),
  amount   BIGINT NOT NULL CHECK (amount <> 0 AND amount BETWEEN -4611686018427387903 AND 4611686018427387903),
  PRIMARY KEY (transfer, owner, asset)
) STRICT, WITHOUT ROWID;

-- What a run did to one person, all assets in one row: a run writes millions of these in key order, and a row per asset costs four
-- times the bytes and the time. A person's history is one search per run. No foreign key: it would be one more search for each row.
-- entries := (asset:varint amount:zigzag-varint)*, assets ascending; ledger::check() holds them against the balances.
CREATE TABLE run_posting (
  transfer BIGINT NOT NULL,
  owner    BYTEA  NOT NULL CHECK (length(owner) = 16),
  entries  BYTEA  NOT NULL CHECK (length(entries) >= 2),
  PRIMARY KEY (transfer, owner)
) STRICT, WITHOUT ROWID;

-- What a transfer did to the programme's side.
CREATE TABLE system_posting (
  transfer BIGINT NOT NULL REFERENCES transfer (id),
  account  BIGINT NOT NULL CHECK (account BETWEEN 1 AND 4),
  asset    BIGINT NOT NULL REFERENCES asset (id),
  amount   BIGINT NOT NULL CHECK (amount <> 0 AND amount BETWEEN -4611686018427387903 AND 4611686018427387903),
  PRIMARY KEY (transfer, account, asset)
) STRICT, WITHOUT ROWID;

-- What a person owes because an adjustment took more than was left. Later credits of the same pool repay it first (decision 0010).
CREATE TABLE debt (
  owner  BYTEA  NOT NULL CHECK (length(owner) = 16),
  asset  BIGINT NOT NULL REFERENCES asset (id),
  amount BIGINT NOT NULL CHECK (amount BETWEEN 0 AND 4611686018427387903),
  PRIMARY KEY (owner, asset)
) STRICT, WITHOUT ROWID;

CREATE TABLE debt_change (
  transfer BIGINT NOT NULL REFERENCES transfer (id),
  owner    BYTEA  NOT NULL CHECK (length(owner) = 16),
  asset    BIGINT NOT NULL REFERENCES asset (id),
  amount   BIGINT NOT NULL CHECK (amount <> 0 AND amount BETWEEN -4611686018427387903 AND 4611686018427387903),  -- positive: owes more
  PRIMARY KEY (transfer, owner, asset)
) STRICT, WITHOUT ROWID;
