-- 0009_tenancy.sql: programmes with their settings over time, organisations, staff, what they may do, their sessions, proposals that need
-- a second pair of eyes, keys of partners, and the trail of what staff did.
-- Why: decision 0016. All tables are new, so nothing is locked for long. Forward only.

-- A carbon inclusion scheme. Rights follow the tree, so a programme never changes its parent. (Deferred: a copy brings rows by id.)
CREATE TABLE programme (
  id         TEXT   PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 60),
  parent     TEXT   REFERENCES programme (id) DEFERRABLE INITIALLY DEFERRED CHECK (parent <> id),
  version    BIGINT NOT NULL CHECK (version > 0),  -- of whatever can be edited here; an edit names the one it saw
  created_ms BIGINT NOT NULL
) STRICT;

-- What a programme's settings are from an instant on. Never changed: the latest valid_from_ms that has come counts, and of equal ones the
-- higher number.
CREATE TABLE programme_settings (
  programme     TEXT   NOT NULL REFERENCES programme (id),
  number        BIGINT NOT NULL CHECK (number > 0),
  valid_from_ms BIGINT NOT NULL,
  yaml          TEXT   NOT NULL CHECK (length(yaml) BETWEEN 1 AND 1000000),
  digest        BYTEA  NOT NULL CHECK (length(digest) = 32),  -- SHA-256 of yaml
  author        TEXT   NOT NULL,
  created_ms    BIGINT NOT NULL,
  PRIMARY KEY (programme, number)
) STRICT;

-- States as they were ordered. At an instant the last order counts that has come; so a new one overrules those still planned after it.
CREATE TABLE programme_state (
  programme TEXT   NOT NULL REFERENCES programme (id),
  number    BIGINT NOT NULL CHECK (number > 0),
  state     TEXT   NOT NULL CHECK (state IN ('draft', 'staged', 'open', 'paused', 'closed')),
  from_ms   BIGINT NOT NULL,
  author    TEXT   NOT NULL,
  at_ms     BIGINT NOT NULL,
  PRIMARY KEY (programme, number)
) STRICT;

CREATE TABLE organisation (
  id          TEXT   PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 60),
  programme   TEXT   NOT NULL REFERENCES programme (id),
  name_en     TEXT   NOT NULL CHECK (length(name_en) BETWEEN 1 AND 200),
  name_zh     TEXT   NOT NULL CHECK (length(name_zh) BETWEEN 1 AND 200),
  credit_code TEXT   CHECK (length(credit_code) = 18),  -- unified social credit code, GB 32100
  state       TEXT   NOT NULL CHECK (state IN ('active', 'suspended', 'closed')),
  version     BIGINT NOT NULL CHECK (version > 0),
  created_ms  BIGINT NOT NULL,
  UNIQUE (programme, credit_code)
) STRICT;

CREATE TABLE organisation_kind (
  organisation TEXT NOT NULL REFERENCES organisation (id),
  kind         TEXT NOT NULL CHECK (kind IN ('enterprise', 'merchant', 'partner', 'project-owner', 'verifier', 'exchange-member', 'bank',
                                             'regulator')),
  PRIMARY KEY (organisation, kind)
) STRICT;

CREATE TABLE staff (
  id              TEXT   PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 60),  -- random; what the trail names
  email           TEXT   NOT NULL UNIQUE CHECK (length(email) BETWEEN 3 AND 254),
  name            TEXT   NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  state           TEXT   NOT NULL CHECK (state IN ('active', 'disabled')),
  password        TEXT   CHECK (length(password) BETWEEN 1 AND 128),  -- argon2id as libsodium writes it; null: other ways in only
  totp            BYTEA  CHECK (length(totp) BETWEEN 1 AND 256),      -- sealed by the instance's key
  totp_confirmed  BIGINT NOT NULL CHECK (totp_confirmed IN (0, 1)),
  totp_step       BIGINT NOT NULL CHECK (totp_step >= 0),             -- the last one used: each code works once
  version         BIGINT NOT NULL CHECK (version > 0),
  created_ms      BIGINT NOT NULL
) STRICT;

CREATE TABLE staff_recovery (
  staff   TEXT   NOT NULL REFERENCES staff (id),
  digest  BYTEA  NOT NULL CHECK (length(digest) = 32),
  used_ms BIGINT,
  PRIMARY KEY (staff, digest)
) STRICT;

-- Attempts in a row for an e-mail address, whether an account has it or not: so an answer does not tell.
CREATE TABLE login_attempt (
  address  BYTEA  PRIMARY KEY CHECK (length(address) = 32),  -- SHA-256
  attempts BIGINT NOT NULL CHECK (attempts > 0),
  until_ms BIGINT NOT NULL                                   -- it waits until then
) STRICT;

