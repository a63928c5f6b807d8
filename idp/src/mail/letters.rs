//! The letters this server writes: a struct, its template and its texts each. Plain text: it reads everywhere.

use askama::Template;
use jiff::Timestamp;
use jiff::fmt::strtime;

use crate::outcome::Outcome;
use crate::web::Origin;
use crate::web::page::{Chrome, Sample, sample_chrome};
use crate::web::text::Locale;

/// A letter that can be put into the outbox.
pub trait Letter {
    /// Name and version of the text, kept as proof of what was said.
    fn template(&self) -> &'static str;
    /// Subject line.
    fn subject(&self, locale: Locale) -> String;
    /// The text.
    ///
    /// # Errors
    /// The template failed.
    fn body(&self, chrome: Chrome) -> Outcome<String>;
    /// What sort of mail it is: each letter says so itself.
    fn kind(&self) -> Kind;
}

/// What sort of mail a letter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Tells of something that may have been done by somebody else: it ends with the link to report a compromise (R031).
    Security,
    /// Tells of such a thing and carries the link that takes it back, which does more than a report: the report would send the
    /// link to choose a password to the address that is in doubt. No second link stands beside it.
    Undoable,
    /// Anything else: what the person asked for, a reminder, an invitation.
    Other,
}

/// "Your account was used on a new device" (R031: so that the person can react).
#[derive(Debug)]
pub struct NewSignIn {
    at: Timestamp,
    address: String,
    device: String,
}

impl NewSignIn {
    /// The sign-in that comes from `origin` at `now`.
    pub fn from(origin: &Origin, now: Timestamp) -> Self {
        Self { at: now, address: origin.address.to_string(), device: device(&origin.user_agent) }
    }
}

impl Letter for NewSignIn {
    fn kind(&self) -> Kind {
        Kind::Security
    }

    fn template(&self) -> &'static str {
        "new_sign_in.1"
    }

    fn subject(&self, locale: Locale) -> String {
        locale.text("mail-new-sign-in-subject")
    }

    fn body(&self, chrome: Chrome) -> Outcome<String> {
        let when = paris(self.at, chrome.locale);
        Ok(NewSignInText { when, address: self.address.clone(), device: self.device.clone(), chrome }.render()?)
    }
}

/// The text of [`NewSignIn`].
#[derive(Debug, Clone, Template)]
#[template(path = "mail/new_sign_in.txt")]
pub struct NewSignInText {
    /// Language and name of the operator.
    pub chrome: Chrome,
    /// Date and time in Paris.
    pub when: String,
    /// Where from.
    pub address: String,
    /// Browser and system, as far as they say.
    pub device: String,
}

impl Sample for NewSignInText {
    fn samples(locale: Locale) -> Vec<Self> {
        vec![Self {
            chrome: sample_chrome(locale),
            when: paris(Timestamp::UNIX_EPOCH, locale),
            address: "192.0.2.7".to_owned(),
            device: "Firefox, Linux".to_owned(),
        }]
    }
}

/// Date and time as people in France read them.
pub(crate) fn paris(at: Timestamp, locale: Locale) -> String {
    let format = match locale {
        Locale::Fr => "%d/%m/%Y à %H:%M (heure de Paris)",
        Locale::En => "%-d %B %Y at %H:%M (Paris time)",
    };
    strtime::format(format, &at.to_zoned(habilis_policies::calendar::paris())).unwrap_or_else(|_| at.to_string())
}

