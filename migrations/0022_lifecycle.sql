-- One engine for all that expires: what was said of what, who runs it, and under which rules the next looks were planned.

CREATE TABLE leases (                              -- work that one node does at a time
    name    TEXT NOT NULL PRIMARY KEY,
    holder  TEXT NOT NULL,                         -- the process, nod_…
    until   BIGINT NOT NULL                        -- afterwards another takes over
);

CREATE TABLE lifecycle_kinds (
    kind        TEXT NOT NULL PRIMARY KEY,
    rule        TEXT,                              -- fingerprint of the settings under which looks were planned
    walked      TEXT,                              -- looks are planned anew behind this id; null: all are
    ran_at      BIGINT,                            -- last run
    ran_by      TEXT,
    busy_at     BIGINT,                            -- last run that had something to say or do, and what it came to
    reminded    BIGINT NOT NULL DEFAULT 0,
    ended       BIGINT NOT NULL DEFAULT 0,
    failed      BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE notices (                             -- reminders, and ends as rung 0: once each for one due date
    id               TEXT NOT NULL PRIMARY KEY,    -- ntc_…; mails of the outbox name it
    kind             TEXT NOT NULL,
    subject          TEXT NOT NULL,                -- a person, a key, an offer…
    due_at           BIGINT NOT NULL,
    rung             BIGINT NOT NULL,              -- days before the due date
    sent_at          BIGINT NOT NULL
);
CREATE UNIQUE INDEX notices_once ON notices (kind, subject, due_at, rung);
CREATE INDEX notices_by_time ON notices (sent_at, id);
CREATE INDEX notices_by_kind ON notices (kind, sent_at, id);

CREATE TABLE notice_organizations (                -- whose administrators read of it
    notice_id        TEXT NOT NULL REFERENCES notices (id) ON DELETE CASCADE,
    organization_id  TEXT NOT NULL,
    kind             TEXT NOT NULL,
    sent_at          BIGINT NOT NULL,
    PRIMARY KEY (notice_id, organization_id)
);
CREATE INDEX notice_organizations_by_time ON notice_organizations (organization_id, sent_at, notice_id);
CREATE INDEX notice_organizations_by_kind ON notice_organizations (organization_id, kind, sent_at, notice_id);

-- What was said until now. The two tables stay for the version before, beside this one; what it adds is carried over by a trigger.
INSERT INTO notices (id, kind, subject, due_at, rung, sent_at)
SELECT 'ntc_' || person_id || '-' || due_at || '-' || rung, 'password', person_id, due_at, rung, sent_at FROM password_notices;
INSERT INTO notices (id, kind, subject, due_at, rung, sent_at)
SELECT 'ntc_' || key_id || '-' || due_at || '-' || rung, 'api_key', key_id, due_at, rung, sent_at FROM api_key_notices;
INSERT INTO notice_organizations (notice_id, organization_id, kind, sent_at)
SELECT n.id, k.organization_id, n.kind, n.sent_at FROM notices n JOIN api_keys k ON k.id = n.subject WHERE n.kind = 'api_key';
INSERT INTO notice_organizations (notice_id, organization_id, kind, sent_at)
SELECT n.id, m.organization_id, n.kind, n.sent_at FROM notices n JOIN memberships m ON m.person_id = n.subject WHERE n.kind = 'password';

ALTER TABLE outbox ADD COLUMN notice_id TEXT;      -- the notice that this mail carries
CREATE INDEX outbox_by_notice ON outbox (notice_id) WHERE notice_id IS NOT NULL;

DROP INDEX passwords_by_look;
CREATE INDEX passwords_by_look ON passwords (look_at, person_id);

ALTER TABLE memberships ADD COLUMN look_at BIGINT DEFAULT 0;  -- next reminder of the last day, then the day after; null: nothing left to say
CREATE INDEX memberships_by_look ON memberships (look_at, (organization_id || '/' || person_id)) WHERE ends_on IS NOT NULL AND look_at IS NOT NULL;

-- The rules of this organization's people changed: their passwords are planned anew behind this person.
ALTER TABLE organizations ADD COLUMN replan_from TEXT;
CREATE INDEX organizations_to_replan ON organizations (id) WHERE replan_from IS NOT NULL;

CREATE INDEX jobs_by_time ON jobs (created_at, id);
CREATE INDEX jobs_by_organization ON jobs (organization_id, created_at, id);

CREATE INDEX account_links_to_lapse ON account_links (expires_at, person_id) WHERE purpose = 'activate' AND used_at IS NULL;
CREATE INDEX membership_offers_to_lapse ON membership_offers (expires_at, id) WHERE status = 'open';
