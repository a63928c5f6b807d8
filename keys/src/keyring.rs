//! When signing keys come and go: pure rotation policy, applied by the server's key job (OpenID Connect Core §10.1.1).
//!
//! A new key is published before it signs, so that relying parties that keep the JWKS for a while already know it; an
//! old key stays published after it stopped signing, until no token it signed can still be alive.
//!
//! ```text
//! created          sign_from                   sign_until              remove_at
//!    |--- published ---|--------- signs ------------|---- published --------|
//!     publish_ahead          about sign_for               keep_after
//! ```

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

use crate::jws::Algorithm;

/// A key of the ring, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyDates {
    /// Key identifier, unique in the ring.
    pub kid: String,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// When it was made; published from then on.
    pub created_at: Timestamp,
    /// First instant it may sign.
    pub sign_from: Timestamp,
    /// First instant it no longer signs, once a successor is known.
    pub sign_until: Option<Timestamp>,
    /// First instant it is no longer published, once a successor is known.
    pub remove_at: Option<Timestamp>,
}

/// How long each stage lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// From publication to first signature.
    pub publish_ahead: SignedDuration,
    /// From first signature to that of the successor, give or take the interval at which the key job runs.
    pub sign_for: SignedDuration,
    /// From last signature to removal: the life of the longest-lived signed token, and clock differences.
    pub keep_after: SignedDuration,
}

/// Why a policy is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// Relying parties may keep the JWKS for longer than a new key is announced.
    #[error("keys are published ahead for less time than the JWKS may be cached")]
    PublishedTooLate,
    /// A key would sign for no longer than its successor is announced.
    #[error("keys sign for no longer than they are published ahead")]
    SignsTooShort,
    /// `keep_after` is negative.
    #[error("keys are kept for a negative time")]
    NegativeKeep,
    /// A duration over ten years.
    #[error("duration over ten years")]
    TooLong,
}

impl Policy {
    /// A policy that keeps the promises of this module. `jwks_cache` is the lifetime announced with the JWKS
    /// (`max-age`).
    ///
    /// # Errors
    /// [`PolicyError`], each cause by its name.
    pub fn new(
        publish_ahead: SignedDuration,
        sign_for: SignedDuration,
        keep_after: SignedDuration,
        jwks_cache: SignedDuration,
    ) -> Result<Self, PolicyError> {
        if publish_ahead < jwks_cache || publish_ahead.is_negative() {
            return Err(PolicyError::PublishedTooLate);
        }
        if sign_for <= publish_ahead {
            return Err(PolicyError::SignsTooShort);
        }
        if keep_after.is_negative() {
            return Err(PolicyError::NegativeKeep);
        }
        if sign_for.max(keep_after) > SignedDuration::from_hours(24 * 3653) {
            return Err(PolicyError::TooLong);
        }
        Ok(Self { publish_ahead, sign_for, keep_after })
    }
}

/// One thing for the key job to do. All steps of a plan belong in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make a key, publish it at once, sign with it from `sign_from`.
    Generate {
        /// What it signs with.
        algorithm: Algorithm,
        /// When it starts signing.
        sign_from: Timestamp,
    },
    /// Note when a key stops signing and is removed, replacing what was noted before.
    Retire {
        /// Which key.
        kid: String,
        /// When its successor takes over.
        sign_until: Timestamp,
        /// When it leaves the JWKS.
        remove_at: Timestamp,
    },
    /// Take a key out of the JWKS and destroy its secret: its time is over.
    Remove {
        /// Which key.
        kid: String,
    },
    /// Take a compromised key out of the JWKS and leave nothing of it: nothing it signed is believed, however old.
    Forget {
        /// Which key.
        kid: String,
    },
}

/// Why an operator rotates keys by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation<'a> {
    /// A wish, with the usual overlap: the new key is published now and signs after `publish_ahead`.
    Planned {
        /// Whose signer to replace.
        algorithm: Algorithm,
    },
    /// A key is compromised: it leaves at once and, if it was the signer, a new one signs at once. Tokens it signed
    /// stop verifying, and relying parties that keep the JWKS meet an unknown `kid` until they read it again: that is
    /// the lesser harm.
    Emergency {
        /// The compromised key.
        kid: &'a str,
    },
}

/// The key that signs now: of those published, the one that started last.
pub fn signer(keys: &[KeyDates], algorithm: Algorithm, now: Timestamp) -> Option<&KeyDates> {
    keys.iter()
        .filter(|key| key.algorithm == algorithm && key.sign_from <= now && is_published(key, now))
        .max_by_key(|key| age(key))
}

