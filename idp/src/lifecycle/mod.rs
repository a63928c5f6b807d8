//! The one engine for all that expires: passwords, keys, invitations, offers, memberships, successions, reviews, overrides.
//!
//! A [`Kind`] says what falls due, whom it belongs to and what happens at the end; `policies::reminders` decides; the engine does
//! the rest, the same for all. Adding a kind is one file here and one line in [`kinds!`]. The shape, and why:
//! `docs/decisions/0011-lifecycle.md`.
//!
//! A run pages through what is due. What has nothing to say gets its next look, many in one transaction. What has something to say
//! is read again in the transaction that moves its look and keeps the notice and its mails: two runs, or two nodes, say it once.

mod api_keys;
mod contracts;
mod document_requests;
mod duty_changes;
mod forecast;
mod invitations;
mod lease;
mod memberships;
pub mod offers;
mod overrides;
mod passwords;
mod review_openings;
mod reviews;
mod seat_requests;
pub mod seats;
mod successions;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};

use habilis_keys::random;
use habilis_policies::calendar;
use habilis_policies::reminders::{self, Ladder, Notice, Step, Watch};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::app::App;
use crate::clock::Clock;
use crate::db::notices::{self, NewNotice};
use crate::db::{At, Conn, TURN, Tx, lifecycle_kinds, members};
use crate::mail;
use crate::mail::letters::Letter;
use crate::outcome::{Fault, Outcome};
pub use forecast::{Bounds, Forecast, Line, forecast};
use lease::Lease;

/// Rows of one page: looked at together, and planned in one transaction when there is nothing to say.
const PAGE: u32 = 500;
/// Rows that speak in one transaction, at most.
const AT_ONCE: usize = 20;
/// How often a process does what one look a day is enough for.
const SWEEP_EVERY_MS: i64 = 24 * 60 * 60 * 1000;
/// Stands for the end among the rungs.
const END: u16 = 0;

/// The kinds, in the order in which they run. Each is one file and one line here.
macro_rules! kinds {
    ($($kind:ty,)*) => {
        /// Shows every kind to `visit`, one after the other.
        async fn each(visit: &mut impl Visit) -> Outcome<()> {
            $(visit.kind::<$kind>().await?;)*
            Ok(())
        }

        /// The names of the kinds of notices: of what expires, and of seats that fill up.
        pub const NAMES: &[&str] = &[$(<$kind as Kind>::NAME,)* seats::NOTICE];
    };
}

kinds! {
    passwords::Passwords,
    api_keys::ApiKeys,
    invitations::Invitations,
    offers::Offers,
    memberships::Memberships,
    successions::Successions,
    review_openings::ReviewOpenings,
    reviews::Reviews,
    overrides::Overrides,
    duty_changes::DutyChanges,
    document_requests::DocumentRequests,
    seat_requests::SeatRequests,
    contracts::Orders,
    contracts::Trials,
    contracts::Enrolments,
}

/// A row that a kind waits with.
pub trait Row: Send + Sync {
    /// Where it stands in the order in which [`Kind::due`] pages: an instant and an id.
    fn place(&self) -> (At, &str);
}

/// Which rows to look at.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// Those whose look lies here or before.
    pub until: Timestamp,
    /// Behind this place.
    pub after: (At, &'a str),
    /// So many at most.
    pub limit: u32,
}

/// What is known of something that expires.
#[derive(Debug, Clone)]
pub struct Facts {
    /// What it is called among the notices: a person, a key, an offer…
    pub subject: String,
    /// Whose administrators may read of it.
    pub concerns: Concerns,
    /// When it falls due. A new due date is a new thing, of which nothing was said yet.
    pub due: Timestamp,
    /// When this due date began to hold.
    pub since: Timestamp,
    /// When to remind.
    pub ladder: Ladder,
    /// When the end comes: with the due instant, after a grace, or never.
    pub end: Option<Timestamp>,
}

