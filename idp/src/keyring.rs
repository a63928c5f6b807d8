//! The signing keys at work: sealed in the database, unsealed in memory, rotated by the policy of `habilis_keys::keyring`.
//!
//! Each node reads the ring again every half minute, long before a new key begins to sign. The public half of a key whose time is over is
//! kept for a year, because an `id_token_hint` may be old (OIDC RP-Initiated Logout §2), and serves for nothing else: whoever finds the
//! private half in an old backup makes no access token by it. A compromised key is forgotten at once, also in that year.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use habilis_keys::jwk::Jwk;
use habilis_keys::jws::{Algorithm, Unverified};
use habilis_keys::keyring::{self, KeyDates, Policy, Rotation, Step};
use habilis_keys::seal::MasterKey;
use habilis_keys::secret::Secret;
use habilis_keys::signing::SigningKey;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use crate::config;
use crate::db::audit::{self, Event};
use crate::db::signing_keys::{self, NewSigningKey, SigningKeyRow};
use crate::db::{Conn, Db, Tx};
use crate::outcome::{Fault, Outcome};

/// The algorithms this server keeps a key for.
pub const ALGORITHMS: [Algorithm; 4] = [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Ps256, Algorithm::Rs256];

/// How long relying parties may keep the JWKS.
pub const JWKS_MAX_AGE: SignedDuration = SignedDuration::from_mins(5);

/// How long a retired key stays published: longer than any token it signed lives (`tokens.*_seconds` is at most an hour).
const KEEP_AFTER: SignedDuration = SignedDuration::from_hours(2);
const PURPOSE: &str = "signing-key";

/// The signing keys of this server.
pub struct KeyRing {
    master: MasterKey,
    policy: Policy,
    ring: RwLock<Arc<Ring>>,
    /// Who reads the ring again: one at a time, so that what was read later is never overwritten by what was read before it.
    reading: Mutex<()>,
}

#[derive(Default)]
struct Ring {
    /// Of those with a private half.
    dates: Vec<KeyDates>,
    signers: HashMap<String, SigningKey>,
    /// Of every key, those whose time is over included.
    public: HashMap<String, (Algorithm, Jwk)>,
}

impl Ring {
    fn verify(&self, token: &Unverified) -> Option<Map<String, Value>> {
        let (algorithm, key) = self.public.get(token.header().kid.as_deref()?)?;
        token.verify(key, *algorithm).ok()
    }
}

/// A key as it is listed.
#[derive(Debug)]
pub struct KeyLine {
    /// Its dates.
    pub dates: KeyDates,
    /// `next`, `signing`, `retiring` or `retired`.
    pub state: &'static str,
    /// Its public half.
    pub public: Jwk,
}

/// Keys that were made before the transaction that stores them.
#[derive(Debug)]
pub struct Made(Vec<(Algorithm, Secret<Vec<u8>>)>);

/// What was done to the ring, by `kid`.
#[derive(Debug, Default)]
struct Done {
    made: Vec<String>,
    retired: Vec<String>,
    removed: Vec<String>,
}

impl Done {
    fn is_nothing(&self) -> bool {
        self.made.is_empty() && self.retired.is_empty() && self.removed.is_empty()
    }
}

async fn make(steps: &[Step]) -> Outcome<Made> {
    let mut made = Vec::new();
    for step in steps {
        if let Step::Generate { algorithm, .. } = step {
            let algorithm = *algorithm;
            made.push((algorithm, tokio::task::spawn_blocking(move || SigningKey::generate(algorithm)).await??));
        }
    }
    Ok(Made(made))
}

impl KeyRing {
    /// Reads the ring and brings it up to date.
    ///
    /// # Errors
    /// The database failed, a key was sealed under another master key, or the rotation settings contradict each other.
    pub async fn open(db: &Db, master: MasterKey, settings: &config::Keys, now: Timestamp) -> Outcome<Self> {
        let policy = Policy::new(
            SignedDuration::from_hours(i64::from(settings.publish_ahead_hours)),
            SignedDuration::from_hours(24 * i64::from(settings.sign_for_days)),
            KEEP_AFTER,
            JWKS_MAX_AGE,
        )?;
        let ring = Self { master, policy, ring: RwLock::default(), reading: Mutex::default() };
        ring.reload(db).await?;
        ring.rotate_if_due(db, now).await?;
        Ok(ring)
    }

