//! Grants: what a person allowed a client at one authorization, and the code that is exchanged for it once.

use jiff::Timestamp;

use super::organizations::today;
use super::{At, Conn, Tx};

/// A grant with what decides whether it is alive; `$2` is the civil day in Paris.
macro_rules! columns {
    () => {
        concat!(
            "g.id, g.client_id, g.person_id, g.session_id, g.scope, g.claims, g.redirect_uri, g.nonce, g.code_challenge, g.auth_time, g.amr, g.acr,
             g.dpop_jkt, g.resources, g.code_expires_at, g.code_used_at, g.revoked_at, g.created_at, s.ended_at AS session_ended_at,
             s.expires_at AS session_expires_at,
             CASE WHEN s.grants_used_at > s.last_seen_at THEN s.grants_used_at ELSE s.last_seen_at END AS session_used_at,
             p.status AS person_status, p.identity_changed_at, g.organization_id, o.kind AS organization_kind, o.status AS organization_status,
             m.status AS membership_status, m.ends_on AS membership_ends_on,
             (COALESCE(o.access_ended_at, 0) >= g.created_at OR ", access_ended!("g", "$2"), ") AS access_ended
             FROM grants g JOIN people p ON p.id = g.person_id LEFT JOIN sessions s ON s.id = g.session_id
                  LEFT JOIN memberships m ON m.person_id = g.person_id AND m.organization_id = g.organization_id
                  LEFT JOIN organizations o ON o.id = m.organization_id"
        )
    };
}

statements! {
    INSERT = "INSERT INTO grants (id, client_id, person_id, session_id, scope, claims, redirect_uri, nonce, code_challenge, auth_time, amr, acr, code_digest, code_expires_at, created_at, expires_at, dpop_jkt, resources, organization_id)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)";
    FIND_BY_CODE = (concat!("SELECT ", columns!(), " WHERE g.code_digest = $1"));
    FIND = (concat!("SELECT ", columns!(), " WHERE g.id = $1"));
    REVOKE_CUT_OFF = (concat!("UPDATE grants AS g SET revoked_at = $3
                      WHERE g.person_id = $1 AND g.revoked_at IS NULL
                        AND (EXISTS (SELECT 1 FROM organizations o WHERE o.id = g.organization_id AND o.access_ended_at >= g.created_at)
                             OR EXISTS (SELECT 1 FROM people p WHERE p.id = g.person_id AND ", access_ended!("g", "$2"), "))"));
    CLAIM_CODE = "UPDATE grants SET code_used_at = $2, expires_at = $3
                  WHERE id = $1 AND code_used_at IS NULL AND revoked_at IS NULL";
    EXTEND = "UPDATE grants SET expires_at = $2 WHERE id = $1 AND expires_at < $2";
    REVOKE = "UPDATE grants SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
    REVOKE_OF_SESSION = "UPDATE grants SET revoked_at = $2
                         WHERE session_id = $1 AND revoked_at IS NULL AND ' ' || scope || ' ' NOT LIKE '% offline_access %'
                         RETURNING client_id";
    REVOKE_OF_PERSON = "UPDATE grants SET revoked_at = $2
                        WHERE person_id = $1 AND revoked_at IS NULL AND (session_id IS NULL OR session_id <> $3)";
    REVOKE_AT_CLIENT = "UPDATE grants SET revoked_at = $3
                        WHERE person_id = $1 AND client_id = $2 AND revoked_at IS NULL";
    CLIENTS_OF_PERSON = "SELECT client_id FROM grants WHERE person_id = $1
                         UNION SELECT r.client_id FROM rights r
                               JOIN memberships m ON m.person_id = r.person_id AND m.organization_id = r.organization_id
                               JOIN organizations o ON o.id = m.organization_id
                               WHERE r.person_id = $1
                                 AND m.status = 'active' AND (m.ends_on IS NULL OR m.ends_on >= $3) AND o.status = 'active'
                         ORDER BY client_id LIMIT $2";
    CLIENTS_OF_SESSION = "SELECT DISTINCT client_id FROM grants
                          WHERE session_id = $1 AND revoked_at IS NULL AND code_used_at IS NOT NULL
                          ORDER BY client_id LIMIT $2";
    KNOWING_OF_PERSON = "SELECT DISTINCT g.session_id, g.client_id
                         FROM grants g JOIN sessions s ON s.id = g.session_id
                         WHERE s.person_id = $1 AND s.id <> $2 AND s.ended_at IS NULL AND s.expires_at > $3
                           AND g.revoked_at IS NULL AND g.code_used_at IS NOT NULL
                         ORDER BY g.session_id, g.client_id LIMIT $4";
    PURGE = "DELETE FROM grants WHERE expires_at < $1
             AND NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.id = grants.session_id AND sessions.ended_at IS NULL)";
}

/// A grant as stored, with what decides whether it is alive.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Grant {
    /// `gra_…`.
    pub id: String,
    /// To whom.
    pub client_id: String,
    /// By whom.
    pub person_id: String,
    /// The session it was given in.
    pub session_id: Option<String>,
    /// Granted scope, space separated.
    pub scope: String,
    /// The `claims` parameter, JSON.
    pub claims: Option<String>,
    /// Where the code was sent.
    pub redirect_uri: String,
    /// `nonce` of the request.
    pub nonce: Option<String>,
    /// PKCE challenge (S256).
    pub code_challenge: Option<String>,
    /// When the person authenticated.
    pub auth_time: At,
    /// How, RFC 8176, space separated.
    pub amr: String,
    /// Level reached.
    pub acr: String,
    /// Thumbprint of the key the code is bound to (RFC 9449 §10).
    pub dpop_jkt: Option<String>,
    /// Resources named with the authorization (RFC 8707), space separated.
    pub resources: String,
    /// End of the code.
    pub code_expires_at: At,
    /// When the code was exchanged.
    pub code_used_at: Option<At>,
    /// When the grant was revoked.
    pub revoked_at: Option<At>,
    /// When its session ended.
    pub session_ended_at: Option<At>,
    /// When its session ends at the latest.
    pub session_expires_at: Option<At>,
    /// Last use of its session, here or at a portal.
    pub session_used_at: Option<At>,
    /// Status of the person.
    pub person_status: String,
    /// Since when their identity is to be verified (R007).
    pub identity_changed_at: Option<At>,
    /// The organization the person signed in for.
    pub organization_id: Option<String>,
    /// Its kind today; none when the person does not belong to it any more.
    pub organization_kind: Option<String>,
    /// Its status today.
    pub organization_status: Option<String>,
    /// Status of the membership today.
    pub membership_status: Option<String>,
    /// Last day of the membership, Paris.
    pub membership_ends_on: Option<String>,
    /// From when the person has no access to the portal any more, as far as it is known; found out by `oidc::life`.
    #[sqlx(skip)]
    pub until: Option<At>,
    /// When it was given.
    pub created_at: At,
    /// Whether an organization's access ended since, and this grant with it.
    pub access_ended: bool,
}