/// The keys that belong in the JWKS now, in no particular order.
pub fn published(keys: &[KeyDates], now: Timestamp) -> impl Iterator<Item = &KeyDates> {
    keys.iter().filter(move |key| is_published(key, now))
}

/// What to do now so that each of `algorithms` has a signer, its successor is announced in time, and keys leave when
/// they should.
///
/// Run it when the server starts and then more often than `publish_ahead`. A late run only makes the old key sign
/// longer. The very first key of an algorithm signs at once: there is no older one to sign in the meantime. Keys of
/// algorithms no longer wanted are retired.
pub fn plan(keys: &[KeyDates], algorithms: &[Algorithm], policy: Policy, now: Timestamp) -> Vec<Step> {
    let mut steps = removals(keys, now);
    let mut planned = Vec::new();
    for &algorithm in algorithms {
        if !planned.contains(&algorithm) {
            planned.push(algorithm);
            steps.extend(succession(keys, algorithm, policy, now));
        }
    }
    for key in published(keys, now).filter(|key| !algorithms.contains(&key.algorithm) && key.sign_until.is_none()) {
        steps.push(retirement(key, now, policy));
    }
    steps
}

/// What to do when an operator asks for a rotation. Nothing when the successor is already announced, or the
/// compromised key is unknown.
pub fn rotate_now(keys: &[KeyDates], rotation: Rotation<'_>, policy: Policy, now: Timestamp) -> Vec<Step> {
    match rotation {
        Rotation::Planned { algorithm } => {
            let Some(current) = signer(keys, algorithm, now) else {
                return vec![Step::Generate { algorithm, sign_from: now }];
            };
            let announced = now_plus(now, policy.publish_ahead);
            match successor(keys, algorithm, now) {
                Some(next) if next.sign_from <= announced => Vec::new(),
                _ => vec![Step::Generate { algorithm, sign_from: announced }, retirement(current, announced, policy)],
            }
        }
        Rotation::Emergency { kid } => {
            let Some(compromised) = keys.iter().find(|key| key.kid == kid) else {
                return Vec::new();
            };
            let algorithm = compromised.algorithm;
            let mut steps = vec![Step::Forget { kid: kid.to_owned() }];
            if signer(keys, algorithm, now) == Some(compromised) {
                steps.push(Step::Generate { algorithm, sign_from: now });
            } else {
                let others: Vec<_> = keys.iter().filter(|key| key.kid != kid).cloned().collect();
                steps.extend(succession(&others, algorithm, policy, now));
            }
            steps
        }
    }
}

fn removals(keys: &[KeyDates], now: Timestamp) -> Vec<Step> {
    keys.iter().filter(|key| !is_published(key, now)).map(|key| Step::Remove { kid: key.kid.clone() }).collect()
}

/// Sees to it that the signer of `algorithm` exists, has a successor when it needs one, and leaves when that one takes
/// over.
fn succession(keys: &[KeyDates], algorithm: Algorithm, policy: Policy, now: Timestamp) -> Vec<Step> {
    let Some(current) = signer(keys, algorithm, now) else {
        return vec![Step::Generate { algorithm, sign_from: now }];
    };
    let mut steps = Vec::new();
    let takes_over = if let Some(next) = successor(keys, algorithm, now) {
        Some(next.sign_from)
    } else {
        let due = now_plus(current.sign_from, policy.sign_for);
        let announced = now_plus(now, policy.publish_ahead);
        // A signer already retired has lost its successor, or its algorithm is wanted again: it signs on until a new
        // one can.
        let is_due = current.sign_until.is_some() || due <= announced;
        is_due.then(|| {
            let sign_from = if current.sign_until.is_some() { announced } else { due.max(announced) };
            steps.push(Step::Generate { algorithm, sign_from });
            sign_from
        })
    };
    if let Some(takes_over) = takes_over
        && (current.sign_until != Some(takes_over) || current.remove_at.is_none())
    {
        steps.push(retirement(current, takes_over, policy));
    }
    // Keys overtaken without a word, such as the slower of two made by two nodes at the same moment.
    let overtaken = |key: &&KeyDates| {
        key.algorithm == algorithm && key.sign_from <= now && key.kid != current.kid && key.remove_at.is_none()
    };
    steps.extend(published(keys, now).filter(overtaken).map(|key| retirement(key, now, policy)));
    steps
}

