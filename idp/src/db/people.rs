//! People: who they are and whether they may act.

use habilis_policies::search::{self as rules, Found};
use jiff::Timestamp;

use super::organizations::today;
use super::{At, Conn, Tx, identities, search};

statements! {
    OPERATORS = "SELECT id FROM people WHERE operator AND status = 'active' ORDER BY id LIMIT 50";
    STAFF = "SELECT id FROM people WHERE operator AND status = 'active'
             UNION SELECT id FROM people WHERE privacy AND status = 'active' ORDER BY id LIMIT 200";
    OFFICERS = "SELECT id FROM people WHERE privacy AND status = 'active' AND email IS NOT NULL ORDER BY id LIMIT 200";
    INSERT = "INSERT INTO people (id, login, email, email_verified, given_name, family_name, locale, claims, status, operator, created_at, updated_at,
                                  indexed_at, sort_key)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $11, $12)";
    FIND = "SELECT id, login, email, email_verified, given_name, family_name, locale, claims, status, operator, privacy, version, updated_at, identity_changed_at
            FROM people WHERE id = $1";
    FIND_CREDENTIALS = "SELECT p.id, p.status, w.phc, w.changed_at,
                               p.status = 'active' AND NOT p.operator AND NOT p.privacy
                                 AND EXISTS (SELECT 1 FROM memberships m JOIN organizations o ON o.id = m.organization_id
                                             WHERE m.person_id = p.id AND o.settle_after IS NOT NULL AND m.created_at <= o.renewal_at
                                               AND COALESCE(w.changed_at, 0) <= o.renewal_at) AS must_renew
                        FROM people p LEFT JOIN passwords w ON w.person_id = p.id
                        WHERE p.login = $1";
    FIND_CREDENTIALS_OF = "SELECT p.id, p.status, w.phc, w.changed_at,
                               p.status = 'active' AND NOT p.operator AND NOT p.privacy
                                 AND EXISTS (SELECT 1 FROM memberships m JOIN organizations o ON o.id = m.organization_id
                                             WHERE m.person_id = p.id AND o.settle_after IS NOT NULL AND m.created_at <= o.renewal_at
                                               AND COALESCE(w.changed_at, 0) <= o.renewal_at) AS must_renew
                        FROM people p LEFT JOIN passwords w ON w.person_id = p.id
                        WHERE p.id = $1";
    FIND_BY_LOGIN = "SELECT id, login, email, email_verified, given_name, family_name, locale, claims, status, operator, privacy, version, updated_at, identity_changed_at
                     FROM people WHERE login = $1";
    FIND_BY_LOGIN_OR_EMAIL = "SELECT id, login, email, email_verified, given_name, family_name, locale, claims, status, operator, privacy, version, updated_at, identity_changed_at
                              FROM people WHERE login = $1 OR lower(email) = $1
                              ORDER BY id LIMIT $2";
    LOCK = "UPDATE people SET updated_at = updated_at WHERE id = $1";
    SET_STATUS = "UPDATE people SET status = $3, updated_at = $4, version = version + 1 WHERE id = $1 AND status = $2";
    ASK_RENEWAL = "UPDATE people SET renewal_since = $2 WHERE id = $1 AND renewal_since IS NULL";
    RENEWED = "UPDATE people SET renewal_since = NULL WHERE id = $1 AND renewal_since IS NOT NULL";
    ACTIVATE = "UPDATE people SET status = 'active', email_verified = $3, email_bounced_at = CASE WHEN $3 THEN NULL ELSE email_bounced_at END, updated_at = $2, version = version + 1 WHERE id = $1 AND status = 'pending'";
    SET_PROFILE = "UPDATE people SET given_name = $2, family_name = $3, locale = $4, claims = $5, updated_at = $6, version = version + 1 WHERE id = $1";
    SET_EMAIL = "UPDATE people SET email = $2, email_verified = TRUE, email_bounced_at = NULL, login = $3, updated_at = $4, version = version + 1 WHERE id = $1";
    SET_LOGIN = "UPDATE people SET login = $2, updated_at = $3, version = version + 1 WHERE id = $1";
    COUNT = "SELECT COUNT(*) FROM people";
    SET_DUTIES = "UPDATE people SET operator = $2, privacy = $3, version = version + 1, updated_at = $4 WHERE id = $1";
    MUST_RENEW = "SELECT EXISTS (SELECT 1 FROM people p JOIN memberships m ON m.person_id = p.id JOIN organizations o ON o.id = m.organization_id
                                 LEFT JOIN passwords w ON w.person_id = p.id
                                 WHERE p.id = $1 AND p.status = 'active' AND NOT p.operator AND NOT p.privacy
                                   AND o.settle_after IS NOT NULL AND m.created_at <= o.renewal_at
                                   AND COALESCE(w.changed_at, 0) <= o.renewal_at)";
    AT_SIGN_IN = "SELECT p.status = 'active' AS active,
                         p.renewal_since IS NOT NULL
                           OR (p.status = 'active' AND NOT p.operator AND NOT p.privacy
                               AND EXISTS (SELECT 1 FROM memberships m JOIN organizations o ON o.id = m.organization_id
                                           LEFT JOIN passwords w ON w.person_id = m.person_id
                                           WHERE m.person_id = p.id AND o.settle_after IS NOT NULL AND m.created_at <= o.renewal_at
                                             AND COALESCE(w.changed_at, 0) <= o.renewal_at)) AS must_renew,
                         EXISTS (SELECT 1 FROM memberships m JOIN organizations o ON o.id = m.organization_id
                                 WHERE m.person_id = p.id AND m.status = 'active' AND (m.ends_on IS NULL OR m.ends_on >= $2)
                                   AND o.status = 'active' AND o.mandatory_attributes <> '') AS asked_more
                  FROM people p WHERE p.id = $1";
    HAS_OLD_PASSWORD = "SELECT EXISTS (SELECT 1 FROM people p JOIN memberships m ON m.person_id = p.id
                                            JOIN organizations o ON o.id = m.organization_id JOIN passwords w ON w.person_id = p.id
                                       WHERE p.id = $1 AND NOT p.operator AND NOT p.privacy
                                         AND m.created_at <= o.renewal_at AND w.changed_at <= o.renewal_at)";
    ERASE = "UPDATE people SET status = 'closed', login = 'closed:' || id, email = NULL, email_verified = FALSE, given_name = '-', family_name = '-',
                               claims = '{}', identity_changed_at = NULL, updated_at = $2, version = version + 1
             WHERE id = $1 AND NOT operator AND NOT privacy";
    FORGET_PASSWORD = "DELETE FROM passwords WHERE person_id = $1";
    FORGET_HISTORY = "DELETE FROM password_history WHERE person_id = $1";
    FORGET_IMPORTED = "DELETE FROM imported_passwords WHERE person_id = $1";
    FORGET_PASSWORD_LINKS = "DELETE FROM password_links WHERE person_id = $1";
    FORGET_ENROLMENT_LINKS = "DELETE FROM enrolment_links WHERE enrolment_id IN (SELECT id FROM enrolments WHERE person_id = $1)";
    FORGET_PASSKEYS = "DELETE FROM passkeys WHERE person_id = $1";
    FORGET_APPS = "DELETE FROM totp_devices WHERE person_id = $1";
    FORGET_RECOVERY_CODES = "DELETE FROM recovery_codes WHERE person_id = $1";
    FORGET_BROWSERS = "DELETE FROM browsers WHERE person_id = $1";
    FORGET_DECLARATIONS = "DELETE FROM declarations WHERE person_id = $1";
    FORGET_CONSENTS = "DELETE FROM consents WHERE person_id = $1";
    WITHDRAW = "UPDATE people SET status = 'closed', login = 'closed:' || id, email = NULL, updated_at = $2, version = version + 1
                WHERE id = $1 AND status = 'pending'";
}

