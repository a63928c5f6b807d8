//! The signing keys at work: sealed in the database, unsealed in memory, rotated by the policy of `habilis_keys::keyring`.
//!
//! Each node reads the ring again every half minute, long before a new key begins to sign. A withdrawn key's public half is
//! kept for a year, because an `id_token_hint` may be old (OIDC RP-Initiated Logout §2); a compromised key is forgotten at once.

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

use crate::config;
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
}

#[derive(Default)]
struct Ring {
    dates: Vec<KeyDates>,
    signers: HashMap<String, SigningKey>,
    public: HashMap<String, (Algorithm, Jwk)>,
}

/// A key as it is listed.
#[derive(Debug)]
pub struct KeyLine {
    /// Its dates.
    pub dates: KeyDates,
    /// `next`, `signing` or `retiring`.
    pub state: &'static str,
    /// Its public half.
    pub public: Jwk,
}

/// Keys that were made before the transaction that stores them.
#[derive(Debug)]
pub struct Made(Vec<(Algorithm, Secret<Vec<u8>>)>);

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
        let ring = Self { master, policy, ring: RwLock::default() };
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

    /// Reads the ring again.
    ///
    /// # Errors
    /// The database failed, or a key was sealed under another master key.
    pub async fn reload(&self, db: &Db) -> Outcome<()> {
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

    /// Makes, retires and withdraws keys as the policy asks at `now`; true when something changed.
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
        let steps = self.carry_out(&mut tx, made, plan, now).await?;
        tx.commit().await?;
        self.reload(db).await?;
        Ok(!steps.is_empty())
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
        let steps = self.carry_out(tx, made, |dates| self.steps(dates, wishes, now), now).await?;
        Ok(!steps.is_empty())
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
    ) -> Outcome<Vec<Step>> {
        signing_keys::lock(tx).await?;
        let rows = signing_keys::list(tx).await?;
        let live = rows.iter().filter(|row| row.private_key.is_some());
        let dates = live.map(|row| Ok(dates(row, algorithm(row)?))).collect::<Outcome<Vec<_>>>()?;
        let steps = plan(&dates);
        for step in &steps {
            match step {
                Step::Retire { kid, sign_until, remove_at } => {
                    signing_keys::retire(tx, kid, *sign_until, *remove_at).await?;
                }
                Step::Remove { kid } => {
                    let compromised =
                        dates.iter().any(|key| key.kid == *kid && key.remove_at.is_none_or(|at| at > now));
                    if compromised {
                        signing_keys::delete(tx, kid).await?;
                    } else {
                        signing_keys::withdraw(tx, kid, now).await?;
                    }
                }
                Step::Generate { algorithm, sign_from } => {
                    // The key ring changed since the keys were made.
                    let Some(at) = made.iter().position(|(made, _)| made == algorithm) else {
                        return Err(Fault::overloaded(1));
                    };
                    let (_, pkcs8) = made.swap_remove(at);
                    self.store(tx, (*algorithm, *sign_from), &pkcs8, now).await?;
                }
            }
        }
        Ok(steps)
    }

    async fn store(
        &self,
        tx: &mut Tx,
        (algorithm, sign_from): (Algorithm, Timestamp),
        pkcs8: &Secret<Vec<u8>>,
        now: Timestamp,
    ) -> Outcome<()> {
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
        Ok(())
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

    /// Verifies a token this server signed and gives its claims; none when it did not. Times are the caller's to check.
    pub fn verify(&self, token: &Unverified) -> Option<Map<String, Value>> {
        let ring = self.current();
        let (algorithm, key) = ring.public.get(token.header().kid.as_deref()?)?;
        token.verify(key, *algorithm).ok()
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

/// Every key with a private half as it is stored, oldest first.
///
/// # Errors
/// The database failed, or holds a key that cannot be read.
pub async fn lines(c: &mut impl Conn, now: Timestamp) -> Outcome<Vec<KeyLine>> {
    let mut all = Vec::new();
    for row in signing_keys::list(c).await?.into_iter().filter(|row| row.private_key.is_some()) {
        all.push((dates(&row, algorithm(&row)?), serde_json::from_str(&row.public_jwk)?));
    }
    let ring: Vec<KeyDates> = all.iter().map(|(dates, _)| dates.clone()).collect();
    let state = |key: &KeyDates| match keyring::signer(&ring, key.algorithm, now) {
        Some(signer) if signer == key => "signing",
        _ if key.sign_from > now => "next",
        _ => "retiring",
    };
    Ok(all.into_iter().map(|(dates, public)| KeyLine { state: state(&dates), dates, public }).collect())
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
