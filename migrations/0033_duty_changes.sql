-- Who is an operator or data protection officer: one operator asks for it, another decides (R054).

CREATE TABLE duty_changes (
    id               TEXT NOT NULL PRIMARY KEY,
    person_id        TEXT NOT NULL REFERENCES people (id),
    operator         BOOLEAN NOT NULL,             -- what the person is afterwards
    privacy          BOOLEAN NOT NULL,
    reason           TEXT NOT NULL,
    status           TEXT NOT NULL,                -- requested | done | refused | withdrawn | expired
    requested_by     TEXT NOT NULL,
    requested_at     BIGINT NOT NULL,
    decided_by       TEXT,
    decided_at       BIGINT,
    note             TEXT
);
CREATE INDEX duty_changes_by_time ON duty_changes (requested_at, id);
CREATE INDEX duty_changes_by_status ON duty_changes (status, requested_at, id);
CREATE UNIQUE INDEX duty_changes_open ON duty_changes (person_id) WHERE status = 'requested';

-- The letter about a change goes to all of them.
CREATE INDEX people_of_privacy ON people (id) WHERE privacy;