/// Whom something that expires concerns.
#[derive(Debug, Clone)]
pub enum Concerns {
    /// An organization.
    Organization(String),
    /// A person, and the organizations they belong to.
    Person(String),
    /// The operator's own house: nobody else reads of it.
    Operator,
}

impl Facts {
    /// What a run at `now` does, when these rungs were sent; the end comes once.
    fn step(&self, sent: &[u16], now: Timestamp) -> Step {
        let watch = Watch { due: self.due, since: self.since, ladder: &self.ladder, sent };
        let step = reminders::step(&watch, self.end, now);
        Step { end: step.end && !sent.contains(&END), ..step }
    }
}

/// How an end went.
#[derive(Debug)]
pub enum Ended {
    /// It happened.
    Done,
    /// It was not this any more when it came to it. Nothing of the transaction stays.
    Gone,
    /// It cannot happen, for a reason in words. Nothing of the transaction stays but what [`Kind::refused`] does about it.
    Refused(String),
}

/// A kind of thing that expires.
///
/// Its methods read and write its own tables alone; lease, paging, decision, notices, mails' archive and record of the run are the
/// engine's. `now` is the run's instant throughout.
pub trait Kind {
    /// Stable word, as in the notices: `password`, `api_key`…
    const NAME: &'static str;
    /// What happens at the end, in words for `habilis jobs`.
    const AT_THE_END: &'static str;
    /// A row that waits. The same row is given to all methods: a change of it in between must make [`Kind::plan`] fail.
    type Row: Row;

    /// The rows whose look has come, in the order of [`Row::place`]; bounded, and by an index.
    fn due<C: Conn>(c: &mut C, app: &App, page: Page<'_>) -> impl Future<Output = Outcome<Vec<Self::Row>>> + Send;

    /// What is known of each of `rows`, in their order; none for one that does not expire as things are. Read again in the
    /// transaction in which something happens.
    fn facts<C: Conn>(
        c: &mut C,
        app: &App,
        rows: &[&Self::Row],
        now: Timestamp,
    ) -> impl Future<Output = Outcome<Vec<Option<Facts>>>> + Send;

    /// Moves the next look of each of these rows, unless it was moved or the row changed meanwhile; says how many it moved. A kind
    /// without a column for it, whose end alone takes it out of [`Kind::due`], keeps this.
    fn plan(tx: &mut Tx, looks: &[(&Self::Row, Option<Timestamp>)]) -> impl Future<Output = Outcome<usize>> + Send {
        let _ = tx;
        let moved = looks.len();
        async move { Ok(moved) }
    }

    /// Writes the letters of a reminder.
    fn remind(
        saying: &mut Saying<'_>,
        row: &Self::Row,
        facts: &Facts,
        notice: Notice,
    ) -> impl Future<Output = Outcome<()>> + Send {
        let _ = (saying, row, facts, notice);
        async { Ok(()) }
    }

    /// Does what happens at the end, and writes the letters about it.
    fn end(saying: &mut Saying<'_>, row: &Self::Row, facts: &Facts) -> impl Future<Output = Outcome<Ended>> + Send;

    /// What stays of an end that was refused; in a transaction of its own, whose notice of the end is kept.
    fn refused(saying: &mut Saying<'_>, row: &Self::Row, reason: &str) -> impl Future<Output = Outcome<()>> + Send {
        let _ = (saying, row, reason);
        async { Ok(()) }
    }

    /// How many wait, and the next look.
    fn waiting<C: Conn>(c: &mut C, app: &App) -> impl Future<Output = Outcome<(i64, Option<Timestamp>)>> + Send;

    /// What has to be done before rows can be due, in bounded transactions of its own: rows that were never planned, rules that
    /// changed for some.
    fn prepare(app: &App, now: Timestamp) -> impl Future<Output = Outcome<()>> + Send {
        let _ = (app, now);
        async { Ok(()) }
    }

    /// The settings that decide when rows fall due, in a text that changes with them: then every look is planned anew, by
    /// [`Kind::walk`].
    fn rule(app: &App) -> Option<String> {
        let _ = app;
        None
    }

    /// Every row behind an id, by id; for kinds with a [`Kind::rule`].
    fn walk<C: Conn>(c: &mut C, after: &str, limit: u32) -> impl Future<Output = Outcome<Vec<Self::Row>>> + Send {
        let _ = (c, after, limit);
        async { Ok(Vec::new()) }
    }
}

/// Something done with every kind.
trait Visit {
    fn kind<K: Kind>(&mut self) -> impl Future<Output = Outcome<()>> + Send;
}

/// A notice in the making: the transaction, and whose mails it carries.
pub struct Saying<'a> {
    /// The transaction.
    pub tx: &'a mut Tx,
    /// The application.
    pub app: &'a App,
    /// The run's instant.
    pub now: Timestamp,
    notice: String,
}

impl Saying<'_> {
    /// Writes a letter to a person; one without an address gets none.
    ///
    /// # Errors
    /// The database or the template failed.
    pub async fn to_person(&mut self, person: &str, letter: &impl Letter) -> Outcome<()> {
        mail::write_notice(self.tx, self.app, (person, letter, &self.notice), self.now).await
    }

