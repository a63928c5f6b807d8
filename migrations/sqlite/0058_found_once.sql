CREATE INDEX person_words_by_word ON person_words (word, sort_key, person_id, shared);

-- All that a list shows of a membership beside what it is sorted by: one place to read for each member found, near its neighbours.
-- PostgreSQL reads a table's rows in any case, and would write every index anew at each sign-in.
DROP INDEX memberships_by_name;
CREATE INDEX memberships_by_name ON memberships
    (organization_id, sort_key, person_id, role, status, affiliation, ends_on, mandate, version, created_at, signed_in_at);