impl Grant {
    /// Whether it was revoked, alone, with the session it was given in, or with an organization's access; or its person is not active, or
    /// may be somebody else.
    pub fn is_revoked(&self) -> bool {
        self.revoked_at.is_some()
            || self.access_ended
            || self.person_status != "active"
            || self.identity_changed_at.is_some()
            || (self.session_ended_at.is_some() && !self.outlives_session())
    }

    /// Whether it goes on without the session it was given in, and without its person (`offline_access`).
    pub fn outlives_session(&self) -> bool {
        self.scope.split(' ').any(|token| token == "offline_access")
    }

    /// `at`, or the end of the access when that comes first.
    pub fn at_most(&self, at: Timestamp) -> Timestamp {
        self.until.map_or(at, |until| at.min(until.into()))
    }
}

/// A grant to store, with the code that claims it.
#[derive(Debug)]
pub struct NewGrant<'a> {
    /// `gra_…`.
    pub id: &'a str,
    /// To whom.
    pub client: &'a str,
    /// By whom.
    pub person: &'a str,
    /// The session it is given in; none when it does not end with one.
    pub session: Option<&'a str>,
    /// Granted scope.
    pub scope: &'a str,
    /// The `claims` parameter, JSON.
    pub claims: Option<&'a str>,
    /// Where the code is sent.
    pub redirect_uri: &'a str,
    /// `nonce` of the request.
    pub nonce: Option<&'a str>,
    /// PKCE challenge (S256).
    pub code_challenge: Option<&'a str>,
    /// When the person authenticated.
    pub auth_time: Timestamp,
    /// How.
    pub amr: &'a str,
    /// Level reached.
    pub acr: &'a str,
    /// Thumbprint of the key the code is bound to (RFC 9449 §10).
    pub dpop_jkt: Option<&'a str>,
    /// Resources named with the authorization (RFC 8707), space separated.
    pub resources: &'a str,
    /// The organization the person signs in for.
    pub organization: Option<&'a str>,
    /// SHA-256 of the code.
    pub code_digest: &'a [u8],
    /// End of the code.
    pub code_expires_at: Timestamp,
    /// When the row may be removed if the code is never used.
    pub expires_at: Timestamp,
}

/// Stores a grant.
///
/// # Errors
/// The engine failed.
pub async fn insert(c: &mut impl Conn, new: &NewGrant<'_>, now: Timestamp) -> sqlx::Result<()> {
    sql!(
        c,
        execute INSERT,
        new.id,
        new.client,
        new.person,
        new.session,
        new.scope,
        new.claims,
        new.redirect_uri,
        new.nonce,
        new.code_challenge,
        At::from(new.auth_time),
        new.amr,
        new.acr,
        new.code_digest,
        At::from(new.code_expires_at),
        At::from(now),
        At::from(new.expires_at),
        new.dpop_jkt,
        new.resources,
        new.organization,
    )
    .map(drop)
}

