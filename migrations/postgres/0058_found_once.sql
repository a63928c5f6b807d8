CREATE INDEX person_words_by_word ON person_words (word, sort_key, person_id) INCLUDE (shared);
ALTER TABLE member_words DROP CONSTRAINT member_words_pkey;
ALTER TABLE member_words ADD CONSTRAINT member_words_pkey PRIMARY KEY (organization_id, word, sort_key, person_id) INCLUDE (shared);
