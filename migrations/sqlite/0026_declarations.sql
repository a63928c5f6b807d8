-- What was declared is not changed afterwards; it goes with its person.
CREATE TRIGGER declarations_no_update BEFORE UPDATE ON declarations BEGIN SELECT RAISE(ABORT, 'declarations are not changed'); END;
