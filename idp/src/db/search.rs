//! The words by which people and organizations are found, and the keys their lists are sorted by.
//!
//! [`index`] is called by every function of this folder that writes a name, a login, an address or a membership, so that none
//! of their callers can forget it. What an earlier version of the server writes beside this one is found by [`index_waiting`]:
//! a row whose `indexed_at` is missing or older than its last change, a membership whose sort key is empty.

use std::collections::BTreeSet;

use habilis_policies::search::{self, Found};
use jiff::Timestamp;

use super::{At, Tx};

statements! {
    // Before anything is read: whoever indexes the same person at the same time waits here, and then reads what we wrote.
    CLAIM_PERSON = "UPDATE people SET indexed_at = CASE WHEN updated_at > $2 THEN updated_at ELSE $2 END WHERE id = $1
                    RETURNING login, email, given_name, family_name";
    // Held like this, a person whose names change meanwhile is indexed again by whoever changes them, with this membership.
    CLAIM_INDEXED = "UPDATE people SET indexed_at = indexed_at WHERE id = $1 AND indexed_at >= updated_at RETURNING sort_key";
    FORGET_MEMBER_WORDS = {
        sqlite "DELETE FROM member_words
                WHERE (organization_id, word, sort_key, person_id) IN
                      (SELECT m.organization_id, w.word, m.sort_key, m.person_id
                       FROM memberships m JOIN person_words w ON w.person_id = m.person_id
                       WHERE m.person_id = $1)",
        // Put aside first, as whole keys: joined as it stands, the planner of an organization that has grown since it last looked
        // reads every word of every member for each person.
        postgres "WITH mine AS MATERIALIZED (
                      SELECT m.organization_id, w.word, m.sort_key, m.person_id
                      FROM memberships m JOIN person_words w ON w.person_id = m.person_id
                      WHERE m.person_id = $1)
                  DELETE FROM member_words k USING mine
                  WHERE k.organization_id = mine.organization_id AND k.word = mine.word AND k.sort_key = mine.sort_key
                    AND k.person_id = mine.person_id"
    };
    FORGET_PERSON_WORDS = "DELETE FROM person_words WHERE person_id = $1";
    ADD_PERSON_WORDS = {
        sqlite "INSERT INTO person_words (person_id, word, sort_key, shared)
                SELECT $1, CAST(json_extract(value, '$[0]') AS BLOB), $3, json_extract(value, '$[1]') FROM json_each($2)",
        postgres "INSERT INTO person_words (person_id, word, sort_key, shared)
                  SELECT $1, convert_to(value ->> 0, 'UTF8'), $3, CAST(value ->> 1 AS INTEGER)
                  FROM jsonb_array_elements(CAST($2 AS TEXT)::jsonb) AS words (value)"
    };
    SET_PERSON_KEY = "UPDATE people SET sort_key = $2 WHERE id = $1 AND sort_key <> $2";
    SET_MEMBER_KEYS = "UPDATE memberships SET sort_key = $2 WHERE person_id = $1 AND sort_key <> $2";
    ADD_MEMBER_WORDS = "INSERT INTO member_words (organization_id, word, sort_key, person_id, shared)
                        SELECT m.organization_id, w.word, w.sort_key, m.person_id, w.shared
                        FROM memberships m JOIN person_words w ON w.person_id = m.person_id
                        WHERE m.person_id = $1";
    ADD_WORDS_OF_ONE = "INSERT INTO member_words (organization_id, word, sort_key, person_id, shared)
                        SELECT $2, word, sort_key, person_id, shared FROM person_words WHERE person_id = $1";
    CLAIM_ORGANIZATION = "UPDATE organizations SET indexed_at = CASE WHEN updated_at > $2 THEN updated_at ELSE $2 END WHERE id = $1
                          RETURNING name, siret, siren, nda, uai";
    FORGET_ORGANIZATION_WORDS = "DELETE FROM organization_words WHERE organization_id = $1";
    ADD_ORGANIZATION_WORDS = {
        sqlite "INSERT INTO organization_words (organization_id, word, sort_key) SELECT $1, CAST(value AS BLOB), $3 FROM json_each($2)",
        postgres "INSERT INTO organization_words (organization_id, word, sort_key)
                  SELECT $1, convert_to(value, 'UTF8'), $3 FROM jsonb_array_elements_text(CAST($2 AS TEXT)::jsonb)"
    };
    SET_ORGANIZATION_KEY = "UPDATE organizations SET sort_key = $2 WHERE id = $1 AND sort_key <> $2";
    PEOPLE_WAITING = "SELECT id FROM people WHERE indexed_at IS NULL OR indexed_at < updated_at ORDER BY id LIMIT $1";
    MEMBERS_WAITING = {
        sqlite "SELECT DISTINCT person_id FROM memberships WHERE sort_key = x'' ORDER BY person_id LIMIT $1",
        postgres "SELECT DISTINCT person_id FROM memberships WHERE sort_key = '' ORDER BY person_id LIMIT $1"
    };
    ORGANIZATIONS_WAITING = "SELECT id FROM organizations WHERE indexed_at IS NULL OR indexed_at < updated_at ORDER BY id LIMIT $1";
}

