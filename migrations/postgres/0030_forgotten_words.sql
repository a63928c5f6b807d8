-- What is to be forgotten is put aside first, as whole keys. Joined as it stood, the planner of an organization that has grown since it
-- last looked read every word of every member there for each one who left.
CREATE OR REPLACE FUNCTION forget_words() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    WITH theirs AS MATERIALIZED (
        SELECT OLD.organization_id AS organization_id, w.word, OLD.sort_key AS sort_key, w.person_id
        FROM person_words w WHERE w.person_id = OLD.person_id)
    DELETE FROM member_words m
    USING theirs
    WHERE m.organization_id = theirs.organization_id AND m.word = theirs.word AND m.sort_key = theirs.sort_key
      AND m.person_id = theirs.person_id;
    RETURN NULL;
END $$;
