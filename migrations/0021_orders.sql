-- What organizations ordered, the seats that opens, who holds them, and until when people have access.

CREATE TABLE products (                            -- what is sold; portals say in their settings which one they belong to
    id               TEXT NOT NULL PRIMARY KEY,    -- a word of the operator's, such as `lms`
    name             TEXT NOT NULL,
    trial_seats      BIGINT NOT NULL,              -- 0: no trials
    sold             BOOLEAN NOT NULL,             -- false: what runs goes on, nothing new is ordered (R078)
    version          BIGINT NOT NULL,
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL
);

CREATE TABLE orders (                              -- R020-R024, R060-R074
    id                   TEXT NOT NULL PRIMARY KEY,
    organization_id      TEXT NOT NULL REFERENCES organizations (id),
    number               TEXT NOT NULL,            -- of the order form
    product_id           TEXT NOT NULL REFERENCES products (id),
    seats                BIGINT NOT NULL,
    mode                 TEXT NOT NULL,            -- named | concurrent
    options              TEXT NOT NULL,            -- JSON array of words
    option_of            TEXT REFERENCES orders (id),
    supersedes           TEXT REFERENCES orders (id),
    opening              TEXT NOT NULL,            -- signature | payment
    renewal              TEXT NOT NULL,            -- tacit | none
    effect_on            TEXT NOT NULL,            -- civil days, Paris
    last_day             TEXT,                     -- none: a year
    administrator        TEXT,                     -- JSON: whom the order form names, until they are invited (R014, R022)
    acknowledged_at      BIGINT,
    signed_at            BIGINT,
    paid_at              BIGINT,
    credentials_sent_at  BIGINT,
    credentials_mail     TEXT,
    notice_presented_on  TEXT,
    terminated_on        TEXT,
    termination_reason   TEXT,
    unpaid_since         TEXT,
    suspended_at         BIGINT,
    version              BIGINT NOT NULL,
    created_by           TEXT NOT NULL,
    created_at           BIGINT NOT NULL,
    updated_at           BIGINT NOT NULL
);
CREATE UNIQUE INDEX orders_by_number ON orders (number);
CREATE INDEX orders_by_organization ON orders (organization_id, created_at, id);
CREATE UNIQUE INDEX orders_superseded ON orders (supersedes);

CREATE TABLE trials (                              -- R069-R073
    id               TEXT NOT NULL PRIMARY KEY,
    organization_id  TEXT NOT NULL REFERENCES organizations (id),
    product_id       TEXT NOT NULL REFERENCES products (id),
    seats            BIGINT NOT NULL,
    terms_version    TEXT NOT NULL,
    accepted_at      BIGINT NOT NULL,
    requested_at     BIGINT NOT NULL,
    requested_by     TEXT NOT NULL,
    extra_days       BIGINT NOT NULL,
    ended_at         BIGINT,
    ended_reason     TEXT,
    version          BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL
);
CREATE UNIQUE INDEX trials_once ON trials (organization_id, product_id);

CREATE TABLE seat_pools (                          -- one row for each product of an organization: who changes who sits, holds it
    organization_id  TEXT NOT NULL REFERENCES organizations (id),
    product_id       TEXT NOT NULL REFERENCES products (id),
    mode             TEXT NOT NULL,                -- named | concurrent
    grants           TEXT NOT NULL,                -- JSON: what orders and trials open, from when until when
    taken            BIGINT NOT NULL,              -- rows of seats
    transfers        BIGINT NOT NULL,
    noticed          TEXT NOT NULL,                -- level that administrators were last told: free | nearly_full | full | over
    updated_at       BIGINT NOT NULL,
    PRIMARY KEY (organization_id, product_id)
);

CREATE TABLE seats (                               -- who holds one now (R068)
    organization_id  TEXT NOT NULL,
    product_id       TEXT NOT NULL,
    person_id        TEXT NOT NULL REFERENCES people (id),
    state            TEXT NOT NULL,                -- held, by an invitation or an offer | assigned
    since            BIGINT NOT NULL,
    PRIMARY KEY (organization_id, product_id, person_id),
    FOREIGN KEY (organization_id, product_id) REFERENCES seat_pools (organization_id, product_id)
);
CREATE INDEX seats_of_person ON seats (person_id, product_id);
CREATE INDEX seats_by_time ON seats (organization_id, product_id, since, person_id);
CREATE INDEX seats_held ON seats (since) WHERE state = 'held';

