-- An empty key is one that nobody made yet; a default of '' would be a text, which SQLite sorts apart from bytes.
ALTER TABLE people ADD COLUMN sort_key BLOB NOT NULL DEFAULT x'';
ALTER TABLE memberships ADD COLUMN sort_key BLOB NOT NULL DEFAULT x'';
ALTER TABLE organizations ADD COLUMN sort_key BLOB NOT NULL DEFAULT x'';
CREATE INDEX people_by_name ON people (sort_key, id);
CREATE INDEX memberships_by_name ON memberships (organization_id, sort_key, person_id);
CREATE INDEX organizations_by_name ON organizations (sort_key, id);
CREATE INDEX memberships_to_index ON memberships (person_id) WHERE sort_key = x'';

-- Rows are their own index here: nothing is kept twice.
CREATE TABLE member_words (
    organization_id  TEXT NOT NULL,
    word             BLOB NOT NULL,
    sort_key         BLOB NOT NULL,
    person_id        TEXT NOT NULL,
    PRIMARY KEY (organization_id, word, sort_key, person_id)
) WITHOUT ROWID;
CREATE TABLE person_words (
    person_id  TEXT NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    word       BLOB NOT NULL,
    sort_key   BLOB NOT NULL,
    PRIMARY KEY (person_id, word)
) WITHOUT ROWID;
CREATE INDEX person_words_by_word ON person_words (word, sort_key, person_id);

-- Whoever ends a membership, in whatever version, ends what finds the member.
CREATE TRIGGER memberships_forget_words AFTER DELETE ON memberships BEGIN
    DELETE FROM member_words
    WHERE (organization_id, word, sort_key, person_id) IN
          (SELECT OLD.organization_id, w.word, OLD.sort_key, OLD.person_id FROM person_words w WHERE w.person_id = OLD.person_id);
END;