    fn current(&self) -> Arc<Ring> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Seals a secret under the master key for one `purpose`, bound to `id`.
    pub fn seal(&self, purpose: &str, id: &str, secret: &[u8]) -> Vec<u8> {
        self.master.seal(purpose, id.as_bytes(), secret)
    }

    /// Opens what [`seal`](Self::seal) made.
    ///
    /// # Errors
    /// It was sealed under another master key, for another purpose or id.
    pub fn open_sealed(&self, purpose: &str, id: &str, sealed: &[u8]) -> Outcome<Secret<Vec<u8>>> {
        self.master.open(purpose, id.as_bytes(), sealed).map_err(|error| {
            Fault::new(format!("{purpose} {id} cannot be unsealed: {error}; is this the right master key?"))
        })
    }

    /// Reads the ring again: afterwards this node goes by all that was committed before.
    ///
    /// # Errors
    /// The database failed, or a key was sealed under another master key.
    pub async fn reload(&self, db: &Db) -> Outcome<()> {
        let _alone = self.reading.lock().await;
        let rows = signing_keys::list(&mut db.reader().await?).await?;
        let known = self.current();
        let mut ring = Ring::default();
        for row in rows {
            let algorithm = algorithm(&row)?;
            ring.public.insert(row.kid.clone(), (algorithm, serde_json::from_str(&row.public_jwk)?));
            let Some(sealed) = &row.private_key else { continue };
            let key = match known.signers.get(&row.kid) {
                Some(key) => key.clone(),
                None => self.unseal(&row.kid, algorithm, sealed)?,
            };
            ring.dates.push(dates(&row, algorithm));
            ring.signers.insert(row.kid, key);
        }
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
        Ok(())
    }

    fn unseal(&self, kid: &str, algorithm: Algorithm, sealed: &[u8]) -> Outcome<SigningKey> {
        let pkcs8 = self.master.open(PURPOSE, kid.as_bytes(), sealed).map_err(|error| {
            Fault::new(format!("signing key {kid} cannot be unsealed: {error}; is this the right master key?"))
        })?;
        Ok(SigningKey::from_pkcs8(kid, algorithm, &pkcs8)?)
    }

    /// Makes, retires and removes keys as the policy asks at `now`, with its line in the trail; true when something changed.
    ///
    /// # Errors
    /// The database failed, or no key could be made.
    pub async fn rotate_if_due(&self, db: &Db, now: Timestamp) -> Outcome<bool> {
        let plan = |dates: &[KeyDates]| keyring::plan(dates, &ALGORITHMS, self.policy, now);
        let steps = plan(&self.current().dates);
        if steps.is_empty() {
            return Ok(false);
        }
        let made = make(&steps).await?;
        let mut tx = db.begin().await?;
        let done = self.carry_out(&mut tx, made, plan, now).await?;
        let changed = !done.is_nothing();
        if changed {
            let event = Event::new("signing_keys.rotated").by("schedule").with("made", done.made);
            audit::record(&mut tx, event.with("retired", done.retired).with("removed", done.removed), now).await?;
        }
        tx.commit().await?;
        self.reload(db).await?;
        Ok(changed)
    }

