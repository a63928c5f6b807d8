-- Documents that the operator asks an organization for, with a last day (R013, R091).

CREATE TABLE document_requests (
    id               TEXT NOT NULL PRIMARY KEY,   -- drq_…
    organization_id  TEXT NOT NULL REFERENCES organizations (id),
    campaign         TEXT,                        -- a name that requests to many organizations share
    review_id        TEXT,                        -- the review of access opened with it
    title            TEXT NOT NULL,
    wanted           TEXT NOT NULL,               -- which documents, in words
    due_on           TEXT NOT NULL,               -- last day, Paris
    due_since        BIGINT NOT NULL,             -- since when that is the last day
    suspends         BOOLEAN NOT NULL,            -- unanswered, the organization is suspended
    breach           TEXT NOT NULL,               -- said with the suspension; empty without
    remedy           TEXT NOT NULL,
    status           TEXT NOT NULL,               -- open | answered | accepted | cancelled
    notice_at        BIGINT,                      -- when the lifecycle looks at it next; only while it is open
    overdue_at       BIGINT,
    measure_id       TEXT,                        -- the suspension
    requested_by     TEXT NOT NULL,
    requested_at     BIGINT NOT NULL,
    answered_by      TEXT,
    answered_at      BIGINT,
    answer           TEXT,
    decided_by       TEXT,
    decided_at       BIGINT,
    note             TEXT,                        -- why it was refused last, accepted or cancelled
    refusals         BIGINT NOT NULL,
    evidence_sha256  TEXT
);
CREATE INDEX document_requests_by_organization ON document_requests (organization_id, requested_at, id);
CREATE INDEX document_requests_by_time ON document_requests (requested_at, id);
CREATE INDEX document_requests_by_notice ON document_requests (notice_at, id) WHERE notice_at IS NOT NULL;

CREATE TABLE request_documents (
    id               TEXT NOT NULL PRIMARY KEY,   -- doc_…
    request_id       TEXT NOT NULL REFERENCES document_requests (id) ON DELETE CASCADE,
    name             TEXT NOT NULL,
    media_type       TEXT NOT NULL,
    size_bytes       BIGINT NOT NULL,
    sha256           TEXT NOT NULL,
    sealed           BLOB,                        -- gone when its time is over
    round            BIGINT NOT NULL,             -- answers refused before it
    uploaded_by      TEXT NOT NULL,
    uploaded_at      BIGINT NOT NULL
);
CREATE INDEX request_documents_of ON request_documents (request_id, uploaded_at, id);
CREATE INDEX request_documents_kept ON request_documents (uploaded_at) WHERE sealed IS NOT NULL;
