-- Groups of members with a size limit: a community starts from so many and takes so many at the most (R016).

CREATE TABLE member_groups (
    id               TEXT NOT NULL PRIMARY KEY,
    organization_id  TEXT NOT NULL REFERENCES organizations (id),
    name             TEXT NOT NULL,
    size_limit       BIGINT NOT NULL,
    starts_from      BIGINT NOT NULL,              -- members with whom it may begin
    version          BIGINT NOT NULL,
    created_by       TEXT NOT NULL,
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL
);
CREATE UNIQUE INDEX member_groups_by_name ON member_groups (organization_id, name);

CREATE TABLE group_members (
    group_id         TEXT NOT NULL REFERENCES member_groups (id) ON DELETE CASCADE,
    person_id        TEXT NOT NULL,
    organization_id  TEXT NOT NULL,
    added_at         BIGINT NOT NULL,
    PRIMARY KEY (group_id, person_id),
    -- Who leaves the organization leaves its groups.
    FOREIGN KEY (person_id, organization_id) REFERENCES memberships (person_id, organization_id) ON DELETE CASCADE
);
CREATE INDEX group_members_by_person ON group_members (person_id, organization_id);
