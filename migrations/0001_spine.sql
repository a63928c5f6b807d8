-- The spine: people and their organizations, clients, sign-in, grants and tokens, keys, mail, audit.
-- Ids are TEXT with a readable prefix; instants are BIGINT milliseconds; secrets are digests or sealed.

CREATE TABLE organizations (
    id          TEXT NOT NULL PRIMARY KEY,
    kind        TEXT NOT NULL,               -- company | training_body | cfa | partner | individual
    name        TEXT NOT NULL,
    siret       TEXT UNIQUE,
    status      TEXT NOT NULL,               -- active | suspended | terminated
    created_at  BIGINT NOT NULL
);

CREATE TABLE people (
    id              TEXT NOT NULL PRIMARY KEY,   -- also the public `sub`
    login           TEXT NOT NULL UNIQUE,        -- folded: what the person types, lower case
    email           TEXT,
    email_verified  BOOLEAN NOT NULL,
    given_name      TEXT NOT NULL,
    family_name     TEXT NOT NULL,
    locale          TEXT NOT NULL,               -- fr | en
    claims          TEXT NOT NULL,               -- JSON object of further standard claims, each there for a purpose
    status          TEXT NOT NULL,               -- active | suspended | closed
    operator        BOOLEAN NOT NULL,            -- staff of the operator of this server
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL
);

CREATE TABLE passwords (
    person_id   TEXT NOT NULL PRIMARY KEY REFERENCES people (id),
    phc         TEXT NOT NULL,
    changed_at  BIGINT NOT NULL
);

CREATE TABLE memberships (
    person_id        TEXT NOT NULL REFERENCES people (id),
    organization_id  TEXT NOT NULL REFERENCES organizations (id),
    role             TEXT NOT NULL,              -- administrator | member
    created_at       BIGINT NOT NULL,
    PRIMARY KEY (person_id, organization_id)
);
CREATE INDEX memberships_by_organization ON memberships (organization_id, person_id);

CREATE TABLE clients (
    id             TEXT NOT NULL PRIMARY KEY,
    metadata       TEXT NOT NULL,                -- registration metadata, RFC 7591 names
    settings       TEXT NOT NULL,                -- what the operator decides: profile, consent, first party
    secret_digest  BLOB,
    secret_sealed  BLOB,                         -- only for client_secret_jwt, whose check needs the secret itself
    registration_token_digest BLOB,              -- RFC 7592
    status         TEXT NOT NULL,                -- active | suspended
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL
);

CREATE TABLE rights (
    person_id        TEXT NOT NULL,
    organization_id  TEXT NOT NULL,
    client_id        TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    role             TEXT NOT NULL,
    created_at       BIGINT NOT NULL,
    PRIMARY KEY (person_id, organization_id, client_id, role),
    FOREIGN KEY (person_id, organization_id) REFERENCES memberships (person_id, organization_id) ON DELETE CASCADE
);
CREATE INDEX rights_by_client ON rights (client_id);

CREATE TABLE sessions (
    id            TEXT NOT NULL PRIMARY KEY,
    digest        BLOB NOT NULL UNIQUE,          -- SHA-256 of the cookie
    person_id     TEXT NOT NULL REFERENCES people (id),
    auth_time     BIGINT NOT NULL,               -- last real authentication
    amr           TEXT NOT NULL,                 -- RFC 8176 values, space separated
    address       TEXT NOT NULL,
    user_agent    TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    last_seen_at  BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,               -- absolute end
    ended_at      BIGINT
);
CREATE INDEX sessions_by_person ON sessions (person_id);
CREATE INDEX sessions_by_end ON sessions (expires_at);

CREATE TABLE browsers (                           -- browsers a person has signed in with, for the "new sign-in" mail
    person_id       TEXT NOT NULL REFERENCES people (id),
    browser_digest  BLOB NOT NULL,
    first_seen_at   BIGINT NOT NULL,
    last_seen_at    BIGINT NOT NULL,
    PRIMARY KEY (person_id, browser_digest)
);
CREATE INDEX browsers_by_last ON browsers (last_seen_at);

CREATE TABLE consents (                           -- what a person allowed a client, remembered
    person_id   TEXT NOT NULL REFERENCES people (id),
    client_id   TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    scope       TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    PRIMARY KEY (person_id, client_id)
);

