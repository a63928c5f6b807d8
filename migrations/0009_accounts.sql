-- Accounts: invitations, sign-ups and changes of address by one-time links; where a session is used from; suspected sharing.

CREATE TABLE account_links (                      -- one-time links that prove a mail address
    digest      BLOB NOT NULL PRIMARY KEY,        -- SHA-256 of what the link carries
    purpose     TEXT NOT NULL,                    -- activate | sign_up | new_email | undo_email
    person_id   TEXT REFERENCES people (id),      -- null for somebody who has no account yet
    detail      TEXT NOT NULL,                    -- JSON, by purpose
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    used_at     BIGINT
);
CREATE INDEX account_links_by_person ON account_links (person_id, purpose);
CREATE INDEX account_links_by_end ON account_links (expires_at);

-- The coarse network of the last use (/24 of IPv4, /48 of IPv6); empty when it was never noted.
ALTER TABLE sessions ADD COLUMN network TEXT NOT NULL DEFAULT '';

CREATE TABLE sharing_suspicions (                 -- simultaneous use from distinct networks, told once a day (R002)
    person_id  TEXT NOT NULL REFERENCES people (id),
    day        TEXT NOT NULL,                     -- in Paris
    raised_at  BIGINT NOT NULL,
    devices    BIGINT NOT NULL,
    PRIMARY KEY (person_id, day)
);
CREATE INDEX sharing_suspicions_by_time ON sharing_suspicions (raised_at);

CREATE INDEX outbox_by_person ON outbox (person_id);
