//! The letters to an organization's contacts.

use askama::Template as _;
use habilis_policies::seat_requests::Rule;
use jiff::Timestamp;
use jiff::civil::Date;

use super::letters::{Kind, Letter, paris};
use super::passwords::{PasswordText, day};
use crate::outcome::Outcome;
use crate::web::page::Chrome;
use crate::web::text::Locale;

/// What was done to an organization that its signatory is told of (R055).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SensitiveAct {
    /// Somebody became an administrator, or is none any more.
    AdministratorChanged {
        /// Their name.
        person: String,
    },
    /// It was asked that an administrator follows another (R053).
    SuccessionRequested {
        /// Who leaves.
        leaving: String,
        /// Who would take over.
        successor: String,
    },
    /// An administrator has followed another.
    SuccessionDone {
        /// Who left.
        leaving: String,
        /// Who took over.
        successor: String,
    },
    /// The operator recorded a written request of the organization about an administrator (R054).
    OverrideRequested {
        /// The person concerned.
        person: String,
        /// Who signed the request.
        signed_by: String,
    },
    /// The operator has done what the written request asks.
    OverrideDone {
        /// The person concerned.
        person: String,
        /// Who signed the request.
        signed_by: String,
    },
    /// People were invited from a file (R055, R058).
    MembersImported {
        /// Who did it: a name, or the id of a client.
        person: String,
        /// How many were invited.
        made: i64,
        /// The first of those who were invited as administrators, by name.
        administrators: Vec<String>,
        /// How many of these there are.
        administer: i64,
    },
    /// An API key was issued (R055).
    ApiKeyIssued {
        /// Who did it: a name, or the id of a client.
        person: String,
        /// What the key is called.
        key: String,
    },
    /// Who signs for the organization has changed.
    SignatoryChanged {
        /// Who did it: a name, or the id of a client.
        person: String,
        /// Who signs now.
        signatories: Vec<String>,
    },
    /// Everything of the organization was closed (R033).
    KillSwitch {
        /// Who did it: a name, or the id of a client.
        person: String,
        /// How many accounts were closed.
        people: i64,
    },
    /// The second factors of an administrator who lost them were reset (R035, R055).
    FactorsReset {
        /// The administrator's name.
        person: String,
        /// Who did it.
        by: String,
    },
    /// The organization's rules about passwords or second factors were changed.
    RulesChanged {
        /// Who did it: a name, or the id of a client.
        person: String,
    },
    /// What becomes of members' requests for seats was changed: what they ask for is billed (R059).
    SeatRequestsChanged {
        /// Who did it: a name, or the id of a client.
        person: String,
        /// What becomes of them now.
        rule: Rule,
    },
    /// The account of seats used was exported, with the names of who had them (R055).
    UsageExported {
        /// Who did it: a name, or the id of a client.
        person: String,
    },
    /// The list of members was exported (R055).
    MembersExported {
        /// Who did it: a name, or the id of a client.
        person: String,
    },
    /// The digests of people's passwords were taken away (R212).
    PasswordHashesExported {
        /// The administrator's name.
        person: String,
        /// Of how many people.
        people: i64,
        /// Why, in their words.
        reason: String,
    },
}

impl SensitiveAct {
    /// The letter about it.
    pub fn letter(self, organization: &str, at: Timestamp) -> SensitiveActLetter {
        SensitiveActLetter { act: self, organization: organization.to_owned(), at }
    }
}

/// The letter to a signatory.
#[derive(Debug)]
pub struct SensitiveActLetter {
    act: SensitiveAct,
    organization: String,
    at: Timestamp,
}

impl Letter for SensitiveActLetter {
    /// The signatory may have no account here.
    fn kind(&self) -> Kind {
        Kind::Other
    }