/// A person as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Person {
    /// `usr_…`, also the public `sub`.
    pub id: String,
    /// Folded login.
    pub login: String,
    /// Mail address.
    pub email: Option<String>,
    /// Whether the address was proven.
    pub email_verified: bool,
    /// Given name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// `fr` or `en`.
    pub locale: String,
    /// JSON object of further standard claims.
    pub claims: String,
    /// `pending` (invited, never came), `active`, `suspended`, `suspended_password` (R045, R033), `terminated` (R084) or `closed`.
    pub status: String,
    /// Staff of the operator.
    pub operator: bool,
    /// Data protection officer of the operator.
    pub privacy: bool,
    /// For `ETag`.
    pub version: i64,
    /// Last change of what claims tell.
    pub updated_at: At,
    /// Since when portals wait until the identity is verified (R007).
    pub identity_changed_at: Option<At>,
}

impl Person {
    /// Whether the account may be used.
    pub fn is_active(&self) -> bool {
        self.status == "active"
    }

    /// Whether this is the address of the account, proven or not.
    pub fn is_reached_at(&self, address: &str) -> bool {
        self.email.as_deref().is_some_and(|email| fold_login(email) == fold_login(address))
    }
}

/// What a password check needs.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Credentials {
    /// `usr_…`.
    pub id: String,
    /// `active`, `suspended`, `suspended_password` (R045) or `closed`.
    pub status: String,
    /// The password's PHC string; none when the person has no password.
    pub phc: Option<String>,
    /// When that password was chosen.
    pub changed_at: Option<At>,
    /// See [`must_renew`].
    pub must_renew: bool,
}

