//! One-time links that prove a mail address: invitations, sign-ups, changes of address and their undoing. Kept by digest.

use jiff::Timestamp;

use super::{At, Conn, Tx};

/// What a kill switch closed (R033): a link that lets somebody in, made for a member of the organization until then. The one that takes a
/// change of address back stays: it is what the person is left with.
macro_rules! closed {
    () => {
        "account_links.purpose IN ('activate', 'new_email')
         AND EXISTS (SELECT 1 FROM memberships m JOIN organizations o ON o.id = m.organization_id JOIN people p ON p.id = m.person_id
                     WHERE m.person_id = account_links.person_id AND m.created_at <= o.renewal_at AND account_links.created_at <= o.renewal_at
                       AND NOT p.operator AND NOT p.privacy)"
    };
}

/// An invitation of somebody who has not come yet, and of all their open ones the one that ends last: with it the invitation lapses.
macro_rules! last_open {
    () => {
        "account_links.purpose = 'activate' AND account_links.used_at IS NULL
         AND EXISTS (SELECT 1 FROM people p WHERE p.id = account_links.person_id AND p.status = 'pending')
         AND NOT EXISTS (SELECT 1 FROM account_links l
                         WHERE l.person_id = account_links.person_id AND l.purpose = 'activate' AND l.used_at IS NULL
                           AND (l.expires_at > account_links.expires_at
                                OR (l.expires_at = account_links.expires_at AND l.digest > account_links.digest)))"
    };
}

statements! {
    INSERT = "INSERT INTO account_links (digest, purpose, person_id, detail, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)";
    FIND = (concat!("SELECT purpose, person_id, detail FROM account_links
                     WHERE digest = $1 AND used_at IS NULL AND expires_at > $2 AND NOT (", closed!(), ")"));
    USE = (concat!("UPDATE account_links SET used_at = $2 WHERE digest = $1 AND used_at IS NULL AND expires_at > $2 AND NOT (", closed!(), ")"));
    INVITATION_CLOSED = "SELECT EXISTS (SELECT 1 FROM people p JOIN memberships m ON m.person_id = p.id JOIN organizations o ON o.id = m.organization_id
                                        WHERE p.id = $1 AND p.status = 'pending' AND NOT p.operator AND NOT p.privacy AND m.created_at <= o.renewal_at
                                          AND NOT EXISTS (SELECT 1 FROM account_links l
                                                          WHERE l.person_id = p.id AND l.purpose = 'activate' AND l.created_at > o.renewal_at))";
    VOID = "UPDATE account_links SET used_at = $3 WHERE person_id = $1 AND purpose = $2 AND used_at IS NULL";
    VOID_MAILED = {
        sqlite "UPDATE account_links SET used_at = $2
                WHERE person_id = $1 AND purpose = 'activate' AND used_at IS NULL AND COALESCE(detail ->> 'by_hand', 0) = 0",
        postgres "UPDATE account_links SET used_at = $2
                  WHERE person_id = $1 AND purpose = 'activate' AND used_at IS NULL
                    AND COALESCE(CAST(detail AS JSONB) ->> 'by_hand', 'false') = 'false'"
    };
    LATEST_DETAIL = "SELECT detail FROM account_links WHERE person_id = $1 AND purpose = $2
                     ORDER BY created_at DESC, digest LIMIT 1";
    LATEST_MADE = "SELECT MAX(created_at) FROM account_links WHERE person_id = $1 AND purpose = $2";
    TO_LAPSE = (concat!("SELECT person_id, created_at, expires_at FROM account_links
                         WHERE ", last_open!(), " AND expires_at <= $1 AND (expires_at, person_id) > ($2, $3)
                         ORDER BY expires_at, person_id LIMIT $4"));
    LAPSE = "UPDATE account_links SET used_at = $2
             WHERE person_id = $1 AND purpose = 'activate' AND used_at IS NULL
               AND EXISTS (SELECT 1 FROM people p WHERE p.id = account_links.person_id AND p.status = 'pending')
               AND NOT EXISTS (SELECT 1 FROM account_links l
                               WHERE l.person_id = $1 AND l.purpose = 'activate' AND l.used_at IS NULL AND l.expires_at > $2)";
    WAITING_TO_LAPSE = (concat!("SELECT COUNT(*), MIN(expires_at) FROM account_links WHERE ", last_open!()));
    PURGE = "DELETE FROM account_links
             WHERE expires_at < $1
               AND NOT (purpose = 'activate' AND EXISTS (SELECT 1 FROM people p WHERE p.id = account_links.person_id AND p.status = 'pending'))";
}

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// An invited person chooses a password.
    Activate,
    /// Somebody who asked for an account proves the address.
    SignUp,
    /// A person proves a new address.
    NewEmail,
    /// A person takes a change of address back.
    UndoEmail,
}

impl Purpose {
    /// As it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Activate => "activate",
            Self::SignUp => "sign_up",
            Self::NewEmail => "new_email",
            Self::UndoEmail => "undo_email",
        }
    }
}