#[derive(Debug, sqlx::FromRow)]
struct Named {
    login: String,
    email: Option<String>,
    given_name: String,
    family_name: String,
}

#[derive(Debug, sqlx::FromRow)]
struct Registered {
    name: String,
    siret: Option<String>,
    siren: Option<String>,
    nda: Option<String>,
    uai: Option<String>,
}

/// Makes `person` found by what they are called now, in every organization they belong to; nothing when there is nobody.
///
/// # Errors
/// The engine failed.
pub async fn index(tx: &mut Tx, person: &str, now: Timestamp) -> sqlx::Result<()> {
    let Some(named) = sql!(tx, optional Named: CLAIM_PERSON, person, At::from(now))? else { return Ok(()) };
    let found = Found {
        family: &named.family_name,
        given: &named.given_name,
        login: &named.login,
        email: named.email.as_deref(),
    };
    let words = words_of(&found);
    let key = search::sort_key(&named.family_name, &named.given_name);
    sql!(tx, execute FORGET_MEMBER_WORDS, person)?;
    sql!(tx, execute FORGET_PERSON_WORDS, person)?;
    sql!(tx, execute ADD_PERSON_WORDS, person, &words, &key)?;
    sql!(tx, execute SET_PERSON_KEY, person, &key)?;
    sql!(tx, execute SET_MEMBER_KEYS, person, &key)?;
    sql!(tx, execute ADD_MEMBER_WORDS, person).map(drop)
}

/// Words and pairs in a JSON array, each with how much of it the one before shares.
fn words_of(found: &Found<'_>) -> String {
    let mut words = search::words_of_person(found);
    words.append(&mut search::pairs(&words));
    search::with_shared(&words).into_iter().map(|(word, shared)| serde_json::json!([word, shared])).collect::<serde_json::Value>().to_string()
}

/// Makes `person` found whom this transaction has added as indexed, under the key of their names, and who belongs nowhere yet.
///
/// # Errors
/// The engine failed.
pub(super) async fn index_new(tx: &mut Tx, person: &str, (found, key): (&Found<'_>, &[u8])) -> sqlx::Result<()> {
    sql!(tx, execute ADD_PERSON_WORDS, person, words_of(found), key).map(drop)
}

/// Holds what `person` is found by, and gives the key that a membership of theirs is sorted by; none when that is to be made.
///
/// # Errors
/// The engine failed.
pub(super) async fn hold(tx: &mut Tx, person: &str) -> sqlx::Result<Option<Vec<u8>>> {
    Ok(sql!(tx, optional (Vec<u8>,): CLAIM_INDEXED, person)?.map(|(key,)| key))
}

/// Makes `person`, who is held, found in the organization that they have joined under their key.
///
/// # Errors
/// The engine failed.
pub(super) async fn index_member(tx: &mut Tx, (person, organization): (&str, &str)) -> sqlx::Result<()> {
    sql!(tx, execute ADD_WORDS_OF_ONE, person, organization).map(drop)
}

/// Makes an organization found by its name and its numbers; nothing when there is none.
///
/// # Errors
/// The engine failed.
pub async fn index_organization(tx: &mut Tx, organization: &str, now: Timestamp) -> sqlx::Result<()> {
    let found = sql!(tx, optional Registered: CLAIM_ORGANIZATION, organization, At::from(now))?;
    let Some(found) = found else { return Ok(()) };
    let numbers = [&found.siret, &found.siren, &found.nda, &found.uai];
    let words = search::words_of_organization(&found.name, numbers.into_iter().filter_map(|number| number.as_deref()));
    let key = search::sort_key(&found.name, "");
    sql!(tx, execute FORGET_ORGANIZATION_WORDS, organization)?;
    sql!(tx, execute ADD_ORGANIZATION_WORDS, organization, array(words), &key)?;
    sql!(tx, execute SET_ORGANIZATION_KEY, organization, &key).map(drop)
}

/// A JSON array: the one form in which both engines take many words as one value.
fn array(words: BTreeSet<String>) -> String {
    words.into_iter().collect::<serde_json::Value>().to_string()
}

/// Indexes up to `limit` people and `limit` organizations that wait for it, and says how many there were.
///
/// # Errors
/// The engine failed.
pub async fn index_waiting(tx: &mut Tx, limit: u32, now: Timestamp) -> sqlx::Result<usize> {
    let limit = i64::from(limit);
    let mut waiting = sql!(tx, all (String,): PEOPLE_WAITING, limit)?;
    if waiting.is_empty() {
        waiting = sql!(tx, all (String,): MEMBERS_WAITING, limit)?;
    }
    for (person,) in &waiting {
        index(tx, person, now).await?;
    }
    let organizations = sql!(tx, all (String,): ORGANIZATIONS_WAITING, limit)?;
    for (organization,) in &organizations {
        index_organization(tx, organization, now).await?;
    }
    Ok(waiting.len() + organizations.len())
}
