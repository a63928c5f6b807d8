//! Whether two kinds of requests take different time, said by statistics rather than by a limit in milliseconds.
//!
//! The Mann–Whitney U test asks how often a request of one kind is slower than one of the other: a half when the kind tells
//! nothing. It looks at ranks alone, so a machine busy with other things shifts both kinds and one slow outlier counts once.
//! Samples are taken in the order A B B A, so that what a request leaves behind falls on both kinds alike. A difference must
//! show in every one of three rounds, in the same direction, to be believed.

use std::time::Duration;

/// Standard deviations from chance beyond which a round says that there is a difference.
const SURE: f64 = 4.0;
/// Rounds that must agree.
pub const ROUNDS: usize = 3;

/// What a round says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing that chance would not explain.
    Alike,
    /// The first kind is slower.
    FirstSlower,
    /// The second kind is slower.
    SecondSlower,
}

/// Compares two kinds of samples.
pub fn compare(first: &[Duration], second: &[Duration]) -> Verdict {
    let score = score(first, second);
    if score > SURE {
        Verdict::FirstSlower
    } else if score < -SURE {
        Verdict::SecondSlower
    } else {
        Verdict::Alike
    }
}

/// Whether all rounds found the same difference.
pub fn agree(verdicts: &[Verdict]) -> bool {
    verdicts.len() >= ROUNDS && verdicts.iter().all(|verdict| *verdict != Verdict::Alike && *verdict == verdicts[0])
}

/// How many standard deviations the ranks of `first` lie above chance (normal approximation with average ranks for ties).
fn score(first: &[Duration], second: &[Duration]) -> f64 {
    let mut all: Vec<(Duration, bool)> =
        first.iter().map(|time| (*time, true)).chain(second.iter().map(|time| (*time, false))).collect();
    all.sort_unstable();
    let (n, m) = (count(first.len()), count(second.len()));
    let (mut ranks, mut ties, mut before) = (0.0, 0.0, 0.0);
    for group in all.chunk_by(|one, other| one.0 == other.0) {
        let size = count(group.len());
        let rank = before + f64::midpoint(size, 1.0);
        ranks += rank * count(group.iter().filter(|(_, is_first)| *is_first).count());
        ties += size * size * size - size;
        before += size;
    }
    let u = ranks - n * (n + 1.0) / 2.0;
    let total = n + m;
    let variance = n * m / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
    if variance > 0.0 { (u - n * m / 2.0) / variance.sqrt() } else { 0.0 }
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).expect("a sample fits"))
}

/// The time in the middle, and the distance of the quartiles around it.
pub fn middle_and_spread(samples: &[Duration]) -> (Duration, Duration) {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let at = |part: usize| sorted[(sorted.len() * part / 4).min(sorted.len() - 1)];
    (at(2), at(3).saturating_sub(at(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times as a busy machine gives them: most near the middle, some far above. Reproducible.
    fn noisy(seed: u64, count: usize, middle_micros: u64) -> Vec<Duration> {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        (0..count)
            .map(|_| {
                let near = (0..4).map(|_| next() % (middle_micros / 8)).sum::<u64>();
                let burst = if next() % 10 == 0 { middle_micros * (next() % 5) } else { 0 };
                Duration::from_micros(middle_micros * 3 / 4 + near + burst)
            })
            .collect()
    }

    #[test]
    fn the_same_work_is_alike_however_noisy() {
        let unlike = (0..200).filter(|seed| {
            compare(&noisy(2 * seed + 1, 60, 40_000), &noisy(2 * seed + 2, 60, 40_000)) != Verdict::Alike
        });
        assert_eq!(unlike.count(), 0);
    }

    #[test]
    fn a_fifth_more_work_is_found_in_every_round() {
        for seed in 0..50 {
            let (first, second) = (noisy(2 * seed + 1, 60, 48_000), noisy(2 * seed + 2, 60, 40_000));
            assert_eq!(compare(&first, &second), Verdict::FirstSlower, "{seed}");
            assert_eq!(compare(&second, &first), Verdict::SecondSlower, "{seed}");
        }
    }

    #[test]
    fn rounds_must_agree_and_equal_times_say_nothing() {
        use Verdict::{Alike, FirstSlower, SecondSlower};
        assert!(agree(&[FirstSlower; 3]));
        assert!(!agree(&[FirstSlower; 2]));
        assert!(!agree(&[FirstSlower, FirstSlower, SecondSlower]));
        assert!(!agree(&[FirstSlower, FirstSlower, Alike]));
        assert!(!agree(&[Alike; 3]));
        let same = [Duration::from_millis(5); 60];
        assert_eq!(compare(&same, &same), Alike);
        assert_eq!(compare(&[Duration::from_millis(6); 60], &same), FirstSlower);
    }
}
