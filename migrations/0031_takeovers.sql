-- What a takeover leaves behind: a password that has to be chosen again, a consent of somebody else, an address in capitals.

ALTER TABLE people ADD COLUMN renewal_since BIGINT;          -- a compromise took the password away: until another is chosen by link, no passkey opens either
ALTER TABLE interactions ADD COLUMN consented_by TEXT;       -- whose consent it is

CREATE INDEX people_by_folded_email ON people (lower(email));
DROP INDEX people_by_email;
