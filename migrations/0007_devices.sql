-- Devices that sign in through another browser (RFC 8628), and when an application that was allowed was last used.

CREATE TABLE device_requests (
    device_digest     BLOB NOT NULL PRIMARY KEY,     -- SHA-256 of the device code
    user_code         TEXT NOT NULL UNIQUE,          -- what the person copies: a name, worth nothing without their answer
    client_id         TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    scope             TEXT NOT NULL,
    created_at        BIGINT NOT NULL,
    expires_at        BIGINT NOT NULL,
    interval_seconds  BIGINT NOT NULL,               -- shortest time between two polls; grows when the device hurries
    polled_at         BIGINT,
    browser_digest    BLOB,                          -- the browser the code was last typed in
    typed_at          BIGINT,
    grant_id          TEXT REFERENCES grants (id) ON DELETE CASCADE,  -- the person allowed it
    denied_at         BIGINT,
    redeemed_at       BIGINT                         -- tokens were given, once
);
CREATE INDEX device_requests_by_browser ON device_requests (browser_digest);
CREATE INDEX device_requests_by_client ON device_requests (client_id);
CREATE INDEX device_requests_by_grant ON device_requests (grant_id);
CREATE INDEX device_requests_by_end ON device_requests (expires_at);

ALTER TABLE consents ADD COLUMN used_at BIGINT;      -- when the application last got tokens, to within an hour