/// A new person.
#[derive(Debug)]
pub struct NewPerson<'a> {
    /// `usr_…`.
    pub id: &'a str,
    /// Login, folded by [`fold_login`].
    pub login: &'a str,
    /// Mail address and whether it was proven.
    pub email: Option<(&'a str, bool)>,
    /// Given and family name.
    pub names: (&'a str, &'a str),
    /// `fr` or `en`.
    pub locale: &'a str,
    /// Further standard claims.
    pub claims: serde_json::Map<String, serde_json::Value>,
    /// `active`, or `pending` until they open it.
    pub status: &'a str,
    /// Staff of the operator.
    pub operator: bool,
}

/// What the person types, as it is stored and looked up: trimmed, lower case, at most 256 characters.
///
/// A longer text finds nobody: it is cut, and no stored login is that long.
pub fn fold_login(typed: &str) -> String {
    typed.trim().chars().take(257).flat_map(char::to_lowercase).collect()
}

/// Adds a person.
///
/// # Errors
/// A unique violation when the login exists; the engine failed.
pub async fn insert(tx: &mut Tx, new: NewPerson<'_>, now: Timestamp) -> sqlx::Result<()> {
    let claims = serde_json::Value::Object(new.claims).to_string();
    let (email, verified) = new.email.unzip();
    let found = Found { family: new.names.1, given: new.names.0, login: new.login, email };
    let key = rules::sort_key(found.family, found.given);
    sql!(
        tx,
        execute INSERT,
        new.id,
        new.login,
        email,
        verified.unwrap_or(false),
        new.names.0,
        new.names.1,
        new.locale,
        claims,
        new.status,
        new.operator,
        At::from(now),
        &key,
    )?;
    search::index_new(tx, new.id, (&found, &key)).await
}

/// Finds a person by id.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, id: &str) -> sqlx::Result<Option<Person>> {
    sql!(c, optional Person: FIND, id)
}

/// Finds what a password check needs, by folded login.
///
/// # Errors
/// The engine failed.
pub async fn find_credentials(c: &mut impl Conn, login: &str) -> sqlx::Result<Option<Credentials>> {
    sql!(c, optional Credentials: FIND_CREDENTIALS, login)
}

/// How many people there are.
///
/// # Errors
/// The engine failed.
pub async fn count(c: &mut impl Conn) -> sqlx::Result<i64> {
    sql!(c, one (i64,): COUNT).map(|(count,)| count)
}

/// Finds what a password check needs, by id.
///
/// # Errors
/// The engine failed.
pub async fn find_credentials_of(c: &mut impl Conn, id: &str) -> sqlx::Result<Option<Credentials>> {
    sql!(c, optional Credentials: FIND_CREDENTIALS_OF, id)
}

/// How many accounts one address is looked up for. A family or a small firm may share one.
const MOST_OF_ADDRESS: usize = 50;

