//! The one clock. Everything that asks for the time asks here, once a request or a job, and passes the answer on.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// Where the time comes from.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// The machine's clock moved by so many nanoseconds (three centuries at most): demonstration and tests.
    Movable(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that can be moved; it starts at the machine's time.
    pub fn movable() -> Self {
        Self::Movable(Arc::new(AtomicI64::new(0)))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
        let machine = Timestamp::now();
        match self {
            Self::System => machine,
            Self::Movable(offset) => {
                machine.saturating_add(SignedDuration::from_nanos(offset.load(Ordering::SeqCst))).unwrap_or(machine)
            }
        }
    }

    /// Moves a movable clock so that it shows `wanted` now; false for the machine's clock, and for a time more than
    /// three centuries away.
    pub fn set(&self, wanted: Timestamp) -> bool {
        let Self::Movable(offset) = self else { return false };
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
        let machine = Timestamp::now();
        let Ok(nanoseconds) = i64::try_from(wanted.duration_since(machine).as_nanos()) else { return false };
        offset.store(nanoseconds, Ordering::SeqCst);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_movable_clock_shows_what_it_was_set_to_and_goes_on() {
        let clock = Clock::movable();
        let wanted: Timestamp = "2027-12-15T07:00:00Z".parse().unwrap();
        assert!(clock.set(wanted));
        let shown = clock.now();
        assert!(shown >= wanted && shown < wanted + SignedDuration::from_secs(60));
        assert!(!Clock::System.set(wanted));
    }
}
