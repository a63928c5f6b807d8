-- An empty key is one that nobody made yet.
ALTER TABLE people ADD COLUMN sort_key blob NOT NULL DEFAULT '';
ALTER TABLE memberships ADD COLUMN sort_key blob NOT NULL DEFAULT '';
ALTER TABLE organizations ADD COLUMN sort_key blob NOT NULL DEFAULT '';
CREATE INDEX people_by_name ON people (sort_key, id);
CREATE INDEX memberships_by_name ON memberships (organization_id, sort_key, person_id);
CREATE INDEX organizations_by_name ON organizations (sort_key, id);
CREATE INDEX memberships_to_index ON memberships (person_id) WHERE sort_key = '';

CREATE TABLE member_words (
    organization_id  TEXT NOT NULL,
    word             blob NOT NULL,
    sort_key         blob NOT NULL,
    person_id        TEXT NOT NULL,
    PRIMARY KEY (organization_id, word, sort_key, person_id)
);
CREATE TABLE person_words (
    person_id  TEXT NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    word       blob NOT NULL,
    sort_key   blob NOT NULL,
    PRIMARY KEY (person_id, word)
);
CREATE INDEX person_words_by_word ON person_words (word, sort_key, person_id);

-- Whoever ends a membership, in whatever version, ends what finds the member.
CREATE FUNCTION forget_words() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    DELETE FROM member_words m
    USING person_words w
    WHERE w.person_id = OLD.person_id AND m.organization_id = OLD.organization_id AND m.word = w.word
      AND m.sort_key = OLD.sort_key AND m.person_id = OLD.person_id;
    RETURN NULL;
END $$;
CREATE TRIGGER memberships_forget_words AFTER DELETE ON memberships FOR EACH ROW EXECUTE FUNCTION forget_words();
