-- What the version before says is known to this one.
CREATE FUNCTION keep_password_notice() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO notices (id, kind, subject, due_at, rung, sent_at)
    VALUES ('ntc_' || NEW.person_id || '-' || NEW.due_at || '-' || NEW.rung, 'password', NEW.person_id, NEW.due_at, NEW.rung, NEW.sent_at)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER password_notices_kept AFTER INSERT ON password_notices FOR EACH ROW EXECUTE FUNCTION keep_password_notice();
CREATE FUNCTION keep_api_key_notice() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO notices (id, kind, subject, due_at, rung, sent_at)
    VALUES ('ntc_' || NEW.key_id || '-' || NEW.due_at || '-' || NEW.rung, 'api_key', NEW.key_id, NEW.due_at, NEW.rung, NEW.sent_at)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER api_key_notices_kept AFTER INSERT ON api_key_notices FOR EACH ROW EXECUTE FUNCTION keep_api_key_notice();

-- Whoever changes what the rule of a password hangs on has it looked at again. Each time to another value below, so that
-- a run that had read the row before does not plan it by what it was.
CREATE FUNCTION membership_added() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE passwords SET look_at = CASE WHEN look_at > 0 THEN 0 ELSE look_at - 1 END WHERE person_id = NEW.person_id;
    RETURN NULL;
END $$;
CREATE TRIGGER membership_added AFTER INSERT ON memberships FOR EACH ROW EXECUTE FUNCTION membership_added();
CREATE FUNCTION membership_changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE passwords SET look_at = CASE WHEN look_at > 0 THEN 0 ELSE look_at - 1 END WHERE person_id = NEW.person_id;
    UPDATE memberships SET look_at = CASE WHEN look_at <= 0 THEN look_at - 1 ELSE 0 END WHERE person_id = NEW.person_id AND organization_id = NEW.organization_id;
    RETURN NULL;
END $$;
CREATE TRIGGER membership_changed AFTER UPDATE OF status, ends_on ON memberships FOR EACH ROW
WHEN (OLD.status IS DISTINCT FROM NEW.status OR OLD.ends_on IS DISTINCT FROM NEW.ends_on) EXECUTE FUNCTION membership_changed();
CREATE FUNCTION membership_removed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE passwords SET look_at = CASE WHEN look_at > 0 THEN 0 ELSE look_at - 1 END WHERE person_id = OLD.person_id;
    RETURN NULL;
END $$;
CREATE TRIGGER membership_removed AFTER DELETE ON memberships FOR EACH ROW EXECUTE FUNCTION membership_removed();
CREATE FUNCTION person_changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE passwords SET look_at = CASE WHEN look_at > 0 THEN 0 ELSE look_at - 1 END WHERE person_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER person_changed AFTER UPDATE OF status, operator ON people FOR EACH ROW
WHEN (OLD.status IS DISTINCT FROM NEW.status OR OLD.operator IS DISTINCT FROM NEW.operator) EXECUTE FUNCTION person_changed();
CREATE FUNCTION organization_rule_changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE organizations SET replan_from = '' WHERE id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER organization_rule_changed AFTER UPDATE OF status, password_policy ON organizations FOR EACH ROW
WHEN (OLD.status IS DISTINCT FROM NEW.status OR OLD.password_policy IS DISTINCT FROM NEW.password_policy)
EXECUTE FUNCTION organization_rule_changed();
