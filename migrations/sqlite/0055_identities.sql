-- What an open account said is kept before it says something else, whoever changes it, in whatever version. An account without a name
-- says nothing of anybody yet.
CREATE TRIGGER identity_anchored AFTER UPDATE OF given_name, family_name, email, claims ON people
WHEN OLD.status <> 'pending' AND NEW.status <> 'closed' AND trim(OLD.given_name || OLD.family_name) <> ''
    AND (OLD.given_name <> NEW.given_name OR OLD.family_name <> NEW.family_name OR OLD.email IS NOT NEW.email
         OR json_extract(OLD.claims, '$.birthdate') IS NOT json_extract(NEW.claims, '$.birthdate'))
BEGIN
    INSERT INTO identity_anchors (person_id, given_name, family_name, birthdate, email)
    VALUES (OLD.id, OLD.given_name, OLD.family_name, json_extract(OLD.claims, '$.birthdate'), OLD.email)
    ON CONFLICT (person_id) DO NOTHING;
END;
