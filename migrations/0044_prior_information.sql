-- What who pays is told before: the tutorial on the payment and the start, and when they were told (R028).

ALTER TABLE products ADD COLUMN information_url TEXT;                      -- null: nothing is to be told
ALTER TABLE products ADD COLUMN information_version TEXT;
ALTER TABLE orders ADD COLUMN informed_at BIGINT;                          -- the first time
ALTER TABLE orders ADD COLUMN informed_version TEXT;
ALTER TABLE enrolments ADD COLUMN informed_at BIGINT;
ALTER TABLE enrolments ADD COLUMN informed_version TEXT;
