//! Opening the database, and the three kinds of connection: reader, transaction, and (`SQLite`) the lock of the one process.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Executor as _, PgPool, Postgres, Sqlite, SqlitePool, Transaction};

use super::writer::{Held, Writer};
use super::{Conn, Raw};

/// How long a request waits for a free connection before it is answered as overloaded.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
const SQLITE_READERS: u32 = 6;
/// As much of the file as `SQLite`'s readers map, in bytes: all of it. `.cargo/config.toml` raises the most that `SQLite` allows.
const MAPPED: &str = "1099511627776";

/// The database of this server. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Db {
    /// A file in one process.
    Sqlite {
        /// The only connection that writes.
        writer: Writer,
        /// Read-only connections.
        readers: SqlitePool,
        /// Held as long as the database is open.
        lock: Arc<File>,
    },
    /// A server shared by several nodes.
    Postgres(PgPool),
}

/// Why the database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Neither `sqlite://` nor `postgres://`.
    #[error("database.url must begin with sqlite:// or postgres://")]
    UnknownScheme,
    /// Another process has the file.
    #[error("{} is in use by another habilis process{}; stop it first, or use PostgreSQL for several processes", path.display(), pid.as_ref().map(|pid| format!(" (pid {pid})")).unwrap_or_default())]
    InUse {
        /// The database file.
        path: PathBuf,
        /// The other process, as it wrote itself into the lock file.
        pid: Option<String>,
    },
    /// The lock file cannot be made.
    #[error("cannot lock {}: {source}", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The engine refused.
    #[error("cannot open the database: {0}")]
    Engine(#[from] sqlx::Error),
}

impl Db {
    /// Opens the database at `url`: `sqlite://path/to/file.db` or `postgres://user@host/name`.
    ///
    /// A `SQLite` file is created when absent and locked against a second process.
    ///
    /// # Errors
    /// [`OpenError`]: unknown scheme, file in use, lock refused, engine unreachable.
    pub async fn open(url: &str, connections: u32) -> Result<Self, OpenError> {
        if let Some(path) = url.strip_prefix("sqlite://") {
            return Self::open_sqlite(Path::new(path)).await;
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let options = PgConnectOptions::from_str(url)?.application_name("habilis");
            let pool = PgPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                // Short statements, prepared once: where the planner takes one for large, compiling it costs more than it saves. Not an option
                // of the connection, which poolers in between refuse.
                .after_connect(|connection, _| {
                    Box::pin(async move { connection.execute("SET jit = off").await.map(drop) })
                })
                .connect_with(options)
                .await?;
            return Ok(Self::Postgres(pool));
        }
        Err(OpenError::UnknownScheme)
    }

    async fn open_sqlite(path: &Path) -> Result<Self, OpenError> {
        let lock = Arc::new(lock(path)?);
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(ACQUIRE_TIMEOUT)
            .pragma("cache_size", "-65536")
            .pragma("temp_store", "memory");
        let writer = Writer::new(options.connect().await?, ACQUIRE_TIMEOUT);
        let readers = SqlitePoolOptions::new()
            .max_connections(SQLITE_READERS)
            // A file does not go away: asking each time would cost as much as the query itself.
            .test_before_acquire(false)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            // Mapped, a page of the file costs no call and no copy. What is mapped counts as resident without being the process's own.
            .connect_lazy_with(options.read_only(true).pragma("cache_size", "-8192").pragma("mmap_size", MAPPED));
        Ok(Self::Sqlite { writer, readers, lock })
    }

    /// A connection to read with, outside any transaction.
    ///
    /// # Errors
    /// No connection became free in five seconds, or the engine is unreachable.
    pub async fn reader(&self) -> sqlx::Result<Reader> {
        Ok(match self {
            Self::Sqlite { readers, .. } => Reader::Sqlite(readers.acquire().await?),
            Self::Postgres(pool) => Reader::Postgres(pool.acquire().await?),
        })
    }

