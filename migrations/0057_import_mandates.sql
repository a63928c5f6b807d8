-- What a file says of the right by which people act for the organization (R011) goes the way of the rest of the row.

ALTER TABLE import_entries ADD COLUMN mandate TEXT;   -- legal_representative | delegation | invitation | none; null: the file says nothing
