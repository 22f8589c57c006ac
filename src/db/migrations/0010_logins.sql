-- 0010_logins.sql: other ways in for staff: passkeys, and accounts at an OpenID Connect provider.
-- Why: decision 0016. All tables are new. Forward only.
CREATE TABLE staff_passkey (
  credential BYTEA  PRIMARY KEY CHECK (length(credential) BETWEEN 1 AND 1023),  -- id that the authenticator chose
  id         TEXT   NOT NULL UNIQUE CHECK (length(id) BETWEEN 1 AND 60),        -- to name it in a list
  staff      TEXT   NOT NULL REFERENCES staff (id),
  name       TEXT   NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  algorithm  BIGINT NOT NULL CHECK (algorithm IN (-7, -8, -257)),              -- COSE: ES256, EdDSA, RS256
  public_key BYTEA  NOT NULL CHECK (length(public_key) BETWEEN 32 AND 1024),
  counter    BIGINT NOT NULL CHECK (counter BETWEEN 0 AND 4294967295),         -- signatures, where the authenticator counts them
  created_ms BIGINT NOT NULL,
  used_ms    BIGINT
) STRICT;
CREATE INDEX staff_passkey_staff ON staff_passkey (staff);

-- Who somebody is at a provider, since the first login by it.
CREATE TABLE staff_subject (
  issuer  TEXT NOT NULL CHECK (length(issuer) BETWEEN 1 AND 500),
  subject TEXT NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
  staff   TEXT NOT NULL REFERENCES staff (id),
  PRIMARY KEY (issuer, subject)
) STRICT;

-- A login that has begun and is finished once: by the challenge that a passkey signs, or the state that a provider sends back.
CREATE TABLE login_flow (
  token      BYTEA  PRIMARY KEY CHECK (length(token) = 32),  -- SHA-256 of it
  kind       TEXT   NOT NULL CHECK (kind IN ('passkey-new', 'passkey-login', 'oidc')),
  staff      TEXT   REFERENCES staff (id),                   -- whose passkey it will be
  secret     BYTEA  CHECK (length(secret) BETWEEN 1 AND 512),  -- nonce and verifier, sealed by the instance's key
  expires_ms BIGINT NOT NULL
) STRICT;
