-- When a portal last used what it was granted in a session, within a minute; and the browser of the session: whoever signs in again in one
-- after the idle time has two, and one device. Signs of sharing look at both, the life of a session at neither.

ALTER TABLE sessions ADD COLUMN grants_used_at BIGINT;
ALTER TABLE sessions ADD COLUMN browser_digest BLOB;
