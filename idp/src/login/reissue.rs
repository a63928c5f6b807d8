//! A link to choose another password, on the word of an administrator: the way back for somebody who lost theirs and does not ask
//! themselves (R035). It goes to the person's own address and is shown to nobody.

use habilis_policies::login::{self, TooEarly};
use jiff::Timestamp;

use super::forgot::PER_NAME;
use super::links;
use super::password::recent;
use crate::app::App;
use crate::db::Tx;
use crate::db::failures::{self, Subject};
use crate::mail;
use crate::mail::passwords::PasswordLetter;
use crate::outcome::Outcome;

/// Mails `person` a link, in the name of `organization`; says from when on when there were as many within the hour as the person
/// may ask for themselves. The caller holds the lock on the person, writes the trail, and commits.
///
/// # Errors
/// The database or the template failed.
pub async fn reissue(
    tx: &mut Tx,
    app: &App,
    (person, organization): (&str, &str),
    now: Timestamp,
) -> Outcome<Result<(), TooEarly>> {
    let subject = Subject::reissues(person);
    let so_far = recent(failures::lock(tx, &subject, now).await?, now);
    if let Err(too_early) = login::admit_network(Some(so_far), PER_NAME, now) {
        return Ok(Err(too_early));
    }
    failures::set(tx, &subject, i64::from(so_far.count) + 1, now).await?;
    let href = links::make(tx, app, person, now).await?;
    let letter = PasswordLetter::Reissued { organization: organization.to_owned(), href };
    mail::write(tx, app, (person, &letter), now).await?;
    Ok(Ok(()))
}
