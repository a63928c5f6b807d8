//! What is mailed on somebody's request is mailed again after five minutes: a mailbox is not flooded.

use jiff::{SignedDuration, Timestamp};

use super::problem::Problem;

/// How long something waits before it is sent again.
const AFTER: SignedDuration = SignedDuration::from_mins(5);

/// Refuses to send what was sent a moment ago.
///
/// # Errors
/// 429 with `Retry-After`.
pub(super) fn not_too_soon(last: Option<Timestamp>, now: Timestamp) -> Result<(), Problem> {
    let left = last.map_or(SignedDuration::ZERO, |last| AFTER - now.duration_since(last));
    if left <= SignedDuration::ZERO {
        return Ok(());
    }
    Err(Problem::wait("it was sent less than five minutes ago", left))
}
