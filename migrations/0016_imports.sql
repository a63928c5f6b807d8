-- Long work as jobs that any node carries on, and imports of people from files (R058).

CREATE TABLE jobs (
    id               TEXT NOT NULL PRIMARY KEY,   -- job_…
    organization_id  TEXT NOT NULL REFERENCES organizations (id),
    kind             TEXT NOT NULL,               -- import_check | import_apply
    subject          TEXT NOT NULL,               -- what it is about: imp_…
    state            TEXT NOT NULL,               -- waiting | running | done | failed | cancelled
    done             BIGINT NOT NULL,
    total            BIGINT NOT NULL,
    attempts         BIGINT NOT NULL,
    created_by       TEXT NOT NULL,
    created_at       BIGINT NOT NULL,
    ended_at         BIGINT,
    holder           TEXT,                        -- the worker that runs it
    leased_until     BIGINT                       -- afterwards another one takes over
);
CREATE INDEX jobs_by_state ON jobs (state, created_at, id);
CREATE UNIQUE INDEX jobs_running ON jobs (organization_id) WHERE state = 'running';

CREATE TABLE imports (
    id               TEXT NOT NULL PRIMARY KEY,   -- imp_…
    organization_id  TEXT NOT NULL REFERENCES organizations (id),
    job_id           TEXT NOT NULL,               -- the last job
    state            TEXT NOT NULL,               -- checking | checked | unreadable | applying | applied | failed
    file             BLOB,                        -- sealed; gone once it was read
    file_digest      TEXT NOT NULL,               -- SHA-256, hexadecimal
    size_bytes       BIGINT NOT NULL,
    form             TEXT,                        -- JSON: encoding, separator, columns
    failure          TEXT,                        -- stable word
    ready            BIGINT NOT NULL,             -- rows, by what became of them
    invalid          BIGINT NOT NULL,
    administrators   BIGINT NOT NULL,             -- of the rows that are ready
    made             BIGINT NOT NULL,
    refused          BIGINT NOT NULL,
    mode             TEXT,                        -- all_or_nothing | valid_rows
    plan             TEXT,                        -- JSON: how it is applied, and for whom
    created_by       TEXT NOT NULL,
    created_at       BIGINT NOT NULL,
    applied_at       BIGINT,
    expires_at       BIGINT NOT NULL
);
CREATE INDEX imports_by_organization ON imports (organization_id, created_at, id);
CREATE INDEX imports_by_end ON imports (expires_at);

CREATE TABLE import_rows (
    import_id  TEXT NOT NULL REFERENCES imports (id) ON DELETE CASCADE,
    line       BIGINT NOT NULL,                   -- of the file
    state      TEXT NOT NULL,                     -- ready | invalid | made | refused
    data       TEXT,                              -- JSON: the cells; gone once it was applied
    problems   TEXT NOT NULL,                     -- JSON
    person_id  TEXT,
    PRIMARY KEY (import_id, line)
);
CREATE INDEX import_rows_by_state ON import_rows (import_id, state, line);
