-- 0011_people.sql: people who registered here, what may find them, what they agreed to, and who looked at them.
-- Why: decision 0024. Nothing here is readable without the master key, which is never in the database: contacts are sealed under a key
-- of each person, that key is wrapped, and what finds a contact is a keyed hash. Erasing a person destroys the wrapped key, the
-- contacts and the links to pseudonyms; what stays has no person in it. Forward only.

-- Secrets of the service, wrapped by the master key: contact (finds contacts), code (one-time codes), rekey (second hash of weaker
-- pseudonyms), pseudonym (evaluates blinded elements; its public half is published).
CREATE TABLE service_key (
  name       TEXT   NOT NULL CHECK (name IN ('contact', 'code', 'rekey', 'pseudonym')),
  version    BIGINT NOT NULL CHECK (version BETWEEN 1 AND 4294967295),
  wrapped    BYTEA  CHECK (length(wrapped) BETWEEN 32 AND 1024),   -- null: destroyed
  public_key BYTEA  CHECK (length(public_key) = 32),
  from_day   TEXT   CHECK (length(from_day) = 10),  -- acts of this day on are named by this version; null: by it since ever
  made_ms    BIGINT NOT NULL,
  retired_ms BIGINT,
  PRIMARY KEY (name, version),
  CHECK ((name = 'pseudonym') = (public_key IS NOT NULL)),
  CHECK ((wrapped IS NULL) = (retired_ms IS NOT NULL))
) STRICT;

CREATE TABLE person (
  id          BYTEA  PRIMARY KEY CHECK (length(id) = 16),          -- random
  wrapped_key BYTEA  CHECK (length(wrapped_key) BETWEEN 32 AND 1024),
  joined_ms   BIGINT NOT NULL,
  erased_ms   BIGINT,
  CHECK ((wrapped_key IS NULL) = (erased_ms IS NOT NULL))
) STRICT;

-- Verified ways to reach a person. Of each kind one, and each belongs to one person.
CREATE TABLE contact (
  person      BYTEA  NOT NULL REFERENCES person (id),
  kind        TEXT   NOT NULL CHECK (kind IN ('phone', 'mail', 'wechat')),
  lookup      BYTEA  NOT NULL CHECK (length(lookup) = 32),  -- keyed hash of kind and value
  sealed      BYTEA  NOT NULL CHECK (length(sealed) BETWEEN 32 AND 1024),
  verified_ms BIGINT NOT NULL,
  PRIMARY KEY (person, kind),
  UNIQUE (lookup)
) STRICT;

-- By which keys a person's records are found. A person has several: one for each version of the pseudonym key, and those of partners that
-- can only hash.
CREATE TABLE person_pseudonym (
  key       BYTEA  PRIMARY KEY CHECK (length(key) = 16),   -- core::PersonKey, the owner of balances
  person    BYTEA  NOT NULL REFERENCES person (id),
  strength  TEXT   NOT NULL CHECK (strength IN ('blinded', 'hashed')),
  version   BIGINT NOT NULL CHECK (version > 0),
  linked_ms BIGINT NOT NULL
) STRICT;
CREATE INDEX person_pseudonym_person ON person_pseudonym (person);

-- Of people who were erased: what comes under these keys is refused for want of consent, in every programme.
CREATE TABLE erased_pseudonym (
  key       BYTEA  PRIMARY KEY CHECK (length(key) = 16),
  erased_ms BIGINT NOT NULL
) STRICT;

-- Who looked at a person's data. The person sees it. No free text: it would hold what it must not.
CREATE TABLE person_access (
  id      BIGINT PRIMARY KEY CHECK (id > 0),
  person  BYTEA  NOT NULL REFERENCES person (id),
  at_ms   BIGINT NOT NULL,
  actor   TEXT   NOT NULL CHECK (length(actor) BETWEEN 1 AND 100),   -- id of a member of staff, or console
  purpose TEXT   NOT NULL CHECK (purpose IN ('support', 'correction', 'legal-request', 'audit', 'delivery', 'request-of-person')),
  fields  TEXT   NOT NULL CHECK (length(fields) BETWEEN 1 AND 400)   -- names, with commas
) STRICT;
CREATE INDEX person_access_person ON person_access (person, id);

CREATE TABLE one_time_code (
  id         BYTEA  PRIMARY KEY CHECK (length(id) = 16),           -- random; names the question
  purpose    TEXT   NOT NULL CHECK (purpose IN ('login', 'contact', 'erase')),
  lookup     BYTEA  NOT NULL CHECK (length(lookup) = 32),          -- of the contact that it was sent to
  digest     BYTEA  NOT NULL CHECK (length(digest) = 32),          -- keyed hash of id and code
  tries      BIGINT NOT NULL CHECK (tries BETWEEN 0 AND 5),        -- wrong answers
  sent_ms    BIGINT NOT NULL,
  expires_ms BIGINT NOT NULL CHECK (expires_ms > sent_ms),
  used_ms    BIGINT
) STRICT;
CREATE INDEX one_time_code_lookup ON one_time_code (lookup, sent_ms);

-- Consent by purpose, who gave the word, and which wording was shown. Old words were given at the operator's door.
CREATE TABLE consent_new (
  programme TEXT   NOT NULL,
  person    BYTEA  NOT NULL CHECK (length(person) = 16),
  source    TEXT   NOT NULL,  -- a source of the programme, or * for all of them
  purpose   TEXT   NOT NULL CHECK (purpose IN ('crediting', 'statistics', 'marketing', 'sharing')),
  at_ms     BIGINT NOT NULL,
  given     BIGINT NOT NULL CHECK (given IN (0, 1)),  -- 0: withdrawn
  said_by   TEXT   NOT NULL DEFAULT 'operator' CHECK (said_by IN ('person', 'partner', 'operator')),
  wording   TEXT   NOT NULL DEFAULT '' CHECK (length(wording) <= 60),  -- version of the text that was shown; empty: not known
  PRIMARY KEY (programme, person, source, purpose, at_ms)
) STRICT, WITHOUT ROWID;
INSERT INTO consent_new (programme, person, source, purpose, at_ms, given)
  SELECT programme, person, source, purpose, at_ms, given FROM consent ORDER BY programme, person, source, purpose, at_ms;
DROP TABLE consent;
ALTER TABLE consent_new RENAME TO consent;
