//! When a webhook is tried again, and when no more (Standard Webhooks, "Operational considerations").

use jiff::SignedDuration;

/// How long a secret that was replaced goes on signing beside the new one.
pub const OVERLAP: SignedDuration = SignedDuration::from_hours(24);
/// A receiver that took nothing for so long is switched off.
pub const SILENT: SignedDuration = SignedDuration::from_hours(72);
/// Webhooks of an organization, or of the operator.
pub const MOST: i64 = 20;

/// Waits between the attempts, in seconds: some 75 hours in all.
const WAITS_SECONDS: [i64; 9] = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// Longest pause of a receiver that fails, whatever waits for it.
const LONGEST_PAUSE_SECONDS: i64 = 300;

/// How long to wait after `failed` attempts, a fifth more or less by `chance`; none when it is given up.
pub fn retry_after(failed: i64, chance: u8) -> Option<SignedDuration> {
    let wait = *WAITS_SECONDS.get(usize::try_from(failed.saturating_sub(1)).ok()?)?;
    let milliseconds = wait * (800 + 400 * i64::from(chance) / 255);
    Some(SignedDuration::from_millis(milliseconds))
}

/// How long nothing is sent to a receiver that failed so many times in a row: so a dead one costs little, and one that is back is
/// found within five minutes.
pub fn pause(failures: i64) -> SignedDuration {
    let doublings = u32::try_from(failures.saturating_sub(1).clamp(0, 10)).unwrap_or(0);
    SignedDuration::from_secs((5_i64 << doublings).min(LONGEST_PAUSE_SECONDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_for_about_three_days_and_then_end() {
        for (failed, least, most) in [(1, 4, 6), (2, 240, 360), (3, 1440, 2160), (9, 69_120, 103_680)] {
            assert_eq!(retry_after(failed, 0).unwrap().as_secs(), least);
            assert_eq!(retry_after(failed, 255).unwrap().as_secs(), most);
        }
        for failed in [-1, 0, 10, i64::MAX] {
            assert_eq!(retry_after(failed, 9), None, "{failed}");
        }
        let all: i64 = (1..10).map(|failed| retry_after(failed, 128).unwrap().as_secs()).sum();
        assert!((70..80).contains(&(all / 3600)), "{all} s");
    }

    #[test]
    fn a_pause_doubles_up_to_five_minutes() {
        let pauses: Vec<_> = [0, 1, 2, 3, 6, 7, 8, i64::MAX].map(|failures| pause(failures).as_secs()).into();
        assert_eq!(pauses, [5, 5, 10, 20, 160, 300, 300, 300]);
    }
}
