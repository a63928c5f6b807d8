//! The letters about seats, orders, trials and enrolments.

use askama::Template as _;
use habilis_policies::seats::Level;
use jiff::civil::Date;

use super::letters::{Kind, Letter};
use super::passwords::{PasswordText, day};
use crate::outcome::Outcome;
use crate::web::page::Chrome;
use crate::web::text::Locale;

/// What a letter about a subscription says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Seats are nearly, all or more than all taken.
    Seats(Level),
    /// The order renews itself soon; the date is the first day of the next term, `deadline` the last for a notice of non-renewal.
    Renews,
    /// The order renewed itself.
    Renewed,
    /// The order ends soon; the date is its last day.
    Ends,
    /// The order has ended, and nothing else goes on; the date is the day the data are removed.
    Ended,
    /// The order has ended, and others go on.
    EndedBeside,
    /// An invoice is unpaid; the date is the last day before access is interrupted (R074).
    Unpaid,
    /// Access is interrupted until the invoice is paid.
    Interrupted,
    /// Seats of the order are open; the date is its last day, when it has one.
    Opened,
    /// The trial has begun; the date is its last day, and `seats` has how many there are.
    TrialBegun,
    /// The trial ends soon; the date is its last day.
    TrialEnds,
    /// The trial has ended; data are frozen.
    TrialEnded,
    /// Somebody's access to a course ends soon; the date is its last day.
    AccessEnds,
    /// The contract has not come back signed in time.
    RegistrationLapsed,
    /// Access codes have not been sent within 72 hours of the signature (R020).
    CredentialsDue,
    /// Nor within 96 hours.
    CredentialsLate,
    /// The subscription is over, and the data are wanted back and were never taken; the date is the day they are removed. For operators.
    ReturnDue,
    /// The organization's data were removed; `seats` are memberships and accounts, `number` the digest of the certificate.
    Purged,
    /// With them, the account of a member; the date is the day. For that person.
    Erased,
}

impl Notice {
    /// Name and version of the text; the keys of its subject, of what happened and of what follows.
    fn texts(self) -> (&'static str, [&'static str; 3]) {
        match self {
            Self::Seats(Level::Full) => {
                ("seats_full.1", ["letter-seats-full-subject", "letter-seats-full-what", "letter-seats-full-then"])
            }
            Self::Seats(Level::Over) => {
                ("seats_over.1", ["letter-seats-over-subject", "letter-seats-over-what", "letter-seats-over-then"])
            }
            Self::Seats(Level::Closed | Level::Free | Level::NearlyFull) => (
                "seats_nearly_full.1",
                ["letter-seats-nearly-full-subject", "letter-seats-nearly-full-what", "letter-seats-nearly-full-then"],
            ),
            Self::Renews => (
                "order_renews.1",
                ["letter-order-renews-subject", "letter-order-renews-what", "letter-order-renews-then"],
            ),
            Self::Renewed => (
                "order_renewed.1",
                ["letter-order-renewed-subject", "letter-order-renewed-what", "letter-order-renewed-then"],
            ),
            Self::Ends => {
                ("order_ends.1", ["letter-order-ends-subject", "letter-order-ends-what", "letter-order-ends-then"])
            }
            Self::Ended => {
                ("order_ended.1", ["letter-order-ended-subject", "letter-order-ended-what", "letter-order-ended-then"])
            }
            Self::EndedBeside => (
                "order_ended_beside.1",
                ["letter-order-ended-subject", "letter-order-ended-what", "letter-order-ended-beside-then"],
            ),
            Self::Unpaid => (
                "order_unpaid.1",
                ["letter-order-unpaid-subject", "letter-order-unpaid-what", "letter-order-unpaid-then"],
            ),
            Self::Interrupted => (
                "order_interrupted.1",
                ["letter-order-interrupted-subject", "letter-order-interrupted-what", "letter-order-interrupted-then"],
            ),
            Self::Opened => (
                "order_opened.1",
                ["letter-order-opened-subject", "letter-order-opened-what", "letter-order-opened-then"],
            ),
            Self::TrialBegun => {
                ("trial_begun.1", ["letter-trial-begun-subject", "letter-trial-begun-what", "letter-trial-begun-then"])
            }
            Self::TrialEnds => {
                ("trial_ends.1", ["letter-trial-ends-subject", "letter-trial-ends-what", "letter-trial-ends-then"])
            }
            Self::TrialEnded => {
                ("trial_ended.1", ["letter-trial-ended-subject", "letter-trial-ended-what", "letter-trial-ended-then"])
            }
            Self::AccessEnds => {
                ("access_ends.1", ["letter-access-ends-subject", "letter-access-ends-what", "letter-access-ends-then"])
            }
            Self::RegistrationLapsed => (
                "registration_lapsed.1",
                [
                    "letter-registration-lapsed-subject",
                    "letter-registration-lapsed-what",
                    "letter-registration-lapsed-then",
                ],
            ),
            Self::CredentialsDue => (
                "credentials_due.1",
                ["letter-credentials-due-subject", "letter-credentials-due-what", "letter-credentials-due-then"],
            ),
            Self::ReturnDue => (
                "data_return_due.1",
                ["letter-data-return-due-subject", "letter-data-return-due-what", "letter-data-return-due-then"],
            ),
            Self::Purged => (
                "data_removed.1",
                ["letter-data-removed-subject", "letter-data-removed-what", "letter-data-removed-then"],
            ),
            Self::Erased => (
                "account_erased.1",
                ["letter-account-erased-subject", "letter-account-erased-what", "letter-account-erased-then"],
            ),
            Self::CredentialsLate => (
                "credentials_late.1",
                ["letter-credentials-late-subject", "letter-credentials-late-what", "letter-credentials-late-then"],
            ),
        }
    }
}

