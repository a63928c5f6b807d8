//! Enrolments: from when until when somebody has access to a portal for a course.
//!
//! The contract is sent, and comes back signed within fifteen days or the enrolment lapses (R021). Access opens on the first day of
//! the course, not before the signature, and not before fourteen days have passed from the payment, unless the learner waived that
//! or has no such right (R089). It closes at 00:00 in Paris on the day after the last, where the portal's operator lets access end by
//! itself (R080, R081), and earlier when the course is given up (R088). Access codes are due 96 hours after the signature (R020).
//! What counts from the opening of a link instead is in [`crate::updates`] (R077).

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use crate::admission::Window;
use crate::calendar;

/// The days that pass from the payment before a course may begin (code de la consommation, art. L221-18 and L221-25).
const WITHDRAWAL_DAYS: i32 = 14;
/// The days within which a contract comes back signed (R021).
const RETURN_DAYS: i32 = 15;
/// The hours after a signature from which access codes that were not sent are warned of (R020).
const CODES_WARNING_HOURS: i64 = 72;
/// The hours within which they are sent (R020).
pub const CODES_HOURS: i64 = 96;
/// Most enrolments of a member at one portal that are open or may open: a mailbox is not to be flooded with links.
pub const MOST: i64 = 50;

/// Where an enrolment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The contract has not come back signed.
    PreRegistered,
    /// It has.
    Registered,
    /// It did not come back in time.
    Lapsed,
    /// The learner withdrew.
    Withdrawn,
    /// Ended before its last day.
    Closed,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::PreRegistered, Self::Registered, Self::Lapsed, Self::Withdrawn, Self::Closed];

    /// The word it is stored and told by.
    pub fn name(self) -> &'static str {
        match self {
            Self::PreRegistered => "pre_registered",
            Self::Registered => "registered",
            Self::Lapsed => "lapsed",
            Self::Withdrawn => "withdrawn",
            Self::Closed => "closed",
        }
    }

    /// The status of a word; one that is unknown gives no access.
    pub fn parse(word: &str) -> Self {
        Self::ALL.into_iter().find(|status| status.name() == word).unwrap_or(Self::Lapsed)
    }
}

/// The right to withdraw within fourteen days of the payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withdrawal {
    /// There is none: the learner is no consumer.
    None,
    /// Access waits until the days have passed.
    Waits,
    /// The learner waived it.
    Waived,
}

/// What an enrolment counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// Its first day, once the contract is signed.
    FirstDay,
    /// The opening of a link; none while nobody opened it (R077).
    Opening(Option<Timestamp>),
}

/// What is known of an enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// Where it stands.
    pub status: Status,
    /// What it counts from.
    pub counts: Counts,
    /// First day of access.
    pub not_before: Date,
    /// Last day of access.
    pub not_after: Date,
    /// Whether access ends by itself after the last day; otherwise somebody closes it (R081).
    pub ends_by_itself: bool,
    /// When the contract was sent.
    pub sent_on: Option<Date>,
    /// When it came back signed.
    pub signed_at: Option<Timestamp>,
    /// When the course was paid.
    pub paid_at: Option<Timestamp>,
    /// Whether the learner may withdraw within fourteen days of the payment.
    pub withdrawal: Withdrawal,
    /// Its last day, when it was closed before.
    pub closed_on: Option<Date>,
    /// Whether access codes were sent.
    pub credentials_sent: bool,
}

impl Enrolment {
    /// From when until when it gives access.
    ///
    /// Requirements R077, R080, R081, R088, R089.
    pub fn window(&self) -> Window {
        let closed = || Window { from: None, until: None };
        if !matches!(self.status, Status::Registered | Status::Closed) {
            return closed();
        }
        let Some(mut from) = self.begins() else { return closed() };
        if self.withdrawal == Withdrawal::Waits {
            let Some(paid) = self.paid_at else { return closed() };
            from = from.max(withdrawal_ends(paid));
        }
        let by_itself = Some(self.not_after).filter(|_| self.ends_by_itself);
        let last_day = by_itself.into_iter().chain(self.closed_on).min();
        Window { from: Some(from), until: last_day.map(calendar::cut_after) }
    }

