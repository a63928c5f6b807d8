//! Logins that read as a mail address: they belong to who is reached there (R001).
//!
//! Nobody is given the address of somebody else for a login any more ([`habilis_policies::contact::Email::may_have_login`]). Who has one
//! from before keeps it until its owner proves the address: then it is the owner's, and who had it signs in with their own.

use jiff::Timestamp;

use crate::db::Tx;
use crate::db::audit::{self, Event};
use crate::db::people::{self, fold_login};
use crate::mail::accounts::AccountLetter;
use crate::mail::{self, Post, Recipient};
use crate::outcome::Outcome;
use crate::web::text::Locale;

/// Frees `address` as a login for who has just proven to own it. Whoever signs in with it and is not reached there signs in with their
/// own address from now on, with their id where that is somebody's login too, and is told by mail. The caller commits.
///
/// # Errors
/// The database or the template failed.
pub async fn yield_to_owner(tx: &mut Tx, post: Post<'_>, address: &str, now: Timestamp) -> Outcome<()> {
    let Some(other) = people::find_by_login(tx, &fold_login(address)).await? else { return Ok(()) };
    if other.is_reached_at(address) {
        return Ok(());
    }
    let own = other.email.as_deref().map(fold_login);
    let login = match own {
        Some(own) if people::find_by_login(tx, &own).await?.is_none() => own,
        _ => fold_login(&other.id),
    };
    people::set_login(tx, &other.id, &login, now).await?;
    if let Some(email) = other.email.as_deref().filter(|_| !matches!(other.status.as_str(), "pending" | "closed")) {
        let to =
            Recipient { address: email, person: Some(&other.id), locale: Locale::negotiate(Some(&other.locale), None) };
        let letter = AccountLetter::LoginYielded { former: other.login.clone(), login };
        mail::write_to(tx, post, (&to, &letter), (now, now)).await?;
    }
    let event = Event::new("account.login_yielded").about(&other.id).with("changed", vec!["login"]);
    Ok(audit::record(tx, event, now).await?)
}
