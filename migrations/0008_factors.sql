-- Second factors: authenticator apps, recovery codes, passkeys, sign-ins that wait for one, removal by mail.

CREATE TABLE totp_devices (
    id             TEXT NOT NULL PRIMARY KEY,
    person_id      TEXT NOT NULL REFERENCES people (id),
    name           TEXT NOT NULL,
    secret_sealed  BLOB NOT NULL,               -- under the master key, bound to the id
    created_at     BIGINT NOT NULL,
    confirmed_at   BIGINT,                      -- it counts for nothing before a first code was right
    last_step      BIGINT NOT NULL,             -- RFC 6238 time step of the last code used: a code is used once
    last_used_at   BIGINT
);
CREATE INDEX totp_devices_by_person ON totp_devices (person_id);
CREATE INDEX totp_devices_by_time ON totp_devices (created_at);

CREATE TABLE recovery_codes (
    person_id   TEXT NOT NULL REFERENCES people (id),
    digest      BLOB NOT NULL,                  -- keyed, under a key derived from the master key
    created_at  BIGINT NOT NULL,
    used_at     BIGINT,
    PRIMARY KEY (person_id, digest)
);

CREATE TABLE passkeys (
    id             TEXT NOT NULL PRIMARY KEY,
    person_id      TEXT NOT NULL REFERENCES people (id),
    credential_id  BLOB NOT NULL UNIQUE,
    credential     TEXT NOT NULL,               -- public key, counter and flags, JSON
    name           TEXT NOT NULL,
    created_at     BIGINT NOT NULL,
    last_used_at   BIGINT
);
CREATE INDEX passkeys_by_person ON passkeys (person_id);

CREATE TABLE passkey_ceremonies (                -- challenges given out, each good for one answer
    id              TEXT NOT NULL PRIMARY KEY,
    browser_digest  BLOB NOT NULL,               -- the browser it was given to
    person_id       TEXT REFERENCES people (id), -- whose new passkey; null for a sign-in
    state           TEXT NOT NULL,               -- JSON; never leaves the server
    expires_at      BIGINT NOT NULL
);
CREATE INDEX passkey_ceremonies_by_end ON passkey_ceremonies (expires_at);

CREATE TABLE sign_in_steps (                     -- the password was right, a second step is to come
    id              TEXT NOT NULL PRIMARY KEY,
    browser_digest  BLOB NOT NULL,
    person_id       TEXT NOT NULL REFERENCES people (id),
    interaction_id  TEXT,                        -- the request that waits; null on the way to a page of ours
    place           TEXT NOT NULL,               -- that page
    created_at      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    finished_at     BIGINT
);
CREATE INDEX sign_in_steps_by_person ON sign_in_steps (person_id);
CREATE INDEX sign_in_steps_by_end ON sign_in_steps (expires_at);

CREATE TABLE factor_removals (                   -- removal of all second factors by mail, after a wait
    digest      BLOB NOT NULL PRIMARY KEY,       -- SHA-256 of what the link carries
    person_id   TEXT NOT NULL REFERENCES people (id),
    created_at  BIGINT NOT NULL,
    ready_at    BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    closed_at   BIGINT                           -- done, or stopped by the person
);
CREATE INDEX factor_removals_by_person ON factor_removals (person_id);
CREATE INDEX factor_removals_by_end ON factor_removals (expires_at);

ALTER TABLE organizations ADD COLUMN second_factor TEXT NOT NULL DEFAULT 'optional';   -- optional | required
