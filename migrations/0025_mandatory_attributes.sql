-- What an organization asks of its people beyond what the installation asks of everybody (R004): names of attributes, with spaces
-- between them.

ALTER TABLE organizations ADD COLUMN mandatory_attributes TEXT NOT NULL DEFAULT '';
