-- What is to become of an organization's data at the end (R157), and when it was last handed over whole.

CREATE TABLE data_returns (
    organization_id  TEXT NOT NULL PRIMARY KEY REFERENCES organizations (id),
    choice           TEXT,                         -- destruction | return; none: not said yet
    chosen_by        TEXT,                         -- person or client
    chosen_at        BIGINT,
    exported_at      BIGINT                        -- the last export that was taken to its end
);
