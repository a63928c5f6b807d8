-- Versions that only grow, whichever version of the program writes. What differs is the triggers.

-- Granted by the version before, since 0047.
INSERT INTO portal_grant_versions (organization_id, client_id, version)
SELECT DISTINCT g.organization_id, g.client_id, CAST(1 AS BIGINT) FROM portal_grants g
WHERE NOT EXISTS (SELECT 1 FROM portal_grant_versions v WHERE v.organization_id = g.organization_id AND v.client_id = g.client_id);
