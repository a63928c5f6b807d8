-- An account is its person's alone: what it said before it changed, who is to be verified, and who was (R007).

ALTER TABLE people ADD COLUMN identity_changed_at BIGINT;     -- since when portals wait for a verification; null: they do not
CREATE INDEX people_by_identity ON people (id) WHERE identity_changed_at IS NOT NULL;

CREATE TABLE identity_anchors (                   -- as it was opened or last verified; without a row that is what it says
    person_id    TEXT NOT NULL PRIMARY KEY REFERENCES people (id),
    given_name   TEXT NOT NULL,
    family_name  TEXT NOT NULL,
    birthdate    TEXT,                            -- null: it said none
    email        TEXT,
    told_at      BIGINT                           -- when others were told that this may be somebody else
);

CREATE TABLE identity_verifications (             -- what an operator recorded; rows are not changed
    id           TEXT NOT NULL PRIMARY KEY,
    person_id    TEXT NOT NULL REFERENCES people (id),
    method       TEXT NOT NULL,                   -- identity_document, video, in_person
    reference    TEXT,
    reason       TEXT,
    verified_by  TEXT NOT NULL,
    verified_at  BIGINT NOT NULL
);
CREATE INDEX identity_verifications_by_person ON identity_verifications (person_id, verified_at, id);
