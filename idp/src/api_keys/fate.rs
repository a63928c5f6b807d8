//! What becomes of keys when something happens around them: `policies::api_keys::fate`, carried out in the transaction of the event.

use habilis_policies::api_keys::{Advice, Event as Happening, KeyFate, TokenFate, dies_at, fate};
use habilis_policies::calendar;
use habilis_policies::orders::{Order, Orders};
use jiff::Timestamp;
use jiff::civil::Date;

use crate::app::App;
use crate::db::api_keys::{self, Live};
use crate::db::audit::{self, Event};
use crate::db::{Conn, Tx, members, organizations, subscription_ends as said};
use crate::mail::api_keys::KeyLetter;
use crate::mail::{self, Post};
use crate::outcome::Outcome;

/// The word of an event in the audit trail.
fn word(happening: Happening) -> &'static str {
    match happening {
        Happening::KeyCompromised => "compromised",
        Happening::IssuerCompromised => "issuer_compromised",
        Happening::KillSwitch => "kill_switch",
        Happening::CentreSuspended => "centre_suspended",
        Happening::CentreRestored => "centre_restored",
        Happening::CentreTerminated => "centre_terminated",
        Happening::SubscriptionSuspended => "subscription_suspended",
        Happening::SubscriptionEnds => "subscription_ends",
        Happening::IssuerRemoved => "issuer_removed",
        Happening::VendorRevoked => "vendor_revoked",
    }
}

/// Something happened to a centre: its live keys take what follows. Gives how many there are.
///
/// # Errors
/// The database or a template failed.
pub async fn happened_to_organization<'a>(
    tx: &mut Tx,
    post: impl Into<Post<'a>>,
    (organization, happening, by): (&str, Happening, &str),
    now: Timestamp,
) -> Outcome<usize> {
    let post = post.into();
    let keys = api_keys::live_of_organization(tx, organization, now).await?;
    for key in &keys {
        happened(tx, post, (key, happening, by), now).await?;
    }
    Ok(keys.len())
}

/// Something happened to who issued keys, everywhere or in one organization. Gives how many there are.
///
/// # Errors
/// The database or a template failed.
pub async fn happened_to_issuer<'a>(
    tx: &mut Tx,
    post: impl Into<Post<'a>>,
    (issuer, within, happening): (&str, Option<&str>, Happening),
    now: Timestamp,
) -> Outcome<usize> {
    let post = post.into();
    let keys = api_keys::live_of_issuer(tx, (issuer, within), now).await?;
    for key in &keys {
        happened(tx, post, (key, happening, issuer), now).await?;
    }
    Ok(keys.len())
}

/// The subscription of a centre ends on `last_day`: its keys end with it, at the latest. Gives how many end earlier than before.
///
/// # Errors
/// The database failed.
pub async fn subscription_ends(
    tx: &mut Tx,
    (organization, last_day, by): (&str, Date, &str),
    now: Timestamp,
) -> Outcome<usize> {
    let mut shortened = 0;
    for key in api_keys::live_of_organization(tx, organization, now).await? {
        let end = (&*last_day.to_string(), dies_at(last_day));
        if api_keys::shorten(tx, &key.id, end, now).await? {
            shortened += 1;
            let event = told(&key, "api_key.shortened", Happening::SubscriptionEnds).by(by);
            audit::record(tx, event.with("ends_on", last_day.to_string()), now).await?;
        }
    }
    Ok(shortened)
}

/// The last day of a centre's subscription, as its orders say and as the operator said of what was signed by then; none while no end is
/// known.
///
/// # Errors
/// The database failed.
pub async fn last_day(c: &mut impl Conn, (organization, orders): (&str, &[Order])) -> Outcome<Option<Date>> {
    Ok(Orders(orders).last_day(said::said(c, organization).await?))
}

/// Lets the keys of a centre end with its subscription as soon as the last day is known, so that they say so themselves. Gives how many
/// end earlier than before.
///
/// # Errors
/// The database failed.
pub async fn follow_subscription(
    tx: &mut Tx,
    (organization, orders): (&str, &[Order]),
    now: Timestamp,
) -> Outcome<usize> {
    match last_day(tx, (organization, orders)).await? {
        Some(last_day) => subscription_ends(tx, (organization, last_day, "lifecycle"), now).await,
        None => Ok(0),
    }
}

/// One key takes what follows from `happening`.
async fn happened(
    tx: &mut Tx,
    post: Post<'_>,
    (key, happening, by): (&Live, Happening, &str),
    now: Timestamp,
) -> Outcome<()> {
    let (of_key, of_tokens, advice) = fate(happening);
    match (of_key, of_tokens) {
        (KeyFate::Revoked, _) => {
            api_keys::revoke(tx, &key.id, (by, word(happening)), now).await?;
            audit::record(tx, told(key, "api_key.revoked", happening).by(by), now).await?;
        }
        (_, TokenFate::Revoked) => {
            api_keys::end_tokens(tx, &key.id, now).await?;
            audit::record(tx, told(key, "api_key.tokens_revoked", happening).by(by), now).await?;
        }
        _ => {}
    }
    if advice == Advice::None {
        return Ok(());
    }
    let organization = organizations::find(tx, &key.organization_id).await?;
    let name = organization.map(|organization| organization.name).unwrap_or_default();
    let letter = match advice {
        Advice::Rotate => KeyLetter::rotate(&name, &key.name),
        _ => KeyLetter::replace(&name, &key.name),
    };
    for person in members::administrators(tx, &key.organization_id, &calendar::date_at(now).to_string()).await? {
        if advice != Advice::Rotate || person != by {
            mail::write(tx, post, (&person, &letter), now).await?;
        }
    }
    Ok(())
}

/// Takes the consequences of a reported compromise of one key.
pub(crate) async fn compromised(tx: &mut Tx, app: &App, (key, by): (&Live, &str), now: Timestamp) -> Outcome<()> {
    happened(tx, app.into(), (key, Happening::KeyCompromised, by), now).await
}

fn told(key: &Live, name: &'static str, happening: Happening) -> Event {
    Event::new(name).about(&key.id).in_organization(&key.organization_id).with("reason", word(happening))
}
