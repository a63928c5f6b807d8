-- What was declared is not changed afterwards; it goes with its person.
CREATE TRIGGER declarations_no_update BEFORE UPDATE ON declarations FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER declarations_no_truncate BEFORE TRUNCATE ON declarations FOR EACH STATEMENT EXECUTE FUNCTION append_only();