    /// The first instant that its days give; none while the signature or the opening is missing.
    fn begins(&self) -> Option<Timestamp> {
        match self.counts {
            Counts::FirstDay => Some(calendar::midnight(self.not_before).max(self.signed_at?)),
            Counts::Opening(opened) => opened,
        }
    }

    /// The last day on which the contract may come back signed; none when it has, or was not sent.
    ///
    /// Requirement R021.
    pub fn return_by(&self) -> Option<Date> {
        let waits = self.status == Status::PreRegistered && self.signed_at.is_none();
        self.sent_on.filter(|_| waits).map(|sent| calendar::add_days(sent, RETURN_DAYS))
    }
}

/// How the delivery of credentials stands against the 96 hours promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Sent within 96 hours of the signature.
    OnTime,
    /// Not sent yet, nothing to worry about.
    Pending,
    /// Not sent after 72 hours.
    Warning,
    /// Not sent within 96 hours: a breach, even if sent since.
    Breach,
}

/// Weighs the delivery of credentials against 96 elapsed hours from the signature.
///
/// Requirement R020.
pub fn delivery(signed_at: Timestamp, sent_at: Option<Timestamp>, now: Timestamp) -> Delivery {
    let elapsed = |at: Timestamp| at.duration_since(signed_at);
    match sent_at {
        Some(sent) if elapsed(sent) <= SignedDuration::from_hours(CODES_HOURS) => Delivery::OnTime,
        Some(_) => Delivery::Breach,
        None if elapsed(now) >= SignedDuration::from_hours(CODES_HOURS) => Delivery::Breach,
        None if elapsed(now) >= SignedDuration::from_hours(CODES_WARNING_HOURS) => Delivery::Warning,
        None => Delivery::Pending,
    }
}

/// Where a registration stands that a signed contract must confirm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registration {
    /// The contract may still come back.
    PreRegistered {
        /// The last day for it.
        last_day: Date,
    },
    /// It came back signed in time.
    Registered,
    /// It did not come back within fifteen days.
    Lapsed,
}

/// Says where a registration stands: the contract sent on a day must be back, signed, within fifteen days.
///
/// Requirement R021.
pub fn registration(sent_on: Date, returned_on: Option<Date>, today: Date) -> Registration {
    let last_day = calendar::add_days(sent_on, RETURN_DAYS);
    match returned_on {
        Some(returned) if returned <= last_day => Registration::Registered,
        None if today <= last_day => Registration::PreRegistered { last_day },
        _ => Registration::Lapsed,
    }
}

/// Whether a signature revives an enrolment that lapsed: the contract came back in time, and was typed in late.
///
/// Requirement R021.
pub fn revives(sent_on: Option<Date>, signed_on: Date, today: Date) -> bool {
    sent_on.is_some_and(|sent| registration(sent, Some(signed_on), today) == Registration::Registered)
}

/// When something is to be said or done about an enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// The contract has not come back in time: the enrolment lapses (R021).
    Returns,
    /// Access codes were not sent within 72 hours of the signature (R020).
    CodesDue,
    /// Nor within 96 hours.
    CodesLate,
    /// Access ends.
    Ends,
}

impl Moment {
    /// The word it is stored by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Returns => "returns",
            Self::CodesDue => "codes_due",
            Self::CodesLate => "codes_late",
            Self::Ends => "ends",
        }
    }
}

impl Enrolment {
    /// What is still to be said or done about it.
    pub fn moments(&self) -> Vec<(Moment, Timestamp)> {
        let mut moments = Vec::new();
        if let Some(last) = self.return_by() {
            moments.push((Moment::Returns, calendar::cut_after(last)));
        }
        if let Some(signed) = self.signed_at.filter(|_| !self.credentials_sent && self.status == Status::Registered) {
            let (warning, breach) = credentials_due(signed);
            moments.extend([(Moment::CodesDue, warning), (Moment::CodesLate, breach)]);
        }
        moments.extend(self.window().until.map(|until| (Moment::Ends, until)));
        moments
    }
}

