//! Long work, one job at a time a worker: taken for a while, held on to as it goes on, taken over when its worker is gone.
//!
//! Every transaction of a job first says how far it is ([`jobs::advance`]); that fails when the job was cancelled or is another
//! worker's by now, and then nothing of the transaction stays. So each step is done once, whoever dies when.

use std::time::Duration;

use habilis_keys::random;
use jiff::{SignedDuration, Timestamp};

use super::{imports, purges, sign_offs};
use crate::app::App;
use crate::db::Tx;
use crate::db::import_entries;
use crate::db::jobs::{self, Taken};
use crate::outcome::Outcome;

/// Jobs that one node runs at a time; an organization has one at a time on all nodes together.
pub(super) const WORKERS: usize = 2;
/// How often a worker looks when nothing wakes it: another node may have put a job in.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long a worker holds a job between two signs of life.
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// After so many attempts a job has failed.
const ATTEMPTS: i64 = 5;

/// A job in the hands of a worker.
#[derive(Debug)]
pub(super) struct Job {
    /// The job.
    pub(super) taken: Taken,
    holder: String,
}

impl Job {
    /// Holds the job in the transaction and says how far it will be once that commits; false when it is to be left alone.
    ///
    /// # Errors
    /// The database failed.
    pub(super) async fn advance(&self, tx: &mut Tx, progress: (i64, i64), now: Timestamp) -> Outcome<bool> {
        let until = now.saturating_add(LEASE)?;
        Ok(jobs::advance(tx, (&self.taken.id, &self.holder), progress, until).await?)
    }

    /// Ends the job in the transaction; false when it is to be left alone.
    ///
    /// # Errors
    /// The database failed.
    pub(super) async fn finish(&self, tx: &mut Tx, state: &str, now: Timestamp) -> Outcome<bool> {
        Ok(jobs::finish(tx, (&self.taken.id, &self.holder), state, now).await?)
    }
}

/// Does what there is to do, until the task is dropped.
pub(super) async fn run(app: App) {
    let holder = random::id("wrk", app.clock.now());
    loop {
        match next(&app, &holder).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(fault) => tracing::error!(event = "job_failed", cause = ?fault),
        }
        let _ = tokio::time::timeout(LOOK_EVERY, app.work_waiting.notified()).await;
    }
}

/// Whether a job is never given up: a removal that the law asks for, an import that has become all, a review that somebody signed.
async fn must_end(app: &App, job: &Job) -> Outcome<bool> {
    match job.taken.kind.as_str() {
        purges::KIND | sign_offs::SIGN_OFF => Ok(true),
        imports::APPLY => Ok(import_entries::decided(&mut app.db.reader().await?, &job.taken.subject).await?),
        _ => Ok(false),
    }
}

/// Takes a job and does it; false when there is none. One that fails is tried again when its lease lapses.
async fn next(app: &App, holder: &str) -> Outcome<bool> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let taken = jobs::claim(&mut tx, holder, (now, now.saturating_add(LEASE)?)).await?;
    let Some(taken) = taken else { return Ok(false) };
    tx.commit().await?;
    let job = Job { taken, holder: holder.to_owned() };
    if job.taken.attempts > ATTEMPTS && !must_end(app, &job).await? {
        imports::give_up(app, &job).await?;
        return Ok(true);
    }
    match job.taken.kind.as_str() {
        imports::CHECK => imports::check(app, &job).await?,
        imports::APPLY => imports::apply(app, &job).await?,
        purges::KIND => purges::run(app, &job).await?,
        sign_offs::SIGN_OFF => sign_offs::run(app, &job).await?,
        // A newer version's: it is beside us, and takes it when our lease lapses.
        _ => {}
    }
    app.mail_waiting.notify_one();
    Ok(true)
}
