//! Migrations: `migrations/NNNN_name.sql` for both engines, then `migrations/<engine>/NNNN_*.sql` for what must differ.
//!
//! Each file runs once, in order, in a transaction of its own together with the line that records it. The text's SHA-256 is
//! kept: an edited migration is refused, because what ran is then no longer what the files say. `PostgreSQL` first gets
//! `CREATE DOMAIN blob AS bytea`, so that one DDL text serves both.

use jiff::Timestamp;

use super::{At, Db, Raw, Tx};
use crate::db::Conn;

/// A migration that both engines run, and what each needs of its own.
struct Migration {
    version: i64,
    name: &'static str,
    shared: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

macro_rules! migrations {
    ($($version:literal $name:literal),* $(,)?) => {
        &[$(Migration {
            version: $version,
            name: $name,
            shared: include_str!(concat!("../../../migrations/", $name, ".sql")),
            sqlite: include_str!(concat!("../../../migrations/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!("../../../migrations/postgres/", $name, ".sql")),
        }),*]
    };
}

const MIGRATIONS: &[Migration] = migrations![
    1 "0001_spine",
    2 "0002_fapi",
    3 "0003_registration",
    4 "0004_credentials",
    5 "0005_logout",
    6 "0006_resources",
    7 "0007_devices",
    8 "0008_factors",
    9 "0009_accounts",
    10 "0010_strength",
    11 "0011_letters",
    12 "0012_organizations",
    13 "0013_sign_in_organizations",
    14 "0014_search",
    15 "0015_events",
    16 "0016_imports",
    17 "0017_delegation",
    18 "0018_offers",
    19 "0019_pairs",
    20 "0020_api_keys",
    21 "0021_orders",
    22 "0022_lifecycle",
    23 "0023_measures",
    24 "0024_groups",
    25 "0025_mandatory_attributes",
    26 "0026_declarations",
    27 "0027_data_returns",
    28 "0028_whole_imports",
    29 "0029_document_requests",
    30 "0030_forgotten_words",
    31 "0031_takeovers",
    33 "0033_duty_changes",
    35 "0035_subscription_ends",
    36 "0036_seat_leases",
    39 "0039_client_versions",
    41 "0041_subscription_over",
    42 "0042_import_rights",
    43 "0043_incidents",
    44 "0044_prior_information",
    45 "0045_updates",
    46 "0046_password_hashes",
    47 "0047_resources_and_versions",
    49 "0049_use_at_portals",
    50 "0050_left_pages",
    52 "0052_called_off_orders",
    53 "0053_acts_of_the_operator",
    54 "0054_versions_that_grow",
    55 "0055_identities",
    56 "0056_seat_requests",
    57 "0057_import_mandates",
    58 "0058_found_once",
];

/// Serialises migrations of several nodes on one `PostgreSQL`.
const ADVISORY_LOCK: &str = "SELECT pg_advisory_xact_lock(4842147101)";
const RECORD: &str = "INSERT INTO schema_migrations (version, name, digest, applied_at) VALUES ($1, $2, $3, $4)";
const LEDGER: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL, applied_at BIGINT NOT NULL)";

/// Why the schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The engine refused.
    #[error("migration {name}: {source}")]
    Engine {
        /// Which migration.
        name: &'static str,
        /// The cause.
        source: sqlx::Error,
    },
    /// A migration that already ran has another text now.
    #[error("migration {0} was changed after it ran; restore its text and add a new migration instead")]
    Edited(&'static str),
    /// The database was migrated by a newer version.
    #[error("the database is at schema {found}, newer than this version knows ({known}); use the newer binary")]
    Newer {
        /// Version found.
        found: i64,
        /// Newest version known here.
        known: i64,
    },
}

impl Db {
    /// Brings the schema up to date and returns how many migrations ran.
    ///
    /// # Errors
    /// [`MigrateError`]; the migration that failed left nothing behind.
    pub async fn migrate(&self, now: Timestamp) -> Result<usize, MigrateError> {
        self.prepare_ledger().await.map_err(|source| MigrateError::Engine { name: "ledger", source })?;
        let mut ran = 0;
        for migration in MIGRATIONS {
            if self.apply(migration, now).await? {
                ran += 1;
            }
        }
        let known = MIGRATIONS.last().map_or(0, |migration| migration.version);
        let found = self.version().await.map_err(|source| MigrateError::Engine { name: "ledger", source })?;
        if found > known {
            return Err(MigrateError::Newer { found, known });
        }
        Ok(ran)
    }

    async fn prepare_ledger(&self) -> sqlx::Result<()> {
        let mut tx = self.begin().await?;
        match tx.raw() {
            Raw::Sqlite(c) => sqlx::raw_sql(LEDGER).execute(c).await.map(drop)?,
            Raw::Postgres(c) => {
                sqlx::raw_sql(ADVISORY_LOCK).execute(&mut *c).await?;
                sqlx::raw_sql(
                    "DO $$ BEGIN CREATE DOMAIN blob AS bytea; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
                )
                .execute(&mut *c)
                .await?;
                sqlx::raw_sql(LEDGER).execute(c).await.map(drop)?;
            }
        }
        tx.commit().await
    }

    async fn apply(&self, migration: &Migration, now: Timestamp) -> Result<bool, MigrateError> {
        let failed = |source| MigrateError::Engine { name: migration.name, source };
        let mut tx = self.begin().await.map_err(failed)?;
        if let Raw::Postgres(c) = tx.raw() {
            sqlx::raw_sql(ADVISORY_LOCK).execute(c).await.map_err(failed)?;
        }
        let own = match &tx {
            Tx::Sqlite(_) => migration.sqlite,
            Tx::Postgres(_) => migration.postgres,
        };
        let digest = habilis_keys::token::digest_hex(&format!("{}\n{own}", migration.shared));
        let recorded: Option<(String,)> = match tx.raw() {
            Raw::Sqlite(c) => sqlx::query_as("SELECT digest FROM schema_migrations WHERE version = $1")
                .bind(migration.version)
                .fetch_optional(c)
                .await
                .map_err(failed)?,
            Raw::Postgres(c) => sqlx::query_as("SELECT digest FROM schema_migrations WHERE version = $1")
                .bind(migration.version)
                .fetch_optional(c)
                .await
                .map_err(failed)?,
        };
        if let Some((recorded,)) = recorded {
            return if recorded == digest { Ok(false) } else { Err(MigrateError::Edited(migration.name)) };
        }
        match tx.raw() {
            Raw::Sqlite(c) => {
                sqlx::raw_sql(migration.shared).execute(&mut *c).await.map_err(failed)?;
                sqlx::raw_sql(own).execute(&mut *c).await.map_err(failed)?;
                sqlx::query(RECORD)
                    .bind(migration.version)
                    .bind(migration.name)
                    .bind(digest)
                    .bind(At::from(now))
                    .execute(c)
                    .await
                    .map_err(failed)?;
            }
            Raw::Postgres(c) => {
                sqlx::raw_sql(migration.shared).execute(&mut *c).await.map_err(failed)?;
                sqlx::raw_sql(own).execute(&mut *c).await.map_err(failed)?;
                sqlx::query(RECORD)
                    .bind(migration.version)
                    .bind(migration.name)
                    .bind(digest)
                    .bind(At::from(now))
                    .execute(c)
                    .await
                    .map_err(failed)?;
            }
        }
        tx.commit().await.map_err(failed)?;
        Ok(true)
    }

    async fn version(&self) -> sqlx::Result<i64> {
        const NEWEST: &str = "SELECT MAX(version) FROM schema_migrations";
        let newest: (Option<i64>,) = match self.reader().await?.raw() {
            Raw::Sqlite(c) => sqlx::query_as(NEWEST).fetch_one(c).await?,
            Raw::Postgres(c) => sqlx::query_as(NEWEST).fetch_one(c).await?,
        };
        Ok(newest.0.unwrap_or(0))
    }
}
