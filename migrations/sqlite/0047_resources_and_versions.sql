-- A default that is made anew for each row needs the table anew. What the version before adds has an id, too.
CREATE TABLE resources_with_ids (
    id          TEXT NOT NULL DEFAULT ('rsc_' || lower(hex(randomblob(16)))),
    uri         TEXT NOT NULL PRIMARY KEY,    -- the audience of its tokens
    client_id   TEXT REFERENCES clients (id) ON DELETE SET NULL,  -- the resource server that may introspect them
    scopes      TEXT NOT NULL,                -- space separated: what of a scope means something there
    created_at  BIGINT NOT NULL,
    version     BIGINT NOT NULL DEFAULT 1
);
INSERT INTO resources_with_ids (uri, client_id, scopes, created_at) SELECT uri, client_id, scopes, created_at FROM resources;
DROP TABLE resources;
ALTER TABLE resources_with_ids RENAME TO resources;
CREATE UNIQUE INDEX resources_by_id ON resources (id);
CREATE INDEX resources_by_time ON resources (created_at, id);

-- Whether somebody has a second factor is told with them: whoever adds or takes one away, in whatever version, changes their version.
CREATE TRIGGER passkey_counts AFTER INSERT ON passkeys BEGIN
    UPDATE people SET version = version + 1 WHERE id = NEW.person_id;
END;
CREATE TRIGGER passkey_counts_no_more AFTER DELETE ON passkeys BEGIN
    UPDATE people SET version = version + 1 WHERE id = OLD.person_id;
END;
CREATE TRIGGER totp_device_counts AFTER UPDATE OF confirmed_at ON totp_devices WHEN OLD.confirmed_at IS NOT NEW.confirmed_at BEGIN
    UPDATE people SET version = version + 1 WHERE id = NEW.person_id;
END;
CREATE TRIGGER totp_device_counts_no_more AFTER DELETE ON totp_devices WHEN OLD.confirmed_at IS NOT NULL BEGIN
    UPDATE people SET version = version + 1 WHERE id = OLD.person_id;
END;

-- A client that goes takes its place at a resource with it.
CREATE TRIGGER resource_without_server AFTER UPDATE OF client_id ON resources WHEN OLD.client_id IS NOT NULL AND NEW.client_id IS NULL BEGIN
    UPDATE resources SET version = version + 1 WHERE uri = NEW.uri;
END;

-- The same of its rights: whoever loses one is told of without it.
CREATE TRIGGER right_taken AFTER DELETE ON rights BEGIN
    UPDATE memberships SET version = version + 1 WHERE person_id = OLD.person_id AND organization_id = OLD.organization_id;
END;