    fn template(&self) -> &'static str {
        match self.act {
            SensitiveAct::AdministratorChanged { .. } => "administrator_changed.1",
            SensitiveAct::SuccessionRequested { .. } => "succession_requested.1",
            SensitiveAct::SuccessionDone { .. } => "succession_done.1",
            SensitiveAct::OverrideRequested { .. } => "override_requested.1",
            SensitiveAct::OverrideDone { .. } => "override_done.1",
            SensitiveAct::MembersImported { .. } => "members_imported.1",
            SensitiveAct::KillSwitch { .. } => "kill_switch.1",
            SensitiveAct::FactorsReset { .. } => "administrator_factors_reset.1",
            SensitiveAct::RulesChanged { .. } => "organization_rules_changed.1",
            SensitiveAct::SeatRequestsChanged { .. } => "seat_requests_changed.1",
            SensitiveAct::UsageExported { .. } => "usage_exported.1",
            SensitiveAct::MembersExported { .. } => "members_exported.1",
            SensitiveAct::PasswordHashesExported { .. } => "password_hashes_exported.1",
            SensitiveAct::ApiKeyIssued { .. } => "api_key_issued.1",
            SensitiveAct::SignatoryChanged { .. } => "signatory_changed.1",
        }
    }

    fn subject(&self, locale: Locale) -> String {
        let subject = match self.act {
            SensitiveAct::AdministratorChanged { .. } => "letter-administrator-changed-subject",
            SensitiveAct::SuccessionRequested { .. } => "letter-succession-requested-subject",
            SensitiveAct::SuccessionDone { .. } => "letter-succession-done-subject",
            SensitiveAct::OverrideRequested { .. } => "letter-override-requested-subject",
            SensitiveAct::OverrideDone { .. } => "letter-override-done-subject",
            SensitiveAct::MembersImported { .. } => "letter-members-imported-subject",
            SensitiveAct::KillSwitch { .. } => "letter-kill-switch-subject",
            SensitiveAct::FactorsReset { .. } => "letter-factors-reset-subject",
            SensitiveAct::RulesChanged { .. } => "letter-rules-changed-subject",
            SensitiveAct::SeatRequestsChanged { .. } => "letter-seat-requests-changed-subject",
            SensitiveAct::UsageExported { .. } => "letter-usage-exported-subject",
            SensitiveAct::MembersExported { .. } => "letter-members-exported-subject",
            SensitiveAct::PasswordHashesExported { .. } => "letter-hashes-exported-subject",
            SensitiveAct::ApiKeyIssued { .. } => "letter-key-issued-subject",
            SensitiveAct::SignatoryChanged { .. } => "letter-signatory-changed-subject",
        };
        locale.text_with(subject, &[("organization", &self.organization)])
    }

    fn body(&self, chrome: Chrome) -> Outcome<String> {
        let locale = chrome.locale;
        let organization = ("organization", self.organization.as_str());
        let mut lines = match &self.act {
            SensitiveAct::AdministratorChanged { person } => vec![
                locale.text_with("letter-administrator-changed-what", &[organization]),
                locale.text_with("letter-administrator-changed-person", &[("person", person)]),
            ],
            SensitiveAct::SuccessionRequested { leaving, successor } => vec![
                locale.text_with("letter-succession-requested-what", &[organization]),
                locale.text_with("letter-succession-who", &[("leaving", leaving), ("successor", successor)]),
            ],
            SensitiveAct::SuccessionDone { leaving, successor } => vec![
                locale.text_with("letter-succession-done-what", &[organization]),
                locale.text_with("letter-succession-who", &[("leaving", leaving), ("successor", successor)]),
            ],
            SensitiveAct::OverrideRequested { person, signed_by } => vec![
                locale.text_with("letter-override-requested-what", &[organization, ("signatory", signed_by)]),
                locale.text_with("letter-administrator-changed-person", &[("person", person)]),
            ],
            SensitiveAct::OverrideDone { person, signed_by } => vec![
                locale.text_with("letter-override-done-what", &[organization, ("signatory", signed_by)]),
                locale.text_with("letter-administrator-changed-person", &[("person", person)]),
            ],
            SensitiveAct::MembersImported { person, made, administrators, administer } => {
                let what =
                    locale.text_with("letter-members-imported-what", &[organization, ("count", &made.to_string())]);
                let mut lines = vec![what];
                if *administer > 0 {
                    let mut names = administrators.join(", ");
                    if i64::try_from(administrators.len()).is_ok_and(|named| named < *administer) {
                        names.push_str(", …");
                    }
                    let values = [("count", administer.to_string()), ("names", names)];
                    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
                    lines.push(locale.text_with("letter-members-imported-administrators", &values));
                }
                lines.push(locale.text_with("letter-members-by", &[("person", person)]));
                lines
            }
            SensitiveAct::ApiKeyIssued { person, key } => vec![
                locale.text_with("letter-key-issued-what", &[organization, ("key", key)]),
                locale.text_with("letter-members-by", &[("person", person)]),
            ],
            SensitiveAct::SignatoryChanged { person, signatories } => {
                let names = signatories.join(", ");
                let now = if signatories.is_empty() {
                    locale.text("letter-signatory-changed-nobody")
                } else {
                    locale.text_with("letter-signatory-changed-now", &[("names", &names)])
                };
                let what = locale.text_with("letter-signatory-changed-what", &[organization]);
                vec![what, now, locale.text_with("letter-members-by", &[("person", person)])]
            }
            SensitiveAct::KillSwitch { person, people } => vec![
                locale.text_with("letter-kill-switch-what", &[organization, ("count", &people.to_string())]),
                locale.text_with("letter-members-by", &[("person", person)]),
            ],
            SensitiveAct::FactorsReset { person, by } => vec![
                locale.text_with("letter-factors-reset-what", &[organization]),
                locale.text_with("letter-administrator-changed-person", &[("person", person)]),
                locale.text_with("letter-members-by", &[("person", by)]),
            ],
            SensitiveAct::RulesChanged { person } => vec![
                locale.text_with("letter-rules-changed-what", &[organization]),
                locale.text_with("letter-members-by", &[("person", person)]),
            ],
            SensitiveAct::SeatRequestsChanged { person, rule } => vec![
                locale.text_with("letter-seat-requests-changed-what", &[organization]),
                locale.text(match rule {
                    Rule::Approval => "letter-seat-requests-approval",
                    Rule::Automatic => "letter-seat-requests-automatic",
                    Rule::Off => "letter-seat-requests-off",
                }),
                locale.text_with("letter-members-by", &[("person", person)]),
            ],
            SensitiveAct::UsageExported { person } => vec![
                locale.text_with("letter-usage-exported-what", &[organization]),
                locale.text_with("letter-members-by", &[("person", person)]),
            ],
            SensitiveAct::MembersExported { person } => vec![
                locale.text_with("letter-members-exported-what", &[organization]),
                locale.text_with("letter-members-by", &[("person", person)]),
            ],
            SensitiveAct::PasswordHashesExported { person, people, reason } => vec![
                locale.text_with("letter-hashes-exported-what", &[organization, ("count", &people.to_string())]),
                locale.text("letter-hashes-exported-means"),
                locale.text_with("letter-hashes-exported-reason", &[("reason", reason)]),
                locale.text_with("letter-members-by", &[("person", person)]),
            ],
        };
        lines.push(locale.text_with("mail-new-sign-in-when", &[("when", &paris(self.at, locale))]));
        lines.push(locale.text("letter-administrator-changed-if-not"));
        Ok(PasswordText { chrome, lines }.render()?)
    }
}

