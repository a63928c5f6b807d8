-- Protected resources that access tokens can be issued for (RFC 8707), and those a grant names.

CREATE TABLE resources (
    uri         TEXT NOT NULL PRIMARY KEY,    -- the audience of its tokens
    client_id   TEXT REFERENCES clients (id) ON DELETE SET NULL,  -- the resource server that may introspect them
    scopes      TEXT NOT NULL,                -- space separated: what of a scope means something there
    created_at  BIGINT NOT NULL
);

ALTER TABLE grants ADD COLUMN resources TEXT NOT NULL DEFAULT '';  -- space separated
