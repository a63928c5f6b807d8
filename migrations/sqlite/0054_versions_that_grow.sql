-- A member's rights are told with them: one more changes the version, as one fewer does (0047).
CREATE TRIGGER right_given AFTER INSERT ON rights BEGIN
    UPDATE memberships SET version = version + 1 WHERE person_id = NEW.person_id AND organization_id = NEW.organization_id;
END;

-- A member's version is the sum of membership, person and organization: what goes of it goes to the person, so that whoever comes back
-- has none they had before.
CREATE TRIGGER membership_counted AFTER DELETE ON memberships BEGIN
    UPDATE people SET version = version + OLD.version WHERE id = OLD.person_id;
END;

-- What is granted in a portal, by whichever version. A client that goes takes its versions with it: nothing is made for one on its way.
CREATE TRIGGER portal_role_granted AFTER INSERT ON portal_grants BEGIN
    INSERT INTO portal_grant_versions (organization_id, client_id, version) VALUES (NEW.organization_id, NEW.client_id, 1)
    ON CONFLICT (organization_id, client_id) DO UPDATE SET version = portal_grant_versions.version + 1;
END;
CREATE TRIGGER portal_role_withdrawn AFTER DELETE ON portal_grants BEGIN
    UPDATE portal_grant_versions SET version = version + 1 WHERE organization_id = OLD.organization_id AND client_id = OLD.client_id;
END;
