-- What people declared true and exact, with the digest of the very words they had before them (R012).

CREATE TABLE declarations (
    id            TEXT NOT NULL PRIMARY KEY,
    person_id     TEXT NOT NULL REFERENCES people (id),
    made_on       TEXT NOT NULL,                  -- sign_up | activation
    text_version  TEXT NOT NULL,
    text_sha256   TEXT NOT NULL,                  -- of the text in UTF-8, hexadecimal
    locale        TEXT NOT NULL,
    declared_at   BIGINT NOT NULL,
    address       TEXT NOT NULL
);
CREATE INDEX declarations_by_person ON declarations (person_id, declared_at);
