//! Second factors, as every page that touches them uses them: authenticator apps, recovery codes, and their removal.
//!
//! Attempts are counted before a code is looked at, and delayed like those on a password. They never delay a passkey.

use habilis_keys::secret::Secret;
use habilis_keys::{recovery, totp};
use habilis_policies::login::{self, TooEarly};
use jiff::{SignedDuration, Timestamp};

use super::password::recent;
use super::session;
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::failures::{self, Subject};
use crate::db::people::Person;
use crate::db::totp_devices::{self, Device, NewDevice};
use crate::db::{Conn, Tx, browsers, factor_removals, grants, passkeys, recovery_codes, second_factors, sign_in_steps};
use crate::mail;
use crate::mail::factors::{Change, FactorLetter, ResetBy};
use crate::outcome::{Fault, Outcome};
use crate::web::Origin;
use crate::web::cookies::Browser;
use crate::web::text::Locale;

/// Most authenticator apps of one person.
pub const MAX_APPS: i64 = 5;
/// Most passkeys of one person.
pub const MAX_PASSKEYS: i64 = 20;
/// Longest name of an app or a passkey, in characters.
pub const MAX_NAME: usize = 60;
/// How long an enrolment may take.
const ENROLMENT: SignedDuration = SignedDuration::from_mins(30);
/// Wrong codes in an hour from all browsers that the account knows together: whoever holds the mailbox makes browsers known.
const KNOWN_PER_HOUR: u32 = 20;
/// What was added since so long is doubted when a compromise is reported: as long as the link of a security mail works.
pub const DOUBTED: SignedDuration = SignedDuration::from_hours(24 * 30);
/// Failures after which the person is told that somebody knows their password.
const TELL_AFTER: u32 = 5;
const PURPOSE: &str = "totp";

/// What `amr` says of an app or a recovery code used after a password (RFC 8176 §2).
pub const OTP: &str = "otp mfa";

/// A name as typed, or `otherwise` when there is none.
pub fn name(typed: Option<&str>, otherwise: &str) -> String {
    let typed: String = typed.unwrap_or_default().trim().chars().filter(|c| !c.is_control()).take(MAX_NAME).collect();
    if typed.is_empty() { otherwise.to_owned() } else { typed }
}

/// What became of a typed code.
#[derive(Debug)]
pub enum Checked {
    /// It was right, and is used up.
    Right,
    /// Wrong, or used before.
    Wrong,
    /// Too many failures; the next attempt is heard then.
    TooEarly(Timestamp),
}

/// Counts an attempt, then looks at the code: one of an authenticator app, or a recovery code. A browser that the account knows has
/// tries of its own: whoever guesses elsewhere delays strangers alone. The caller holds the lock on the person, and commits whatever
/// the answer.
///
/// # Errors
/// The database or a template failed, or a secret was sealed under another master key.
pub async fn check(
    tx: &mut Tx,
    app: &App,
    (person, typed): (&str, &str),
    (origin, browser): (&Origin, &Browser),
    now: Timestamp,
) -> Outcome<Checked> {
    let digest = browser.digest();
    let known = browsers::is_known_to(tx, person, &digest).await?;
    let subject = if known { Subject::second_step_in_browser(person, &digest) } else { Subject::second_step(person) };
    let so_far = recent(failures::lock(tx, &subject, now).await?, now);
    if let Err(TooEarly { retry_at }) = login::admit(Some(so_far), now) {
        return Ok(Checked::TooEarly(retry_at));
    }
    let all_known = Subject::second_step_in_known_browsers(person);
    if known {
        let of_all = recent(failures::lock(tx, &all_known, now).await?, now);
        if let Err(TooEarly { retry_at }) = login::admit_network(Some(of_all), KNOWN_PER_HOUR, now) {
            return Ok(Checked::TooEarly(retry_at));
        }
        failures::set(tx, &all_known, i64::from(of_all.count) + 1, of_all.hour_of(now)).await?;
    }
    if use_app(tx, app, (person, typed), now).await? || use_recovery(tx, app, (person, typed, origin), now).await? {
        failures::clear(tx, &subject).await?;
        if known {
            failures::give_back(tx, &all_known).await?;
        }
        return Ok(Checked::Right);
    }
    let count = so_far.count.saturating_add(1);
    failures::set(tx, &subject, i64::from(count), now).await?;
    audit::record(tx, Event::new("second_step.refused").about(person).from(origin), now).await?;
    if count == TELL_AFTER {
        mail::write(tx, app, (person, &FactorLetter::guessed(app, origin, now)), now).await?;
    }
    Ok(Checked::Wrong)
}

