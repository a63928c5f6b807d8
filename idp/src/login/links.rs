//! One-time links that set a password: sixty minutes, once, bound to nothing but themselves (R044, R048, Q04).

use habilis_keys::token::digest;
use jiff::{SignedDuration, Timestamp};

use super::factors::Removed;
use crate::app::App;
use crate::db::{Tx, enrolments, password_links};
use crate::mail;
use crate::mail::passwords::PasswordLetter;
use crate::outcome::Outcome;

/// How long a link works.
const LIFE: SignedDuration = SignedDuration::from_mins(60);

/// Why a link is sent; the words of the mail follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The person said that they forgot it.
    Forgotten,
    /// The password was right, but has expired.
    Expired,
    /// The person reported a compromise, or took a change of address back; what was removed as doubtful.
    Compromised(Removed),
}

/// Makes a link for `person`.
///
/// # Errors
/// The database failed.
pub(super) async fn make(tx: &mut Tx, app: &App, person: &str, now: Timestamp) -> Outcome<String> {
    let token = habilis_keys::random::token();
    password_links::insert(tx, &digest(token.expose()), (person, now.saturating_add(LIFE)?), now).await?;
    Ok(format!("{}/password/new/{}", app.config.server.issuer, token.expose()))
}

/// Makes a link for `person` and puts the mail that carries it into the outbox.
///
/// # Errors
/// The database or the template failed.
pub async fn send(tx: &mut Tx, app: &App, (person, why): (&str, Why), now: Timestamp) -> Outcome<()> {
    let href = make(tx, app, person, now).await?;
    let letter = match why {
        Why::Forgotten => PasswordLetter::Link { href },
        Why::Expired => PasswordLetter::Expired { href },
        Why::Compromised(removed) => PasswordLetter::Compromised { href, removed },
    };
    enrolments::have_credentials(tx, (person, None), now).await?;
    mail::write(tx, app, (person, &letter), now).await
}

/// Whether a person of this status may be sent a link. The one suspended for the age of the password comes back by it.
pub fn may_be_sent(status: &str) -> bool {
    matches!(status, "active" | "suspended_password")
}
