-- 0014_connectors.sql: what connectors of foreign formats must remember: who a subject is, what was published before, charge detail records
-- as they were pushed, stations over time, and devices that publish over MQTT.
-- Why: decision 0026. Nothing here names a person: subjects and people are keyed hashes (decision 0004). All tables are new.

-- Whose a partner says a foreign subject is: a contract, a trip, a usage point. The latest word counts for what comes after it.
CREATE TABLE subject_claim (
  programme  TEXT   NOT NULL,
  source     TEXT   NOT NULL,
  subject    BYTEA  NOT NULL CHECK (length(subject) = 16),
  person     BYTEA  NOT NULL CHECK (length(person) = 16),
  claimed_ms BIGINT NOT NULL,
  PRIMARY KEY (programme, source, subject)
) STRICT, WITHOUT ROWID;

-- A record of a format in which a later publication replaces an earlier one: what was credited last, so that it can be unwound.
CREATE TABLE published_record (
  programme TEXT   NOT NULL,
  source    TEXT   NOT NULL,
  item      BYTEA  NOT NULL CHECK (length(item) = 16),  -- of the record's event id
  period    BIGINT NOT NULL,                            -- what it was published with (an hour), 0 when with nothing
  revision  BIGINT NOT NULL CHECK (revision >= 0),
  withdrawn BIGINT NOT NULL CHECK (withdrawn IN (0, 1)),
  event     TEXT   NOT NULL,                            -- without the revision
  person    BYTEA  NOT NULL CHECK (length(person) = 16),
  object    TEXT   NOT NULL,
  activity  TEXT   NOT NULL,
  evidence  BIGINT NOT NULL CHECK (evidence BETWEEN 0 AND 2),
  start_ms  BIGINT NOT NULL,
  end_ms    BIGINT NOT NULL,
  quantity  BIGINT NOT NULL,
  PRIMARY KEY (programme, source, item)
) STRICT, WITHOUT ROWID;
CREATE INDEX published_record_period ON published_record (programme, source, period);

-- What must be unwound because of a later publication and is not yet known to be: submitted again until it is.
CREATE TABLE published_unwinding (
  programme TEXT   NOT NULL,
  source    TEXT   NOT NULL,
  event     TEXT   NOT NULL,  -- with its revision
  person    BYTEA  NOT NULL CHECK (length(person) = 16),
  object    TEXT   NOT NULL,
  activity  TEXT   NOT NULL,
  start_ms  BIGINT NOT NULL,
  end_ms    BIGINT NOT NULL,
  quantity  BIGINT NOT NULL,
  PRIMARY KEY (programme, source, event)
) STRICT, WITHOUT ROWID;

-- A platform that speaks OCPI with us. Its token is nowhere: only its digest.
CREATE TABLE ocpi_party (
  id            TEXT   PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 60),
  programme     TEXT   NOT NULL,
  source        TEXT   NOT NULL,
  token         BYTEA  NOT NULL UNIQUE CHECK (length(token) = 32),
  state         TEXT   NOT NULL CHECK (state IN ('invited', 'registered', 'revoked')),
  url           TEXT   NOT NULL CHECK (length(url) <= 255),
  created_ms    BIGINT NOT NULL,
  registered_ms BIGINT CHECK (state <> 'registered' OR registered_ms IS NOT NULL)
) STRICT;

CREATE TABLE ocpi_role (
  party        TEXT NOT NULL REFERENCES ocpi_party (id),
  country_code TEXT NOT NULL CHECK (length(country_code) = 2),
  party_id     TEXT NOT NULL CHECK (length(party_id) BETWEEN 1 AND 3),
  role         TEXT NOT NULL CHECK (length(role) BETWEEN 1 AND 10),
  name         TEXT NOT NULL CHECK (length(name) <= 400),
  PRIMARY KEY (party, country_code, party_id, role)
) STRICT, WITHOUT ROWID;

