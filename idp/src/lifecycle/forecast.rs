//! What runs would say and do until an instant, as things stand now: the same facts and the same decision as a run, nothing written.

use std::collections::{BTreeMap, BinaryHeap};

use jiff::Timestamp;
use tokio::time::Instant;

use super::{END, Facts, Kind, PAGE, Page, Row, Visit, each};
use crate::app::App;
use crate::db::notices;
use crate::db::{At, lifecycle_kinds};
use crate::outcome::Outcome;

/// Something that would be said or done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// When.
    pub at: Timestamp,
    /// Of which kind of thing.
    pub kind: &'static str,
    /// Of which thing.
    pub subject: String,
    /// Days before the due date; 0 at the end.
    pub rung: u16,
    /// When it falls due.
    pub due: Timestamp,
    /// What is said or done.
    pub what: String,
}

/// How far a forecast goes.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Lines at the most.
    pub most: usize,
    /// When it stops, whatever is left to look at; when everything was looked at without.
    pub stop: Option<Instant>,
}

/// What would be said and done.
#[derive(Debug, Default)]
pub struct Forecast {
    /// The first lines in the order of time.
    pub lines: Vec<Line>,
    /// How many of each kind, by kind and by what is said or done: all of them.
    pub counts: BTreeMap<(&'static str, String), u64>,
    /// Whether it was stopped before everything was looked at: then lines and counts are of what was.
    pub stopped: bool,
}

/// What runs from `now` until `until` would say and do; at most so many lines, and all counts. Memory hangs on the lines alone.
///
/// # Errors
/// The database failed, or what is known of something cannot be read.
pub async fn forecast(app: &App, (now, until): (Timestamp, Timestamp), bounds: Bounds) -> Outcome<Forecast> {
    let (lines, counts) = (BinaryHeap::new(), BTreeMap::new());
    let mut forecaster = Forecaster { app, now, until, bounds, lines, counts, stopped: false };
    each(&mut forecaster).await?;
    let Forecaster { lines, counts, stopped, .. } = forecaster;
    Ok(Forecast { lines: lines.into_sorted_vec(), counts, stopped })
}

struct Forecaster<'a> {
    app: &'a App,
    now: Timestamp,
    until: Timestamp,
    bounds: Bounds,
    /// The latest on top, to be thrown out by an earlier one.
    lines: BinaryHeap<Line>,
    counts: BTreeMap<(&'static str, String), u64>,
    stopped: bool,
}

impl Visit for Forecaster<'_> {
    async fn kind<K: Kind>(&mut self) -> Outcome<()> {
        let mut reader = self.app.db.reader().await?;
        // Looks that are to be planned anew are not to be trusted: then every row is looked at.
        let stale = match K::rule(self.app) {
            None => false,
            Some(rule) => {
                let known = lifecycle_kinds::find(&mut reader, K::NAME).await?;
                known.is_none_or(|known| known.rule != Some(rule) || known.walked.is_some())
            }
        };
        let (mut at, mut id) = (At::from(Timestamp::MIN), String::new());
        loop {
            if self.bounds.stop.is_some_and(|stop| Instant::now() >= stop) {
                self.stopped = true;
                return Ok(());
            }
            let rows = if stale {
                K::walk(&mut reader, &id, PAGE).await?
            } else {
                K::due(&mut reader, self.app, Page { until: self.until, after: (at, &id), limit: PAGE }).await?
            };
            let all: Vec<&K::Row> = rows.iter().collect();
            for facts in K::facts(&mut reader, self.app, &all, self.now).await?.into_iter().flatten() {
                let starts = facts.step(&[], self.now);
                if starts.next.is_some_and(|next| next > self.until) && starts.send.is_none() && !starts.end {
                    continue;
                }
                let sent = notices::sent(&mut reader, (K::NAME, &facts.subject), facts.due).await?;
                self.follow::<K>(&facts, sent);
            }
            let Some(last) = rows.last().filter(|_| rows.len() == PAGE as usize) else { return Ok(()) };
            (at, id) = (last.place().0, last.place().1.to_owned());
        }
    }
}

impl Forecaster<'_> {
    /// Goes from look to look of one thing.
    fn follow<K: Kind>(&mut self, facts: &Facts, mut sent: Vec<u16>) {
        let mut at = self.now;
        loop {
            let step = facts.step(&sent, at);
            if let Some(notice) = step.send {
                sent.push(notice.rung);
                self.add::<K>(facts, (at, notice.rung), format!("reminder, {} day(s) before", notice.rung));
            }
            if step.end {
                self.add::<K>(facts, (at, END), K::AT_THE_END.to_owned());
            }
            match step.next {
                Some(next) if next <= self.until => at = next,
                _ => return,
            }
        }
    }

    fn add<K: Kind>(&mut self, facts: &Facts, (at, rung): (Timestamp, u16), what: String) {
        *self.counts.entry((K::NAME, what.clone())).or_default() += 1;
        let line = Line { at, kind: K::NAME, subject: facts.subject.clone(), rung, due: facts.due, what };
        self.lines.push(line);
        if self.lines.len() > self.bounds.most {
            self.lines.pop();
        }
    }
}
