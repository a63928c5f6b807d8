//! The one connection that writes to `SQLite`, and the commits that waiting requests share.
//!
//! Making a commit durable costs an `fsync`, far more than the statements of a request. So a request that is done while
//! others wait for their turn leaves the transaction open for the next, behind a savepoint of its own; the one that ends with
//! nobody behind it, or as the last of [`SHARED`], commits for them all. Nobody is answered before that commit: what
//! [`Held::commit`] returned `Ok` for is on the disk, and what was dropped was rolled back to its savepoint alone.
//!
//! Ends of parts run as tasks of their own: a request cancelled at its commit must not leave the others without one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::SqliteConnection;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};

/// How many requests share one commit at most: more would let the first wait longer than its own `fsync` costs.
const SHARED: usize = 16;

/// The writer. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Writer {
    turn: Arc<Mutex<Turn>>,
    /// How many requests stand in line.
    line: Arc<AtomicUsize>,
    patience: Duration,
}

/// The right to write: one request has it at a time, in the order they came.
#[derive(Debug)]
struct Turn {
    connection: SqliteConnection,
    /// The requests whose parts wait for the commit that they share.
    // INVARIANT: between two turns a transaction is open, at a fresh savepoint, exactly when somebody is in here.
    done: Vec<oneshot::Sender<Result<(), String>>>,
}

/// How the part of a request ended.
enum End {
    Committed(oneshot::Sender<Result<(), String>>),
    Abandoned,
}

impl Writer {
    /// Makes `connection` the one writer; a request stands in line for `patience` at most.
    pub fn new(connection: SqliteConnection, patience: Duration) -> Self {
        Self { turn: Arc::new(Mutex::new(Turn { connection, done: Vec::new() })), line: Arc::default(), patience }
    }

    /// Waits for the turn and begins a part: in a transaction of its own, or in the one that the request before left open.
    ///
    /// # Errors
    /// The turn did not come in time, or the engine refused.
    pub async fn begin(&self) -> sqlx::Result<Held> {
        let place = Place::stand(self);
        let waiting = tokio::time::timeout(self.patience, self.turn.clone().lock_owned());
        let turn = waiting.await.map_err(|_| sqlx::Error::PoolTimedOut)?;
        let mut held = place.leave(turn);
        let turn = held.turn();
        if turn.done.is_empty() {
            turn.run("BEGIN IMMEDIATE; SAVEPOINT part").await?;
        }
        Ok(held)
    }

    /// Whether a request stands in line.
    #[cfg(test)]
    pub fn others_wait(&self) -> bool {
        self.line.load(Ordering::SeqCst) > 0
    }

    /// Commits what still waits for it, and folds the write-ahead log into the file.
    ///
    /// # Errors
    /// The engine could not; the log stays beside the file and is read at the next start.
    pub async fn close(&self) -> sqlx::Result<()> {
        let mut turn = self.turn.lock().await;
        turn.settle().await;
        turn.run("PRAGMA wal_checkpoint(TRUNCATE)").await
    }
}

impl Turn {
    async fn run(&mut self, text: &'static str) -> sqlx::Result<()> {
        sqlx::raw_sql(text).execute(&mut self.connection).await.map(|_| ())
    }

    async fn end(&mut self, end: End, others_wait: bool) {
        let ended = match end {
            End::Abandoned if self.done.is_empty() => return self.roll_back().await,
            End::Abandoned => self.run("ROLLBACK TO part").await,
            End::Committed(answer) => {
                self.done.push(answer);
                // Fails, and so fails the whole, when the engine ended the transaction by itself (disk full, I/O error).
                if others_wait && self.done.len() < SHARED {
                    self.run("RELEASE part; SAVEPOINT part").await
                } else {
                    Ok(())
                }
            }
        };
        match ended {
            Ok(()) if others_wait && self.done.len() < SHARED => {}
            Ok(()) => self.settle().await,
            Err(error) => self.fail(&error).await,
        }
    }

    /// Commits for all who are done, and tells them.
    async fn settle(&mut self) {
        if self.done.is_empty() {
            return;
        }
        match self.run("COMMIT").await {
            Ok(()) => self.tell(&Ok(())),
            Err(error) => self.fail(&error).await,
        }
    }

    async fn fail(&mut self, error: &sqlx::Error) {
        self.roll_back().await;
        self.tell(&Err(error.to_string()));
    }

    async fn roll_back(&mut self) {
        // A statement cut short may have ended the transaction already; then there is nothing to roll back.
        if let Err(error) = self.run("ROLLBACK").await {
            tracing::debug!(event = "nothing_to_roll_back", cause = %error);
        }
    }

    fn tell(&mut self, result: &Result<(), String>) {
        for answer in self.done.drain(..) {
            // Whoever asked may have gone; its writes are durable all the same.
            drop(answer.send(result.clone()));
        }
    }
}

/// A place in the line. Given up before the turn came, it sees to it that nobody waits for a commit that nobody makes.
struct Place<'w> {
    writer: &'w Writer,
    came: bool,
}

impl<'w> Place<'w> {
    fn stand(writer: &'w Writer) -> Self {
        writer.line.fetch_add(1, Ordering::SeqCst);
        Self { writer, came: false }
    }

    fn leave(mut self, turn: OwnedMutexGuard<Turn>) -> Held {
        self.came = true;
        Held { turn: Some(turn), writer: self.writer.clone() }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.writer.line.fetch_sub(1, Ordering::SeqCst);
        if let (false, Ok(runtime)) = (self.came, Handle::try_current()) {
            let writer = self.writer.clone();
            runtime.spawn(async move {
                let mut turn = writer.turn.lock().await;
                if writer.line.load(Ordering::SeqCst) == 0 {
                    turn.settle().await;
                }
            });
        }
    }
}

/// The turn in the hands of one request. Dropped, its part is rolled back.
#[derive(Debug)]
pub struct Held {
    turn: Option<OwnedMutexGuard<Turn>>,
    writer: Writer,
}

impl Held {
    #[expect(clippy::expect_used, reason = "only commit and drop take the turn, and nobody has the value after them")]
    fn turn(&mut self) -> &mut Turn {
        self.turn.as_mut().expect("held until commit or drop")
    }

    /// The connection to write on.
    pub fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.turn().connection
    }

    /// Ends the part; returns when it is durable.
    ///
    /// # Errors
    /// The engine could not make the writes durable; nothing was written.
    pub async fn commit(mut self) -> sqlx::Result<()> {
        let (answer, durable) = oneshot::channel();
        self.end(End::Committed(answer));
        match durable.await {
            Ok(result) => result.map_err(sqlx::Error::Protocol),
            Err(_) => Err(sqlx::Error::WorkerCrashed),
        }
    }

    /// Without a runtime the process is ending: the connection closes, and `SQLite` rolls back.
    fn end(&mut self, end: End) {
        if let (Some(mut turn), Ok(runtime)) = (self.turn.take(), Handle::try_current()) {
            let line = self.writer.line.clone();
            runtime.spawn(async move {
                let others_wait = line.load(Ordering::SeqCst) > 0;
                turn.end(end, others_wait).await;
            });
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.end(End::Abandoned);
    }
}
