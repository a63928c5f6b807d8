-- Members ask for a seat: an administrator decides, unless the organization's rule says otherwise (R059).

ALTER TABLE organizations ADD COLUMN seat_requests TEXT NOT NULL DEFAULT 'approval';   -- approval | automatic | off

CREATE TABLE seat_requests (
    id               TEXT NOT NULL PRIMARY KEY,
    organization_id  TEXT NOT NULL REFERENCES organizations (id),
    product_id       TEXT NOT NULL REFERENCES products (id),
    person_id        TEXT NOT NULL REFERENCES people (id),
    reason           TEXT,                         -- in the words of who asks
    status           TEXT NOT NULL,                -- requested | granted | declined | withdrawn | expired
    requested_at     BIGINT NOT NULL,
    look_at          BIGINT,                       -- next reminder, then the end; null: nothing left to say
    decided_by       TEXT,                         -- null while it waits, and when the organization's rule or time decided
    by_operator      BOOLEAN NOT NULL,             -- whether the operator or its automation decided
    decided_at       BIGINT,
    note             TEXT
);
CREATE UNIQUE INDEX seat_requests_open ON seat_requests (organization_id, product_id, person_id) WHERE status = 'requested';
CREATE INDEX seat_requests_by_organization ON seat_requests (organization_id, requested_at, id);
CREATE INDEX seat_requests_by_person ON seat_requests (person_id, requested_at, id);
CREATE INDEX seat_requests_to_look_at ON seat_requests (look_at, id) WHERE look_at IS NOT NULL;

-- How long each seat was whose, person by person, for the bill.
CREATE INDEX seat_history_by_holder ON seat_history (organization_id, product_id, person_id, at, id);
