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
    FORGET_MEMBER_WORDS = {
        sqlite "DELETE FROM member_words
                WHERE (organization_id, word, sort_key, person_id) IN
                      (SELECT m.organization_id, w.word, m.sort_key, m.person_id
                       FROM memberships m JOIN person_words w ON w.person_id = m.person_id
                       WHERE m.person_id = $1)",
        postgres "DELETE FROM member_words k
                  USING memberships m, person_words w
                  WHERE m.person_id = $1 AND w.person_id = $1 AND k.organization_id = m.organization_id AND k.word = w.word
                    AND k.sort_key = m.sort_key AND k.person_id = $1"
    };
    FORGET_PERSON_WORDS = "DELETE FROM person_words WHERE person_id = $1";
    ADD_PERSON_WORDS = {
        sqlite "INSERT INTO person_words (person_id, word, sort_key) SELECT $1, CAST(value AS BLOB), $3 FROM json_each($2)",
        postgres "INSERT INTO person_words (person_id, word, sort_key)
                  SELECT $1, convert_to(value, 'UTF8'), $3 FROM jsonb_array_elements_text(CAST($2 AS TEXT)::jsonb)"
    };
    SET_PERSON_KEY = "UPDATE people SET sort_key = $2 WHERE id = $1 AND sort_key <> $2";
    SET_MEMBER_KEYS = "UPDATE memberships SET sort_key = $2 WHERE person_id = $1 AND sort_key <> $2";
    ADD_MEMBER_WORDS = "INSERT INTO member_words (organization_id, word, sort_key, person_id)
                        SELECT m.organization_id, w.word, w.sort_key, m.person_id
                        FROM memberships m JOIN person_words w ON w.person_id = m.person_id
                        WHERE m.person_id = $1";
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
    let mut words = search::words_of_person(&found);
    words.append(&mut search::pairs(&words));
    let words = array(words);
    let key = search::sort_key(&named.family_name, &named.given_name);
    sql!(tx, execute FORGET_MEMBER_WORDS, person)?;
    sql!(tx, execute FORGET_PERSON_WORDS, person)?;
    sql!(tx, execute ADD_PERSON_WORDS, person, &words, &key)?;
    sql!(tx, execute SET_PERSON_KEY, person, &key)?;
    sql!(tx, execute SET_MEMBER_KEYS, person, &key)?;
    sql!(tx, execute ADD_MEMBER_WORDS, person).map(drop)
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
