-- Digests of passwords that go with people (R212): how often an organization took those of its people, and those that came from elsewhere,
-- until their people open their account by the link.

ALTER TABLE data_returns ADD COLUMN hashes_exported_at BIGINT;                -- the last export of digests
ALTER TABLE data_returns ADD COLUMN hashes_exported_on TEXT;                  -- ISO 8601, Paris: its day
ALTER TABLE data_returns ADD COLUMN hashes_exports BIGINT NOT NULL DEFAULT 0; -- how many there were on that day

ALTER TABLE imports ADD COLUMN hashes BLOB;                                   -- sealed; gone once the import was applied or failed
ALTER TABLE imports ADD COLUMN hash_count BIGINT NOT NULL DEFAULT 0;

CREATE TABLE imported_passwords (
    person_id    TEXT NOT NULL PRIMARY KEY REFERENCES people (id),
    phc          TEXT NOT NULL,
    changed_at   BIGINT NOT NULL,                  -- when it was chosen, elsewhere
    imported_at  BIGINT NOT NULL,
    tries        BIGINT NOT NULL                   -- how often it was typed at the link
);
CREATE INDEX imported_passwords_by_time ON imported_passwords (imported_at);