-- What a member of staff is: in the instance (neither is given), in a programme, or in an organisation.
CREATE TABLE membership (
  id           TEXT   PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 60),
  staff        TEXT   NOT NULL REFERENCES staff (id),
  role         TEXT   NOT NULL CHECK (length(role) BETWEEN 1 AND 40),
  programme    TEXT   REFERENCES programme (id),
  organisation TEXT   REFERENCES organisation (id),
  created_ms   BIGINT NOT NULL,
  CHECK (programme IS NULL OR organisation IS NULL)
) STRICT;
CREATE UNIQUE INDEX membership_once ON membership (staff, role, COALESCE(programme, ''), COALESCE(organisation, ''));

-- Who is logged in. The token itself is nowhere: whoever steals this table has no session.
CREATE TABLE session (
  id          TEXT   PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 60),  -- to name it in a list
  token       BYTEA  NOT NULL UNIQUE CHECK (length(token) = 32),       -- SHA-256
  kind        TEXT   NOT NULL CHECK (kind IN ('staff', 'person')),
  owner       TEXT   NOT NULL CHECK (length(owner) BETWEEN 1 AND 100),
  pending     BIGINT NOT NULL CHECK (pending IN (0, 1)),               -- 1: the second factor is still to come
  created_ms  BIGINT NOT NULL,
  seen_ms     BIGINT NOT NULL,
  idle_ms     BIGINT NOT NULL CHECK (idle_ms > 0),                     -- it ends so long after it was last seen
  end_ms      BIGINT NOT NULL,                                         -- and here in any case
  revoked_ms  BIGINT,
  agent       TEXT   NOT NULL CHECK (length(agent) <= 120)
) STRICT;
CREATE INDEX session_owner ON session (kind, owner);

-- Four eyes: what one proposes another decides, and it is done once.
CREATE TABLE proposal (
  id          TEXT   PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 60),
  action      TEXT   NOT NULL CHECK (length(action) BETWEEN 1 AND 60),
  programme   TEXT   NOT NULL REFERENCES programme (id),
  payload     TEXT   NOT NULL CHECK (length(payload) BETWEEN 2 AND 65536),  -- JSON: exactly what will be done
  state       TEXT   NOT NULL CHECK (state IN ('proposed', 'approved', 'rejected', 'withdrawn', 'executed')),
  proposer    TEXT   NOT NULL,
  proposed_ms BIGINT NOT NULL,
  expires_ms  BIGINT NOT NULL CHECK (expires_ms > proposed_ms),
  decider     TEXT   CHECK (decider <> proposer OR state = 'withdrawn'),
  decided_ms  BIGINT,
  executed_ms BIGINT,
  CHECK (state NOT IN ('approved', 'rejected', 'executed') OR decider IS NOT NULL),
  CHECK ((state = 'executed') = (executed_ms IS NOT NULL))
) STRICT;

-- With what a partner signs its requests.
CREATE TABLE partner_key (
  id            TEXT   PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 60),
  organisation  TEXT   NOT NULL REFERENCES organisation (id),
  programme     TEXT   NOT NULL REFERENCES programme (id),
  source        TEXT   NOT NULL CHECK (length(source) BETWEEN 1 AND 60),
  algorithm     TEXT   NOT NULL CHECK (algorithm IN ('hmac-sha256', 'ed25519')),
  key           BYTEA  NOT NULL CHECK (length(key) BETWEEN 32 AND 256),  -- secret, sealed by the instance's key; or the public key
  sandbox       BIGINT NOT NULL CHECK (sandbox IN (0, 1)),
  valid_from_ms BIGINT NOT NULL,
  valid_to_ms   BIGINT CHECK (valid_to_ms > valid_from_ms),
  revoked_ms    BIGINT,
  used_ms       BIGINT,
  created_ms    BIGINT NOT NULL
) STRICT;

-- What staff did, in order and without a gap; nothing in it tells a person apart but the random id of the member of staff.
CREATE TABLE staff_action (
  id        BIGINT PRIMARY KEY CHECK (id > 0),
  at_ms     BIGINT NOT NULL,
  staff     TEXT   NOT NULL,             -- or console: somebody at the machine's command line
  action    TEXT   NOT NULL,
  programme TEXT   NOT NULL,             -- empty: the instance
  object    TEXT   NOT NULL,
  request   TEXT   NOT NULL,             -- id of the request; empty at the console
  before    BYTEA  CHECK (length(before) = 32),  -- digest of what was there, null when there was nothing
  after     BYTEA  CHECK (length(after) = 32)
) STRICT;
CREATE INDEX staff_action_programme ON staff_action (programme, id);

-- Which of them an entry of the log covers.
CREATE TABLE staff_action_batch (
  first    BIGINT PRIMARY KEY REFERENCES staff_action (id),
  count    BIGINT NOT NULL CHECK (count > 0),
  position BIGINT NOT NULL UNIQUE REFERENCES log_entry (position)
) STRICT;