    /// Begins the write transaction of a request.
    ///
    /// # Errors
    /// No connection became free in five seconds, or the engine is unreachable.
    pub async fn begin(&self) -> sqlx::Result<Tx> {
        Ok(match self {
            Self::Sqlite { writer, .. } => Tx::Sqlite(writer.begin().await?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin().await?),
        })
    }

    /// A transaction of exactly one statement: on `PostgreSQL` it commits by itself, which saves two round trips.
    ///
    /// On `SQLite` it is a transaction like any other, so that its commit can be shared: end it with [`Single::commit`].
    ///
    /// # Errors
    /// No connection became free in five seconds, or the engine is unreachable.
    pub async fn single(&self) -> sqlx::Result<Single> {
        Ok(match self {
            Self::Sqlite { writer, .. } => Single::Sqlite(writer.begin().await?),
            Self::Postgres(pool) => Single::Postgres(pool.acquire().await?),
        })
    }

    /// Whether a request waits for the writer of `SQLite`.
    #[cfg(test)]
    pub fn others_wait(&self) -> bool {
        matches!(self, Self::Sqlite { writer, .. } if writer.others_wait())
    }

    /// Closes every connection; `SQLite` folds its write-ahead log into the file.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers, .. } => {
                readers.close().await;
                let folded = writer.close().await;
                if let Err(error) = folded {
                    tracing::warn!(event = "checkpoint_failed", cause = %error);
                }
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// Takes the lock file beside the database for this process.
fn lock(database: &Path) -> Result<File, OpenError> {
    let path = database.with_added_extension("lock");
    let failed = |source| OpenError::Lock { path: path.clone(), source };
    let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0).map_err(failed)?;
            file.rewind().map_err(failed)?;
            write!(file, "{}", std::process::id()).map_err(failed)?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let read = file.take(16).read_to_string(&mut pid);
            Err(OpenError::InUse { path: database.to_owned(), pid: read.ok().filter(|read| *read > 0).map(|_| pid) })
        }
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// A connection that reads.
#[derive(Debug)]
pub enum Reader {
    /// `SQLite`, opened read-only.
    Sqlite(PoolConnection<Sqlite>),
    /// `PostgreSQL`.
    Postgres(PoolConnection<Postgres>),
}

/// A write of exactly one statement, see [`Db::single`].
#[derive(Debug)]
pub enum Single {
    /// `SQLite`, on the writer.
    Sqlite(Held),
    /// `PostgreSQL`.
    Postgres(PoolConnection<Postgres>),
}

impl Single {
    /// Commits.
    ///
    /// # Errors
    /// The engine could not make the write durable; nothing was written.
    pub async fn commit(self) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(held) => held.commit().await,
            Self::Postgres(_) => Ok(()),
        }
    }
}

/// The write transaction of a request. Dropped without [`Tx::commit`], it rolls back.
#[derive(Debug)]
pub enum Tx {
    /// `SQLite`, on the writer.
    Sqlite(Held),
    /// `PostgreSQL`, READ COMMITTED.
    Postgres(Transaction<'static, Postgres>),
}

impl Tx {
    /// Commits.
    ///
    /// # Errors
    /// The engine could not make the writes durable; nothing was written.
    pub async fn commit(self) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(held) => held.commit().await,
            Self::Postgres(tx) => tx.commit().await,
        }
    }
}

impl Conn for Reader {
    fn raw(&mut self) -> Raw<'_> {
        match self {
            Self::Sqlite(c) => Raw::Sqlite(c),
            Self::Postgres(c) => Raw::Postgres(c),
        }
    }
}

impl Conn for Single {
    fn raw(&mut self) -> Raw<'_> {
        match self {
            Self::Sqlite(held) => Raw::Sqlite(held.connection()),
            Self::Postgres(c) => Raw::Postgres(c),
        }
    }
}

impl Conn for Tx {
    fn raw(&mut self) -> Raw<'_> {
        match self {
            Self::Sqlite(held) => Raw::Sqlite(held.connection()),
            Self::Postgres(tx) => Raw::Postgres(tx),
        }
    }
}