    /// Makes the keys that rotations on an operator's wish need as things stand here, for [`Self::rotate`]: those of RSA take a while.
    ///
    /// # Errors
    /// No key could be made.
    pub async fn make_for(&self, wishes: &[Rotation<'_>], now: Timestamp) -> Outcome<Made> {
        make(&self.steps(&self.current().dates, wishes, now)).await
    }

    /// Rotates on an operator's wish; true when something changes. After the commit, [`Self::reload`].
    ///
    /// # Errors
    /// The database failed, or the ring is another one by now than the one that the keys were made for: then the same again may succeed.
    pub async fn rotate(&self, tx: &mut Tx, (wishes, made): (&[Rotation<'_>], Made), now: Timestamp) -> Outcome<bool> {
        let done = self.carry_out(tx, made, |dates| self.steps(dates, wishes, now), now).await?;
        Ok(!done.is_nothing())
    }

    /// Forgets a compromised key, its private half still there or not; false when there is none. After the commit, [`Self::reload`].
    ///
    /// # Errors
    /// As [`Self::rotate`].
    pub async fn withdraw(&self, tx: &mut Tx, (kid, made): (&str, Made), now: Timestamp) -> Outcome<bool> {
        // One whose time is over is in no plan any more.
        Ok(self.rotate(tx, (&[Rotation::Emergency { kid }], made), now).await? || signing_keys::delete(tx, kid).await?)
    }

    fn steps(&self, dates: &[KeyDates], wishes: &[Rotation<'_>], now: Timestamp) -> Vec<Step> {
        wishes.iter().flat_map(|wish| keyring::rotate_now(dates, *wish, self.policy, now)).collect()
    }

    async fn carry_out(
        &self,
        tx: &mut Tx,
        Made(mut made): Made,
        plan: impl Fn(&[KeyDates]) -> Vec<Step> + Send,
        now: Timestamp,
    ) -> Outcome<Done> {
        signing_keys::lock(tx).await?;
        let mut done = Done::default();
        for step in plan(&live(&signing_keys::list(tx).await?)?) {
            match step {
                Step::Retire { kid, sign_until, remove_at } => {
                    signing_keys::retire(tx, &kid, sign_until, remove_at).await?;
                    done.retired.push(kid);
                }
                Step::Remove { kid } => {
                    signing_keys::withdraw(tx, &kid, now).await?;
                    done.removed.push(kid);
                }
                Step::Forget { kid } => {
                    signing_keys::delete(tx, &kid).await?;
                    done.removed.push(kid);
                }
                Step::Generate { algorithm, sign_from } => {
                    // The key ring changed since the keys were made.
                    let Some(at) = made.iter().position(|(made, _)| *made == algorithm) else {
                        return Err(Fault::overloaded(1));
                    };
                    let (_, pkcs8) = made.swap_remove(at);
                    done.made.push(self.store(tx, (algorithm, sign_from), &pkcs8, now).await?);
                }
            }
        }
        Ok(done)
    }

    async fn store(
        &self,
        tx: &mut Tx,
        (algorithm, sign_from): (Algorithm, Timestamp),
        pkcs8: &Secret<Vec<u8>>,
        now: Timestamp,
    ) -> Outcome<String> {
        let kid = habilis_keys::random::id("jwk", now);
        let key = SigningKey::from_pkcs8(&kid, algorithm, pkcs8)?;
        let new = NewSigningKey {
            kid: &kid,
            algorithm: algorithm.as_str(),
            public_jwk: &serde_json::to_string(key.public())?,
            private_key: &self.master.seal(PURPOSE, kid.as_bytes(), pkcs8.expose()),
            sign_from,
        };
        signing_keys::insert(tx, &new, now).await?;
        Ok(kid)
    }

    /// Signs claims with the key that signs at `now`.
    ///
    /// # Errors
    /// There is no key for the algorithm, or signing failed.
    pub fn sign(
        &self,
        algorithm: Algorithm,
        typ: Option<&str>,
        claims: &impl Serialize,
        now: Timestamp,
    ) -> Outcome<String> {
        let ring = self.current();
        let key = keyring::signer(&ring.dates, algorithm, now)
            .and_then(|dates| ring.signers.get(&dates.kid))
            .ok_or_else(|| Fault::new(format!("no {algorithm} key signs now")))?;
        Ok(key.sign(typ, claims)?)
    }

    /// Verifies a token this server signed with a key that is published at `now`, and gives its claims; none when it did not. A key stays
    /// published until no token of it is alive. Times of the token are the caller's to check.
    pub fn verify(&self, token: &Unverified, now: Timestamp) -> Option<Map<String, Value>> {
        let ring = self.current();
        let kid = token.header().kid.as_deref()?;
        let known = keyring::published(&ring.dates, now).any(|key| key.kid == kid);
        if known { ring.verify(token) } else { None }
    }

    /// The same of a token that opens nothing and may be a year old, such as an `id_token_hint`.
    pub fn verify_hint(&self, token: &Unverified) -> Option<Map<String, Value>> {
        self.current().verify(token)
    }

    /// The public keys to publish at `now`, each with the one algorithm it serves here.
    ///
    /// # Errors
    /// A key cannot be written as JSON.
    pub fn jwks(&self, now: Timestamp) -> Outcome<Value> {
        let ring = self.current();
        let mut keys = Vec::new();
        for dates in keyring::published(&ring.dates, now) {
            if let Some((algorithm, key)) = ring.public.get(&dates.kid) {
                let mut key = serde_json::to_value(key)?;
                key["alg"] = algorithm.as_str().into();
                keys.push(key);
            }
        }
        Ok(json!({ "keys": keys }))
    }

    /// What a key signs with, if it is known here.
    pub fn algorithm_of(&self, kid: &str) -> Option<Algorithm> {
        self.current().public.get(kid).map(|(algorithm, _)| *algorithm)
    }

    /// Whether it is this key that signs at `now`.
    pub fn signs(&self, kid: &str, now: Timestamp) -> bool {
        let ring = self.current();
        let signs = |key: &KeyDates| keyring::signer(&ring.dates, key.algorithm, now) == Some(key);
        ring.dates.iter().any(|key| key.kid == kid && signs(key))
    }

    /// Whether a key of each algorithm signs at `now`.
    pub fn is_complete(&self, now: Timestamp) -> bool {
        let ring = self.current();
        ALGORITHMS.iter().all(|algorithm| keyring::signer(&ring.dates, *algorithm, now).is_some())
    }

    /// The master key, under which the other secrets in the database are sealed as well.
    pub fn master(&self) -> &MasterKey {
        &self.master
    }
}

/// Every key as it is stored, oldest first.
///
/// # Errors
/// The database failed, or holds a key that cannot be read.
pub async fn lines(c: &mut impl Conn, now: Timestamp) -> Outcome<Vec<KeyLine>> {
    let rows = signing_keys::list(c).await?;
    let ring = live(&rows)?;
    let state = |key: &KeyDates| match keyring::signer(&ring, key.algorithm, now) {
        Some(signer) if signer == key => "signing",
        _ if !keyring::published(&ring, now).any(|published| published == key) => "retired",
        _ if key.sign_from > now => "next",
        _ => "retiring",
    };
    let line = |row: &SigningKeyRow| -> Outcome<KeyLine> {
        let dates = dates(row, algorithm(row)?);
        Ok(KeyLine { state: state(&dates), dates, public: serde_json::from_str(&row.public_jwk)? })
    };
    rows.iter().map(line).collect()
}

/// The dates of the keys with a private half.
fn live(rows: &[SigningKeyRow]) -> Outcome<Vec<KeyDates>> {
    rows.iter().filter(|row| row.private_key.is_some()).map(|row| Ok(dates(row, algorithm(row)?))).collect()
}

fn algorithm(row: &SigningKeyRow) -> Outcome<Algorithm> {
    row.algorithm.parse().map_err(|_| Fault::new(format!("signing key {} has an unknown algorithm", row.kid)))
}

fn dates(row: &SigningKeyRow, algorithm: Algorithm) -> KeyDates {
    KeyDates {
        kid: row.kid.clone(),
        algorithm,
        created_at: row.created_at.into(),
        sign_from: row.sign_from.into(),
        sign_until: row.sign_until.map(Timestamp::from),
        remove_at: row.remove_at.map(Timestamp::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::db::tests::{postgres, sqlite};

    /// So long after a beginning.
    fn at(hours: i64, minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(500_000 + hours) + SignedDuration::from_mins(minutes)
    }

    async fn announced(db: &Db, ring: &KeyRing, now: Timestamp) {
        let wishes = [Rotation::Planned { algorithm: Algorithm::Es256 }];
        let made = ring.make_for(&wishes, now).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        assert!(ring.rotate(&mut tx, (&wishes, made), now).await.unwrap());
        tx.commit().await.unwrap();
        ring.reload(db).await.unwrap();
    }

    async fn withdrawn(db: &Db, ring: &KeyRing, (kid, now): (&str, Timestamp)) -> bool {
        let made = ring.make_for(&[Rotation::Emergency { kid }], now).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        let found = ring.withdraw(&mut tx, (kid, made), now).await.unwrap();
        tx.commit().await.unwrap();
        ring.reload(db).await.unwrap();
        found
    }

    fn signed(ring: &KeyRing, now: Timestamp) -> (String, Unverified) {
        let token = ring.sign(Algorithm::Es256, Some("at+jwt"), &json!({ "sub": "usr_1" }), now).unwrap();
        let token = Unverified::parse(&token).unwrap();
        (token.header().kid.clone().unwrap(), token)
    }

    async fn state(db: &Db, kid: &str, now: Timestamp) -> Option<&'static str> {
        let lines = lines(&mut db.reader().await.unwrap(), now).await.unwrap();
        lines.into_iter().find(|line| line.dates.kid == kid).map(|line| line.state)
    }

    /// What was rotated by itself, the first first: the keys made, and those removed.
    async fn rotated(db: &Db) -> Vec<(usize, Vec<String>)> {
        let mut trail = audit::everywhere(&mut db.reader().await.unwrap(), (i64::MAX, ""), 100).await.unwrap();
        trail.reverse();
        let schedule = trail.iter().filter(|line| line.event == "signing_keys.rotated");
        schedule
            .map(|line| {
                assert_eq!(line.actor.as_deref(), Some("schedule"));
                let detail: Value = serde_json::from_str(&line.detail).unwrap();
                let kids = |name: &str| serde_json::from_value::<Vec<String>>(detail[name].clone()).unwrap();
                (kids("made").len(), kids("removed"))
            })
            .collect()
    }

    #[tokio::test]
    async fn a_key_whose_time_is_over_verifies_hints_alone_and_can_still_be_withdrawn() {
        let (sqlite, _folder) = sqlite().await;
        let settings = Config::load(None, std::iter::empty()).unwrap().keys;
        for db in [sqlite, postgres("keyring").await] {
            let ring = KeyRing::open(&db, MasterKey::generate(), &settings, at(0, 0)).await.unwrap();
            assert_eq!(rotated(&db).await, [(4, Vec::new())], "the first keys");
            announced(&db, &ring, at(0, 0)).await;
            let (old, token) = signed(&ring, at(23, 59));
            let (next, fresh) = signed(&ring, at(24, 0));
            assert!(old != next && ring.signs(&old, at(23, 59)) && ring.signs(&next, at(24, 0)));
            // An access token lives an hour at the most: until then its key is good, and an hour longer.
            for minutes in [0, 1, 60, 119] {
                assert!(ring.verify(&token, at(24, minutes)).is_some(), "{minutes}");
            }
            assert_eq!(state(&db, &old, at(25, 59)).await, Some("retiring"));
            // Then it is not, whether the key job has looked already or not.
            for removed in [false, true] {
                assert_eq!(state(&db, &old, at(26, 0)).await, Some("retired"), "{removed}");
                assert!(ring.verify(&token, at(26, 0)).is_none(), "{removed}");
                assert!(ring.verify_hint(&token).is_some(), "{removed}");
                assert_eq!(ring.rotate_if_due(&db, at(26, 0)).await.unwrap(), !removed);
            }
            // A clock that goes back brings it back no more.
            assert!(ring.verify(&token, at(24, 0)).is_none() && ring.verify(&fresh, at(26, 0)).is_some());
            assert_eq!(rotated(&db).await, [(4, Vec::new()), (0, vec![old.clone()])]);

            assert!(withdrawn(&db, &ring, (&old, at(27, 0))).await);
            assert!(ring.verify_hint(&token).is_none() && state(&db, &old, at(27, 0)).await.is_none());
            assert!(!withdrawn(&db, &ring, (&old, at(27, 0))).await, "it is gone");
            assert!(ring.verify(&fresh, at(27, 0)).is_some() && ring.is_complete(at(27, 0)), "the others stay");

            // One whose time is over and that the key job has not looked at yet goes altogether as well.
            announced(&db, &ring, at(30, 0)).await;
            assert!(withdrawn(&db, &ring, (&next, at(56, 0))).await);
            assert!(ring.verify_hint(&fresh).is_none() && state(&db, &next, at(56, 0)).await.is_none());
            assert!(ring.is_complete(at(56, 0)));
        }
    }
}
