-- Letters are sealed until they are sent, and their text is dropped afterwards; addresses that take none; a second factor is
-- added to a session.

ALTER TABLE outbox ADD COLUMN sealed BLOB;        -- the text under the master key, bound to the id; null when it is not kept
ALTER TABLE outbox ADD COLUMN body_digest TEXT;   -- SHA-256 of the text, hexadecimal: proof of what was said
-- When a sealed mail is tried next; null when there is nothing left to do. Not `next_attempt_at`: an earlier version on the same
-- database finds the mails it wrote there, and would send these without their text.
ALTER TABLE outbox ADD COLUMN due_at BIGINT;
CREATE INDEX outbox_sealed_due ON outbox (due_at);
CREATE INDEX outbox_in_clear ON outbox (id) WHERE body <> '';  -- what an earlier version wrote, to be sealed

ALTER TABLE people ADD COLUMN email_bounced_at BIGINT;  -- the address took no mail and was not proven since; told once

ALTER TABLE sign_in_steps ADD COLUMN session_id TEXT;  -- the session a second factor is added to; null: the password was given