CREATE TABLE seat_history (                        -- append-only
    id               TEXT NOT NULL PRIMARY KEY,
    organization_id  TEXT NOT NULL,
    product_id       TEXT NOT NULL,
    person_id        TEXT NOT NULL,
    event            TEXT NOT NULL,                -- held | assigned | released | given_over | taken_over
    other_person_id  TEXT,                         -- of a transfer
    by_whom          TEXT NOT NULL,
    reason           TEXT NOT NULL,
    at               BIGINT NOT NULL
);
CREATE INDEX seat_history_of_pool ON seat_history (organization_id, product_id, at, id);
CREATE INDEX seat_history_of_person ON seat_history (person_id, at, id);

CREATE TABLE seat_connections (                    -- sessions that use a product bought by connections
    organization_id  TEXT NOT NULL,
    product_id       TEXT NOT NULL,
    session_id       TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    since            BIGINT NOT NULL,
    PRIMARY KEY (organization_id, product_id, session_id)
);
CREATE INDEX seat_connections_of_session ON seat_connections (session_id);

CREATE TABLE enrolments (                          -- from when until when somebody has access to a portal (R020, R021, R080, R088, R089)
    id                   TEXT NOT NULL PRIMARY KEY,
    organization_id      TEXT NOT NULL REFERENCES organizations (id),
    person_id            TEXT NOT NULL REFERENCES people (id),
    client_id            TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    title                TEXT NOT NULL,            -- of the course
    not_before           TEXT NOT NULL,            -- civil days, Paris
    not_after            TEXT NOT NULL,
    at_end               TEXT NOT NULL,            -- close | keep: whether access ends by itself (R081)
    contract             TEXT,                     -- its reference
    sent_on              TEXT,                     -- the contract, to be returned within fifteen days (R021)
    signed_at            BIGINT,
    paid_at              BIGINT,                   -- the withdrawal period counts from it (R089)
    withdrawal           BOOLEAN NOT NULL,         -- whether fourteen days have to pass from the payment
    waived_at            BIGINT,
    waiver_version       TEXT,
    status               TEXT NOT NULL,            -- pre_registered | registered | lapsed | withdrawn | closed
    closed_on            TEXT,                     -- last day, when it is closed before its end
    closed_reason        TEXT,
    credentials_sent_at  BIGINT,
    credentials_mail     TEXT,
    opens_at             BIGINT,                   -- none: something is missing
    closes_at            BIGINT,                   -- none: not by itself
    version              BIGINT NOT NULL,
    created_by           TEXT NOT NULL,
    created_at           BIGINT NOT NULL,
    updated_at           BIGINT NOT NULL
);
CREATE INDEX enrolments_of_person ON enrolments (person_id, client_id);
CREATE INDEX enrolments_by_organization ON enrolments (organization_id, created_at, id);

CREATE TABLE contract_moments (                    -- when something is due about an order, a trial or an enrolment
    subject_id       TEXT NOT NULL,
    moment           TEXT NOT NULL,                -- opens | renews | ends | interrupts | returns | codes_due | codes_late | purges
    kind             TEXT NOT NULL,                -- order | trial | enrolment
    organization_id  TEXT NOT NULL REFERENCES organizations (id),
    due_at           BIGINT NOT NULL,
    since            BIGINT NOT NULL,              -- when this due date began to hold
    look_at          BIGINT,                       -- none: nothing left to say
    PRIMARY KEY (subject_id, moment)
);
CREATE INDEX contract_moments_to_look_at ON contract_moments (kind, look_at, subject_id, moment) WHERE look_at IS NOT NULL;

CREATE TABLE purges (                              -- removal of an organization's data a year after its last order, and the certificate of it (R156)
    id               TEXT NOT NULL PRIMARY KEY,
    organization_id  TEXT NOT NULL REFERENCES organizations (id),
    last_day         TEXT NOT NULL,                -- of the last order
    started_at       BIGINT NOT NULL,
    finished_at      BIGINT,
    memberships      BIGINT NOT NULL,
    accounts         BIGINT NOT NULL,              -- erased: of people who belong nowhere else
    certificate      TEXT,                         -- JSON
    sha256           TEXT                          -- of the certificate
);
CREATE INDEX purges_of_organization ON purges (organization_id, started_at, id);
CREATE UNIQUE INDEX purges_open ON purges (organization_id) WHERE finished_at IS NULL;
