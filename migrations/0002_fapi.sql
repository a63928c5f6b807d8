-- Pushed authorization requests (RFC 9126), and the key a code or a refresh token is bound to (RFC 9449).

CREATE TABLE pushed_requests (
    digest       BLOB NOT NULL PRIMARY KEY,    -- SHA-256 of the request_uri
    client_id    TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    request      TEXT NOT NULL,                -- the validated authorization request, JSON
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,              -- it is opened no later than this
    answered_at  BIGINT                        -- an answer was sent: it is used up
);
CREATE INDEX pushed_requests_by_client ON pushed_requests (client_id);
CREATE INDEX pushed_requests_by_end ON pushed_requests (expires_at);

ALTER TABLE grants ADD COLUMN dpop_jkt TEXT;          -- thumbprint of the key the code is bound to
ALTER TABLE refresh_tokens ADD COLUMN dpop_jkt TEXT;  -- the same for tokens of public clients
