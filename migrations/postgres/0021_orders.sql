-- Whoever joins an organization that has seats holds one: whatever way in is added later, it fails closed.
CREATE FUNCTION needs_seat() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF EXISTS (SELECT 1 FROM seat_pools WHERE organization_id = NEW.organization_id)
       AND NOT EXISTS (SELECT 1 FROM seats WHERE organization_id = NEW.organization_id AND person_id = NEW.person_id)
       AND NOT EXISTS (SELECT 1 FROM memberships WHERE organization_id = NEW.organization_id AND person_id = NEW.person_id)
    THEN RAISE EXCEPTION 'a member of this organization needs a seat'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER memberships_need_seat BEFORE INSERT ON memberships FOR EACH ROW EXECUTE FUNCTION needs_seat();
CREATE FUNCTION frees_seat() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF EXISTS (SELECT 1 FROM seats WHERE organization_id = OLD.organization_id AND person_id = OLD.person_id)
    THEN RAISE EXCEPTION 'the seat is released first'; END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER memberships_free_seat BEFORE DELETE ON memberships FOR EACH ROW EXECUTE FUNCTION frees_seat();
-- What happened to seats only grows.
CREATE TRIGGER seat_history_append_only BEFORE UPDATE OR DELETE ON seat_history FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER seat_history_no_truncate BEFORE TRUNCATE ON seat_history FOR EACH STATEMENT EXECUTE FUNCTION append_only();
