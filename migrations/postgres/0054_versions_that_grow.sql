-- A member's rights are told with them: one more changes the version, as one fewer does (0047).
CREATE FUNCTION right_given() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE memberships SET version = version + 1 WHERE person_id = NEW.person_id AND organization_id = NEW.organization_id;
    RETURN NULL;
END $$;
CREATE TRIGGER right_given AFTER INSERT ON rights FOR EACH ROW EXECUTE FUNCTION right_given();

-- A member's version is the sum of membership, person and organization: what goes of it goes to the person, so that whoever comes back
-- has none they had before.
CREATE FUNCTION membership_counted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE people SET version = version + OLD.version WHERE id = OLD.person_id;
    RETURN NULL;
END $$;
CREATE TRIGGER membership_counted AFTER DELETE ON memberships FOR EACH ROW EXECUTE FUNCTION membership_counted();

-- What is granted in a portal, by whichever version. A client that goes takes its versions with it: nothing is made for one on its way.
CREATE FUNCTION portal_role_granted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO portal_grant_versions (organization_id, client_id, version) VALUES (NEW.organization_id, NEW.client_id, 1)
    ON CONFLICT (organization_id, client_id) DO UPDATE SET version = portal_grant_versions.version + 1;
    RETURN NULL;
END $$;
CREATE FUNCTION portal_role_withdrawn() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE portal_grant_versions SET version = version + 1 WHERE organization_id = OLD.organization_id AND client_id = OLD.client_id;
    RETURN NULL;
END $$;
CREATE TRIGGER portal_role_granted AFTER INSERT ON portal_grants FOR EACH ROW EXECUTE FUNCTION portal_role_granted();
CREATE TRIGGER portal_role_withdrawn AFTER DELETE ON portal_grants FOR EACH ROW EXECUTE FUNCTION portal_role_withdrawn();
