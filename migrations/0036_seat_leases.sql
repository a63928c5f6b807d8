-- Connections whose tokens outlive their session, or never had one: offline access, devices. One is counted until the access token that was
-- issued last ends; the next one takes a connection again, if one is left.

CREATE TABLE seat_leases (
    organization_id  TEXT NOT NULL,
    product_id       TEXT NOT NULL,
    grant_id         TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    until            BIGINT NOT NULL,
    PRIMARY KEY (organization_id, product_id, grant_id)
);
CREATE INDEX seat_leases_by_end ON seat_leases (organization_id, product_id, until);
CREATE INDEX seat_leases_of_grant ON seat_leases (grant_id);
