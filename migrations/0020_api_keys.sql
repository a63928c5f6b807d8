-- API keys of apprenticeship centres, what was said of them, and how they are used.

CREATE TABLE api_keys (
    id               TEXT NOT NULL PRIMARY KEY,
    organization_id  TEXT NOT NULL REFERENCES organizations (id),
    handle           TEXT NOT NULL,               -- the readable part, hab_prod_Ab12Cd34
    digest           BLOB NOT NULL,               -- SHA-256 of the whole key
    name             TEXT NOT NULL,
    scopes           TEXT NOT NULL,               -- space separated
    networks         TEXT NOT NULL,               -- where it may be used from, space separated; '': anywhere
    ends_on          TEXT NOT NULL,               -- dateFinValidite: last day, Paris
    dies_at          BIGINT NOT NULL,             -- 00:00 in Paris of the day after
    issued_by        TEXT NOT NULL,               -- person or client; the key outlives either
    tokens_from      BIGINT NOT NULL,             -- tokens obtained with it before are dead
    revoked_at       BIGINT,
    revoked_by       TEXT,
    revoked_reason   TEXT,
    last_used_at     BIGINT,
    look_at          BIGINT,                      -- next reminder, then the end; null: nothing left to say
    version          BIGINT NOT NULL,
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL
);
CREATE UNIQUE INDEX api_keys_by_handle ON api_keys (handle);
CREATE INDEX api_keys_by_organization ON api_keys (organization_id, created_at);
CREATE INDEX api_keys_by_issuer ON api_keys (issued_by);
CREATE INDEX api_keys_to_look_at ON api_keys (look_at) WHERE look_at IS NOT NULL;

CREATE TABLE api_key_notices (                     -- reminders sent, for one end
    key_id   TEXT NOT NULL REFERENCES api_keys (id),
    due_at   BIGINT NOT NULL,
    rung     BIGINT NOT NULL,
    sent_at  BIGINT NOT NULL,
    PRIMARY KEY (key_id, due_at, rung)
);

CREATE TABLE api_key_uses (                        -- by day in Paris, vendor and software
    key_id     TEXT NOT NULL REFERENCES api_keys (id),
    day        TEXT NOT NULL,
    client_id  TEXT NOT NULL,                     -- '': without a vendor
    editor     TEXT NOT NULL,                     -- EDITEUR, LOGICIEL, VERSION; '': not said
    software   TEXT NOT NULL,
    release    TEXT NOT NULL,
    granted    BIGINT NOT NULL,
    refused    BIGINT NOT NULL,
    last_at    BIGINT NOT NULL,
    PRIMARY KEY (key_id, day, client_id, editor, software, release)
);
CREATE INDEX api_key_uses_by_day ON api_key_uses (day);