/// A letter about seats, an order, a trial or an enrolment.
#[derive(Debug, Clone)]
pub struct SubscriptionLetter {
    /// What it says.
    pub notice: Notice,
    /// The organization's name.
    pub organization: String,
    /// The name of the product, or the title of the course.
    pub product: String,
    /// The number of the order; empty without one.
    pub number: String,
    /// See [`Notice`].
    pub date: Option<Date>,
    /// The last day for a notice of non-renewal.
    pub deadline: Option<Date>,
    /// Seats taken, and those there are.
    pub seats: (u64, u64),
}

impl SubscriptionLetter {
    fn text(&self, locale: Locale, part: usize) -> String {
        let date = self.date.map(|date| day(date, locale)).unwrap_or_default();
        let deadline = self.deadline.map(|date| day(date, locale)).unwrap_or_default();
        locale.text_with(
            self.notice.texts().1[part],
            &[
                ("organization", &self.organization),
                ("product", &self.product),
                ("number", &self.number),
                ("date", &date),
                ("deadline", &deadline),
                ("taken", &self.seats.0.to_string()),
                ("limit", &self.seats.1.to_string()),
            ],
        )
    }
}

impl Letter for SubscriptionLetter {
    fn kind(&self) -> Kind {
        Kind::Other
    }

    fn template(&self) -> &'static str {
        self.notice.texts().0
    }

    fn subject(&self, locale: Locale) -> String {
        self.text(locale, 0)
    }

    fn body(&self, chrome: Chrome) -> Outcome<String> {
        let lines = vec![self.text(chrome.locale, 1), self.text(chrome.locale, 2)];
        Ok(PasswordText { chrome, lines }.render()?)
    }
}

#[cfg(test)]
impl SubscriptionLetter {
    /// A letter of every sort.
    pub(super) fn samples() -> Vec<Self> {
        let notices = [
            Notice::Seats(Level::NearlyFull),
            Notice::Seats(Level::Full),
            Notice::Seats(Level::Over),
            Notice::Renews,
            Notice::Renewed,
            Notice::Ends,
            Notice::Ended,
            Notice::EndedBeside,
            Notice::Unpaid,
            Notice::Interrupted,
            Notice::Opened,
            Notice::TrialBegun,
            Notice::TrialEnds,
            Notice::TrialEnded,
            Notice::AccessEnds,
            Notice::RegistrationLapsed,
            Notice::CredentialsDue,
            Notice::CredentialsLate,
            Notice::ReturnDue,
            Notice::Purged,
            Notice::Erased,
        ];
        let letter = |notice| Self {
            notice,
            organization: "Boulangeries Lefèvre".to_owned(),
            product: "Plateforme Campus".to_owned(),
            number: "BC-2027-014".to_owned(),
            date: Some(jiff::civil::date(2027, 8, 31)),
            deadline: Some(jiff::civil::date(2027, 8, 1)),
            seats: (10, 12),
        };
        notices.map(letter).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_reads_in_every_language_and_says_what_it_is_about() {
        for locale in Locale::ALL {
            for letter in SubscriptionLetter::samples() {
                let body = letter.body(Chrome::new(locale, "Habilis")).unwrap();
                let whole = matches!(letter.notice, Notice::Purged | Notice::Erased);
                let about = if whole { "Boulangeries Lefèvre" } else { "Plateforme Campus" };
                assert!(body.contains(about), "{body}");
                assert!(!body.contains('⟦') && !letter.subject(locale).contains('⟦'), "{body}");
            }
        }
    }
}
