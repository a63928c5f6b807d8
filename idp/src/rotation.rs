//! Rotation of the signing keys on an operator's wish, from the management API and from the command line: what is done, its line in the
//! trail, and who is told of a withdrawal. The caller makes the keys before ([`KeyRing::make_for`]) and commits. A server then reloads its
//! ring and goes by it at once, others read theirs again every half minute.
//!
//! There are never more than three keys of an algorithm for long, however often somebody asks: the one that signs, the one that is
//! announced, and one that retires; while one is announced, a planned rotation does nothing (`habilis_keys::keyring`).

use habilis_keys::jws::Algorithm;
use habilis_keys::keyring::Rotation;
use jiff::Timestamp;

use crate::account::signatories;
use crate::db::Tx;
use crate::db::audit::{self, Event};
use crate::keyring::{KeyRing, Made};
use crate::mail::Post;
use crate::mail::duties::tell_staff;
use crate::mail::signing_keys::KeyWithdrawn;
use crate::outcome::Outcome;

/// A key that is withdrawn at once.
#[derive(Debug, Clone, Copy)]
pub struct Withdrawal<'a> {
    /// Which.
    pub kid: &'a str,
    /// Why, for the trail and the letter.
    pub reason: &'a str,
    /// The person who does it, or `cli`.
    pub by: &'a str,
}

/// The wish for new keys of these algorithms.
pub fn planned(algorithms: &[Algorithm]) -> Vec<Rotation<'static>> {
    algorithms.iter().map(|algorithm| Rotation::Planned { algorithm: *algorithm }).collect()
}

/// Announces new keys; false when each algorithm has one announced already: then nothing is written.
///
/// # Errors
/// The database failed, or the ring changed since the keys were made.
pub async fn announce(
    tx: &mut Tx,
    ring: &KeyRing,
    (algorithms, made, event): (&[Algorithm], Made, Event),
    now: Timestamp,
) -> Outcome<bool> {
    if !ring.rotate(tx, (&planned(algorithms), made), now).await? {
        return Ok(false);
    }
    let names: Vec<_> = algorithms.iter().map(|algorithm| algorithm.as_str()).collect();
    audit::record(tx, event.with("algorithms", names), now).await?;
    Ok(true)
}

/// Withdraws a compromised key, also one whose time is over: what it signed is believed no more. Every operator and data protection officer
/// is told. False when there is no such key.
///
/// # Errors
/// The database or a template failed, or the ring changed since the keys were made.
pub async fn withdraw(
    tx: &mut Tx,
    (ring, post): (&KeyRing, Post<'_>),
    (withdrawal, made, event): (Withdrawal<'_>, Made, Event),
    now: Timestamp,
) -> Outcome<bool> {
    let Withdrawal { kid, reason, by } = withdrawal;
    let algorithm = ring.algorithm_of(kid).map(Algorithm::as_str).unwrap_or_default();
    let signed = ring.signs(kid, now);
    if !ring.withdraw(tx, (kid, made), now).await? {
        return Ok(false);
    }
    let event = event.about(kid).with("algorithm", algorithm).with("reason", reason);
    audit::record(tx, event, now).await?;
    let letter = KeyWithdrawn {
        kid: kid.to_owned(),
        algorithm: algorithm.to_owned(),
        reason: reason.to_owned(),
        by: signatories::actor(tx, by).await?,
        at: now,
        signed,
    };
    tell_staff(tx, post, (&letter, None), now).await?;
    Ok(true)
}
