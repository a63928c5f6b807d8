-- How many bytes of each word its neighbour before begins with too, among the words of the same person: somebody with two words in
-- the range of a search is counted at the first of them without another look. Null: not known, written by an earlier version.
ALTER TABLE person_words ADD COLUMN shared INTEGER;
ALTER TABLE member_words ADD COLUMN shared INTEGER;
DROP INDEX person_words_by_word;

-- Until the job has been there, and for what an earlier version writes, the words are looked up.
UPDATE people SET indexed_at = NULL;