async fn use_app(tx: &mut Tx, app: &App, (person, typed): (&str, &str), now: Timestamp) -> Outcome<bool> {
    for device in totp_devices::of_person(tx, person).await? {
        let Some(step) = totp::step_of(&open(app, &device)?, typed, now)? else { continue };
        if totp_devices::use_up(tx, &device.id, step, now).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn use_recovery(
    tx: &mut Tx,
    app: &App,
    (person, typed, origin): (&str, &str, &Origin),
    now: Timestamp,
) -> Outcome<bool> {
    let Some(code) = recovery::canonical(typed) else { return Ok(false) };
    if !recovery_codes::use_up(tx, person, &recovery_digest(app, person, &code), now).await? {
        return Ok(false);
    }
    let left = recovery_codes::left(tx, person).await?;
    let event = Event::new("recovery_code.used").by(person).about(person).from(origin).with("left", left);
    audit::record(tx, event, now).await?;
    mail::write(tx, app, (person, &FactorLetter::recovery_used(app, left, origin, now)), now).await?;
    Ok(true)
}

fn recovery_digest(app: &App, person: &str, code: &Secret<String>) -> Vec<u8> {
    let text = Secret::new(format!("{person} {}", code.expose()));
    app.recovery.index(text.expose().as_bytes())
}

/// Begins the enrolment of an authenticator app, and gives its id.
///
/// # Errors
/// The database failed.
pub async fn begin_app(tx: &mut Tx, app: &App, (person, name): (&str, &str), now: Timestamp) -> Outcome<String> {
    let id = habilis_keys::random::id("otp", now);
    add_app(tx, app, (&id, person, name, &totp::generate()), now).await?;
    Ok(id)
}

/// Begins an enrolment with this secret.
///
/// # Errors
/// The database failed.
pub async fn add_app(
    tx: &mut Tx,
    app: &App,
    (id, person, name, secret): (&str, &str, &str, &Secret<Vec<u8>>),
    now: Timestamp,
) -> Outcome<()> {
    let secret_sealed = app.keys.seal(PURPOSE, id, secret.expose());
    totp_devices::begin(tx, &NewDevice { id, person, name, secret_sealed: &secret_sealed }, now).await?;
    Ok(())
}

fn open(app: &App, device: &Device) -> Outcome<Secret<Vec<u8>>> {
    app.keys.open_sealed(PURPOSE, &device.id, &device.secret_sealed)
}

/// Finds an enrolment that was begun and not confirmed, with its secret.
///
/// # Errors
/// The database failed, or the secret was sealed under another master key.
pub async fn enrolment(
    c: &mut impl Conn,
    app: &App,
    (id, person): (&str, &str),
    now: Timestamp,
) -> Outcome<Option<Secret<Vec<u8>>>> {
    let since = now.saturating_sub(ENROLMENT)?;
    let device = totp_devices::find_unconfirmed(c, (id, person), since).await?;
    device.map(|device| open(app, &device)).transpose()
}

/// Confirms an enrolment by a first code; false when the code is not one of it, or the enrolment is over. When this is the
/// person's first second factor, recovery codes come with it. The caller commits.
///
/// # Errors
/// The database or a template failed.
pub async fn confirm_app(
    tx: &mut Tx,
    app: &App,
    (id, person, typed, origin): (&str, &str, &str, &Origin),
    now: Timestamp,
) -> Outcome<bool> {
    let Some(secret) = enrolment(tx, app, (id, person), now).await? else { return Ok(false) };
    let Some(step) = totp::step_of(&secret, typed, now)? else { return Ok(false) };
    if !totp_devices::confirm(tx, (id, person), step, now).await? {
        return Ok(false);
    }
    changed(tx, app, (person, Change::AppAdded, origin), now).await?;
    Ok(true)
}

/// Makes recovery codes for somebody who has none; empty for everybody else.
///
/// # Errors
/// The database or a template failed.
pub async fn first_codes(
    tx: &mut Tx,
    app: &App,
    (person, origin): (&str, &Origin),
    now: Timestamp,
) -> Outcome<Vec<Secret<String>>> {
    if recovery_codes::left(tx, person).await? > 0 {
        return Ok(Vec::new());
    }
    new_codes(tx, app, (person, origin), now).await
}

/// Makes a new set of recovery codes in the place of the old one.
///
/// # Errors
/// The database or a template failed.
pub async fn new_codes(
    tx: &mut Tx,
    app: &App,
    (person, origin): (&str, &Origin),
    now: Timestamp,
) -> Outcome<Vec<Secret<String>>> {
    let codes = recovery::generate();
    let digests: Vec<Vec<u8>> = codes
        .iter()
        .filter_map(|code| recovery::canonical(code.expose()))
        .map(|code| recovery_digest(app, person, &code))
        .collect();
    if digests.len() != recovery::COUNT {
        return Err(Fault::new("a recovery code does not read back"));
    }
    recovery_codes::replace(tx, person, &digests, now).await?;
    changed(tx, app, (person, Change::CodesMade, origin), now).await?;
    Ok(codes)
}

/// Writes a change of the factors of `person` into the trail, and tells them by mail.
///
/// # Errors
/// The database or a template failed.
pub async fn changed(
    tx: &mut Tx,
    app: &App,
    (person, change, origin): (&str, Change, &Origin),
    now: Timestamp,
) -> Outcome<()> {
    audit::record(tx, Event::new(change.event()).by(person).about(person).from(origin), now).await?;
    mail::write(tx, app, (person, &FactorLetter::changed(app, change, origin, now)), now).await
}

/// After a factor was removed: recovery codes stand in for a second factor, so without one they go too.
///
/// # Errors
/// The database failed.
pub async fn tidy(tx: &mut Tx, person: &str, now: Timestamp) -> Outcome<()> {
    if !second_factors::find(tx, person, now).await?.any() {
        recovery_codes::delete_all(tx, person).await?;
    }
    Ok(())
}

/// Removes every second factor of `person`: apps, passkeys, recovery codes. Gives how many apps and passkeys there were. The
/// caller holds the lock on the person, writes the trail and the mail, and commits.
///
/// # Errors
/// The database failed.
pub async fn remove_all(tx: &mut Tx, person: &str, now: Timestamp) -> Outcome<u64> {
    let removed = totp_devices::delete_all(tx, person).await? + passkeys::delete_all(tx, person).await?;
    recovery_codes::delete_all(tx, person).await?;
    failures::clear(tx, &Subject::second_step(person)).await?;
    sign_in_steps::void(tx, person, now).await?;
    factor_removals::void(tx, person, now).await?;
    Ok(removed)
}

/// What was taken away as doubtful.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// Passkeys.
    pub passkeys: u64,
    /// Authenticator apps.
    pub apps: u64,
    /// Recovery codes.
    pub codes: u64,
}

impl Removed {
    /// The sentences about it in a letter; none when nothing was.
    pub fn lines(self, locale: Locale) -> Vec<String> {
        let counted = |key, count| (count > 0).then(|| locale.text_count(key, count));
        let mut lines: Vec<String> = [
            counted("mail-doubted-passkeys", self.passkeys),
            counted("mail-doubted-apps", self.apps),
            (self.codes > 0).then(|| locale.text("mail-doubted-codes")),
        ]
        .into_iter()
        .flatten()
        .collect();
        if !lines.is_empty() {
            lines.push(locale.text("mail-doubted-again"));
        }
        lines
    }

    /// Adds it to a line of the trail.
    pub fn tell(self, event: Event) -> Event {
        event
            .with("passkeys_removed", self.passkeys)
            .with("apps_removed", self.apps)
            .with("recovery_codes_removed", self.codes)
    }
}

/// Removes what was added as a second factor of `person` lately: a thief may have. What is older stays, so that a stolen mailbox does
/// not strip it. The caller holds the lock on the person, tells of it, and commits.
///
/// # Errors
/// The database failed.
pub async fn remove_doubted(tx: &mut Tx, person: &str, now: Timestamp) -> Outcome<Removed> {
    let since = now.saturating_sub(DOUBTED)?;
    let passkeys = passkeys::delete_since(tx, person, since).await?;
    let apps = totp_devices::delete_since(tx, person, since).await?;
    let codes = recovery_codes::delete_since(tx, person, since).await?;
    tidy(tx, person, now).await?;
    Ok(Removed { passkeys, apps, codes })
}

/// The reset by an administrator (R035): the person proved who they are by other means. Everything they had as a second
/// factor goes, and with it every session and token: what was lost may be signed in somewhere. They are told by mail, and the next
/// sign-in sets up another where one is required. `by` names who did it.
///
/// # Errors
/// The database or a template failed.
pub async fn reset(tx: &mut Tx, app: &App, (person, by): (&Person, &str), now: Timestamp) -> Outcome<u64> {
    let event = Event::new("second_factors.reset").by(by).about(&person.id);
    reset_as(tx, app, (person, event, ResetBy::Operator), now).await
}

/// The same, with a line of the trail that says more of the act and a letter that says whose it was.
///
/// # Errors
/// The database or a template failed.
pub async fn reset_as(
    tx: &mut Tx,
    app: &App,
    (person, event, by): (&Person, Event, ResetBy),
    now: Timestamp,
) -> Outcome<u64> {
    crate::db::people::lock(tx, &person.id).await?;
    let removed = remove_all(tx, &person.id, now).await?;
    let sessions = session::end_of_person(tx, (&person.id, ""), now).await?;
    let grants = grants::revoke_of_person(tx, &person.id, "", now).await?;
    let event = event.with("removed", removed).with("sessions_ended", sessions).with("grants_revoked", grants);
    audit::record(tx, event, now).await?;
    mail::write(tx, app, (&person.id, &FactorLetter::reset(app, by, now)), now).await?;
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_printable() {
        assert_eq!(name(Some("  Mon téléphone "), "App"), "Mon téléphone");
        assert_eq!(name(Some("\u{7}\n "), "App"), "App");
        assert_eq!(name(None, "App"), "App");
        assert_eq!(name(Some(&"x".repeat(100)), "App").len(), MAX_NAME);
    }
}