/// The first instant a learner may no longer withdraw: the day of the payment does not count, the fourteenth counts whole.
///
/// Requirement R089.
pub fn withdrawal_ends(paid_at: Timestamp) -> Timestamp {
    calendar::cut_after(calendar::add_days(calendar::date_at(paid_at), WITHDRAWAL_DAYS))
}

/// The instants of warning and of breach for access codes not sent after a signature.
///
/// Requirement R020.
pub fn credentials_due(signed_at: Timestamp) -> (Timestamp, Timestamp) {
    let after = |hours| signed_at.saturating_add(SignedDuration::from_hours(hours)).unwrap_or(Timestamp::MAX);
    (after(CODES_WARNING_HOURS), after(CODES_HOURS))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::calendar::{cut_after, midnight};
    use crate::orders::tests::at;

    fn enrolment() -> Enrolment {
        Enrolment {
            status: Status::Registered,
            counts: Counts::FirstDay,
            not_before: date(2027, 3, 1),
            not_after: date(2027, 6, 30),
            ends_by_itself: true,
            sent_on: Some(date(2027, 2, 1)),
            signed_at: Some("2027-02-05T10:00:00Z".parse().unwrap()),
            paid_at: None,
            withdrawal: Withdrawal::None,
            closed_on: None,
            credentials_sent: true,
        }
    }

    #[test]
    fn access_opens_when_everything_is_there_and_closes_with_the_last_day() {
        let at = |text: &str| -> Option<Timestamp> { Some(text.parse().unwrap()) };
        let whole = enrolment();
        let closed = (None, None);
        let last = Some(cut_after(date(2027, 6, 30)));
        let table = [
            (whole.clone(), (Some(midnight(date(2027, 3, 1))), last)),
            (Enrolment { status: Status::PreRegistered, ..whole.clone() }, closed),
            (Enrolment { status: Status::Lapsed, ..whole.clone() }, closed),
            (Enrolment { status: Status::Withdrawn, ..whole.clone() }, closed),
            (Enrolment { signed_at: None, ..whole.clone() }, closed),
            (Enrolment { signed_at: at("2027-03-04T08:00:00Z"), ..whole.clone() }, (at("2027-03-04T08:00:00Z"), last)),
            // Fourteen days from the payment, unless waived (R089).
            (Enrolment { withdrawal: Withdrawal::Waits, ..whole.clone() }, closed),
            (Enrolment { withdrawal: Withdrawal::Waived, ..whole.clone() }, (Some(midnight(date(2027, 3, 1))), last)),
            (
                Enrolment { withdrawal: Withdrawal::Waits, paid_at: at("2027-02-20T22:59:59Z"), ..whole.clone() },
                (Some(midnight(date(2027, 3, 7))), last),
            ),
            (
                Enrolment { withdrawal: Withdrawal::Waits, paid_at: at("2027-02-20T23:00:00Z"), ..whole.clone() },
                (Some(midnight(date(2027, 3, 8))), last),
            ),
            (
                Enrolment { withdrawal: Withdrawal::Waits, paid_at: at("2027-02-01T09:00:00Z"), ..whole.clone() },
                (Some(midnight(date(2027, 3, 1))), last),
            ),
            // Kept open until somebody closes it (R081), given up (R088).
            (Enrolment { ends_by_itself: false, ..whole.clone() }, (Some(midnight(date(2027, 3, 1))), None)),
            (
                Enrolment { closed_on: Some(date(2027, 4, 15)), status: Status::Closed, ..whole.clone() },
                (Some(midnight(date(2027, 3, 1))), Some(cut_after(date(2027, 4, 15)))),
            ),
            (
                Enrolment { closed_on: Some(date(2027, 4, 15)), ends_by_itself: false, ..whole },
                (Some(midnight(date(2027, 3, 1))), Some(cut_after(date(2027, 4, 15)))),
            ),
        ];
        for (enrolment, (from, until)) in table {
            assert_eq!(enrolment.window(), Window { from, until }, "{enrolment:?}");
        }
    }

    #[test]
    fn the_contract_comes_back_within_fifteen_days_and_access_codes_are_due_within_96_hours() {
        let waiting = Enrolment { status: Status::PreRegistered, signed_at: None, ..enrolment() };
        assert_eq!(waiting.return_by(), Some(date(2027, 2, 16)));
        assert_eq!(Enrolment { sent_on: None, ..waiting }.return_by(), None);
        assert_eq!(enrolment().return_by(), None);
        let ends = cut_after(date(2027, 6, 30));
        assert_eq!(enrolment().moments(), [(Moment::Ends, ends)]);
        let unsent = Enrolment { credentials_sent: false, ..enrolment() };
        let names: Vec<_> = unsent.moments().into_iter().map(|(moment, _)| moment.name()).collect();
        assert_eq!(names, ["codes_due", "codes_late", "ends"]);
        let waiting = Enrolment { status: Status::PreRegistered, signed_at: None, ..enrolment() };
        assert_eq!(waiting.moments(), [(Moment::Returns, midnight(date(2027, 2, 17)))]);
        // Across the change to summer time: hours are hours.
        let (warning, breach) = credentials_due("2027-03-27T10:00:00Z".parse().unwrap());
        assert_eq!(
            (warning.to_string(), breach.to_string()),
            ("2027-03-30T10:00:00Z".into(), "2027-03-31T10:00:00Z".into())
        );
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        for status in Status::ALL {
            assert_eq!(Status::parse(status.name()), status);
        }
        assert_eq!(Status::parse("anything"), Status::Lapsed);
    }

    #[test]
    fn credentials_are_due_within_ninety_six_hours_of_the_signature() {
        let signed = at("2027-03-26T10:00:00Z");
        let hours = |hours| signed + SignedDuration::from_hours(hours);
        let second = SignedDuration::from_secs(1);
        let table = [
            (None, hours(72) - second, Delivery::Pending),
            (None, hours(72), Delivery::Warning),
            (None, hours(96) - second, Delivery::Warning),
            (None, hours(96), Delivery::Breach),
            (Some(hours(96)), hours(200), Delivery::OnTime),
            (Some(hours(96) + second), hours(200), Delivery::Breach),
        ];
        for (sent, now, expected) in table {
            assert_eq!(delivery(signed, sent, now), expected, "{sent:?} {now}");
        }
    }

    #[test]
    fn a_contract_comes_back_signed_within_fifteen_days_or_the_registration_lapses() {
        let sent = date(2027, 2, 1);
        let last_day = date(2027, 2, 16);
        let table = [
            (None, last_day, Registration::PreRegistered { last_day }),
            (None, date(2027, 2, 17), Registration::Lapsed),
            (Some(last_day), date(2027, 5, 1), Registration::Registered),
            (Some(date(2027, 2, 17)), date(2027, 5, 1), Registration::Lapsed),
        ];
        for (returned, today, expected) in table {
            assert_eq!(registration(sent, returned, today), expected, "{returned:?} {today}");
        }
    }

    #[test]
    fn a_contract_that_came_back_in_time_revives_what_lapsed_before_it_was_typed_in() {
        let sent = Some(date(2027, 2, 1));
        let today = date(2027, 2, 17);
        for (sent, signed, expected) in [
            (sent, date(2027, 2, 16), true),
            (sent, date(2027, 2, 17), false),
            // Nothing lapses that was never sent.
            (None, date(2027, 2, 16), false),
        ] {
            assert_eq!(revives(sent, signed, today), expected, "{sent:?} {signed}");
        }
    }
}