    /// Writes a letter to everybody who administers an organization.
    ///
    /// # Errors
    /// The database or the template failed.
    pub async fn to_administrators(&mut self, organization: &str, letter: &impl Letter) -> Outcome<()> {
        let today = calendar::date_at(self.now).to_string();
        for person in members::administrators(self.tx, organization, &today).await? {
            self.to_person(&person, letter).await?;
        }
        Ok(())
    }
}

/// What the engine needs of a process.
#[derive(Debug)]
pub struct Lifecycle {
    /// What the process is called.
    node: String,
    /// One run at a time in a process.
    turn: Mutex<()>,
    /// When this process last looked for seats held for nobody, in milliseconds.
    swept: AtomicI64,
}

impl Lifecycle {
    /// That of a new process.
    pub fn new(clock: &Clock) -> Self {
        Self { node: random::id("nod", clock.now()), turn: Mutex::new(()), swept: AtomicI64::new(i64::MIN) }
    }

    /// Whether it is time again for what one look a day is enough for, and notes that it is done.
    fn sweeps(&self, now: Timestamp) -> bool {
        let now = now.as_millisecond();
        let last = self.swept.load(Ordering::Relaxed);
        let due = now.saturating_sub(last) >= SWEEP_EVERY_MS || now < last;
        if due {
            self.swept.store(now, Ordering::Relaxed);
        }
        due
    }
}

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Rows looked at.
    pub looked: u64,
    /// Reminders.
    pub reminded: u64,
    /// Ends.
    pub ended: u64,
    /// Rows that could not be dealt with; the next run tries again.
    pub failed: u64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.looked += other.looked;
        self.reminded += other.reminded;
        self.ended += other.ended;
        self.failed += other.failed;
    }
}

