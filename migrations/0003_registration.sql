-- Initial access tokens of client registration (RFC 7591 §3).

CREATE TABLE initial_access_tokens (
    digest      BLOB NOT NULL PRIMARY KEY,     -- SHA-256 of the token
    uses_left   BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL
);
CREATE INDEX initial_access_tokens_by_end ON initial_access_tokens (expires_at);
