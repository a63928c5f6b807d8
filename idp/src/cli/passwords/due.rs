//! `habilis passwords due`: whose passwords come of age, for the operator and an organization's administrators, and the figures of
//! the December campaign (R045, R046).

use habilis_policies::calendar;
use habilis_policies::passwords::Cause;
use jiff::civil::Date;

use crate::cli::{open_migrated, say};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::{organizations, passwords};
use crate::login::rules;
use crate::outcome::{Fault, Outcome};

/// People read in one go: memory stays the same however many there are.
const BATCH: u32 = 1_000;

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// Each person and the figures.
    People,
    /// The figures alone.
    Figures,
}

/// What the run counts.
#[derive(Debug, Default)]
struct Figures {
    active: u64,
    expired: u64,
    soon: u64,
    by_campaign: u64,
}

pub(super) async fn run(config: &Config, organization: &str, (days, shown): (u16, Shown)) -> Outcome<()> {
    let db = open_migrated(config).await?;
    let now = Clock::System.now();
    let today = calendar::date_at(now);
    let mut reader = db.reader().await?;
    if !organization.is_empty() && !organizations::exists(&mut reader, organization).await? {
        return Err(Fault::new(format!("there is no organization {organization}")));
    }
    let mut figures = Figures::default();
    let mut after = String::new();
    loop {
        let holders = passwords::roster(&mut reader, (organization, &after), (BATCH, now)).await?;
        for holder in holders.iter().filter(|holder| holder.status == "active") {
            figures.active += 1;
            let rule = rules::of_person(&mut reader, config, &holder.person_id, now).await?;
            let Some((on, cause)) = rules::expires_on(config, &rule, holder.changed_at.into()) else { continue };
            figures.by_campaign += u64::from(cause == Cause::Campaign);
            let left = days_until(today, on);
            match left {
                left if left <= 0 => figures.expired += 1,
                left if left <= i64::from(days) => figures.soon += 1,
                _ => continue,
            }
            if shown == Shown::People {
                let said = if left <= 0 { "expired" } else { "expires" };
                say(format_args!("{said} {on}  {}  {} {}", holder.login, holder.given_name, holder.family_name));
            }
        }
        match holders.last() {
            Some(last) if holders.len() == BATCH as usize => after.clone_from(&last.person_id),
            _ => break,
        }
    }
    let suspended = passwords::suspended(&mut reader, organization, now).await?;
    let Figures { active, expired, soon, by_campaign } = figures;
    say(format_args!("active accounts with a password: {active}"));
    say(format_args!("of them expired, in the grace:   {expired}"));
    say(format_args!("expiring within {days} days:        {soon}"));
    say(format_args!("due by the campaign:             {by_campaign}"));
    say(format_args!("suspended for not renewing:      {suspended}"));
    Ok(())
}

/// Civil days from `today` to `on`; a password has expired on the day itself.
fn days_until(today: Date, on: Date) -> i64 {
    today.duration_until(on).as_hours() / 24
}
