-- What an open account said is kept before it says something else, whoever changes it, in whatever version. An account without a name
-- says nothing of anybody yet.
CREATE FUNCTION identity_anchored() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO identity_anchors (person_id, given_name, family_name, birthdate, email)
    VALUES (OLD.id, OLD.given_name, OLD.family_name, CAST(OLD.claims AS JSONB) ->> 'birthdate', OLD.email)
    ON CONFLICT (person_id) DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER identity_anchored AFTER UPDATE OF given_name, family_name, email, claims ON people FOR EACH ROW
WHEN (OLD.status <> 'pending' AND NEW.status <> 'closed' AND trim(OLD.given_name || OLD.family_name) <> ''
      AND (OLD.given_name <> NEW.given_name OR OLD.family_name <> NEW.family_name OR OLD.email IS DISTINCT FROM NEW.email
           OR CAST(OLD.claims AS JSONB) ->> 'birthdate' IS DISTINCT FROM CAST(NEW.claims AS JSONB) ->> 'birthdate'))
EXECUTE FUNCTION identity_anchored();
