//! Suspension, termination and formal notice: what may follow what (R083, R084, R086), what has to be said (R085), and when a
//! termination may follow a formal notice.

use jiff::civil::Date;

use crate::calendar::add_days;

/// Days that a formal notice leaves to comply, counted from its first presentation (R086, R202).
pub const NOTICE_DAYS: i32 = 30;

/// Where a subject stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// As usual.
    Active,
    /// Until the breach is remedied.
    Suspended,
    /// For good.
    Terminated,
}

/// What the operator does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Gives formal notice: nothing changes yet.
    GiveNotice,
    /// Suspends at once.
    Suspend,
    /// Ends a suspension: the breach is remedied.
    Lift,
    /// Terminates.
    Terminate,
}

/// What a termination rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// Its subject may be ended at any time (R090).
    Free,
    /// The breach cannot be remedied.
    Irreparable,
    /// A formal notice that stands; the day of its first presentation, once that is known.
    Notice(Option<Date>),
    /// None.
    None,
}

/// Why an act is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Terminated stays so (R084).
    Terminated,
    /// It is suspended already.
    Suspended,
    /// There is no suspension to lift.
    NotSuspended,
    /// There is neither a formal notice nor an irreparable breach.
    NoNotice,
    /// Nobody recorded when the formal notice was presented.
    NotPresented,
    /// The term of the formal notice runs still.
    TermRuns {
        /// The first day on which termination is possible.
        from: Date,
    },
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Terminated => f.write_str("what is terminated stays terminated (R084)"),
            Self::Suspended => f.write_str("it is suspended already: lift the suspension first"),
            Self::NotSuspended => f.write_str("it is not suspended"),
            Self::NoNotice => {
                f.write_str("termination needs a formal notice left without effect, or an irreparable breach (R086)")
            }
            Self::NotPresented => {
                f.write_str("the day on which the formal notice was presented is not recorded (R202)")
            }
            Self::TermRuns { from } => write!(f, "the term of the formal notice runs: not before {from} (R086)"),
        }
    }
}

/// The first day on which a termination may follow a formal notice presented on this day.
///
/// The day of presentation does not count, and the last day of the term counts whole (code de procédure civile, art. 641 and 642).
pub fn termination_from(presented_on: Date) -> Date {
    add_days(presented_on, NOTICE_DAYS + 1)
}

/// Says where the subject stands after `act`, on the day `today` in Paris.
///
/// # Errors
/// The act does not fit the status, or a termination has no ground yet.
pub fn decide(status: Status, act: Act, ground: Ground, today: Date) -> Result<Status, Refusal> {
    match (status, act) {
        (Status::Terminated, _) => Err(Refusal::Terminated),
        (_, Act::GiveNotice) => Ok(status),
        (Status::Active, Act::Suspend) => Ok(Status::Suspended),
        (Status::Suspended, Act::Suspend) => Err(Refusal::Suspended),
        (Status::Suspended, Act::Lift) => Ok(Status::Active),
        (Status::Active, Act::Lift) => Err(Refusal::NotSuspended),
        (Status::Active | Status::Suspended, Act::Terminate) => match ground {
            Ground::Free | Ground::Irreparable => Ok(Status::Terminated),
            Ground::None => Err(Refusal::NoNotice),
            Ground::Notice(None) => Err(Refusal::NotPresented),
            Ground::Notice(Some(presented_on)) => {
                let from = termination_from(presented_on);
                if today >= from { Ok(Status::Terminated) } else { Err(Refusal::TermRuns { from }) }
            }
        },
    }
}

/// A field of a measure that its subject is to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// What was not respected.
    Breach,
    /// What has to be done about it.
    Remedy,
}

/// What has to be said with `act` (R085): the breach whenever something is held against the subject, the remedy whenever there is one.
pub fn needed(act: Act) -> &'static [Said] {
    match act {
        Act::GiveNotice | Act::Suspend => &[Said::Breach, Said::Remedy],
        Act::Terminate => &[Said::Breach],
        Act::Lift => &[],
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_suspension_is_lifted_and_a_termination_never() {
        use Act::{GiveNotice, Lift, Suspend, Terminate};
        use Status::{Active, Suspended, Terminated};
        let today = date(2027, 3, 1);
        let table = [
            (Active, GiveNotice, Ground::None, Ok(Active)),
            (Suspended, GiveNotice, Ground::None, Ok(Suspended)),
            (Terminated, GiveNotice, Ground::None, Err(Refusal::Terminated)),
            (Active, Suspend, Ground::None, Ok(Suspended)),
            (Suspended, Suspend, Ground::None, Err(Refusal::Suspended)),
            (Terminated, Suspend, Ground::Free, Err(Refusal::Terminated)),
            (Active, Lift, Ground::None, Err(Refusal::NotSuspended)),
            (Suspended, Lift, Ground::None, Ok(Active)),
            (Terminated, Lift, Ground::Free, Err(Refusal::Terminated)),
            (Active, Terminate, Ground::None, Err(Refusal::NoNotice)),
            (Suspended, Terminate, Ground::None, Err(Refusal::NoNotice)),
            (Active, Terminate, Ground::Notice(None), Err(Refusal::NotPresented)),
            (Active, Terminate, Ground::Irreparable, Ok(Terminated)),
            (Suspended, Terminate, Ground::Irreparable, Ok(Terminated)),
            (Suspended, Terminate, Ground::Free, Ok(Terminated)),
            (Terminated, Terminate, Ground::Irreparable, Err(Refusal::Terminated)),
        ];
        for (status, act, ground, expected) in table {
            assert_eq!(decide(status, act, ground, today), expected, "{status:?} {act:?} {ground:?}");
        }
    }

    #[test]
    fn a_formal_notice_leaves_thirty_whole_days_after_the_day_it_was_presented() {
        for (presented, last, first) in [
            (date(2027, 3, 1), date(2027, 3, 31), date(2027, 4, 1)),
            (date(2027, 1, 31), date(2027, 3, 2), date(2027, 3, 3)),
            (date(2028, 2, 1), date(2028, 3, 2), date(2028, 3, 3)),
            (date(2027, 12, 15), date(2028, 1, 14), date(2028, 1, 15)),
        ] {
            let ground = Ground::Notice(Some(presented));
            let at = |today| decide(Status::Active, Act::Terminate, ground, today);
            assert_eq!(at(presented), Err(Refusal::TermRuns { from: first }));
            assert_eq!(at(last), Err(Refusal::TermRuns { from: first }));
            assert_eq!(at(first), Ok(Status::Terminated));
        }
    }

    #[test]
    fn nobody_is_suspended_without_breach_and_remedy() {
        assert_eq!(needed(Act::Suspend), [Said::Breach, Said::Remedy]);
        assert_eq!(needed(Act::GiveNotice), [Said::Breach, Said::Remedy]);
        assert_eq!(needed(Act::Terminate), [Said::Breach]);
        assert_eq!(needed(Act::Lift), []);
    }
}
