-- Memberships offered to people who have an account already: theirs to accept.

CREATE TABLE membership_offers (
    id               TEXT NOT NULL PRIMARY KEY,
    organization_id  TEXT NOT NULL REFERENCES organizations (id),
    person_id        TEXT NOT NULL REFERENCES people (id),
    email            TEXT NOT NULL,                -- as the administrator typed it
    role             TEXT NOT NULL,
    affiliation      TEXT NOT NULL,
    ends_on          TEXT,
    mandate          TEXT NOT NULL,
    rights           TEXT NOT NULL,                -- lines of client and role
    offered_by       TEXT NOT NULL,
    created_at       BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,
    status           TEXT NOT NULL,                -- open | accepted | declined | withdrawn | expired
    settled_at       BIGINT
);
CREATE UNIQUE INDEX membership_offers_open ON membership_offers (organization_id, person_id) WHERE status = 'open';
CREATE INDEX membership_offers_by_organization ON membership_offers (organization_id, created_at, id);
CREATE INDEX membership_offers_by_person ON membership_offers (person_id, status);
