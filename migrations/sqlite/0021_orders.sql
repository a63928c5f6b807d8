-- Whoever joins an organization that has seats holds one: whatever way in is added later, it fails closed.
CREATE TRIGGER memberships_need_seat BEFORE INSERT ON memberships
WHEN EXISTS (SELECT 1 FROM seat_pools WHERE organization_id = NEW.organization_id)
 AND NOT EXISTS (SELECT 1 FROM seats WHERE organization_id = NEW.organization_id AND person_id = NEW.person_id)
 AND NOT EXISTS (SELECT 1 FROM memberships WHERE organization_id = NEW.organization_id AND person_id = NEW.person_id)
BEGIN SELECT RAISE(ABORT, 'a member of this organization needs a seat'); END;
CREATE TRIGGER memberships_free_seat BEFORE DELETE ON memberships
WHEN EXISTS (SELECT 1 FROM seats WHERE organization_id = OLD.organization_id AND person_id = OLD.person_id)
BEGIN SELECT RAISE(ABORT, 'the seat is released first'); END;
-- What happened to seats only grows.
CREATE TRIGGER seat_history_no_update BEFORE UPDATE ON seat_history BEGIN SELECT RAISE(ABORT, 'seat_history is append-only'); END;
CREATE TRIGGER seat_history_no_delete BEFORE DELETE ON seat_history BEGIN SELECT RAISE(ABORT, 'seat_history is append-only'); END;
