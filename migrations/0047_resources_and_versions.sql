-- Resources have an id of their own; what is granted in a portal and whether somebody has a second factor count as changes.

-- Counts the changes of what an organization may give in a portal, also when it is nothing any more.
CREATE TABLE portal_grant_versions (
    organization_id  TEXT NOT NULL REFERENCES organizations (id),
    client_id        TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    version          BIGINT NOT NULL,
    PRIMARY KEY (organization_id, client_id)
);
INSERT INTO portal_grant_versions (organization_id, client_id, version)
SELECT DISTINCT organization_id, client_id, CAST(1 AS BIGINT) FROM portal_grants;

-- Few of many: they are found without reading the others.
CREATE INDEX people_by_bounce ON people (id) WHERE email_bounced_at IS NOT NULL;