CREATE TABLE interactions (
    id              TEXT NOT NULL PRIMARY KEY,
    browser_digest  BLOB NOT NULL,               -- the browser that began it
    client_id       TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    request         TEXT NOT NULL,               -- the validated authorization request, JSON
    created_at      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    authenticated_at BIGINT,                     -- a sign-in that happened for this request
    consented_at    BIGINT,
    finished_at     BIGINT
);
CREATE INDEX interactions_by_end ON interactions (expires_at);

CREATE TABLE grants (
    id               TEXT NOT NULL PRIMARY KEY,
    client_id        TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    person_id        TEXT NOT NULL REFERENCES people (id),
    session_id       TEXT REFERENCES sessions (id) ON DELETE SET NULL,
    scope            TEXT NOT NULL,
    claims           TEXT,                       -- the claims request parameter, JSON
    redirect_uri     TEXT NOT NULL,
    nonce            TEXT,
    code_challenge   TEXT,
    auth_time        BIGINT NOT NULL,
    amr              TEXT NOT NULL,
    acr              TEXT NOT NULL,
    code_digest      BLOB NOT NULL UNIQUE,
    code_expires_at  BIGINT NOT NULL,
    code_used_at     BIGINT,
    created_at       BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,            -- after it the row is of no use to anybody
    revoked_at       BIGINT
);
CREATE INDEX grants_by_session ON grants (session_id);
CREATE INDEX grants_by_person ON grants (person_id, client_id);
CREATE INDEX grants_by_end ON grants (expires_at);

CREATE TABLE refresh_tokens (
    digest       BLOB NOT NULL PRIMARY KEY,
    grant_id     TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    replaced_at  BIGINT
);
CREATE INDEX refresh_tokens_by_grant ON refresh_tokens (grant_id);
CREATE INDEX refresh_tokens_by_end ON refresh_tokens (expires_at);

CREATE TABLE used_tokens (                       -- `jti`s that may be used once: client assertions, DPoP proofs
    issuer      TEXT NOT NULL,
    jti_digest  BLOB NOT NULL,
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (issuer, jti_digest)
);
CREATE INDEX used_tokens_by_end ON used_tokens (expires_at);

CREATE TABLE failures (                          -- failed sign-ins, by digest of the account name or the network
    subject      BLOB NOT NULL PRIMARY KEY,
    count        BIGINT NOT NULL,
    last_at      BIGINT NOT NULL
);
CREATE INDEX failures_by_last ON failures (last_at);

CREATE TABLE signing_keys (
    kid          TEXT NOT NULL PRIMARY KEY,
    algorithm    TEXT NOT NULL,
    public_jwk   TEXT NOT NULL,
    private_key  BLOB,                           -- PKCS#8 sealed under the master key; dropped when it no longer signs
    created_at   BIGINT NOT NULL,
    sign_from    BIGINT NOT NULL,
    sign_until   BIGINT,
    remove_at    BIGINT
);

CREATE TABLE outbox (
    id               TEXT NOT NULL PRIMARY KEY,
    recipient        TEXT NOT NULL,
    person_id        TEXT REFERENCES people (id),
    template         TEXT NOT NULL,              -- name and version of the text, kept as proof of notice
    locale           TEXT NOT NULL,
    subject          TEXT NOT NULL,
    body             TEXT NOT NULL,
    created_at       BIGINT NOT NULL,
    next_attempt_at  BIGINT,                     -- null when there is nothing left to do
    attempts         BIGINT NOT NULL,
    claimed_until    BIGINT,                     -- the node that sends it holds it until then
    sent_at          BIGINT,
    answer           TEXT                        -- what the mail server said last
);
CREATE INDEX outbox_due ON outbox (next_attempt_at);

CREATE TABLE audit (
    id          TEXT NOT NULL PRIMARY KEY,
    at          BIGINT NOT NULL,
    event       TEXT NOT NULL,
    actor       TEXT,
    subject     TEXT,
    client_id   TEXT,
    address     TEXT,
    request_id  TEXT,
    detail      TEXT NOT NULL                    -- JSON object; never a secret
);
CREATE INDEX audit_by_time ON audit (at);
CREATE INDEX audit_by_subject ON audit (subject, at);
