-- Accounts for updates: enrolments whose years count from the opening of a link (R077).

ALTER TABLE enrolments ADD COLUMN opens_years BIGINT;                      -- none: they count from a first day
ALTER TABLE enrolments ADD COLUMN opened_at BIGINT;                        -- until then not_before and not_after are empty

CREATE TABLE enrolment_links (                     -- one-time links that open them
    digest        BLOB NOT NULL PRIMARY KEY,       -- SHA-256 of what the link carries
    enrolment_id  TEXT NOT NULL REFERENCES enrolments (id) ON DELETE CASCADE,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    void_at       BIGINT                           -- another was sent
);
CREATE INDEX enrolment_links_by_enrolment ON enrolment_links (enrolment_id);
CREATE INDEX enrolment_links_by_end ON enrolment_links (expires_at);
