-- The members of an organization in the order of their ids: whoever goes through all of them, page by page, takes up where they stopped.

CREATE INDEX memberships_by_person ON memberships (organization_id, person_id);
