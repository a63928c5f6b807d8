-- Measures of the operator against people, organizations and portals: formal notice, suspension, termination (R083-R086, R090).

CREATE TABLE measures (
    id               TEXT NOT NULL PRIMARY KEY,
    subject_kind     TEXT NOT NULL,               -- person | organization | portal
    subject_id       TEXT NOT NULL,
    measure          TEXT NOT NULL,               -- formal_notice | suspension | termination
    earlier          TEXT NOT NULL,               -- the status before, given back when it is lifted
    breach           TEXT NOT NULL,               -- R085
    remedy           TEXT NOT NULL,               -- R085; empty for a termination, which nothing undoes
    irreparable      TEXT,                        -- why a termination waited for no formal notice (R086)
    reason           TEXT NOT NULL,               -- for the operator
    text_version     TEXT NOT NULL,               -- of the letter
    notices          TEXT NOT NULL,               -- ids of the letters in the outbox, space separated
    imposed_by       TEXT NOT NULL,
    imposed_at       BIGINT NOT NULL,
    presented_on     TEXT,                        -- a formal notice: civil day of the first presentation, Paris (R202)
    lifted_at        BIGINT,                      -- the breach is remedied
    lifted_by        TEXT,
    lifted_reason    TEXT,
    lifted_notices   TEXT
);
CREATE INDEX measures_of_subject ON measures (subject_kind, subject_id, imposed_at, id);
CREATE INDEX measures_by_time ON measures (imposed_at, id);
-- INVARIANT: a suspension is in force once at most.
CREATE UNIQUE INDEX measures_suspension ON measures (subject_kind, subject_id) WHERE measure = 'suspension' AND lifted_at IS NULL;

-- What an organization's people were granted until then is dead: sessions, grants and tokens compare their beginning with it.
ALTER TABLE organizations ADD COLUMN access_ended_at BIGINT NOT NULL DEFAULT 0;
-- Passwords chosen until then open nothing (kill switch, R033). Never later than access_ended_at.
ALTER TABLE organizations ADD COLUMN renewal_at BIGINT NOT NULL DEFAULT 0;
-- How far the rows of its people were brought in line with both: the last person, empty before the first; null when that is done.
ALTER TABLE organizations ADD COLUMN settle_after TEXT;
CREATE INDEX organizations_to_settle ON organizations (settle_after) WHERE settle_after IS NOT NULL;
UPDATE organizations SET access_ended_at = updated_at WHERE status <> 'active';

ALTER TABLE clients ADD COLUMN access_ended_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE clients ADD COLUMN banner TEXT;       -- JSON, by language: what people read while the portal is closed (R090)
