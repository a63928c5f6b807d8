-- Pairs of words beside the words, and members of a role by name.
CREATE INDEX memberships_by_role_and_name ON memberships (organization_id, role, sort_key, person_id);
DROP INDEX memberships_by_role;

-- Whoever was indexed without pairs is indexed again by the job.
UPDATE people SET indexed_at = NULL;