/// How a run went.
#[derive(Debug)]
pub enum Run {
    /// Everything due was looked at: what each kind came to.
    Done(Vec<(&'static str, Tally)>),
    /// Another process is at it, or took over.
    Elsewhere(String),
}

/// Looks at everything that is due, once, unless another node does.
///
/// # Errors
/// The database failed. What fails in one kind or row is logged and stops no other.
pub async fn run(app: &App, now: Timestamp) -> Outcome<Run> {
    let _turn = app.lifecycle.turn.lock().await;
    let mut lease = match Lease::take(app, &app.lifecycle.node).await? {
        Ok(lease) => lease,
        Err(holder) => return Ok(Run::Elsewhere(holder)),
    };
    let mut runner = Runner { app, now, lease: &mut lease, tallies: Vec::new() };
    let ran = each(&mut runner).await;
    let tallies = runner.tallies;
    if tallies.iter().any(|(_, tally)| tally.reminded + tally.ended > 0) {
        app.mail_waiting.notify_one();
    }
    if lease.is_lost() {
        return Ok(Run::Elsewhere("another process, which took over".to_owned()));
    }
    let noted = match ran {
        Ok(()) => note(app, &tallies, now).await,
        Err(fault) => Err(fault),
    };
    lease.give_back(app).await?;
    noted.map(|()| Run::Done(tallies))
}

/// Keeps when the kinds ran, and what the ones that had something to do came to.
async fn note(app: &App, tallies: &[(&'static str, Tally)], now: Timestamp) -> Outcome<()> {
    let by = (app.lifecycle.node.as_str(), now);
    let mut tx = app.db.begin().await?;
    let known = lifecycle_kinds::all_ran(&mut tx, by).await?;
    if usize::try_from(known)? < tallies.len() {
        for (kind, _) in tallies {
            lifecycle_kinds::ran(&mut tx, kind, by).await?;
        }
    }
    for (kind, tally) in tallies.iter().filter(|(_, tally)| tally.reminded + tally.ended + tally.failed > 0) {
        let Tally { looked, reminded, ended, failed } = *tally;
        tracing::info!(event = "lifecycle", kind, looked, reminded, ended, failed);
        let came_to = (i64::try_from(reminded)?, i64::try_from(ended)?, i64::try_from(failed)?);
        lifecycle_kinds::busy(&mut tx, kind, came_to, now).await?;
    }
    Ok(tx.commit().await?)
}

/// One run.
struct Runner<'a> {
    app: &'a App,
    now: Timestamp,
    lease: &'a mut Lease,
    tallies: Vec<(&'static str, Tally)>,
}

impl Visit for Runner<'_> {
    async fn kind<K: Kind>(&mut self) -> Outcome<()> {
        let mut tally = Tally::default();
        if let Err(fault) = self.run::<K>(&mut tally).await {
            tally.failed += 1;
            tracing::error!(event = "lifecycle_failed", kind = K::NAME, cause = ?fault);
        }
        self.tallies.push((K::NAME, tally));
        Ok(())
    }
}

impl Runner<'_> {
    async fn run<K: Kind>(&mut self, tally: &mut Tally) -> Outcome<()> {
        if !self.lease.keep(self.app).await? {
            return Ok(());
        }
        K::prepare(self.app, self.now).await?;
        self.replan::<K>(tally).await?;
        let (mut at, mut id) = (At::from(Timestamp::MIN), String::new());
        while self.lease.keep(self.app).await? {
            let page = Page { until: self.now, after: (at, &id), limit: PAGE };
            let rows = K::due(&mut self.app.db.reader().await?, self.app, page).await?;
            tally.add(self.page::<K>(&rows).await?);
            let Some(last) = rows.last().filter(|_| rows.len() == PAGE as usize) else { break };
            (at, id) = (last.place().0, last.place().1.to_owned());
        }
        Ok(())
    }

    /// Plans every look anew when the settings have changed since they were planned, going on where a run before stopped.
    async fn replan<K: Kind>(&mut self, tally: &mut Tally) -> Outcome<()> {
        let Some(rule) = K::rule(self.app) else { return Ok(()) };
        let known = lifecycle_kinds::find(&mut self.app.db.reader().await?, K::NAME).await?;
        let mut from = match known {
            Some(known) if known.rule.as_ref() == Some(&rule) => match known.walked {
                Some(walked) => walked,
                None => return Ok(()),
            },
            _ => {
                let mut tx = self.app.db.begin().await?;
                lifecycle_kinds::set_rule(&mut tx, K::NAME, &rule).await?;
                tx.commit().await?;
                String::new()
            }
        };
        while self.lease.keep(self.app).await? {
            let rows = K::walk(&mut self.app.db.reader().await?, &from, PAGE).await?;
            let found = self.steps::<K>(&rows, tally).await?;
            let looks: Vec<_> = found.iter().map(|(row, step)| (*row, self.look(step.as_ref()))).collect();
            let to = rows.last().filter(|_| rows.len() == PAGE as usize).map(|row| row.place().1.to_owned());
            let mut tx = self.app.db.begin().await?;
            if !lifecycle_kinds::walked(&mut tx, K::NAME, (&from, to.as_deref())).await? {
                return Ok(());
            }
            K::plan(&mut tx, &looks).await?;
            tx.commit().await?;
            tally.looked += u64::try_from(looks.len())?;
            let Some(to) = to else { break };
            from = to;
        }
        Ok(())
    }

    /// When to look at something again: at once, where there is something to say.
    fn look(&self, step: Option<&Step>) -> Option<Timestamp> {
        let step = step?;
        if step.send.is_some() || step.end { Some(self.now) } else { step.next }
    }

    /// What there is to say and do about each of these rows, as far as its facts can be read.
    async fn steps<'r, K: Kind>(
        &self,
        rows: &'r [K::Row],
        tally: &mut Tally,
    ) -> Outcome<Vec<(&'r K::Row, Option<Step>)>> {
        let found = self.facts::<K>(rows, tally).await?;
        // Whatever would speak when nothing was said yet may have spoken.
        let speaks = |facts: &&Facts| {
            let step = facts.step(&[], self.now);
            step.send.is_some() || step.end
        };
        let candidates = found.iter().filter_map(|(_, facts)| facts.as_ref()).filter(speaks);
        let subjects: Vec<&str> = candidates.map(|facts| facts.subject.as_str()).collect();
        let mut sent: HashMap<(String, At), Vec<u16>> = HashMap::new();
        if !subjects.is_empty() {
            let mut reader = self.app.db.reader().await?;
            for (subject, due, rung) in notices::sent_of_many(&mut reader, K::NAME, &subjects).await? {
                sent.entry((subject, due)).or_default().extend(u16::try_from(rung));
            }
        }
        let step = |facts: Facts| {
            let sent = sent.get(&(facts.subject.clone(), At::from(facts.due)));
            facts.step(sent.map_or(&[], Vec::as_slice), self.now)
        };
        Ok(found.into_iter().map(|(row, facts)| (row, facts.map(step))).collect())
    }

    /// The facts of every row that has them read without a fault; faults of a row count as its failure.
    async fn facts<'r, K: Kind>(
        &self,
        rows: &'r [K::Row],
        tally: &mut Tally,
    ) -> Outcome<Vec<(&'r K::Row, Option<Facts>)>> {
        let mut reader = self.app.db.reader().await?;
        let all: Vec<&K::Row> = rows.iter().collect();
        if let Ok(facts) = K::facts(&mut reader, self.app, &all, self.now).await {
            return Ok(all.into_iter().zip(facts).collect());
        }
        let mut found = Vec::with_capacity(rows.len());
        for row in all {
            match K::facts(&mut reader, self.app, &[row], self.now).await {
                Ok(mut facts) => found.push((row, facts.pop().flatten())),
                Err(fault) => {
                    failed::<K>(row, &fault);
                    tally.failed += 1;
                }
            }
        }
        Ok(found)
    }

