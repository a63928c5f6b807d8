//! What ends or changes somebody's place in an organization, beyond the rows: one operation for the management API, for
//! successions, for overrides and for reviews of access. The caller holds the organization's lock ([`members::lock`]), records
//! what happened and commits. Of an administrator the signatories are told here, so that no way of doing it forgets to (R055).

use habilis_policies::api_keys::Event as Happening;
use habilis_policies::calendar;
use jiff::Timestamp;
use jiff::civil::Date;

use super::signatories;
use crate::api_keys::happened_to_issuer;
use crate::app::App;
use crate::db::members::{Head, Member};
use crate::db::{Tx, account_links, grants, members, organizations, people};
use crate::login::session;
use crate::mail::organizations::SensitiveAct;
use crate::measures::settle_person;
use crate::outcome::Outcome;
use crate::seats::{self, requests};

/// Whether an organization that has an administrator keeps one without `person` (R053), who goes on `day` or, when that is today or
/// earlier, now. Who stays has an account that is open, and a last day that is later than the last one of who goes.
///
/// # Errors
/// The database failed.
pub async fn another_administers(
    tx: &mut Tx,
    (organization, person): (&str, &str),
    day: Date,
    now: Timestamp,
) -> Outcome<bool> {
    let (today, afterwards) = heads(tx, organization, day, now).await?;
    Ok(last_to_go(&today, &afterwards, |one| one == person).is_none())
}

/// Who would be the last to administer an organization of those that are to go now; none when somebody stays, or nobody of them does.
///
/// # Errors
/// The database failed.
pub async fn last_of(tx: &mut Tx, organization: &str, going: &[String], now: Timestamp) -> Outcome<Option<String>> {
    let (today, afterwards) = heads(tx, organization, calendar::date_at(now), now).await?;
    let last = last_to_go(&today, &afterwards, |one| going.iter().any(|person| person == one));
    Ok(last.map(str::to_owned))
}

/// Who administers an organization now, and who will on `day`, or tomorrow when that is later.
async fn heads(tx: &mut Tx, organization: &str, day: Date, now: Timestamp) -> Outcome<(Vec<Head>, Vec<Head>)> {
    let today = calendar::date_at(now);
    let afterwards = day.max(calendar::add_days(today, 1));
    let administer = members::heads(tx, organization, &today.to_string()).await?;
    Ok((administer, members::heads(tx, organization, &afterwards.to_string()).await?))
}

/// The rule (R053): after somebody who can administer comes somebody who can; who was only invited counts for others who were.
fn last_to_go<'a>(today: &'a [Head], afterwards: &[Head], goes: impl Fn(&str) -> bool) -> Option<&'a str> {
    let going = today.iter().filter(|one| goes(&one.person_id));
    let last = going.min_by_key(|one| one.waits)?;
    let stays = afterwards.iter().any(|one| !goes(&one.person_id) && (last.waits || !one.waits));
    (!stays).then_some(&last.person_id)
}

/// Suspends an active membership; the signatories are told of an administrator's.
///
/// # Errors
/// The database or a template failed.
pub async fn suspend(tx: &mut Tx, app: &App, (organization, member): (&str, &Member), now: Timestamp) -> Outcome<()> {
    members::set_status(tx, (organization, &member.person_id), ("active", "suspended"), now).await?;
    tell_of_administrator(tx, app, (organization, member), now).await?;
    end_access(tx, &member.person_id, now).await
}

/// Ends the suspension of a membership; the signatories are told of an administrator's.
///
/// # Errors
/// The database or a template failed.
pub async fn reinstate(tx: &mut Tx, app: &App, (organization, member): (&str, &Member), now: Timestamp) -> Outcome<()> {
    members::set_status(tx, (organization, &member.person_id), ("suspended", "active"), now).await?;
    tell_of_administrator(tx, app, (organization, member), now).await
}

/// Ends a membership, as [`end`]; the signatories are told of an administrator's.
///
/// # Errors
/// The database or a template failed.
pub async fn remove(
    tx: &mut Tx,
    app: &App,
    (organization, member, by): (&str, &Member, &str),
    now: Timestamp,
) -> Outcome<bool> {
    tell_of_administrator(tx, app, (organization, member), now).await?;
    end(tx, app, (organization, member, by), now).await
}

