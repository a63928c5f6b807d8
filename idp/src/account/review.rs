//! Opening a review of access and writing to those who have to do it (R052, R057).

use habilis_keys::random;
use habilis_policies::calendar;
use jiff::Timestamp;
use jiff::civil::Date;

use crate::app::App;
use crate::db::organizations::Organization;
use crate::db::reviews::{self, Review};
use crate::db::{Tx, is_unique_violation, members};
use crate::mail;
use crate::mail::organizations::{ReviewLetter, ReviewStage};
use crate::outcome::Outcome;

/// Administrators are reminded so many days before the end.
const REMIND: u16 = 7;

/// Opens a review until `due_on`, tells the administrators, and gives its id; none when one is open. The caller records and commits,
/// or rolls back.
///
/// # Errors
/// The database or a template failed.
pub async fn open(
    tx: &mut Tx,
    app: &App,
    (organization, by, due_on): (&Organization, &str, Date),
    now: Timestamp,
) -> Outcome<Option<(String, u64)>> {
    let id = random::id("rev", now);
    let today = calendar::date_at(now).to_string();
    let notice = next_notice(due_on, now).unwrap_or(now);
    let opened = (id.as_str(), organization.id.as_str(), by);
    let members = match reviews::open(tx, opened, (&today, &due_on.to_string(), notice), now).await {
        Err(error) if is_unique_violation(&error) => return Ok(None),
        opened => opened?,
    };
    write(tx, app, (&id, organization), (ReviewStage::Opened, due_on), now).await?;
    Ok(Some((id, members)))
}

/// When the administrators are next written to about a review.
fn next_notice(due_on: Date, now: Timestamp) -> Option<Timestamp> {
    let before = calendar::midnight(calendar::add_days(due_on, -i32::from(REMIND)));
    let after = calendar::cut_after(due_on);
    [before, after].into_iter().find(|at| *at > now)
}

/// Writes to the administrators about an open review whose time has come.
///
/// # Errors
/// The database or a template failed.
pub async fn notice(
    tx: &mut Tx,
    app: &App,
    (review, organization): (&Review, &Organization),
    now: Timestamp,
) -> Outcome<()> {
    let due_on: Date = review.due_on.parse()?;
    let Some(at) = review.notice_at else { return Ok(()) };
    if !reviews::noticed(tx, &review.id, (at, next_notice(due_on, now))).await? {
        return Ok(());
    }
    let overdue = calendar::cut_after(due_on) <= now;
    let stage = if overdue { ReviewStage::Overdue } else { ReviewStage::Reminder };
    write(tx, app, (&review.id, organization), (stage, due_on), now).await
}

async fn write(
    tx: &mut Tx,
    app: &App,
    (id, organization): (&str, &Organization),
    (stage, due_on): (ReviewStage, Date),
    now: Timestamp,
) -> Outcome<()> {
    let (total, decided) = reviews::counts(tx, id).await?;
    let letter = ReviewLetter { stage, organization: organization.name.clone(), due_on, left: total - decided };
    let today = calendar::date_at(now).to_string();
    for person in members::administrators(tx, &organization.id, &today).await? {
        mail::write(tx, app, (&person, &letter), now).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn administrators_are_written_to_a_week_before_the_end_and_the_day_after() {
        let due_on = date(2027, 3, 31);
        let at = |month, day| calendar::midnight(date(2027, month, day));
        let table =
            [(at(3, 1), Some(at(3, 24))), (at(3, 24), Some(at(4, 1))), (at(3, 31), Some(at(4, 1))), (at(4, 1), None)];
        for (now, next) in table {
            assert_eq!(next_notice(due_on, now), next, "{now}");
        }
    }
}