    /// Looks at the rows of a page.
    async fn page<K: Kind>(&self, rows: &[K::Row]) -> Outcome<Tally> {
        let mut tally = Tally { looked: u64::try_from(rows.len())?, ..Tally::default() };
        let (mut quiet, mut loud) = (Vec::new(), Vec::new());
        for (row, step) in self.steps::<K>(rows, &mut tally).await? {
            match step {
                Some(step) if step.send.is_some() || step.end => loud.push(row),
                step => quiet.push((row, step.and_then(|step| step.next))),
            }
        }
        if !quiet.is_empty() {
            let mut tx = self.app.db.begin().await?;
            K::plan(&mut tx, &quiet).await?;
            tx.commit().await?;
        }
        let mut rest = &loud[..];
        while !rest.is_empty() {
            let some = &rest[..rest.len().min(AT_ONCE)];
            let taken = if let Ok(Said::Done { rows, came_to }) = self.say::<K>(some).await {
                tally.add(came_to);
                rows
            } else {
                // One of them spoils the transaction of all: each gets its own.
                for row in some {
                    tally.add(self.say_alone::<K>(row).await);
                }
                some.len()
            };
            rest = &rest[taken..];
        }
        Ok(tally)
    }

    async fn say_alone<K: Kind>(&self, row: &K::Row) -> Tally {
        let said = match self.say::<K>(&[row]).await {
            Ok(Said::Refused(reason)) => self.refuse::<K>(row, &reason).await,
            said => said,
        };
        match said {
            Ok(Said::Done { came_to, .. }) => came_to,
            Ok(Said::Gone | Said::Refused(_)) => Tally::default(),
            Err(fault) => {
                failed::<K>(row, &fault);
                Tally { failed: 1, ..Tally::default() }
            }
        }
    }

