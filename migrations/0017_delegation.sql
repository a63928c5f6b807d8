-- Who administers an organization after whom, what the operator does on its written request, and the periodic review of access.

CREATE TABLE successions (                         -- R053
    id               TEXT NOT NULL PRIMARY KEY,
    organization_id  TEXT NOT NULL REFERENCES organizations (id),
    leaving          TEXT NOT NULL REFERENCES people (id),
    successor        TEXT NOT NULL REFERENCES people (id),
    afterwards       TEXT NOT NULL,                -- member | removed: what the one who leaves is then
    effective_on     TEXT,                         -- civil day, Paris; none: as soon as it is approved
    reason           TEXT NOT NULL,
    status           TEXT NOT NULL,                -- requested | approved | done | declined | withdrawn | failed
    requested_by     TEXT NOT NULL,
    requested_at     BIGINT NOT NULL,
    decided_by       TEXT,
    decided_at       BIGINT,
    note             TEXT
);
CREATE INDEX successions_by_organization ON successions (organization_id, requested_at, id);
CREATE INDEX successions_by_status ON successions (status, requested_at, id);
CREATE UNIQUE INDEX successions_open ON successions (organization_id, leaving) WHERE status IN ('requested', 'approved');

CREATE TABLE overrides (                           -- R054
    id               TEXT NOT NULL PRIMARY KEY,
    organization_id  TEXT NOT NULL REFERENCES organizations (id),
    person_id        TEXT NOT NULL REFERENCES people (id),
    outcome          TEXT NOT NULL,                -- administrator | member | removed
    signed_by        TEXT NOT NULL,                -- who signed the written request
    capacity         TEXT NOT NULL,                -- as what
    verification     TEXT NOT NULL,                -- how their mandate was verified
    reason           TEXT NOT NULL,
    document_type    TEXT,
    document_size    BIGINT,
    document_sha256  TEXT,                         -- stays when the document goes
    document_sealed  BLOB,
    status           TEXT NOT NULL,                -- requested | done | declined | withdrawn | expired
    requested_by     TEXT NOT NULL,
    requested_at     BIGINT NOT NULL,
    decided_by       TEXT,
    decided_at       BIGINT,
    note             TEXT
);
CREATE INDEX overrides_by_organization ON overrides (organization_id, requested_at, id);
CREATE INDEX overrides_by_status ON overrides (status, requested_at, id);

ALTER TABLE organizations ADD COLUMN review_at BIGINT;   -- when the next review of access opens; none: not known yet
CREATE INDEX organizations_by_review ON organizations (review_at);

CREATE TABLE reviews (                             -- R052, R057
    id               TEXT NOT NULL PRIMARY KEY,
    organization_id  TEXT NOT NULL REFERENCES organizations (id),
    opened_by        TEXT NOT NULL,                -- a person, a client, or `schedule`
    opened_at        BIGINT NOT NULL,
    due_on           TEXT NOT NULL,                -- civil day, Paris
    notice_at        BIGINT,                       -- when administrators are written to next
    status           TEXT NOT NULL,                -- open | signed_off | cancelled
    signed_by        TEXT,
    signed_at        BIGINT,
    statement        TEXT,
    evidence_sha256  TEXT
);
CREATE INDEX reviews_by_organization ON reviews (organization_id, opened_at, id);
CREATE INDEX reviews_by_notice ON reviews (notice_at);
CREATE UNIQUE INDEX reviews_open ON reviews (organization_id) WHERE status = 'open';

CREATE TABLE review_items (                        -- a membership as it was when the review opened
    review_id        TEXT NOT NULL REFERENCES reviews (id) ON DELETE CASCADE,
    person_id        TEXT NOT NULL REFERENCES people (id),
    role             TEXT NOT NULL,
    affiliation      TEXT NOT NULL,
    ends_on          TEXT,
    rights           TEXT NOT NULL,                -- `client role` lines
    signed_in_at     BIGINT NOT NULL,              -- 0: never
    decision         TEXT,                         -- keep | suspend | remove | gone | own
    decided_by       TEXT,
    decided_at       BIGINT,
    note             TEXT,
    PRIMARY KEY (review_id, person_id)
);
CREATE INDEX review_items_by_use ON review_items (review_id, signed_in_at, person_id);

-- When the member last signed in, here or elsewhere: sessions are forgotten, and the inactivity report needs to know.
ALTER TABLE memberships ADD COLUMN signed_in_at BIGINT NOT NULL DEFAULT 0;
UPDATE memberships SET signed_in_at = COALESCE((SELECT MAX(s.auth_time) FROM sessions s WHERE s.person_id = memberships.person_id), 0);
CREATE INDEX memberships_by_use ON memberships (organization_id, signed_in_at, person_id);
