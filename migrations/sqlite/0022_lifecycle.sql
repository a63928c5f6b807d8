-- What the version before says is known to this one.
CREATE TRIGGER password_notices_kept AFTER INSERT ON password_notices BEGIN
    INSERT INTO notices (id, kind, subject, due_at, rung, sent_at)
    VALUES ('ntc_' || NEW.person_id || '-' || NEW.due_at || '-' || NEW.rung, 'password', NEW.person_id, NEW.due_at, NEW.rung, NEW.sent_at)
    ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER api_key_notices_kept AFTER INSERT ON api_key_notices BEGIN
    INSERT INTO notices (id, kind, subject, due_at, rung, sent_at)
    VALUES ('ntc_' || NEW.key_id || '-' || NEW.due_at || '-' || NEW.rung, 'api_key', NEW.key_id, NEW.due_at, NEW.rung, NEW.sent_at)
    ON CONFLICT DO NOTHING;
END;

-- Whoever changes what the rule of a password hangs on has it looked at again. Each time to another value below, so that
-- a run that had read the row before does not plan it by what it was.
CREATE TRIGGER membership_added AFTER INSERT ON memberships BEGIN
    UPDATE passwords SET look_at = CASE WHEN look_at > 0 THEN 0 ELSE look_at - 1 END WHERE person_id = NEW.person_id;
END;
CREATE TRIGGER membership_changed AFTER UPDATE OF status, ends_on ON memberships
WHEN OLD.status IS NOT NEW.status OR OLD.ends_on IS NOT NEW.ends_on BEGIN
    UPDATE passwords SET look_at = CASE WHEN look_at > 0 THEN 0 ELSE look_at - 1 END WHERE person_id = NEW.person_id;
    UPDATE memberships SET look_at = CASE WHEN look_at <= 0 THEN look_at - 1 ELSE 0 END WHERE person_id = NEW.person_id AND organization_id = NEW.organization_id;
END;
CREATE TRIGGER membership_removed AFTER DELETE ON memberships BEGIN
    UPDATE passwords SET look_at = CASE WHEN look_at > 0 THEN 0 ELSE look_at - 1 END WHERE person_id = OLD.person_id;
END;
CREATE TRIGGER person_changed AFTER UPDATE OF status, operator ON people
WHEN OLD.status IS NOT NEW.status OR OLD.operator IS NOT NEW.operator BEGIN
    UPDATE passwords SET look_at = CASE WHEN look_at > 0 THEN 0 ELSE look_at - 1 END WHERE person_id = NEW.id;
END;
CREATE TRIGGER organization_rule_changed AFTER UPDATE OF status, password_policy ON organizations
WHEN OLD.status IS NOT NEW.status OR OLD.password_policy IS NOT NEW.password_policy BEGIN
    UPDATE organizations SET replan_from = '' WHERE id = NEW.id;
END;