/// Where a review of access stands when its administrators are written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReviewStage {
    /// It has opened.
    Opened,
    /// It ends soon.
    Reminder,
    /// It should have been signed.
    Overdue,
}

/// The letter to administrators about a review of access (R052).
#[derive(Debug)]
pub struct ReviewLetter {
    /// Where it stands.
    pub stage: ReviewStage,
    /// The organization's name.
    pub organization: String,
    /// The day by which it is to be signed.
    pub due_on: Date,
    /// Members nobody has decided about.
    pub left: i64,
}

impl Letter for ReviewLetter {
    fn kind(&self) -> Kind {
        Kind::Other
    }

    fn template(&self) -> &'static str {
        match self.stage {
            ReviewStage::Opened => "review_opened.1",
            ReviewStage::Reminder => "review_reminder.1",
            ReviewStage::Overdue => "review_overdue.1",
        }
    }

    fn subject(&self, locale: Locale) -> String {
        let subject = match self.stage {
            ReviewStage::Opened => "letter-review-opened-subject",
            ReviewStage::Reminder => "letter-review-reminder-subject",
            ReviewStage::Overdue => "letter-review-overdue-subject",
        };
        locale.text_with(subject, &[("organization", &self.organization), ("date", &day(self.due_on, locale))])
    }

    fn body(&self, chrome: Chrome) -> Outcome<String> {
        let locale = chrome.locale;
        let what = match self.stage {
            ReviewStage::Opened => "letter-review-opened-what",
            ReviewStage::Reminder => "letter-review-reminder-what",
            ReviewStage::Overdue => "letter-review-overdue-what",
        };
        let date = day(self.due_on, locale);
        let lines = vec![
            locale.text_with(what, &[("organization", &self.organization), ("date", &date)]),
            locale.text_with("letter-review-left", &[("count", &self.left.to_string())]),
        ];
        Ok(PasswordText { chrome, lines }.render()?)
    }
}

/// The letter to administrators about a membership with a last day (R056).
#[derive(Debug)]
pub struct MembershipEnds {
    /// The organization's name.
    pub organization: String,
    /// The member's name.
    pub person: String,
    /// The last day.
    pub last_day: Date,
    /// Days left.
    pub days: u16,
    /// Who administers the organization after it.
    pub afterwards: Afterwards,
}

/// Who administers an organization when a membership has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Afterwards {
    /// Whoever does now, or others.
    Somebody,
    /// Nobody (R053).
    Nobody,
}

impl Letter for MembershipEnds {
    fn kind(&self) -> Kind {
        Kind::Other
    }

