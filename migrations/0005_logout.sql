-- Access tokens revoked one by one (RFC 7009), and logout tokens to deliver (OpenID Connect Back-Channel Logout 1.0).

CREATE TABLE revoked_tokens (
    jti         TEXT NOT NULL PRIMARY KEY,
    expires_at  BIGINT NOT NULL               -- after it the token is refused anyway
);
CREATE INDEX revoked_tokens_by_end ON revoked_tokens (expires_at);

CREATE TABLE logout_outbox (
    id               TEXT NOT NULL PRIMARY KEY,
    client_id        TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    person_id        TEXT NOT NULL REFERENCES people (id),
    sid              TEXT NOT NULL,           -- the session, as this client knows it
    created_at       BIGINT NOT NULL,
    next_attempt_at  BIGINT,                  -- null when there is nothing left to do
    attempts         BIGINT NOT NULL,
    claimed_until    BIGINT,                  -- the node that delivers it holds it until then
    delivered_at     BIGINT,
    answer           TEXT                     -- what the client answered last
);
CREATE INDEX logout_outbox_due ON logout_outbox (next_attempt_at);
CREATE INDEX logout_outbox_by_time ON logout_outbox (created_at);
