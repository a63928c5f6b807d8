//! Letters to an organization's administrators about what it ordered.

use habilis_policies::calendar;
use habilis_policies::seats::{self as rules, Level};
use jiff::Timestamp;

use crate::db::seats::Pool;
use crate::db::trials::Trial;
use crate::db::{Tx, members, organizations, people, products};
use crate::lifecycle;
use crate::lifecycle::seats::NOTICE;
use crate::mail::subscriptions::{Notice, SubscriptionLetter};
use crate::mail::{self, Post, Recipient};
use crate::measures;
use crate::outcome::Outcome;
use crate::web::text::Locale;

/// The kind of the notice that a trial has begun, and so many days before its end that is.
const TRIAL: (&str, u16) = ("trial", 15);

/// What a letter is about, before the names are known.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The organization.
    pub organization: &'a str,
    /// The product.
    pub product: &'a str,
    /// The number of the order; empty without one.
    pub number: &'a str,
}

/// Tells the administrators of a pool's new level. The notice is kept with its mails, as those of the lifecycle are.
///
/// # Errors
/// The database or a template failed.
pub async fn level(tx: &mut Tx, post: Post<'_>, (pool, level): (&Pool, Level), now: Timestamp) -> Outcome<()> {
    let limit = rules::limit(&pool.grants(), now);
    let about = About { organization: &pool.organization_id, product: &pool.product_id, number: "" };
    let seats = (u64::try_from(pool.taken).unwrap_or(0), limit);
    let Some(letter) = letter(tx, about, Notice::Seats(level), seats).await? else { return Ok(()) };
    let subject = format!("{}/{}", pool.product_id, level.name());
    let notice = lifecycle::keep_at_once(tx, (NOTICE, &subject, 0), (about.organization, now), now).await?;
    to_administrators(tx, post, (about.organization, &letter, &notice), now).await
}

/// The letter that says `notice`, with the names it needs and no dates yet; none when the organization is not there.
///
/// # Errors
/// The database failed.
pub async fn letter(
    tx: &mut Tx,
    about: About<'_>,
    notice: Notice,
    seats: (u64, u64),
) -> Outcome<Option<SubscriptionLetter>> {
    let Some(organization) = organizations::find(tx, about.organization).await? else { return Ok(None) };
    let product = products::find(tx, about.product).await?;
    Ok(Some(SubscriptionLetter {
        notice,
        organization: organization.name,
        product: product.map_or_else(|| about.product.to_owned(), |product| product.name),
        number: about.number.to_owned(),
        date: None,
        deadline: None,
        seats,
    }))
}

/// Tells administrators and signatories that a trial has begun: the notice with its mails is the proof of it (R070).
///
/// # Errors
/// The database or a template failed.
pub async fn trial_begun(tx: &mut Tx, post: Post<'_>, trial: &Trial, now: Timestamp) -> Outcome<()> {
    let organization = trial.organization_id.as_str();
    let about = About { organization, product: &trial.product_id, number: "" };
    let Some(mut letter) = letter(tx, about, Notice::TrialBegun, (0, u64::from(trial.seats()))).await? else {
        return Ok(());
    };
    // The last day is the one before the cut.
    letter.date = Some(calendar::add_days(calendar::date_at(trial.rule().closes_at()), -1));
    let notice = lifecycle::keep_at_once(tx, (TRIAL.0, &trial.id, TRIAL.1), (organization, now), now).await?;
    for to in measures::of_organization(tx, organization, now).await? {
        mail::write_notice_to(tx, post, (&to.recipient(), &letter, &notice), now).await?;
    }
    Ok(())
}

/// Writes to everybody who administers an organization today, in the name of a notice.
async fn to_administrators(
    tx: &mut Tx,
    post: Post<'_>,
    (organization, letter, notice): (&str, &SubscriptionLetter, &str),
    now: Timestamp,
) -> Outcome<()> {
    for person in members::administrators(tx, organization, &calendar::date_at(now).to_string()).await? {
        let Some(person) = people::find(tx, &person).await? else { continue };
        let Some(address) = &person.email else { continue };
        let locale = Locale::negotiate(Some(&person.locale), None);
        let to = Recipient { address, person: Some(&person.id), locale };
        mail::write_notice_to(tx, post, (&to, letter, notice), now).await?;
    }
    Ok(())
}
