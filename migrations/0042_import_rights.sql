-- Imports of all or nothing: what a row says of rights in portals.

ALTER TABLE import_entries ADD COLUMN rights TEXT;                         -- lines of client and role; none: those of the whole import
