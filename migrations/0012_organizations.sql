-- Organizations, their contacts, what the operator grants them and what their members may do: what the management API writes.

ALTER TABLE organizations ADD COLUMN siren TEXT;                          -- 9 digits; the SIRET begins with it
ALTER TABLE organizations ADD COLUMN nda TEXT;                            -- training body's declaration number, 11 digits
ALTER TABLE organizations ADD COLUMN uai TEXT;                            -- school's code, 7 digits and a letter
ALTER TABLE organizations ADD COLUMN version BIGINT NOT NULL DEFAULT 1;   -- ETag
ALTER TABLE organizations ADD COLUMN updated_at BIGINT NOT NULL DEFAULT 0;

CREATE TABLE organization_contacts (
    id               TEXT NOT NULL PRIMARY KEY,
    organization_id  TEXT NOT NULL REFERENCES organizations (id),
    duty             TEXT NOT NULL,               -- signatory | billing | dpo | deputy
    name             TEXT NOT NULL,
    email            TEXT NOT NULL,
    phone            TEXT,
    person_id        TEXT REFERENCES people (id),  -- when the contact has an account
    version          BIGINT NOT NULL,
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL
);
CREATE INDEX organization_contacts_by_organization ON organization_contacts (organization_id, duty);

-- `status`: active | suspended. An administrator of the organization suspends the membership, never the person's account.
ALTER TABLE memberships ADD COLUMN status TEXT NOT NULL DEFAULT 'active';
ALTER TABLE memberships ADD COLUMN affiliation TEXT NOT NULL DEFAULT 'employee';  -- employee | external (R056)
ALTER TABLE memberships ADD COLUMN ends_on TEXT;                          -- last day, Paris; externals have one
ALTER TABLE memberships ADD COLUMN mandate TEXT;                          -- legal_representative | delegation | invitation (R011)
ALTER TABLE memberships ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE memberships ADD COLUMN updated_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX memberships_by_role ON memberships (organization_id, role);

CREATE TABLE portal_grants (                       -- the roles an organization's administrators may give in a portal
    organization_id  TEXT NOT NULL REFERENCES organizations (id),
    client_id        TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    role             TEXT NOT NULL,
    created_at       BIGINT NOT NULL,
    PRIMARY KEY (organization_id, client_id, role)
);

-- What organizations gave until now stays within what they may give.
INSERT INTO portal_grants (organization_id, client_id, role, created_at)
SELECT organization_id, client_id, role, MIN(created_at) FROM rights GROUP BY organization_id, client_id, role;

ALTER TABLE people ADD COLUMN privacy BOOLEAN NOT NULL DEFAULT FALSE;      -- data protection officer of the operator
ALTER TABLE people ADD COLUMN version BIGINT NOT NULL DEFAULT 1;

-- For whom a client that acts for itself manages: 'operator', or the id of an organization.
ALTER TABLE clients ADD COLUMN manages TEXT;

-- Lines about an organization, whoever acted (R036).
ALTER TABLE audit ADD COLUMN organization_id TEXT;
CREATE INDEX audit_by_organization ON audit (organization_id, at);

CREATE TABLE idempotency_keys (                    -- answers already given, told again to whoever repeats the request
    caller       TEXT NOT NULL,
    key_digest   BLOB NOT NULL,
    fingerprint  BLOB NOT NULL,                    -- SHA-256 of method, path and body
    status       BIGINT NOT NULL,
    headers      TEXT NOT NULL,
    body         TEXT NOT NULL,
    expires_at   BIGINT NOT NULL,
    PRIMARY KEY (caller, key_digest)
);
CREATE INDEX idempotency_keys_by_end ON idempotency_keys (expires_at);
