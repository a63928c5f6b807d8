-- What others may learn of changes: events, in an order of their own, and the webhooks they are delivered to.

CREATE TABLE events (                              -- a row for each who may read it: '' the operator, else an organization
    audience         TEXT NOT NULL,
    id               TEXT NOT NULL,                -- that of the line of the audit trail it was made from
    position         BIGINT,                       -- given after the commit, see event_sequence; null until then
    type             TEXT NOT NULL,
    at               BIGINT NOT NULL,
    organization_id  TEXT,
    person_id        TEXT,
    data             TEXT NOT NULL,                -- JSON object
    PRIMARY KEY (audience, id)
);
CREATE UNIQUE INDEX events_by_position ON events (position);
CREATE INDEX events_of_audience ON events (audience, position);
CREATE INDEX events_without_position ON events (at, id) WHERE position IS NULL;
CREATE INDEX events_by_time ON events (at);

CREATE TABLE event_sequence (                      -- one row; who gives positions holds it until the commit
    id               TEXT NOT NULL PRIMARY KEY,
    last_position    BIGINT NOT NULL,
    forgotten        BIGINT NOT NULL               -- the highest position that was removed
);
INSERT INTO event_sequence (id, last_position, forgotten) VALUES ('events', 0, 0);

CREATE TABLE webhooks (
    id               TEXT NOT NULL PRIMARY KEY,
    audience         TEXT NOT NULL,                -- as of events
    url              TEXT NOT NULL,
    types            TEXT NOT NULL,                -- JSON array
    description      TEXT,
    active           BOOLEAN NOT NULL,
    disabled         TEXT,                         -- gone | unreachable, when the server did it
    secret           BLOB NOT NULL,                -- sealed
    earlier_secret   BLOB,                         -- sealed; signs beside the new one
    earlier_until    BIGINT,
    failures         BIGINT NOT NULL,              -- in a row
    failing_since    BIGINT,
    wait_until       BIGINT,                       -- after a failure
    claimed_until    BIGINT,                       -- while a node delivers
    turned_at        BIGINT NOT NULL,              -- end of the last turn: who waited longest is next
    version          BIGINT NOT NULL,
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL
);
CREATE INDEX webhooks_of_audience ON webhooks (audience, created_at, id);

CREATE TABLE webhook_deliveries (
    id               TEXT NOT NULL PRIMARY KEY,
    webhook_id       TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event_id         TEXT NOT NULL,
    type             TEXT NOT NULL,
    body             TEXT NOT NULL,                -- as it is sent, every time
    status           TEXT NOT NULL,                -- pending | delivered | given_up
    attempts         BIGINT NOT NULL,
    answers          TEXT NOT NULL,                -- JSON array, the last ones
    next_attempt_at  BIGINT,
    delivered_at     BIGINT,
    created_at       BIGINT NOT NULL
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, next_attempt_at);
CREATE INDEX webhook_deliveries_of_webhook ON webhook_deliveries (webhook_id, created_at, id);
CREATE INDEX webhook_deliveries_by_time ON webhook_deliveries (created_at);
