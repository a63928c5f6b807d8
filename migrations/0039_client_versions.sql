-- Counts the changes of a client, so that two operators cannot undo each other's unseen.

ALTER TABLE clients ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