/// The people, fifty at most, whose login or mail address is what was typed, whatever its capitals. An address may be shared by
/// several accounts.
///
/// # Errors
/// The engine failed.
pub async fn find_by_login_or_email(c: &mut impl Conn, typed: &str) -> sqlx::Result<Vec<Person>> {
    let limit = i64::try_from(MOST_OF_ADDRESS + 1).unwrap_or(i64::MAX);
    let mut found = sql!(c, all Person: FIND_BY_LOGIN_OR_EMAIL, fold_login(typed), limit)?;
    if found.len() > MOST_OF_ADDRESS {
        tracing::warn!(event = "address_of_too_many", accounts_at_least = found.len());
        found.truncate(MOST_OF_ADDRESS);
    }
    Ok(found)
}

/// The person with a folded login.
///
/// # Errors
/// The engine failed.
pub async fn find_by_login(c: &mut impl Conn, login: &str) -> sqlx::Result<Option<Person>> {
    sql!(c, optional Person: FIND_BY_LOGIN, login)
}

/// Keeps others from changing the credentials of `id` until the transaction ends.
///
/// # Errors
/// The engine failed.
pub async fn lock(tx: &mut Tx, id: &str) -> sqlx::Result<()> {
    sql!(tx, execute LOCK, id).map(drop)
}

/// Moves an account from one status to another; false when it had another status.
///
/// # Errors
/// The engine failed.
pub async fn set_status(tx: &mut Tx, id: &str, (from, to): (&str, &str), now: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute SET_STATUS, id, from, to, At::from(now)).map(|rows| rows == 1)
}

/// Notes that a compromise took the password of `id` away: see [`AtSignIn::may_sign_in`].
///
/// # Errors
/// The engine failed.
pub async fn ask_renewal(tx: &mut Tx, id: &str, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute ASK_RENEWAL, id, At::from(now)).map(drop)
}

/// Notes that `id` has chosen another password.
///
/// # Errors
/// The engine failed.
pub async fn renewed(tx: &mut Tx, id: &str) -> sqlx::Result<()> {
    sql!(tx, execute RENEWED, id).map(drop)
}

/// Opens a pending account, whose address was `proven` by the link or not; false when it is not pending.
///
/// # Errors
/// The engine failed.
pub async fn activate(tx: &mut Tx, id: &str, proven: bool, now: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute ACTIVATE, id, At::from(now), proven).map(|rows| rows == 1)
}

/// What a person says of themselves.
#[derive(Debug)]
pub struct Profile<'a> {
    /// Given and family name.
    pub names: (&'a str, &'a str),
    /// `fr` or `en`.
    pub locale: &'a str,
    /// JSON object of further standard claims.
    pub claims: &'a str,
}

/// Sets what `id` says of themselves.
///
/// # Errors
/// The engine failed.
pub async fn set_profile(tx: &mut Tx, id: &str, profile: &Profile<'_>, now: Timestamp) -> sqlx::Result<()> {
    let (given, family) = profile.names;
    sql!(tx, execute SET_PROFILE, id, given, family, profile.locale, profile.claims, At::from(now))?;
    search::index(tx, id, now).await
}

/// Sets a proven address of `id`, and what they sign in with.
///
/// # Errors
/// A unique violation when another account has that login; the engine failed.
pub async fn set_email(tx: &mut Tx, id: &str, (email, login): (&str, &str), now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute SET_EMAIL, id, email, login, At::from(now))?;
    search::index(tx, id, now).await
}

/// Sets what `id` signs in with, folded.
///
/// # Errors
/// A unique violation when another account has that login; the engine failed.
pub async fn set_login(tx: &mut Tx, id: &str, login: &str, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute SET_LOGIN, id, login, At::from(now))?;
    search::index(tx, id, now).await
}

/// Sets whether `id` is staff of the operator, and whether its data protection officer.
///
/// # Errors
/// The engine failed.
pub async fn set_duties(tx: &mut Tx, id: &str, (operator, privacy): (bool, bool), now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute SET_DUTIES, id, operator, privacy, At::from(now)).map(drop)
}

