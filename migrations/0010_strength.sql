-- Credentials, continued: rules of organizations, requests for a link, links that report a compromise, mail that bounced.

ALTER TABLE organizations ADD COLUMN password_policy TEXT;  -- JSON; null: the operator's rule

CREATE TABLE link_requests (                      -- what was typed into "forgot your password?", until a job has looked it up
    id            TEXT NOT NULL PRIMARY KEY,
    typed_sealed  BLOB NOT NULL,                  -- people type other things than their address into that field
    address       TEXT NOT NULL,                  -- for the trail
    request_id    TEXT NOT NULL,
    created_at    BIGINT NOT NULL
);

CREATE TABLE compromise_links (                   -- "report a compromise", one in each security mail
    digest      BLOB NOT NULL PRIMARY KEY,        -- SHA-256 of what the link carries
    person_id   TEXT NOT NULL REFERENCES people (id),
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    used_at     BIGINT
);
CREATE INDEX compromise_links_by_person ON compromise_links (person_id);
CREATE INDEX compromise_links_by_end ON compromise_links (expires_at);

ALTER TABLE outbox ADD COLUMN bounced_at BIGINT;  -- the mail server refused it for good; `answer` says why
