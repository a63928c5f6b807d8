-- Imports of all or nothing: what is entered is prepared where nobody sees it, and appears in one short step. Imports offer a membership
-- to people who have an account, and say row by row which products a seat is taken of.

ALTER TABLE imports ADD COLUMN offers BIGINT NOT NULL DEFAULT 0;            -- of the rows that are ready: those that will be offers
ALTER TABLE imports ADD COLUMN offered BIGINT NOT NULL DEFAULT 0;           -- offers made
ALTER TABLE imports ADD COLUMN decided_at BIGINT;                          -- all or nothing: when it became all
ALTER TABLE import_rows ADD COLUMN offer BOOLEAN NOT NULL DEFAULT FALSE;    -- ready: the person has an account

CREATE TABLE import_entries (                      -- a row that is about to appear
    import_id    TEXT NOT NULL REFERENCES imports (id) ON DELETE CASCADE,
    line         BIGINT NOT NULL,
    login        TEXT NOT NULL,
    email        TEXT NOT NULL,
    given_name   TEXT NOT NULL,
    family_name  TEXT NOT NULL,
    role         TEXT NOT NULL,
    affiliation  TEXT NOT NULL,
    ends_on      TEXT,
    claims       TEXT NOT NULL,                    -- JSON: what is said of the person beyond the names
    sort_key     BLOB NOT NULL,                    -- of the list by name, which is in order at once
    new_id       TEXT NOT NULL,                    -- the account, if there is none
    offer_id     TEXT NOT NULL,                    -- the offer, if there is one
    account_id   TEXT,                             -- the one that there is
    PRIMARY KEY (import_id, line)
);

CREATE TABLE import_entry_seats (
    import_id   TEXT NOT NULL,
    line        BIGINT NOT NULL,
    product_id  TEXT NOT NULL,
    PRIMARY KEY (import_id, product_id, line),
    FOREIGN KEY (import_id, line) REFERENCES import_entries (import_id, line) ON DELETE CASCADE
);
CREATE INDEX import_entry_seats_of_line ON import_entry_seats (import_id, line);

-- Whether a member holds a seat is asked for each who enters: without this, among all seats of the organization.
CREATE INDEX seats_of_member ON seats (organization_id, person_id);

-- A review of many members is signed off by a job, some at a time: until it has come to its end, the review is open and held.
ALTER TABLE reviews ADD COLUMN signing TEXT;                                -- JSON: who signs, and how
ALTER TABLE reviews ADD COLUMN job_id TEXT;                                 -- the job that carries it out
ALTER TABLE reviews ADD COLUMN stopped TEXT;                                -- why it stopped, a stable word
