-- Finding people and organizations by the words of their names, and lists in the order of a French list of names.
-- Words are folded by policies/src/search.rs and kept as bytes, so that both engines compare them alike.

ALTER TABLE people ADD COLUMN indexed_at BIGINT;                          -- null: to be indexed
ALTER TABLE organizations ADD COLUMN indexed_at BIGINT;

CREATE TABLE organization_words (
    organization_id  TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    word             BLOB NOT NULL,
    sort_key         BLOB NOT NULL,              -- that of the organization, so that a range of words is in order
    PRIMARY KEY (organization_id, word)
);
CREATE INDEX organization_words_by_word ON organization_words (word, sort_key, organization_id);

-- What a job has to index: rows an earlier version wrote, or changed since.
CREATE INDEX people_to_index ON people (id) WHERE indexed_at IS NULL OR indexed_at < updated_at;
CREATE INDEX organizations_to_index ON organizations (id) WHERE indexed_at IS NULL OR indexed_at < updated_at;

CREATE INDEX people_by_creation ON people (created_at, id);
CREATE INDEX people_unlike_active ON people (status, id) WHERE status <> 'active';
CREATE INDEX people_of_operator ON people (id) WHERE operator;
CREATE INDEX organizations_by_creation ON organizations (created_at, id);
CREATE INDEX memberships_by_creation ON memberships (organization_id, created_at, person_id);
CREATE INDEX memberships_unlike_active ON memberships (organization_id, status, person_id) WHERE status <> 'active';
CREATE INDEX memberships_unlike_employee ON memberships (organization_id, affiliation, person_id) WHERE affiliation <> 'employee';
CREATE INDEX memberships_by_end ON memberships (organization_id, ends_on, person_id) WHERE ends_on IS NOT NULL;
CREATE INDEX rights_by_role ON rights (organization_id, client_id, role, person_id);
-- memberships_by_creation begins with the same column.
DROP INDEX memberships_by_organization;
