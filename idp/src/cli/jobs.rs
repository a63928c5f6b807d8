//! `habilis jobs`: what expires, what is said of it and when, by hand and ahead of time.

use std::time::Duration;

use clap::Subcommand;
use habilis_policies::calendar;
use jiff::Timestamp;
use jiff::civil::Date;

use super::{master_key, open_migrated, say};
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::lifecycle::{self, Bounds, Overview, Run};
use crate::outcome::{Fault, Outcome};

/// Seconds to wait for another process that is at it.
const PATIENCE: u32 = 15;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show each kind of thing that expires: how many wait, when the next is looked at, the last run, and which process is running.
    /// On SQLite, stop the server first.
    List,
    /// Say and do what is due now, once. Mails are put into the outbox; the server sends them. On SQLite, stop the server first.
    Run {
        /// Say what would be said and done, in the order of time, and change nothing.
        #[arg(long)]
        dry_run: bool,
        /// With --dry-run: until this instant or the end of this day in Paris, as things stand now; without it, now.
        #[arg(long, value_name = "DATE|INSTANT", requires = "dry_run", value_parser = instant)]
        until: Option<Timestamp>,
        /// With --dry-run: lines shown at the most, the earliest; counts are always of all.
        #[arg(long, value_name = "LINES", requires = "dry_run", default_value_t = 1000,
              value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
        limit: u32,
    },
}

/// A civil day, to its end in Paris, or an instant.
fn instant(text: &str) -> Result<Timestamp, String> {
    if let Ok(day) = text.parse::<Date>()
        && !text.contains(['T', 't', ' '])
    {
        return Ok(calendar::cut_after(day));
    }
    text.parse().map_err(|_| "a day such as 2027-03-01, or an instant such as 2027-03-01T08:00:00Z".to_owned())
}

pub(super) async fn run(command: Command, config: Config) -> Outcome<()> {
    let master = master_key(&config.keys)?;
    let db = open_migrated(&config).await?;
    let app = App::start(config, Clock::System, db, master).await?;
    let now = app.clock.now();
    let done = match command {
        Command::List => list(&app, now).await,
        Command::Run { dry_run: false, .. } => once(&app, now).await,
        Command::Run { until, limit, .. } => forecast(&app, (now, until.unwrap_or(now)), limit).await,
    };
    app.db.close().await;
    done
}

async fn list(app: &App, now: Timestamp) -> Outcome<()> {
    let (kinds, holder) = lifecycle::overview(app).await?;
    for Overview { kind, at_the_end, waiting, next, known } in kinds {
        say(format_args!("{kind}: at the end {at_the_end}"));
        let next = match next {
            Some(next) if next <= now => "now".to_owned(),
            Some(next) => paris(next),
            None => "never".to_owned(),
        };
        say(format_args!("  waiting {waiting}, next look {next}"));
        let Some(known) = known else { continue };
        if let Some(at) = known.ran_at {
            let by = known.ran_by.as_deref().unwrap_or("?");
            say(format_args!("  last run {} by {by}", paris(at.into())));
        }
        if let Some(at) = known.busy_at {
            let (at, reminded, ended, failed) = (paris(at.into()), known.reminded, known.ended, known.failed);
            say(format_args!("  last had something to do {at}: {reminded} reminded, {ended} ended, {failed} failed"));
        }
        if known.walked.is_some() {
            say("  looks are being planned anew: the settings changed");
        }
    }
    match holder {
        Some((holder, until)) if until > now => say(format_args!("running: {holder}, lease until {}", paris(until))),
        _ => say("running: nobody"),
    }
    Ok(())
}

async fn once(app: &App, now: Timestamp) -> Outcome<()> {
    let mut run = lifecycle::run(app, now).await?;
    // A server beside this has a look every half a minute, and is done with it in a moment.
    for _ in 0..PATIENCE {
        if let Run::Done(_) = run {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        run = lifecycle::run(app, now).await?;
    }
    match run {
        Run::Elsewhere(holder) => Err(Fault::new(format!("{holder} is running them; nothing was done here"))),
        Run::Done(tallies) => {
            let mut failures = 0;
            for (kind, tally) in tallies {
                let lifecycle::Tally { looked, reminded, ended, failed } = tally;
                say(format_args!("{kind}: {looked} looked at, {reminded} reminded, {ended} ended, {failed} failed"));
                failures += failed;
            }
            if failures > 0 {
                return Err(Fault::new(format!("{failures} failed and will be tried again; the log says why")));
            }
            Ok(())
        }
    }
}

async fn forecast(app: &App, times: (Timestamp, Timestamp), limit: u32) -> Outcome<()> {
    let bounds = Bounds { most: usize::try_from(limit)?, stop: None };
    let forecast = lifecycle::forecast(app, times, bounds).await?;
    let shown = forecast.lines.len();
    for line in forecast.lines {
        let (at, due) = (paris(line.at), paris(line.due));
        say(format_args!("{at}  {} {}: {} (due {due})", line.kind, line.subject, line.what));
    }
    let all: u64 = forecast.counts.values().sum();
    if u64::try_from(shown)? < all {
        say(format_args!("… and {} more", all - u64::try_from(shown)?));
    }
    for ((kind, what), count) in forecast.counts {
        say(format_args!("{count} × {kind}: {what}"));
    }
    say(format_args!("{all} until {}; nothing was changed", paris(times.1)));
    Ok(())
}

/// Date and time in Paris.
fn paris(at: Timestamp) -> String {
    jiff::fmt::strtime::format("%Y-%m-%d %H:%M", &at.to_zoned(calendar::paris())).unwrap_or_else(|_| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::instant;

    #[test]
    fn a_day_lasts_until_its_end_in_paris_and_an_instant_is_an_instant() {
        for (text, expected) in [
            ("2027-03-01", Some("2027-03-01T23:00:00Z")),
            ("2027-07-01", Some("2027-07-01T22:00:00Z")),
            ("2027-03-01T08:00:00Z", Some("2027-03-01T08:00:00Z")),
            ("2027-03-01T08:00:00+01:00", Some("2027-03-01T07:00:00Z")),
            ("tomorrow", None),
            ("2027-02-30", None),
            ("", None),
        ] {
            assert_eq!(instant(text).ok(), expected.map(|text| text.parse().unwrap()), "{text}");
        }
    }
}
