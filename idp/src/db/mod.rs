//! Storage: one SQL text for `SQLite` and `PostgreSQL`, bound natively on both drivers.
//!
//! A query lives in the file of its table as a constant made by [`statements!`] and is run by [`sql!`]. The macro compares the
//! number of values with the number of `$n` at compile time (`SQLite` would bind a missing one as NULL without a word), and a
//! test prepares every statement on both engines.
//!
//! Functions that write take a [`Tx`]; functions that only read take any [`Conn`]: a reader or a transaction.
//! `SQLite` has **one writer connection** (`BEGIN IMMEDIATE`) and a pool of read-only ones.

pub mod cursor;
mod engine;
#[cfg(test)]
mod event_tests;
#[cfg(test)]
mod lifecycle_tests;
#[cfg(test)]
mod list_tests;
mod migrate;
#[cfg(test)]
pub(crate) mod tests;
mod walk;
mod writer;

pub use engine::{Db, OpenError, Reader, Tx};
pub use migrate::MigrateError;

use std::time::Duration;

use jiff::Timestamp;
use sqlx::{PgConnection, SqliteConnection};

/// What a query needs: a connection of one of the two engines.
pub trait Conn: Send {
    /// The native connection.
    fn raw(&mut self) -> Raw<'_>;
}

/// A borrowed native connection.
#[derive(Debug)]
pub enum Raw<'c> {
    /// `SQLite`.
    Sqlite(&'c mut SqliteConnection),
    /// `PostgreSQL`.
    Postgres(&'c mut PgConnection),
}

/// After so long a transaction that takes many rows takes no further one: with one writer for everybody, others wait for it.
pub const TURN: Duration = Duration::from_millis(50);

/// One query, in one text or, where the engines truly differ, two.
#[derive(Debug, Clone, Copy)]
pub struct Statement {
    /// Name of the constant, for test messages.
    pub name: &'static str,
    /// Text for `SQLite`.
    pub sqlite: &'static str,
    /// Text for `PostgreSQL`.
    pub postgres: &'static str,
}

impl Statement {
    /// How many values the statement takes: the highest `$n` in it. Both texts agree, or the build fails.
    ///
    /// # Panics
    /// At compile time, when the two texts differ in it.
    pub const fn parameters(&self) -> usize {
        let sqlite = highest_placeholder(self.sqlite);
        assert!(
            sqlite == highest_placeholder(self.postgres),
            "the two texts of a statement take the same number of values"
        );
        sqlite
    }
}

const fn highest_placeholder(text: &str) -> usize {
    let text = text.as_bytes();
    let (mut highest, mut i) = (0, 0);
    while i < text.len() {
        if text[i] == b'$' {
            let mut number = 0;
            while i + 1 < text.len() && text[i + 1].is_ascii_digit() {
                number = number * 10 + (text[i + 1] - b'0') as usize;
                i += 1;
            }
            if number > highest {
                highest = number;
            }
        }
        i += 1;
    }
    highest
}

/// Declares the statements of a table and `ALL`, the list the honesty tests walk. A text in parentheses is put together by
/// `concat!`, where several statements share parts.
macro_rules! statements {
    (@one $name:ident { sqlite $sqlite:expr, postgres $postgres:expr }) => {
        $crate::db::Statement { name: concat!(module_path!(), "::", stringify!($name)), sqlite: $sqlite, postgres: $postgres }
    };
    // A macro that is given the engine's name first, and the rest.
    (@one $name:ident [$text:ident $($of:tt)*]) => {
        $crate::db::statements!(@one $name { sqlite ($text!(sqlite $($of)*)), postgres ($text!(postgres $($of)*)) })
    };
    (@one $name:ident ($sql:expr)) => {
        $crate::db::Statement { name: concat!(module_path!(), "::", stringify!($name)), sqlite: $sql, postgres: $sql }
    };
    (@one $name:ident $sql:literal) => {
        $crate::db::Statement { name: concat!(module_path!(), "::", stringify!($name)), sqlite: $sql, postgres: $sql }
    };
    ($($name:ident = $text:tt;)*) => {
        $(const $name: $crate::db::Statement = $crate::db::statements!(@one $name $text);)*
        #[cfg(test)]
        pub(in crate::db) const ALL: &[$crate::db::Statement] = &[$($name),*];
    };
}
pub(crate) use statements;

/// Whether somebody who acted is of the operator's staff, or its automation.
macro_rules! is_operator {
    ($actor:literal) => {
        concat!(
            "(EXISTS (SELECT 1 FROM people p WHERE p.id = ",
            $actor,
            " AND (p.operator OR p.privacy))
              OR EXISTS (SELECT 1 FROM clients c WHERE c.id = ",
            $actor,
            " AND c.manages = 'operator'))"
        )
    };
}

/// Runs a statement: `sql!(conn, execute INSERT, a, b)`, `sql!(conn, optional Row: FIND, id)`; also `one`, `all`, and `page` for rows
/// that are [`walk::gathered`].
macro_rules! sql {
    (@count) => { 0usize };
    (@count $head:expr $(, $tail:expr)*) => { 1usize + $crate::db::sql!(@count $($tail),*) };
    ($c:expr, execute $statement:ident $(, $value:expr)* $(,)?) => {{
        const { assert!($statement.parameters() == $crate::db::sql!(@count $($value),*), "one value for each placeholder") };
        match $crate::db::Conn::raw($c) {
            $crate::db::Raw::Sqlite(c) => sqlx::query($statement.sqlite)$(.bind($value))*.execute(c).await.map(|done| done.rows_affected()),
            $crate::db::Raw::Postgres(c) => sqlx::query($statement.postgres)$(.bind($value))*.execute(c).await.map(|done| done.rows_affected()),
        }
    }};
    (@fetch $fetch:ident, $c:expr, $row:ty, $statement:ident $(, $value:expr)*) => {{
        const { assert!($statement.parameters() == $crate::db::sql!(@count $($value),*), "one value for each placeholder") };
        match $crate::db::Conn::raw($c) {
            $crate::db::Raw::Sqlite(c) => sqlx::query_as::<_, $row>($statement.sqlite)$(.bind($value))*.$fetch(c).await,
            $crate::db::Raw::Postgres(c) => sqlx::query_as::<_, $row>($statement.postgres)$(.bind($value))*.$fetch(c).await,
        }
    }};
    ($c:expr, page $row:ty: $statement:ident $(, $value:expr)* $(,)?) => {{
        const { assert!($statement.parameters() == $crate::db::sql!(@count $($value),*), "one value for each placeholder") };
        match $crate::db::Conn::raw($c) {
            $crate::db::Raw::Sqlite(c) => sqlx::query_scalar::<_, String>($statement.sqlite)$(.bind($value))*.fetch_one(c).await
                .and_then(|rows| serde_json::from_str::<Vec<$row>>(&rows).map_err(|error| sqlx::Error::Decode(error.into()))),
            $crate::db::Raw::Postgres(c) => sqlx::query_as::<_, $row>($statement.postgres)$(.bind($value))*.fetch_all(c).await,
        }
    }};
    ($c:expr, one $row:ty: $statement:ident $(, $value:expr)* $(,)?) => { $crate::db::sql!(@fetch fetch_one, $c, $row, $statement $(, $value)*) };
    ($c:expr, optional $row:ty: $statement:ident $(, $value:expr)* $(,)?) => { $crate::db::sql!(@fetch fetch_optional, $c, $row, $statement $(, $value)*) };
    ($c:expr, all $row:ty: $statement:ident $(, $value:expr)* $(,)?) => { $crate::db::sql!(@fetch fetch_all, $c, $row, $statement $(, $value)*) };
}
pub(crate) use sql;

/// One file a table (or a few that live and die together); the list feeds the honesty tests.
/// Whether a row of a person (a session, a grant) began before an end of access of one of the person's organizations that ends it
/// too: every one for a kill switch; after a suspension or a termination only when no other organization of theirs gives access.
/// Names the alias of the row and the placeholder of the civil day in Paris; the person is `p`. The operator's staff is in nobody's hands.
macro_rules! access_ended {
    ($row:literal, $today:literal) => {
        concat!(
            "(NOT p.operator AND NOT p.privacy AND EXISTS
              (SELECT 1 FROM memberships mm JOIN organizations oo ON oo.id = mm.organization_id
               WHERE mm.person_id = p.id AND oo.access_ended_at >= ",
            $row,
            ".created_at AND mm.created_at <= oo.access_ended_at
                 AND (oo.renewal_at >= ",
            $row,
            ".created_at
                      OR NOT EXISTS
                         (SELECT 1 FROM memberships me JOIN organizations oe ON oe.id = me.organization_id
                          WHERE me.person_id = p.id AND me.status = 'active' AND oe.status = 'active'
                            AND (me.ends_on IS NULL OR me.ends_on >= ",
            $today,
            ")
                            AND oe.access_ended_at < ",
            $row,
            ".created_at AND me.created_at <= oo.access_ended_at))))"
        )
    };
}

macro_rules! tables {
    ($($table:ident),* $(,)?) => {
        $(pub mod $table;)*
        #[cfg(test)]
        fn all_statements() -> impl Iterator<Item = Statement> {
            [$($table::ALL),*].into_iter().flatten().copied()
        }
    };
}

tables! {
    account_links,
    api_key_uses,
    api_keys,
    audit,
    bounced_addresses,
    browsers,
    clients,
    compromise_links,
    consents,
    contacts,
    contract_moments,
    data_returns,
    declarations,
    device_requests,
    document_requests,
    duty_changes,
    enrolment_links,
    enrolments,
    events,
    factor_removals,
    failures,
    grants,
    groups,
    idempotency_keys,
    identities,
    import_entries,
    imported_passwords,
    incidents,
    initial_access_tokens,
    imports,
    interactions,
    jobs,
    leases,
    lifecycle_kinds,
    link_requests,
    logout_outbox,
    measures,
    members,
    members_list,
    membership_offers,
    notices,
    organization_choices,
    organizations,
    organizations_list,
    orders,
    outbox,
    overrides,
    passkeys,
    password_exports,
    password_links,
    passwords,
    people,
    portal_grants,
    people_list,
    products,
    purges,
    pushed_requests,
    recovery_codes,
    refresh_tokens,
    resources,
    reviews,
    revoked_tokens,
    search,
    seat_requests,
    seat_usage,
    seats,
    second_factors,
    sessions,
    sharing_suspicions,
    sign_in_steps,
    sign_up_requests,
    signing_keys,
    subscription_ends,
    successions,
    totp_devices,
    trials,
    used_tokens,
    webhook_deliveries,
    webhooks,
}

/// An instant as the database keeps it: milliseconds since 1970-01-01T00:00:00Z in a BIGINT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type, serde::Deserialize)]
#[sqlx(transparent)]
pub struct At(i64);

impl At {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn milliseconds(self) -> i64 {
        self.0
    }
}

impl From<Timestamp> for At {
    fn from(timestamp: Timestamp) -> Self {
        Self(timestamp.as_millisecond())
    }
}

impl From<At> for Timestamp {
    /// A value out of the years −9999 to 9999 (never written by us) reads as the nearest end.
    fn from(At(milliseconds): At) -> Self {
        Self::from_millisecond(milliseconds).unwrap_or(if milliseconds < 0 { Self::MIN } else { Self::MAX })
    }
}

/// Whether an error of a statement is a violated uniqueness constraint: somebody was first.
pub fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}