    /// Says and does, in one transaction, what there is to say and do of the first of `rows`, as many as its turn lasts for.
    async fn say<K: Kind>(&self, rows: &[&K::Row]) -> Outcome<Said> {
        let mut came_to = Tally::default();
        let mut tx = self.app.db.begin().await?;
        let begun = Instant::now();
        let mut done = 0;
        for row in rows {
            match self.say_one::<K>(&mut tx, row).await? {
                Said::Done { came_to: one, .. } => came_to.add(one),
                spoilt => return Ok(spoilt),
            }
            done += 1;
            if begun.elapsed() > TURN {
                break;
            }
        }
        tx.commit().await?;
        Ok(Said::Done { rows: done, came_to })
    }

    async fn say_one<K: Kind>(&self, tx: &mut Tx, row: &K::Row) -> Outcome<Said> {
        let mut came_to = Tally::default();
        let nothing = Said::Done { rows: 1, came_to };
        let Some(facts) = K::facts(tx, self.app, &[row], self.now).await?.pop().flatten() else {
            K::plan(tx, &[(row, None)]).await?;
            return Ok(nothing);
        };
        let sent = notices::sent(tx, (K::NAME, &facts.subject), facts.due).await?;
        let step = facts.step(&sent, self.now);
        hold(tx, &facts).await?;
        if K::plan(tx, &[(row, step.next)]).await? == 0 {
            return Ok(nothing);
        }
        if let Some(notice) = step.send
            && let Some(id) = self.keep::<K>(tx, (&facts, notice.rung)).await?
        {
            let mut saying = Saying { tx, app: self.app, now: self.now, notice: id };
            K::remind(&mut saying, row, &facts, notice).await?;
            came_to.reminded += 1;
        }
        if step.end
            && let Some(id) = self.keep::<K>(tx, (&facts, END)).await?
        {
            let mut saying = Saying { tx, app: self.app, now: self.now, notice: id };
            match K::end(&mut saying, row, &facts).await? {
                Ended::Done => came_to.ended += 1,
                Ended::Gone => return Ok(Said::Gone),
                Ended::Refused(reason) => return Ok(Said::Refused(reason)),
            }
        }
        Ok(Said::Done { rows: 1, came_to })
    }

    /// Keeps that an end was refused.
    async fn refuse<K: Kind>(&self, row: &K::Row, reason: &str) -> Outcome<Said> {
        let nothing = Said::Done { rows: 1, came_to: Tally::default() };
        let mut tx = self.app.db.begin().await?;
        let Some(facts) = K::facts(&mut tx, self.app, &[row], self.now).await?.pop().flatten() else {
            return Ok(nothing);
        };
        hold(&mut tx, &facts).await?;
        if K::plan(&mut tx, &[(row, None)]).await? == 0 {
            return Ok(nothing);
        }
        let Some(notice) = self.keep::<K>(&mut tx, (&facts, END)).await? else { return Ok(nothing) };
        let mut saying = Saying { tx: &mut tx, app: self.app, now: self.now, notice };
        K::refused(&mut saying, row, reason).await?;
        tx.commit().await?;
        Ok(nothing)
    }

