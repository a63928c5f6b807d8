-- Credentials: previous passwords, one-time links, what was already said about a password that expires.

-- When the job next looks at a password that may expire; 0 means at once.
ALTER TABLE passwords ADD COLUMN look_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX passwords_by_look ON passwords (look_at);

CREATE TABLE password_history (                   -- digests of earlier passwords, so that they do not come back
    person_id    TEXT NOT NULL REFERENCES people (id),
    replaced_at  BIGINT NOT NULL,
    phc          TEXT NOT NULL,
    PRIMARY KEY (person_id, replaced_at)
);

CREATE TABLE password_notices (                   -- reminders sent for one due date, and the notice of suspension (rung 0)
    person_id  TEXT NOT NULL REFERENCES people (id),
    due_at     BIGINT NOT NULL,
    rung       BIGINT NOT NULL,                   -- days before the due date
    sent_at    BIGINT NOT NULL,
    PRIMARY KEY (person_id, due_at, rung)
);

CREATE TABLE password_links (                     -- one-time links that set a password
    digest      BLOB NOT NULL PRIMARY KEY,        -- SHA-256 of what the link carries
    person_id   TEXT NOT NULL REFERENCES people (id),
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    used_at     BIGINT
);
CREATE INDEX password_links_by_person ON password_links (person_id);
CREATE INDEX password_links_by_end ON password_links (expires_at);

CREATE INDEX people_by_email ON people (email);