/// Closes an account for good and removes what it says of its person and how they signed in; false for staff of the operator. The row
/// stays, without a name, for what refers to it.
///
/// # Errors
/// The engine failed.
pub async fn erase(tx: &mut Tx, id: &str, now: Timestamp) -> sqlx::Result<bool> {
    if sql!(tx, execute ERASE, id, At::from(now))? == 0 {
        return Ok(false);
    }
    sql!(tx, execute FORGET_PASSWORD, id)?;
    sql!(tx, execute FORGET_HISTORY, id)?;
    sql!(tx, execute FORGET_IMPORTED, id)?;
    sql!(tx, execute FORGET_PASSWORD_LINKS, id)?;
    sql!(tx, execute FORGET_ENROLMENT_LINKS, id)?;
    sql!(tx, execute FORGET_PASSKEYS, id)?;
    sql!(tx, execute FORGET_APPS, id)?;
    sql!(tx, execute FORGET_RECOVERY_CODES, id)?;
    sql!(tx, execute FORGET_BROWSERS, id)?;
    sql!(tx, execute FORGET_CONSENTS, id)?;
    sql!(tx, execute FORGET_DECLARATIONS, id)?;
    identities::forget(tx, id).await?;
    search::index(tx, id, now).await?;
    Ok(true)
}

/// Closes an account that was never opened, and frees its login and address; false when it is not pending.
///
/// # Errors
/// The engine failed.
pub async fn withdraw(tx: &mut Tx, id: &str, now: Timestamp) -> sqlx::Result<bool> {
    let rows = sql!(tx, execute WITHDRAW, id, At::from(now))?;
    if rows == 1 {
        sql!(tx, execute FORGET_IMPORTED, id)?;
    }
    search::index(tx, id, now).await?;
    Ok(rows == 1)
}

/// The active operators, at most fifty.
///
/// # Errors
/// The engine failed.
pub async fn operators(c: &mut impl Conn) -> sqlx::Result<Vec<String>> {
    let found = sql!(c, all (String,): OPERATORS)?;
    Ok(found.into_iter().map(|(id,)| id).collect())
}

/// The active data protection officers who have an address, at most two hundred.
///
/// # Errors
/// The engine failed.
pub async fn officers(c: &mut impl Conn) -> sqlx::Result<Vec<String>> {
    let found = sql!(c, all (String,): OFFICERS)?;
    Ok(found.into_iter().map(|(id,)| id).collect())
}

/// The active operators and data protection officers, at most two hundred.
///
/// # Errors
/// The engine failed.
pub async fn staff(c: &mut impl Conn) -> sqlx::Result<Vec<String>> {
    let found = sql!(c, all (String,): STAFF)?;
    Ok(found.into_iter().map(|(id,)| id).collect())
}

/// Whether a kill switch closed an organization of `id` whose rows do not say so yet: the account counts as suspended until its
/// password is renewed (R033).
///
/// # Errors
/// The engine failed.
pub async fn must_renew(c: &mut impl Conn, id: &str) -> sqlx::Result<bool> {
    sql!(c, one (bool,): MUST_RENEW, id).map(|(must,)| must)
}

/// What a sign-in has to know of its person before it opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, sqlx::FromRow)]
pub struct AtSignIn {
    /// The account is active at this moment.
    active: bool,
    /// See [`must_renew`]; or a compromise took the password away and no other was chosen yet.
    must_renew: bool,
    /// An organization of theirs asks them to say more than everybody is asked (R004).
    pub asked_more: bool,
}

impl AtSignIn {
    /// Whether the account is active at this moment, and neither a kill switch nor a reported compromise stands before it: asked for
    /// again where a session opens, because a measure may have come since the password was compared.
    pub fn may_sign_in(self) -> bool {
        self.active && !self.must_renew
    }
}

/// Looks, in one statement; of nobody nothing is true.
///
/// # Errors
/// The engine failed.
pub async fn at_sign_in(c: &mut impl Conn, id: &str, now: Timestamp) -> sqlx::Result<AtSignIn> {
    Ok(sql!(c, optional AtSignIn: AT_SIGN_IN, id, today(now))?.unwrap_or_default())
}

/// Whether `id` has a password from before a kill switch of one of their organizations.
///
/// # Errors
/// The engine failed.
pub async fn has_old_password(c: &mut impl Conn, id: &str) -> sqlx::Result<bool> {
    sql!(c, one (bool,): HAS_OLD_PASSWORD, id).map(|(has,)| has)
}