/// A link that can still be used.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Link {
    purpose: String,
    /// Whose; none for a sign-up.
    pub person_id: Option<String>,
    /// JSON, by purpose.
    pub detail: String,
}

impl Link {
    /// Whether it is for `purpose`.
    pub fn is_for(&self, purpose: Purpose) -> bool {
        self.purpose == purpose.name()
    }
}

/// A link to store.
#[derive(Debug)]
pub struct NewLink<'a> {
    /// SHA-256 of what it carries.
    pub digest: &'a [u8],
    /// What it is for.
    pub purpose: Purpose,
    /// Whose; none for a sign-up.
    pub person: Option<&'a str>,
    /// JSON, by purpose.
    pub detail: &'a str,
    /// When it stops working.
    pub expires_at: Timestamp,
}

/// Stores a link.
///
/// # Errors
/// The engine failed.
pub async fn insert(tx: &mut Tx, new: &NewLink<'_>, now: Timestamp) -> sqlx::Result<()> {
    let (at, end) = (At::from(now), At::from(new.expires_at));
    sql!(tx, execute INSERT, new.digest, new.purpose.name(), new.person, new.detail, at, end).map(drop)
}

/// Finds a link that can still be used.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, digest: &[u8], now: Timestamp) -> sqlx::Result<Option<Link>> {
    sql!(c, optional Link: FIND, digest, At::from(now))
}

/// Uses a link up; false when somebody was first, or its time is over.
///
/// # Errors
/// The engine failed.
pub async fn use_up(tx: &mut Tx, digest: &[u8], now: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute USE, digest, At::from(now)).map(|rows| rows == 1)
}

/// Makes the open links of `person` for `purpose` worthless.
///
/// # Errors
/// The engine failed.
pub async fn void(tx: &mut Tx, person: &str, purpose: Purpose, now: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute VOID, person, purpose.name(), At::from(now))
}

/// Makes the open invitations of `person` worthless, except one that was handed over.
///
/// # Errors
/// The engine failed.
pub async fn void_mailed(tx: &mut Tx, person: &str, now: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute VOID_MAILED, person, At::from(now))
}

/// Whether a kill switch ended the invitation of `person`, who has not come yet and was not invited again since (R033).
///
/// # Errors
/// The engine failed.
pub async fn invitation_closed(c: &mut impl Conn, person: &str) -> sqlx::Result<bool> {
    sql!(c, one (bool,): INVITATION_CLOSED, person).map(|(closed,)| closed)
}

/// The detail of the newest link of `person` for `purpose`, usable or not.
///
/// # Errors
/// The engine failed.
pub async fn latest_detail(c: &mut impl Conn, person: &str, purpose: Purpose) -> sqlx::Result<Option<String>> {
    Ok(sql!(c, optional (String,): LATEST_DETAIL, person, purpose.name())?.map(|(detail,)| detail))
}

/// When the newest link of `person` for `purpose` was made, usable or not.
///
/// # Errors
/// The engine failed.
pub async fn latest_made(c: &mut impl Conn, person: &str, purpose: Purpose) -> sqlx::Result<Option<Timestamp>> {
    let (at,) = sql!(c, one (Option<At>,): LATEST_MADE, person, purpose.name())?;
    Ok(at.map(Timestamp::from))
}

/// Removes links that expired before `before`, except the invitations of people who have not come yet: they say where the
/// next one leads.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, At::from(before))
}

/// An invitation that nobody answered.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Lapsing {
    /// Whose.
    pub person_id: String,
    /// When the last link of it was made.
    pub created_at: At,
    /// When that stops working.
    pub expires_at: At,
}

/// The invitations that end at `until` or before and that nobody answered, by end and person from behind a place, at most `limit`.
///
/// # Errors
/// The engine failed.
pub async fn to_lapse(
    c: &mut impl Conn,
    until: Timestamp,
    (at, person): (At, &str),
    limit: u32,
) -> sqlx::Result<Vec<Lapsing>> {
    sql!(c, all Lapsing: TO_LAPSE, At::from(until), at, person, i64::from(limit))
}

/// Makes the links of an invitation worthless whose time is over; false when it was accepted or made worthless before, or there is a
/// newer one.
///
/// # Errors
/// The engine failed.
pub async fn lapse(tx: &mut Tx, person: &str, now: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute LAPSE, person, At::from(now)).map(|rows| rows > 0)
}

/// How many invitations wait for an answer, and when the first ends.
///
/// # Errors
/// The engine failed.
pub async fn waiting_to_lapse(c: &mut impl Conn) -> sqlx::Result<(i64, Option<At>)> {
    sql!(c, one (i64, Option<At>): WAITING_TO_LAPSE)
}