/// The key that takes over next: of those that do not sign yet, the one that starts first.
fn successor(keys: &[KeyDates], algorithm: Algorithm, now: Timestamp) -> Option<&KeyDates> {
    published(keys, now).filter(|key| key.algorithm == algorithm && key.sign_from > now).min_by_key(|key| age(key))
}

fn retirement(key: &KeyDates, sign_until: Timestamp, policy: Policy) -> Step {
    Step::Retire { kid: key.kid.clone(), sign_until, remove_at: now_plus(sign_until, policy.keep_after) }
}

fn is_published(key: &KeyDates, now: Timestamp) -> bool {
    key.remove_at.is_none_or(|remove_at| now < remove_at)
}

/// Order of taking over. The identifier settles ties, so that all nodes agree.
fn age(key: &KeyDates) -> (Timestamp, Timestamp, Reverse<&str>) {
    (key.sign_from, key.created_at, Reverse(key.kid.as_str()))
}

fn now_plus(instant: Timestamp, duration: SignedDuration) -> Timestamp {
    instant.checked_add(duration).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use Algorithm::{EdDsa, Es256, Rs256};

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + minutes * 60).unwrap()
    }

    fn minutes(minutes: i64) -> SignedDuration {
        SignedDuration::from_mins(minutes)
    }

    /// One hour ahead, a day of signing, two hours kept.
    fn policy() -> Policy {
        Policy::new(minutes(60), minutes(1440), minutes(120), minutes(60)).unwrap()
    }

    fn key(kid: &str, sign_from: i64) -> KeyDates {
        KeyDates {
            kid: kid.to_owned(),
            algorithm: Es256,
            created_at: at(sign_from),
            sign_from: at(sign_from),
            sign_until: None,
            remove_at: None,
        }
    }

    fn retired(kid: &str, sign_from: i64, sign_until: i64) -> KeyDates {
        KeyDates { sign_until: Some(at(sign_until)), remove_at: Some(at(sign_until + 120)), ..key(kid, sign_from) }
    }

    fn generate(sign_from: i64) -> Step {
        Step::Generate { algorithm: Es256, sign_from: at(sign_from) }
    }

    fn retire(kid: &str, sign_until: i64) -> Step {
        Step::Retire { kid: kid.to_owned(), sign_until: at(sign_until), remove_at: at(sign_until + 120) }
    }

    fn remove(kid: &str) -> Step {
        Step::Remove { kid: kid.to_owned() }
    }

    fn forget(kid: &str) -> Step {
        Step::Forget { kid: kid.to_owned() }
    }

    /// The ring as the server keeps it: carries out steps.
    fn apply(keys: &mut Vec<KeyDates>, steps: Vec<Step>, now: Timestamp, made: &mut u32) {
        for step in steps {
            match step {
                Step::Generate { algorithm, sign_from } => {
                    *made += 1;
                    let kid = format!("{algorithm}-{made}");
                    keys.push(KeyDates {
                        kid,
                        algorithm,
                        created_at: now,
                        sign_from,
                        sign_until: None,
                        remove_at: None,
                    });
                }
                Step::Retire { kid, sign_until, remove_at } => {
                    let key = keys.iter_mut().find(|key| key.kid == kid).unwrap();
                    (key.sign_until, key.remove_at) = (Some(sign_until), Some(remove_at));
                }
                Step::Remove { kid } | Step::Forget { kid } => keys.retain(|key| key.kid != kid),
            }
        }
    }

    #[test]
    fn the_first_key_of_an_algorithm_signs_at_once() {
        assert_eq!(
            plan(&[], &[Es256, Rs256, Es256], policy(), at(0)),
            [generate(0), Step::Generate { algorithm: Rs256, sign_from: at(0) }]
        );
        assert_eq!(plan(&[key("a", 0)], &[Es256], policy(), at(0)), []);
    }

    #[test]
    fn the_next_key_is_published_ahead_and_the_old_one_told_when_to_go() {
        assert_eq!(plan(&[key("a", 0)], &[Es256], policy(), at(1379)), []);
        assert_eq!(plan(&[key("a", 0)], &[Es256], policy(), at(1380)), [generate(1440), retire("a", 1440)]);
        let ring = [retired("a", 0, 1440), key("b", 1440)];
        for now in [1380, 1439, 1440, 1559] {
            assert_eq!(plan(&ring, &[Es256], policy(), at(now)), [], "{now}");
        }
        assert_eq!(signer(&ring, Es256, at(1439)).unwrap().kid, "a");
        assert_eq!(signer(&ring, Es256, at(1440)).unwrap().kid, "b");
    }

    #[test]
    fn the_old_key_is_removed_when_its_last_token_is_dead() {
        let ring = [retired("a", 0, 1440), key("b", 1440)];
        assert_eq!(published(&ring, at(1559)).count(), 2);
        assert_eq!(published(&ring, at(1560)).count(), 1);
        assert_eq!(plan(&ring, &[Es256], policy(), at(1560)), [remove("a")]);
    }

    #[test]
    fn after_a_long_stop_the_old_key_signs_until_the_new_one_was_published_long_enough() {
        assert_eq!(plan(&[key("a", 0)], &[Es256], policy(), at(9000)), [generate(9060), retire("a", 9060)]);
    }

    #[test]
    fn an_algorithm_no_longer_wanted_is_retired_and_may_come_back() {
        assert_eq!(plan(&[key("a", 0)], &[], policy(), at(10)), [retire("a", 10)]);
        let ring = [retired("a", 0, 10)];
        assert_eq!(plan(&ring, &[], policy(), at(20)), []);
        assert_eq!(
            plan(&ring, &[Es256], policy(), at(20)),
            [generate(80), retire("a", 80)],
            "the old key bridges the gap"
        );
        assert_eq!(plan(&ring, &[Es256], policy(), at(130)), [remove("a"), generate(130)]);
    }

    #[test]
    fn two_keys_made_at_the_same_moment_leave_one_signer_on_every_node() {
        let ring = [key("a", 0), key("b", 0)];
        let turned = [key("b", 0), key("a", 0)];
        assert_eq!(signer(&ring, Es256, at(0)).unwrap().kid, "a");
        assert_eq!(signer(&turned, Es256, at(0)).unwrap().kid, "a");
        assert_eq!(plan(&ring, &[Es256], policy(), at(5)), [retire("b", 5)]);
    }

    #[test]
    fn a_planned_rotation_publishes_first_and_signs_later() {
        let planned = Rotation::Planned { algorithm: Es256 };
        assert_eq!(rotate_now(&[key("a", 0)], planned, policy(), at(30)), [generate(90), retire("a", 90)]);
        assert_eq!(
            rotate_now(&[retired("a", 0, 90), key("b", 90)], planned, policy(), at(31)),
            [],
            "already under way"
        );
        assert_eq!(rotate_now(&[], planned, policy(), at(30)), [generate(30)]);
    }

    #[test]
    fn a_compromised_signer_is_replaced_at_once() {
        let ring = [key("a", 0)];
        let steps = rotate_now(&ring, Rotation::Emergency { kid: "a" }, policy(), at(30));
        assert_eq!(steps, [forget("a"), generate(30)]);
        let mut keys = ring.to_vec();
        apply(&mut keys, steps, at(30), &mut 0);
        assert_eq!(signer(&keys, Es256, at(30)).unwrap().kid, "ES256-1");
        assert_eq!(rotate_now(&ring, Rotation::Emergency { kid: "z" }, policy(), at(30)), []);
    }

    #[test]
    fn a_compromised_signer_is_not_replaced_by_a_key_already_retired() {
        let ring = [retired("a", 0, 1440), key("b", 1440)];
        let steps = rotate_now(&ring, Rotation::Emergency { kid: "b" }, policy(), at(1450));
        assert_eq!(steps, [forget("b"), generate(1450)]);
    }

    #[test]
    fn a_compromised_successor_is_announced_anew_and_the_signer_signs_longer() {
        let ring = [retired("a", 0, 1440), key("b", 1440)];
        let steps = rotate_now(&ring, Rotation::Emergency { kid: "b" }, policy(), at(1400));
        assert_eq!(steps, [forget("b"), generate(1460), retire("a", 1460)]);
    }

    #[test]
    fn a_compromised_key_already_retired_just_goes() {
        let ring = [retired("a", 0, 1440), key("b", 1440)];
        // So it does when its time is over and the key job has not looked yet: nothing of it is kept.
        for now in [1450, 1560, 1600] {
            assert_eq!(rotate_now(&ring, Rotation::Emergency { kid: "a" }, policy(), at(now)), [forget("a")], "{now}");
        }
    }

    #[test]
    fn a_policy_that_breaks_a_promise_is_refused() {
        let policy = |ahead, sign, keep| Policy::new(minutes(ahead), minutes(sign), minutes(keep), minutes(60)).err();
        assert_eq!(policy(60, 61, 0), None);
        assert_eq!(policy(59, 1440, 120), Some(PolicyError::PublishedTooLate));
        assert_eq!(policy(60, 60, 120), Some(PolicyError::SignsTooShort));
        assert_eq!(policy(60, 1440, -1), Some(PolicyError::NegativeKeep));
        assert_eq!(policy(60, 1440, 6_000_000), Some(PolicyError::TooLong));
        assert_eq!(
            Policy::new(minutes(-1), minutes(1), minutes(1), minutes(-2)).err(),
            Some(PolicyError::PublishedTooLate)
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Lives with a ring for days: the job runs at odd intervals, operators rotate when they like, a relying party
        /// reads the JWKS as rarely as it may.
        #[test]
        fn there_is_always_one_signer_and_relying_parties_always_know_it(
            pauses in proptest::collection::vec(1_i64..300, 1..20),
            rotations in proptest::collection::btree_set(0_i64..3000, 0..6),
            (ahead, sign_extra, keep) in (1_i64..120, 1_i64..600, 0_i64..300),
            reads_every in 1_i64..120,
        ) {
            let policy = Policy::new(minutes(ahead), minutes(ahead + sign_extra), minutes(keep), minutes(0)).unwrap();
            let algorithms = [Es256, EdDsa];
            let (mut keys, mut made) = (Vec::new(), 0);
            let mut runs = BTreeSet::new();
            let mut end = 0;
            for pause in pauses {
                runs.insert(end);
                end += pause;
            }
            let mut known = BTreeSet::new();
            let mut alive: Vec<(String, Timestamp)> = Vec::new();
            for minute in 0..end {
                let now = at(minute);
                if runs.contains(&minute) {
                    let steps = plan(&keys, &algorithms, policy, now);
                    apply(&mut keys, steps, now, &mut made);
                    let again = plan(&keys, &algorithms, policy, now);
                    prop_assert!(again.is_empty(), "a second run finds nothing to do: {again:?}");
                }
                if rotations.contains(&minute) {
                    let steps = rotate_now(&keys, Rotation::Planned { algorithm: Es256 }, policy, now);
                    apply(&mut keys, steps, now, &mut made);
                }
                let jwks: BTreeSet<_> = published(&keys, now).map(|key| key.kid.clone()).collect();
                if minute % reads_every.min(ahead) == 0 {
                    known.clone_from(&jwks);
                }
                for algorithm in algorithms {
                    let signs = |key: &&KeyDates| {
                        key.algorithm == algorithm
                            && key.sign_from <= now
                            && key.sign_until.is_none_or(|until| now < until)
                    };
                    let signing: Vec<_> = keys.iter().filter(signs).collect();
                    prop_assert_eq!(signing.len(), 1, "at minute {} of {:?}", minute, keys);
                    let signer = signer(&keys, algorithm, now).unwrap();
                    prop_assert_eq!(signing[0], signer);
                    prop_assert!(known.contains(&signer.kid), "unknown kid at minute {minute}");
                    alive.push((signer.kid.clone(), now + policy.keep_after));
                }
                alive.retain(|(_, until)| now < *until);
                for (kid, _) in &alive {
                    prop_assert!(jwks.contains(kid), "a live token's key is gone at minute {minute}");
                }
            }
        }

        /// Whatever happens, compromises included, each algorithm has a signer right after the job ran.
        #[test]
        fn no_compromise_leaves_an_algorithm_without_signer(
            events in proptest::collection::vec((1_i64..700, any::<prop::sample::Index>(), any::<bool>()), 1..40),
        ) {
            let (mut keys, mut made, mut minute) = (Vec::new(), 0, 0);
            for (pause, which, compromised) in events {
                minute += pause;
                let now = at(minute);
                let steps = plan(&keys, &[Es256], policy(), now);
                apply(&mut keys, steps, now, &mut made);
                if compromised {
                    let kid = which.get(&keys).kid.clone();
                    let steps = rotate_now(&keys, Rotation::Emergency { kid: &kid }, policy(), now);
                    apply(&mut keys, steps, now, &mut made);
                    prop_assert!(keys.iter().all(|key| key.kid != kid));
                }
                let signer = signer(&keys, Es256, now);
                prop_assert!(signer.is_some());
                prop_assert!(keys.len() <= 40, "the ring does not grow without end");
            }
        }
    }
}
