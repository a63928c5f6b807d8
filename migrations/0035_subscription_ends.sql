-- The last day of a centre's subscription, where the operator said it: no key that is issued later outlives it (R087).

CREATE TABLE subscription_ends (
    organization_id  TEXT NOT NULL PRIMARY KEY REFERENCES organizations (id),
    last_day         TEXT NOT NULL,                -- ISO 8601, Paris
    said_by          TEXT NOT NULL,                -- person or client
    said_at          BIGINT NOT NULL
);