/// Tells the signatories that a member administers no more, or again, if the member is an administrator.
async fn tell_of_administrator(
    tx: &mut Tx,
    app: &App,
    (organization, member): (&str, &Member),
    now: Timestamp,
) -> Outcome<()> {
    if member.role != "administrator" {
        return Ok(());
    }
    let Some(organization) = organizations::find(tx, organization).await? else { return Ok(()) };
    let person = format!("{} {}", member.given_name, member.family_name);
    let act = SensitiveAct::AdministratorChanged { person };
    signatories::tell(tx, app, (&organization, act), now).await
}

/// Ends a membership, for callers with a letter of their own about it. Whether with it an invitation was withdrawn that nobody had
/// answered: then its address is free again.
///
/// # Errors
/// The database or a template failed.
pub async fn end(
    tx: &mut Tx,
    app: &App,
    (organization, member, by): (&str, &Member, &str),
    now: Timestamp,
) -> Outcome<bool> {
    let person = &member.person_id;
    // What happened to the organization happened to who belonged to it then, whether their rows say so already or not.
    settle_person(tx, app.into(), person, now).await?;
    end_access(tx, person, now).await?;
    seats::release(tx, (organization, person), None, (by, "removed"), now).await?;
    requests::end_of_member(tx, (organization, person, by), now).await?;
    members::remove(tx, organization, person).await?;
    happened_to_issuer(tx, app, (person, Some(organization), Happening::IssuerRemoved), now).await?;
    if member.account_status != "pending" || members::count_of_person(tx, person).await? > 0 {
        return Ok(false);
    }
    account_links::void(tx, person, account_links::Purpose::Activate, now).await?;
    people::withdraw(tx, person, now).await?;
    Ok(true)
}

/// Ends what a person has open when the last day of a membership has passed and no other is in force.
///
/// # Errors
/// The database failed.
pub async fn end_access_unless_elsewhere(
    tx: &mut Tx,
    (organization, person): (&str, &str),
    now: Timestamp,
) -> Outcome<()> {
    let today = calendar::date_at(now).to_string();
    if members::in_force_elsewhere(tx, (person, organization), &today).await? == 0 {
        session::end_of_person(tx, (person, ""), now).await?;
        grants::revoke_of_person(tx, person, "", now).await?;
    }
    Ok(())
}

/// Ends what a person has open where this organization is all they have; elsewhere the tokens of the organization stop by
/// themselves, since each use looks at the membership.
async fn end_access(tx: &mut Tx, person: &str, now: Timestamp) -> Outcome<()> {
    if members::count_of_person(tx, person).await? <= 1 {
        session::end_of_person(tx, (person, ""), now).await?;
        grants::revoke_of_person(tx, person, "", now).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// People by a letter: in capitals those who can sign in, the others wait for it.
    fn heads(names: &str) -> Vec<Head> {
        let head = |name: char| Head { person_id: name.to_lowercase().to_string(), waits: name.is_lowercase() };
        names.chars().map(head).collect()
    }

    #[test]
    fn after_the_last_who_can_administer_comes_somebody_who_can() {
        for (today, afterwards, going, last) in [
            // One or two who can.
            ("A", "A", "a", Some("a")),
            ("AB", "AB", "a", None),
            ("AB", "AB", "ab", Some("a")),
            ("AB", "AB", "c", None),
            ("", "", "a", None),
            // Who was invited is nobody's successor yet, and may be taken back beside somebody who can.
            ("Ab", "Ab", "a", Some("a")),
            ("Ab", "Ab", "b", None),
            ("Ab", "Ab", "ab", Some("a")),
            ("Abc", "Abc", "a", Some("a")),
            // Where nobody can yet, one who was invited stays.
            ("ab", "ab", "a", None),
            ("ab", "ab", "ab", Some("a")),
            ("a", "a", "a", Some("a")),
            // Whose last day is today takes nobody's place; with them alone, it is that of who was invited.
            ("AB", "A", "a", Some("a")),
            ("AB", "A", "b", None),
            ("AB", "", "a", Some("a")),
            ("A", "", "a", Some("a")),
            ("Ab", "b", "b", Some("b")),
            ("Ab", "b", "a", Some("a")),
        ] {
            let (today, afterwards) = (heads(today), heads(afterwards));
            let goes = |person: &str| going.contains(person);
            assert_eq!(last_to_go(&today, &afterwards, goes), last, "{today:?} {afterwards:?} {going}");
        }
    }
}
