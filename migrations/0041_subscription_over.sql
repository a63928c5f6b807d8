-- When all that an organization subscribed to is over, and what was agreed in writing about its data (R087, R156, R211).

ALTER TABLE organizations ADD COLUMN subscription_over_at BIGINT;             -- null: something goes on, or there never was a contract

-- The last order to end is the one of which the removal of the data is due.
UPDATE organizations SET subscription_over_at =
    (SELECT MAX(e.due_at) FROM contract_moments e
     JOIN contract_moments p ON p.subject_id = e.subject_id AND p.moment = 'purges'
     WHERE e.moment = 'ends' AND e.organization_id = organizations.id);

ALTER TABLE data_returns ADD COLUMN requested_on TEXT;                        -- ISO 8601, Paris: the writing that asks for the data back
ALTER TABLE data_returns ADD COLUMN extra_reversibility BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE data_returns ADD COLUMN export_agreed_by TEXT;                    -- read and export for thirty days after the end
ALTER TABLE data_returns ADD COLUMN export_agreed_at BIGINT;
ALTER TABLE data_returns ADD COLUMN reversibility_until TEXT;                 -- ISO 8601, Paris: last day on which the data are kept
ALTER TABLE data_returns ADD COLUMN reversibility_agreed_by TEXT;
ALTER TABLE data_returns ADD COLUMN reversibility_agreed_at BIGINT;
