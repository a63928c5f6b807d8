-- What was reported to the data protection officer: the queue (R032, R034).

CREATE TABLE incidents (
    id               TEXT NOT NULL PRIMARY KEY,
    kind             TEXT NOT NULL,                -- person | administrator | operator: who reported it
    cause            TEXT NOT NULL,                -- compromise | address_restored | kill_switch | report
    person_id        TEXT REFERENCES people (id),
    organization_id  TEXT REFERENCES organizations (id),
    description      TEXT,
    reported_by      TEXT NOT NULL,                -- person or client
    reported_at      BIGINT NOT NULL,
    handled_at       BIGINT,
    handled_by       TEXT,
    note             TEXT
);
CREATE INDEX incidents_by_time ON incidents (reported_at, id);
CREATE INDEX incidents_open ON incidents (reported_at, id) WHERE handled_at IS NULL;
CREATE INDEX incidents_handled ON incidents (handled_at) WHERE handled_at IS NOT NULL;
CREATE INDEX incidents_by_organization ON incidents (organization_id, reported_at);

-- What a sign of sharing counts: networks or devices (R002).
ALTER TABLE sharing_suspicions ADD COLUMN counted TEXT NOT NULL DEFAULT 'networks';