/// Finds the grant a code belongs to, used or not.
///
/// # Errors
/// The engine failed.
pub async fn find_by_code(c: &mut impl Conn, code_digest: &[u8], now: Timestamp) -> sqlx::Result<Option<Grant>> {
    sql!(c, optional Grant: FIND_BY_CODE, code_digest, today(now))
}

/// Finds a grant.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, id: &str, now: Timestamp) -> sqlx::Result<Option<Grant>> {
    sql!(c, optional Grant: FIND, id, today(now))
}

/// Uses the code up; false when somebody was first. The row stays until `keep_until`, so that a second use is recognised.
///
/// # Errors
/// The engine failed.
pub async fn claim_code(c: &mut impl Conn, id: &str, now: Timestamp, keep_until: Timestamp) -> sqlx::Result<bool> {
    sql!(c, execute CLAIM_CODE, id, At::from(now), At::from(keep_until)).map(|rows| rows == 1)
}

/// Keeps the row until `keep_until` at least.
///
/// # Errors
/// The engine failed.
pub async fn extend(c: &mut impl Conn, id: &str, keep_until: Timestamp) -> sqlx::Result<()> {
    sql!(c, execute EXTEND, id, At::from(keep_until)).map(drop)
}

/// Revokes a grant: every token that came of it is dead.
///
/// # Errors
/// The engine failed.
pub async fn revoke(c: &mut impl Conn, id: &str, now: Timestamp) -> sqlx::Result<bool> {
    sql!(c, execute REVOKE, id, At::from(now)).map(|rows| rows == 1)
}

/// Revokes what was granted in a session, except what asked to outlive it (`offline_access`); says for which clients.
///
/// # Errors
/// The engine failed.
pub async fn revoke_of_session(tx: &mut Tx, session: &str, now: Timestamp) -> sqlx::Result<Vec<String>> {
    let rows = sql!(tx, all (String,): REVOKE_OF_SESSION, session, At::from(now))?;
    Ok(rows.into_iter().map(|(client,)| client).collect())
}

/// The clients that know of a session: they redeemed a code of it, and the grant was not revoked. At most `limit`.
///
/// # Errors
/// The engine failed.
pub async fn clients_of_session(c: &mut impl Conn, session: &str, limit: u32) -> sqlx::Result<Vec<String>> {
    let rows = sql!(c, all (String,): CLIENTS_OF_SESSION, session, i64::from(limit))?;
    Ok(rows.into_iter().map(|(client,)| client).collect())
}

/// Which client knows of which open session of a person, the session `kept` (empty: none) left out: session and client, `limit`
/// pairs at most.
///
/// # Errors
/// The engine failed.
pub async fn knowing_of_person(
    c: &mut impl Conn,
    (person, kept): (&str, &str),
    limit: u32,
    now: Timestamp,
) -> sqlx::Result<Vec<(String, String)>> {
    sql!(c, all (String, String): KNOWING_OF_PERSON, person, kept, At::from(now), i64::from(limit))
}

/// Removes grants of no use since before `before`. Those of a session that goes on are kept: their clients are told when it ends.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, At::from(before))
}

/// Revokes everything a person granted, except in the session `kept` (empty: nothing is kept), and says how many.
///
/// # Errors
/// The engine failed.
pub async fn revoke_of_person(tx: &mut Tx, person: &str, kept: &str, now: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute REVOKE_OF_PERSON, person, At::from(now), kept)
}

/// Revokes everything a person granted one client, and says how many.
///
/// # Errors
/// The engine failed.
pub async fn revoke_at_client(tx: &mut Tx, person: &str, client: &str, now: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute REVOKE_AT_CLIENT, person, client, At::from(now))
}

/// The clients a person has rights in, by a membership in force `now`, or has signed in at lately. At most `limit`.
///
/// # Errors
/// The engine failed.
pub async fn clients_of_person(
    c: &mut impl Conn,
    person: &str,
    (limit, now): (u32, Timestamp),
) -> sqlx::Result<Vec<String>> {
    let rows = sql!(c, all (String,): CLIENTS_OF_PERSON, person, i64::from(limit), today(now))?;
    Ok(rows.into_iter().map(|(client,)| client).collect())
}

/// Revokes what a person granted and an organization's end of access ended, and says how many.
///
/// # Errors
/// The engine failed.
pub async fn revoke_cut_off(tx: &mut Tx, person: &str, now: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute REVOKE_CUT_OFF, person, today(now), At::from(now))
}
