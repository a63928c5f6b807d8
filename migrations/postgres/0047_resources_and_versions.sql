-- The default is made anew for each row, those that are there and those that the version before adds.
ALTER TABLE resources ADD COLUMN id TEXT NOT NULL DEFAULT 'rsc_' || replace(CAST(gen_random_uuid() AS TEXT), '-', '');
ALTER TABLE resources ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
CREATE UNIQUE INDEX resources_by_id ON resources (id);
CREATE INDEX resources_by_time ON resources (created_at, id);

-- Whether somebody has a second factor is told with them: whoever adds or takes one away, in whatever version, changes their version.
CREATE FUNCTION second_factor_added() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE people SET version = version + 1 WHERE id = NEW.person_id;
    RETURN NULL;
END $$;
CREATE FUNCTION second_factor_removed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE people SET version = version + 1 WHERE id = OLD.person_id;
    RETURN NULL;
END $$;
CREATE TRIGGER passkey_counts AFTER INSERT ON passkeys FOR EACH ROW EXECUTE FUNCTION second_factor_added();
CREATE TRIGGER passkey_counts_no_more AFTER DELETE ON passkeys FOR EACH ROW EXECUTE FUNCTION second_factor_removed();
CREATE TRIGGER totp_device_counts AFTER UPDATE OF confirmed_at ON totp_devices FOR EACH ROW
WHEN (OLD.confirmed_at IS DISTINCT FROM NEW.confirmed_at) EXECUTE FUNCTION second_factor_added();
CREATE TRIGGER totp_device_counts_no_more AFTER DELETE ON totp_devices FOR EACH ROW
WHEN (OLD.confirmed_at IS NOT NULL) EXECUTE FUNCTION second_factor_removed();

-- A client that goes takes its place at a resource with it.
CREATE FUNCTION resource_without_server() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE resources SET version = version + 1 WHERE uri = NEW.uri;
    RETURN NULL;
END $$;
CREATE TRIGGER resource_without_server AFTER UPDATE OF client_id ON resources FOR EACH ROW
WHEN (OLD.client_id IS NOT NULL AND NEW.client_id IS NULL) EXECUTE FUNCTION resource_without_server();

-- The same of its rights: whoever loses one is told of without it.
CREATE FUNCTION right_taken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE memberships SET version = version + 1 WHERE person_id = OLD.person_id AND organization_id = OLD.organization_id;
    RETURN NULL;
END $$;
CREATE TRIGGER right_taken AFTER DELETE ON rights FOR EACH ROW EXECUTE FUNCTION right_taken();
