//! Choosing a password: what is refused and why, and everything that happens with a change (R040, R049, Q03).

use std::sync::Arc;

use habilis_keys::password::Verdict;
use habilis_keys::secret::Secret;
use habilis_policies::passwords::{self, Candidate, Earlier, Leaked, PasswordRefusal};
use jiff::Timestamp;

use super::leaked::LeakedList;
use super::{rules, session};
use crate::app::App;
use crate::db::account_links::{self, Purpose};
use crate::db::audit::{self, Event};
use crate::db::failures::{self, Subject};
use crate::db::people::{self, Person};
use crate::db::{self, Tx, factor_removals, grants, organizations, password_links, sign_in_steps};
use crate::mail;
use crate::mail::passwords::PasswordLetter;
use crate::outcome::Outcome;
use crate::web::Origin;

/// Characters of a password that are scored; the time it takes grows with them.
const SCORED: usize = 100;

/// A password as typed twice, in the two fields of a form. Has no `Debug`: it holds the password.
pub struct Typed {
    /// The first field.
    pub password: Secret<String>,
    /// The second.
    pub repeated: Secret<String>,
}

/// Why a password was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// The two fields differ.
    NotRepeated,
    /// It is not the one they had elsewhere.
    NotKept,
    /// The rule refuses it.
    Refused(PasswordRefusal),
}

/// Says whether `person` may choose this password, and gives its digest.
///
/// # Errors
/// The database failed, or too many digests are being computed.
pub async fn judge(app: &App, person: &Person, typed: Typed) -> Outcome<Result<String, Vec<Problem>>> {
    if typed.password.expose() != typed.repeated.expose() {
        return Ok(Err(vec![Problem::NotRepeated]));
    }
    let now = app.clock.now();
    let password = typed.password;
    let (policy, stored, organizations) = {
        let mut reader = app.db.reader().await?;
        let policy = rules::of_person(&mut reader, &app.config, &person.id, now).await?;
        let current = people::find_credentials_of(&mut reader, &person.id).await?.and_then(|found| found.phc);
        let mut stored: Vec<String> = current.into_iter().collect();
        stored.extend(db::passwords::earlier(&mut reader, &person.id, policy.history).await?);
        stored.truncate(usize::from(policy.history));
        (policy, stored, organizations::of_person(&mut reader, &person.id, now).await?)
    };
    let mut personal = vec![person.login.clone(), person.given_name.clone(), person.family_name.clone()];
    personal.extend(person.email.clone());
    personal.extend(organizations.into_iter().map(|membership| membership.name));
    let (strength, leaked) = look_up(app.leaked.clone(), &password, personal.clone()).await?;
    let personal: Vec<&str> = personal.iter().map(String::as_str).collect();
    let candidate = |earlier| Candidate { text: password.expose(), personal: &personal, strength, leaked, earlier };
    // What costs a digest each comes last.
    if let Err(refusals) = passwords::check(&candidate(&[]), &policy) {
        return Ok(Err(refusals.into_iter().map(Problem::Refused).collect()));
    }
    let mut earlier = Vec::new();
    for phc in stored {
        let verdict = app.hasher.verify(password.clone(), Some(phc)).await?;
        earlier.push(if matches!(verdict, Verdict::Match { .. }) { Earlier::Same } else { Earlier::Different });
    }
    if let Err(refusals) = passwords::check(&candidate(&earlier), &policy) {
        return Ok(Err(refusals.into_iter().map(Problem::Refused).collect()));
    }
    Ok(Ok(app.hasher.hash(password).await?))
}

/// How guessable a password is, and whether it is on the list of leaked ones.
async fn look_up(list: Arc<LeakedList>, password: &Secret<String>, personal: Vec<String>) -> Outcome<(u8, Leaked)> {
    let password = password.clone();
    let found = tokio::task::spawn_blocking(move || {
        let scored = Secret::new(password.expose().chars().take(SCORED).collect::<String>());
        let personal: Vec<&str> = personal.iter().map(String::as_str).collect();
        let score = u8::from(zxcvbn::zxcvbn(scored.expose(), &personal).score());
        let leaked = if list.contains(password.expose())? { Leaked::Yes } else { Leaked::No };
        Ok::<_, std::io::Error>((score, leaked))
    });
    Ok(found.await??)
}

/// A password that was judged, on its way into the database.
#[derive(Debug)]
pub struct Change<'a> {
    /// Whose.
    pub person: &'a Person,
    /// Its digest.
    pub phc: &'a str,
    /// The session that goes on; empty when none does.
    pub kept: &'a str,
    /// `link` or `account`, for the trail.
    pub by: &'static str,
}

/// Sets the password. Other sessions and every token of them end; what waits for a link is void: a password, another address, the
/// removal of second factors. An account suspended for the age of its password comes back, and the person is told by mail. The caller
/// holds the lock on the person, and commits.
///
/// # Errors
/// The database or the template failed.
pub async fn apply(tx: &mut Tx, app: &App, (change, origin): (Change<'_>, &Origin), now: Timestamp) -> Outcome<()> {
    let id = &change.person.id;
    db::passwords::replace(tx, id, change.phc, now).await?;
    password_links::void(tx, id, now).await?;
    people::renewed(tx, id).await?;
    sign_in_steps::void(tx, id, now).await?;
    account_links::void(tx, id, Purpose::NewEmail, now).await?;
    factor_removals::void(tx, id, now).await?;
    let sessions = session::end_of_person(tx, (id, change.kept), now).await?;
    let grants = grants::revoke_of_person(tx, id, change.kept, now).await?;
    failures::clear(tx, &Subject::account(&change.person.login)).await?;
    // Whoever guessed codes knew the password of before. The mailbox alone gives nobody further guesses at codes.
    if !change.kept.is_empty() {
        failures::clear(tx, &Subject::second_step(id)).await?;
    }
    if people::set_status(tx, id, ("suspended_password", "active"), now).await? {
        audit::record(tx, Event::new("account.reactivated").by(id).about(id).from(origin), now).await?;
    }
    let event = Event::new("password.changed")
        .by(id)
        .about(id)
        .from(origin)
        .with("by", change.by)
        .with("sessions_ended", sessions)
        .with("grants_revoked", grants);
    audit::record(tx, event, now).await?;
    mail::write(tx, app, (id, &PasswordLetter::changed(app, origin, now)), now).await
}
