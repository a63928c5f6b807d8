//! `habilis passwords due`: whose passwords come of age, for the operator and an organization's administrators, and the figures of
//! the December campaign (R045, R046).

use habilis_policies::calendar;
use habilis_policies::passwords::Cause;

use crate::cli::{open_migrated, say};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::{organizations, passwords};
use crate::login::due::{self, Due};
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
    let mut after = (-1, String::new());
    loop {
        let found = due::batch(&mut reader, config, (organization, (after.0, &after.1)), (BATCH, now)).await?;
        for standing in found.iter().filter(|standing| standing.holder.status == "active") {
            figures.active += 1;
            let Some((on, cause)) = standing.expires else { continue };
            figures.by_campaign += u64::from(cause == Cause::Campaign);
            let said = match standing.due(today, days) {
                Some(Due::Expired) => {
                    figures.expired += 1;
                    "expired"
                }
                Some(Due::Expiring) => {
                    figures.soon += 1;
                    "expires"
                }
                _ => continue,
            };
            if shown == Shown::People {
                let holder = &standing.holder;
                say(format_args!("{said} {on}  {}  {} {}", holder.login, holder.given_name, holder.family_name));
            }
        }
        match found.last() {
            Some(last) if found.len() == BATCH as usize => after = (last.place().0, last.place().1.to_owned()),
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