-- Charge detail records as they came, but for the card and the contract. They never change.
CREATE TABLE ocpi_cdr (
  location     TEXT   PRIMARY KEY CHECK (length(location) = 32),  -- the end of its address
  party        TEXT   NOT NULL REFERENCES ocpi_party (id),
  programme    TEXT   NOT NULL,
  event        TEXT   NOT NULL,
  digest       BYTEA  NOT NULL CHECK (length(digest) = 32),       -- of what came, the contract as its keyed hash
  person       BYTEA  NOT NULL CHECK (length(person) = 16),
  evse         TEXT   NOT NULL CHECK (length(evse) <= 48),        -- empty: none
  object       TEXT   NOT NULL,                                   -- the charge: the same for CDRs of one EVSE that overlap
  start_ms     BIGINT NOT NULL,
  end_ms       BIGINT NOT NULL,
  energy_wh    BIGINT NOT NULL,
  received_ms  BIGINT NOT NULL,
  document     TEXT   NOT NULL,
  UNIQUE (party, event)
) STRICT;
CREATE INDEX ocpi_cdr_evse ON ocpi_cdr (programme, evse, end_ms);

-- Vehicles that an operator registered by MDS, and what their trips are.
CREATE TABLE mds_vehicle (
  programme     TEXT   NOT NULL,
  source        TEXT   NOT NULL,
  device        TEXT   NOT NULL CHECK (length(device) = 36),
  activity      TEXT   NOT NULL,  -- empty: none
  registered_ms BIGINT NOT NULL,
  PRIMARY KEY (programme, source, device)
) STRICT, WITHOUT ROWID;

-- GBFS feeds, and where their stations were when. Degrees times 10^9.
CREATE TABLE station_feed (
  system          TEXT   PRIMARY KEY CHECK (length(system) BETWEEN 1 AND 60),
  url             TEXT   NOT NULL CHECK (length(url) BETWEEN 1 AND 2000),
  etag            TEXT   NOT NULL CHECK (length(etag) <= 200),
  last_updated_ms BIGINT NOT NULL,
  fetched_ms      BIGINT NOT NULL,  -- 0: never
  due_ms          BIGINT NOT NULL
) STRICT;

CREATE TABLE station (
  system    TEXT   NOT NULL REFERENCES station_feed (system),
  station   TEXT   NOT NULL CHECK (length(station) BETWEEN 1 AND 200),
  from_ms   BIGINT NOT NULL,
  until_ms  BIGINT CHECK (until_ms > from_ms),
  latitude  BIGINT NOT NULL CHECK (latitude BETWEEN -90000000000 AND 90000000000),
  longitude BIGINT NOT NULL CHECK (longitude BETWEEN -180000000000 AND 180000000000),
  PRIMARY KEY (system, station, from_ms)
) STRICT, WITHOUT ROWID;

-- A weighing cabin, a charger, a box in a vehicle: what publishes records over MQTT.
CREATE TABLE device (
  id         TEXT   PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 60),
  programme  TEXT   NOT NULL,
  source     TEXT   NOT NULL,
  password   TEXT   NOT NULL CHECK (length(password) BETWEEN 1 AND 200),  -- as mosquitto writes it: PBKDF2 with SHA-512
  created_ms BIGINT NOT NULL,
  revoked_ms BIGINT
) STRICT;

-- Messages that nothing could be made of. What was in them is not kept: it may name people.
CREATE TABLE dead_letter (
  number    BIGINT PRIMARY KEY CHECK (number > 0),
  at_ms     BIGINT NOT NULL,
  programme TEXT   NOT NULL CHECK (length(programme) <= 60),
  device    TEXT   NOT NULL CHECK (length(device) <= 60),
  reason    TEXT   NOT NULL CHECK (length(reason) BETWEEN 1 AND 60),
  message   TEXT   NOT NULL CHECK (length(message) <= 500),
  bytes     BIGINT NOT NULL CHECK (bytes >= 0),
  digest    BYTEA  NOT NULL CHECK (length(digest) = 32)
) STRICT;