/// Browser and system, from what the browser says of itself.
pub(crate) fn device(user_agent: &str) -> String {
    let find = |names: &[(&str, &'static str)]| {
        names.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name)
    };
    let browser = find(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = find(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser}, {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "—".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::accounts::AccountLetter;
    use crate::mail::api_keys::KeyLetter;
    use crate::mail::documents::DocumentLetter;
    use crate::mail::duties::{DutyLetter, StaffMeasureLetter};
    use crate::mail::factors::FactorLetter;
    use crate::mail::identity::IdentityLetter;
    use crate::mail::incidents::IncidentLetter;
    use crate::mail::information::InformationLetter;
    use crate::mail::measures::{AccessClosedLetter, MeasureLetter};
    use crate::mail::organizations::{MembershipEnds, ReviewLetter, SensitiveActLetter};
    use crate::mail::passwords::PasswordLetter;
    use crate::mail::seat_requests::SeatRequestLetter;
    use crate::mail::signing_keys::KeyWithdrawn;
    use crate::mail::subscriptions::SubscriptionLetter;
    use crate::mail::updates::UpdatesLetter;
    use crate::mail::webhooks::Disabled;

    fn named<L: Letter>(letters: Vec<L>) -> impl Iterator<Item = (&'static str, Kind)> {
        letters.into_iter().map(|letter| (letter.template(), letter.kind()))
    }

    /// Every letter by its template, in order, and what it is.
    const EXPECTED: &[(&str, Kind)] = {
        use Kind::{Other, Security, Undoable};
        &[
            ("access_closed.1", Other),
            ("access_ends.1", Other),
            ("account_already_known.1", Other),
            ("account_compromised.1", Other),
            ("account_email_change_asked.1", Security),
            ("account_email_changed.1", Undoable),
            ("account_email_taken_back.1", Other),
            ("account_erased.1", Other),
            ("account_invitation.1", Other),
            ("account_login_yielded.1", Other),
            ("account_new_email.1", Other),
            ("account_session_ended.1", Security),
            ("account_sign_up.1", Other),
            ("address_refused.1", Other),
            ("administrator_changed.1", Other),
            ("administrator_factors_reset.1", Other),
            ("api_key_issued.1", Other),
            ("api_key_reminder.1", Other),
            ("api_key_replace.1", Other),
            ("api_key_rotate.1", Other),
            ("authenticator_app_added.1", Security),
            ("authenticator_app_removed.1", Security),
            ("credentials_due.1", Other),
            ("credentials_late.1", Other),
            ("data_removed.1", Other),
            ("data_return_due.1", Other),
            ("documents_accepted.1", Other),
            ("documents_opened.1", Other),
            ("documents_overdue.1", Other),
            ("documents_refused.1", Other),
            ("documents_reminder.1", Other),
            ("dpo_address_restored.1", Other),
            ("dpo_compromise.2", Other),
            ("dpo_kill_switch.2", Other),
            ("dpo_report.1", Other),
            ("duties_done.1", Other),
            ("duties_refused.1", Other),
            ("duties_requested.1", Other),
            ("identity_changed.1", Security),
            ("identity_changed_member.1", Other),
            ("identity_restored.1", Other),
            ("identity_to_verify.1", Other),
            ("identity_verified.1", Other),
            ("kill_switch.1", Other),
            ("measure_formal_notice.1", Other),
            ("measure_lifted.1", Other),
            ("measure_suspended.1", Other),
            ("measure_terminated.1", Other),
            ("members_exported.1", Other),
            ("members_imported.1", Other),
            ("membership_ends.1", Other),
            ("membership_ends_last.1", Other),
            ("membership_offer.1", Other),
            ("new_sign_in.1", Security),
            ("order_ended.1", Other),
            ("order_ended_beside.1", Other),
            ("order_ends.1", Other),
            ("order_information.1", Other),
            ("order_interrupted.1", Other),
            ("order_opened.1", Other),
            ("order_renewed.1", Other),
            ("order_renews.1", Other),
            ("order_unpaid.1", Other),
            ("organization_rules_changed.1", Other),
            ("override_done.1", Other),
            ("override_requested.1", Other),
            ("passkey_added.1", Security),
            ("passkey_removed.1", Security),
            ("password_changed.1", Security),
            ("password_expired.1", Security),
            ("password_hashes_exported.1", Other),
            ("password_link.1", Other),
            ("password_reissued.1", Other),
            ("password_reminder.1", Other),
            ("password_suspended.1", Other),
            ("recovery_code_used.1", Security),
            ("recovery_codes_made.1", Security),
            ("registration_lapsed.1", Other),
            ("review_opened.1", Other),
            ("review_overdue.1", Other),
            ("review_reminder.1", Other),
            ("seat_request_declined.1", Other),
            ("seat_request_expired.1", Other),
            ("seat_request_granted.1", Other),
            ("seat_request_reminder.1", Other),
            ("seat_requested.1", Other),
            ("seat_requests_changed.1", Other),
            ("seats_full.1", Other),
            ("seats_nearly_full.1", Other),
            ("seats_over.1", Other),
            ("second_factors_removal_asked.1", Security),
            ("second_factors_removed.1", Security),
            ("second_factors_reset.2", Security),
            ("second_factors_reset_by_organization.1", Security),
            ("second_step_guessed.1", Security),
            ("signatory_changed.1", Other),
            ("signing_key_withdrawn.1", Other),
            ("staff_reinstated.1", Other),
            ("staff_suspended.1", Other),
            ("staff_terminated.1", Other),
            ("succession_done.1", Other),
            ("succession_requested.1", Other),
            ("trial_begun.1", Other),
            ("trial_ended.1", Other),
            ("trial_ends.1", Other),
            ("updates_link.1", Other),
            ("usage_exported.1", Other),
            ("webhook_disabled.1", Other),
        ]
    };

    /// Whoever writes a letter decides here whether it ends with the link to report a compromise. A letter that is not in the
    /// table, or a line without its letter, fails.
    #[test]
    fn each_letter_is_of_the_kind_a_person_expects() {
        let sign_in =
            NewSignIn { at: Timestamp::UNIX_EPOCH, address: "192.0.2.7".to_owned(), device: "Firefox".to_owned() };
        let mut found: Vec<_> = named(vec![sign_in])
            .chain(named(AccountLetter::samples()))
            .chain(named(KeyLetter::samples()))
            .chain(named(FactorLetter::samples()))
            .chain(named(PasswordLetter::samples()))
            .chain(named(SensitiveActLetter::samples()))
            .chain(named(ReviewLetter::samples()))
            .chain(named(DocumentLetter::samples()))
            .chain(named(DutyLetter::samples()))
            .chain(named(StaffMeasureLetter::samples()))
            .chain(named(KeyWithdrawn::samples()))
            .chain(named(IdentityLetter::samples()))
            .chain(named(IncidentLetter::samples()))
            .chain(named(InformationLetter::samples()))
            .chain(named(SubscriptionLetter::samples()))
            .chain(named(SeatRequestLetter::samples()))
            .chain(named(MeasureLetter::samples()))
            .chain(named(AccessClosedLetter::samples()))
            .chain(named(MembershipEnds::samples()))
            .chain(named(Disabled::samples()))
            .chain(named(UpdatesLetter::samples()))
            .collect();
        found.sort_unstable_by_key(|(template, _)| *template);
        found.dedup();
        assert_eq!(found, EXPECTED);
    }

    #[test]
    fn dates_are_those_of_paris() {
        let at: Timestamp = "2027-07-14T22:30:00Z".parse().unwrap();
        assert_eq!(paris(at, Locale::Fr), "15/07/2027 à 00:30 (heure de Paris)");
        assert_eq!(paris(at, Locale::En), "15 July 2027 at 00:30 (Paris time)");
    }

    #[test]
    fn devices_are_named_by_what_they_say() {
        let chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36";
        assert_eq!(device(chrome), "Chrome, Windows");
        assert_eq!(device("curl/8.0"), "—");
    }
}
