-- What goes on after a page was left: where an activation leads once a second factor is set up, and sign-ups until they are answered.

ALTER TABLE sign_in_steps ADD COLUMN leads_to TEXT;  -- where the invitation leads that was just accepted; null: interaction and place say it

CREATE TABLE sign_up_requests (                   -- forms of /sign-up, until a job has looked up whether the address is known
    id            TEXT NOT NULL PRIMARY KEY,
    asked_sealed  BLOB NOT NULL,
    address       TEXT NOT NULL,                  -- for the trail
    request_id    TEXT NOT NULL,
    due_at        BIGINT NOT NULL,                -- no mail goes out before
    created_at    BIGINT NOT NULL
);

-- Links that were left open beside one that opened the account, or that lapsed with it.
UPDATE account_links SET used_at = expires_at
WHERE purpose = 'activate' AND used_at IS NULL
  AND (EXISTS (SELECT 1 FROM people p WHERE p.id = account_links.person_id AND p.status = 'active')
       OR EXISTS (SELECT 1 FROM account_links l
                  WHERE l.person_id = account_links.person_id AND l.purpose = 'activate' AND l.used_at IS NOT NULL
                    AND l.created_at = account_links.created_at));
