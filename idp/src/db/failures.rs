//! Failed sign-ins by account name (known or not) and by network: the counters behind `policies::login`.
//!
//! An attempt is counted before the password is looked at and forgotten when it was right, so that fifty at once are fifty.
//! Names are kept as digests: people type their password into the wrong field.

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    LOCK = "INSERT INTO failures (subject, count, last_at) VALUES ($1, 0, $2)
            ON CONFLICT (subject) DO UPDATE SET count = failures.count
            RETURNING count, last_at";
    FIND_THREE = "SELECT subject, count, last_at FROM failures WHERE subject IN ($1, $2, $3)";
    SET = "UPDATE failures SET count = $2, last_at = $3 WHERE subject = $1";
    GIVE_BACK = "UPDATE failures SET count = count - 1 WHERE subject = $1 AND count > 0";
    CLEAR = "DELETE FROM failures WHERE subject = $1";
    PURGE = "DELETE FROM failures WHERE last_at < $1";
}

/// Failures in a row, or in an hour.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub struct Failures {
    /// How many.
    pub count: i64,
    /// The last of those in a row; of those in an hour, when the hour began.
    pub last_at: At,
}

/// Whose failures: an account name or a network.
#[derive(Debug)]
pub struct Subject(Vec<u8>);

impl Subject {
    /// A folded account name.
    pub fn account(login: &str) -> Self {
        Self(habilis_keys::token::digest(&format!("account {login}")))
    }

    /// The second step of a person.
    pub fn second_step(person: &str) -> Self {
        Self(habilis_keys::token::digest(&format!("second step {person}")))
    }

    /// The second step of a person, in a browser their account knows.
    pub fn second_step_in_browser(person: &str, browser_digest: &[u8]) -> Self {
        let browser = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, browser_digest);
        Self(habilis_keys::token::digest(&format!("second step of browser {browser} {person}")))
    }

    /// The second step of a person, in all browsers their account knows together.
    pub fn second_step_in_known_browsers(person: &str) -> Self {
        Self(habilis_keys::token::digest(&format!("second step of known browsers {person}")))
    }

    /// A browser known to the account, at that account.
    pub fn browser_of_account(browser_digest: &[u8], login: &str) -> Self {
        let browser = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, browser_digest);
        Self(habilis_keys::token::digest(&format!("browser {browser} {login}")))
    }

    /// The wider network around an address, see `web::Origin::wider_network`.
    pub fn wider_network(network: &str) -> Self {
        Self(habilis_keys::token::digest(&format!("wider {network}")))
    }

    /// Sign-ups: `what` is an address, a network, or a name for all of them.
    pub fn sign_ups(what: &str) -> Self {
        Self(habilis_keys::token::digest(&format!("sign-ups {what}")))
    }

    /// An account name somebody asked a link for.
    pub fn link(login: &str) -> Self {
        Self(habilis_keys::token::digest(&format!("link {login}")))
    }

    /// An account whose password was right and has expired: its links are those of whoever knows it.
    pub fn link_after_expiry(login: &str) -> Self {
        Self(habilis_keys::token::digest(&format!("link after expiry {login}")))
    }

    /// A person who asks for another address.
    pub fn new_email(person: &str) -> Self {
        Self(habilis_keys::token::digest(&format!("new email {person}")))
    }

    /// A person whom administrators have sent links to.
    pub fn reissues(person: &str) -> Self {
        Self(habilis_keys::token::digest(&format!("reissues {person}")))
    }

    /// A network that asks for links.
    pub fn links_of_network(network: &str) -> Self {
        Self(habilis_keys::token::digest(&format!("links {network}")))
    }

    /// A network that types codes of devices.
    pub fn device_codes_of_network(network: &str) -> Self {
        Self(habilis_keys::token::digest(&format!("device codes {network}")))
    }

    /// A browser that types codes of devices, by digest of its name.
    pub fn device_codes_of_browser(browser_digest: &[u8]) -> Self {
        Self([b"device codes ", browser_digest].concat())
    }

    /// A network, see `web::network`.
    pub fn network(network: &str) -> Self {
        Self(habilis_keys::token::digest(&format!("network {network}")))
    }
}

/// Reads the failures of `subject` and keeps others from counting until the transaction ends.
///
/// # Errors
/// The engine failed.
pub async fn lock(tx: &mut Tx, subject: &Subject, now: Timestamp) -> sqlx::Result<Failures> {
    sql!(tx, one Failures: LOCK, &subject.0, At::from(now))
}

/// Reads the failures of three subjects, in their order: one statement, as each costs a sign-in time.
///
/// # Errors
/// The engine failed.
pub async fn find_three(c: &mut impl Conn, subjects: [&Subject; 3]) -> sqlx::Result<[Option<Failures>; 3]> {
    let [a, b, d] = subjects;
    let rows = sql!(c, all (Vec<u8>, i64, At): FIND_THREE, &a.0, &b.0, &d.0)?;
    Ok(subjects.map(|subject| {
        let row = rows.iter().find(|(found, ..)| *found == subject.0)?;
        Some(Failures { count: row.1, last_at: row.2 })
    }))
}

/// Takes one back that turned out to be none.
///
/// # Errors
/// The engine failed.
pub async fn give_back(tx: &mut Tx, subject: &Subject) -> sqlx::Result<()> {
    sql!(tx, execute GIVE_BACK, &subject.0).map(drop)
}

/// Sets the failures of a locked `subject`.
///
/// # Errors
/// The engine failed.
pub async fn set(tx: &mut Tx, subject: &Subject, count: i64, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute SET, &subject.0, count, At::from(now)).map(drop)
}

/// Forgets the failures of `subject` after a success.
///
/// # Errors
/// The engine failed.
pub async fn clear(tx: &mut Tx, subject: &Subject) -> sqlx::Result<()> {
    sql!(tx, execute CLEAR, &subject.0).map(drop)
}

/// Forgets old failures.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, At::from(before))
}
