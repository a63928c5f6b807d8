-- Whether who acted was of the operator's staff, or its automation, when they did: organizations do not read who it was.

ALTER TABLE audit ADD COLUMN by_operator BOOLEAN;  -- none: in no organization, or written by the version before; then their duties of today count