    fn template(&self) -> &'static str {
        match self.afterwards {
            Afterwards::Somebody => "membership_ends.1",
            Afterwards::Nobody => "membership_ends_last.1",
        }
    }

    fn subject(&self, locale: Locale) -> String {
        let values = [("organization", self.organization.as_str()), ("person", self.person.as_str())];
        locale.text_with("letter-membership-ends-subject", &values)
    }

    fn body(&self, chrome: Chrome) -> Outcome<String> {
        let locale = chrome.locale;
        let (date, days) = (day(self.last_day, locale), self.days.to_string());
        let values = [
            ("organization", self.organization.as_str()),
            ("person", self.person.as_str()),
            ("date", date.as_str()),
            ("days", days.as_str()),
        ];
        let then = match self.afterwards {
            Afterwards::Somebody => locale.text("letter-membership-ends-todo"),
            Afterwards::Nobody => locale.text_with("letter-membership-ends-nobody", &values[..1]),
        };
        let lines = vec![locale.text_with("letter-membership-ends-what", &values), then];
        Ok(PasswordText { chrome, lines }.render()?)
    }
}

#[cfg(test)]
impl MembershipEnds {
    /// A letter.
    pub(super) fn samples() -> Vec<Self> {
        let (organization, person) = ("Boulangeries Lefèvre".to_owned(), "Zoé Bénard".to_owned());
        let letter = |afterwards| Self {
            organization: organization.clone(),
            person: person.clone(),
            last_day: jiff::civil::date(2027, 3, 31),
            days: 30,
            afterwards,
        };
        vec![letter(Afterwards::Somebody), letter(Afterwards::Nobody)]
    }
}

#[cfg(test)]
impl ReviewLetter {
    /// A letter of every sort.
    pub(super) fn samples() -> Vec<Self> {
        let stages = [ReviewStage::Opened, ReviewStage::Reminder, ReviewStage::Overdue];
        let due_on = jiff::civil::date(2027, 3, 31);
        let letter = |stage| Self { stage, organization: "Boulangeries Lefèvre".to_owned(), due_on, left: 12 };
        stages.map(letter).into()
    }
}

#[cfg(test)]
impl SensitiveActLetter {
    /// A letter of every sort.
    pub(super) fn samples() -> Vec<Self> {
        let name = || "Zoé Bénard".to_owned();
        let acts = [
            SensitiveAct::AdministratorChanged { person: name() },
            SensitiveAct::SuccessionRequested { leaving: "Luc Roy".to_owned(), successor: name() },
            SensitiveAct::SuccessionDone { leaving: "Luc Roy".to_owned(), successor: name() },
            SensitiveAct::OverrideRequested { person: name(), signed_by: "Luc Roy".to_owned() },
            SensitiveAct::OverrideDone { person: name(), signed_by: "Luc Roy".to_owned() },
            SensitiveAct::MembersImported { person: name(), made: 240, administrators: Vec::new(), administer: 0 },
            SensitiveAct::MembersImported {
                person: "Luc Roy".to_owned(),
                made: 240,
                administrators: vec![name()],
                administer: 2,
            },
            SensitiveAct::ApiKeyIssued { person: name(), key: "LMS".to_owned() },
            SensitiveAct::SignatoryChanged { person: "Luc Roy".to_owned(), signatories: vec![name()] },
            SensitiveAct::SignatoryChanged { person: name(), signatories: Vec::new() },
            SensitiveAct::KillSwitch { person: name(), people: 240 },
            SensitiveAct::FactorsReset { person: "Luc Roy".to_owned(), by: name() },
            SensitiveAct::RulesChanged { person: name() },
            SensitiveAct::SeatRequestsChanged { person: name(), rule: Rule::Automatic },
            SensitiveAct::SeatRequestsChanged { person: name(), rule: Rule::Approval },
            SensitiveAct::SeatRequestsChanged { person: name(), rule: Rule::Off },
            SensitiveAct::UsageExported { person: name() },
            SensitiveAct::MembersExported { person: name() },
            SensitiveAct::PasswordHashesExported { person: name(), people: 240, reason: "Départ".to_owned() },
        ];
        acts.into_iter().map(|act| act.letter("Boulangeries Lefèvre", Timestamp::UNIX_EPOCH)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_reads_in_every_language_and_names_who_and_where() {
        for locale in Locale::ALL {
            for letter in SensitiveActLetter::samples() {
                let body = letter.body(Chrome::new(locale, "Habilis")).unwrap();
                assert!(body.contains("Zoé Bénard") && body.contains("Boulangeries Lefèvre"), "{body}");
                assert!(!body.contains('⟦') && letter.subject(locale).contains("Lefèvre"), "{body}");
            }
            for letter in MembershipEnds::samples() {
                let body = letter.body(Chrome::new(locale, "Habilis")).unwrap();
                assert!(body.contains("Zoé Bénard") && body.contains("Lefèvre") && body.contains("2027"), "{body}");
                assert!(!body.contains('⟦') && !letter.subject(locale).contains('⟦'), "{body}");
            }
        }
    }
}
