-- For which organization somebody signs in at a portal, and by what right they act for it.

-- The organization of a grant. No foreign key: the membership is looked at with each use, and a grant whose organization is not
-- there any more is worth nothing.
ALTER TABLE grants ADD COLUMN organization_id TEXT;

-- Until now tokens told of the oldest membership in an active organization: living grants keep it.
UPDATE grants SET organization_id = (
    SELECT m.organization_id FROM memberships m JOIN organizations o ON o.id = m.organization_id
    WHERE m.person_id = grants.person_id AND m.status = 'active' AND o.status = 'active'
    ORDER BY m.created_at, o.id LIMIT 1)
WHERE revoked_at IS NULL AND ' ' || scope || ' ' LIKE '% organization %';

-- What the person answered to this very request.
ALTER TABLE interactions ADD COLUMN organization_id TEXT;

CREATE TABLE organization_choices (              -- what a person answered last at a portal: offered first the next time
    person_id        TEXT NOT NULL REFERENCES people (id),
    client_id        TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    organization_id  TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    chosen_at        BIGINT NOT NULL,
    PRIMARY KEY (person_id, client_id)
);
CREATE INDEX organization_choices_by_client ON organization_choices (client_id);
CREATE INDEX organization_choices_by_organization ON organization_choices (organization_id);

CREATE TABLE session_organizations (             -- what was answered in a session: good for its further requests
    session_id       TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    client_id        TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    organization_id  TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    chosen_at        BIGINT NOT NULL,
    PRIMARY KEY (session_id, client_id)
);
CREATE INDEX session_organizations_by_client ON session_organizations (client_id);
CREATE INDEX session_organizations_by_organization ON session_organizations (organization_id);

-- Everybody who belongs to an organization until now was invited to it (R011).
UPDATE memberships SET mandate = 'invitation' WHERE mandate IS NULL;