    /// Keeps a notice, and shows it to whom it concerns; none when it was before.
    async fn keep<K: Kind>(&self, tx: &mut Tx, (facts, rung): (&Facts, u16)) -> Outcome<Option<String>> {
        let id = random::id("ntc", self.now);
        let new = NewNotice { id: &id, kind: K::NAME, subject: &facts.subject, due: facts.due, rung };
        if !notices::insert(tx, &new, self.now).await? {
            return Ok(None);
        }
        match &facts.concerns {
            Concerns::Organization(organization) => {
                notices::show_to(tx, (&id, K::NAME), organization, self.now).await?;
            }
            Concerns::Person(person) => {
                notices::show_to_organizations_of(tx, (&id, K::NAME), person, self.now).await?;
            }
            Concerns::Operator => {}
        }
        Ok(Some(id))
    }
}

/// Keeps the notice of a letter that somebody's act gives rise to at once, beside those of the engine, and shows it to the organization;
/// gives its id for the mails (R026, R074).
///
/// # Errors
/// The database failed.
pub async fn keep_at_once(
    tx: &mut Tx,
    (kind, subject, rung): (&str, &str, u16),
    (organization, due): (&str, Timestamp),
    now: Timestamp,
) -> Outcome<String> {
    let id = random::id("ntc", now);
    let mut due = due;
    while !notices::insert(tx, &NewNotice { id: &id, kind, subject, due, rung }, now).await? {
        // The same was said before and taken back. It is said anew, and has to be proven anew.
        due = due.saturating_add(SignedDuration::from_millis(1))?;
    }
    notices::show_to(tx, (&id, kind), organization, now).await?;
    Ok(id)
}

/// Holds the organization before the row, as everybody does who writes about one: two who took them in different orders would each
/// wait for the other. A row that changed while this waited is not moved by [`Kind::plan`].
async fn hold(tx: &mut Tx, facts: &Facts) -> Outcome<()> {
    match &facts.concerns {
        Concerns::Organization(organization) => Ok(members::lock(tx, organization).await?),
        Concerns::Person(_) | Concerns::Operator => Ok(()),
    }
}

/// How it went with what there was to say.
enum Said {
    /// Said of so many rows.
    Done { rows: usize, came_to: Tally },
    /// It was not that any more.
    Gone,
    /// It cannot be.
    Refused(String),
}

fn failed<K: Kind>(row: &K::Row, fault: &Fault) {
    tracing::error!(event = "lifecycle_failed", kind = K::NAME, row = row.place().1, cause = ?fault);
}

/// A kind, for `habilis jobs list`.
#[derive(Debug)]
pub struct Overview {
    /// Its name.
    pub kind: &'static str,
    /// What happens at the end.
    pub at_the_end: &'static str,
    /// How many wait.
    pub waiting: i64,
    /// When the next is looked at.
    pub next: Option<Timestamp>,
    /// What is known of its runs.
    pub known: Option<lifecycle_kinds::Known>,
}

struct Overviews<'a> {
    app: &'a App,
    found: Vec<Overview>,
}

impl Visit for Overviews<'_> {
    async fn kind<K: Kind>(&mut self) -> Outcome<()> {
        let mut reader = self.app.db.reader().await?;
        let (waiting, next) = K::waiting(&mut reader, self.app).await?;
        let known = lifecycle_kinds::find(&mut reader, K::NAME).await?;
        self.found.push(Overview { kind: K::NAME, at_the_end: K::AT_THE_END, waiting, next, known });
        Ok(())
    }
}

/// Every kind, with what waits, and who is running them: the process, and until when it holds them.
///
/// # Errors
/// The database failed.
pub async fn overview(app: &App) -> Outcome<(Vec<Overview>, Option<(String, Timestamp)>)> {
    let mut overviews = Overviews { app, found: Vec::new() };
    each(&mut overviews).await?;
    Ok((overviews.found, lease::holder(app).await?))
}
