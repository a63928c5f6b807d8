//! The letters to operators and data protection officers about who is one of them, and whether they may act.

use askama::Template as _;
use habilis_policies::sanctions::Act;
use jiff::Timestamp;

use super::letters::{Kind, Letter, paris};
use super::passwords::PasswordText;
use super::{Post, Recipient, write, write_to};
use crate::db::{Tx, people};
use crate::outcome::Outcome;
use crate::web::page::Chrome;
use crate::web::text::Locale;

/// Where a change of duties stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DutyStage {
    /// It waits for a second operator.
    Requested,
    /// It is so.
    Done,
    /// It was refused.
    Refused,
}

/// The letter about a change of duties (R054).
#[derive(Debug)]
pub struct DutyLetter {
    /// Where it stands.
    pub stage: DutyStage,
    /// The name of the person concerned.
    pub person: String,
    /// The name of who asked, or decided.
    pub by: String,
    /// Operator and data protection officer, as was asked.
    pub duties: (bool, bool),
    /// When.
    pub at: Timestamp,
}

impl Letter for DutyLetter {
    fn kind(&self) -> Kind {
        Kind::Other
    }

    fn template(&self) -> &'static str {
        match self.stage {
            DutyStage::Requested => "duties_requested.1",
            DutyStage::Done => "duties_done.1",
            DutyStage::Refused => "duties_refused.1",
        }
    }

    fn subject(&self, locale: Locale) -> String {
        let subject = match self.stage {
            DutyStage::Requested => "letter-duties-requested-subject",
            DutyStage::Done => "letter-duties-done-subject",
            DutyStage::Refused => "letter-duties-refused-subject",
        };
        locale.text_with(subject, &[("person", &self.person)])
    }

    fn body(&self, chrome: Chrome) -> Outcome<String> {
        let locale = chrome.locale;
        let what = match self.stage {
            DutyStage::Requested => "letter-duties-requested-what",
            DutyStage::Done => "letter-duties-done-what",
            DutyStage::Refused => "letter-duties-refused-what",
        };
        let duties = named(locale, self.duties);
        let lines = vec![
            locale.text_with(what, &[("person", &self.person)]),
            locale.text_with("letter-duties-then", &[("duties", &duties)]),
            locale.text_with("letter-members-by", &[("person", &self.by)]),
            locale.text_with("mail-new-sign-in-when", &[("when", &paris(self.at, locale))]),
            locale.text("letter-duties-if-not"),
        ];
        Ok(PasswordText { chrome, lines }.render()?)
    }
}

/// What the duties are called: operator, data protection officer.
fn named(locale: Locale, duties: (bool, bool)) -> String {
    match duties {
        (true, _) => locale.text("letter-duties-operator"),
        (false, true) => locale.text("letter-duties-privacy"),
        (false, false) => locale.text("letter-duties-none"),
    }
}

/// What was done to the account of an operator or data protection officer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StaffMeasure {
    /// It is suspended.
    Suspended,
    /// It is open again.
    Reinstated,
    /// It is closed for good.
    Terminated,
}

impl StaffMeasure {
    /// What `act` does to an account; none when it stays as it is.
    pub fn of(act: Act) -> Option<Self> {
        match act {
            Act::Suspend => Some(Self::Suspended),
            Act::Lift => Some(Self::Reinstated),
            Act::Terminate => Some(Self::Terminated),
            Act::GiveNotice => None,
        }
    }
}

/// The letter to the others when the account of one of them was suspended, closed or opened again.
#[derive(Debug)]
pub struct StaffMeasureLetter {
    /// What was done.
    pub measure: StaffMeasure,
    /// The name of the person concerned.
    pub person: String,
    /// Operator and data protection officer, as the person is.
    pub duties: (bool, bool),
    /// The name of who did it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

impl Letter for StaffMeasureLetter {
    fn kind(&self) -> Kind {
        Kind::Other
    }

    fn template(&self) -> &'static str {
        match self.measure {
            StaffMeasure::Suspended => "staff_suspended.1",
            StaffMeasure::Reinstated => "staff_reinstated.1",
            StaffMeasure::Terminated => "staff_terminated.1",
        }
    }

    fn subject(&self, locale: Locale) -> String {
        let subject = match self.measure {
            StaffMeasure::Suspended => "letter-staff-suspended",
            StaffMeasure::Reinstated => "letter-staff-reinstated",
            StaffMeasure::Terminated => "letter-staff-terminated",
        };
        locale.text_with(subject, &[("person", &self.person)])
    }

    fn body(&self, chrome: Chrome) -> Outcome<String> {
        let locale = chrome.locale;
        let lines = vec![
            format!("{}.", self.subject(locale)),
            locale.text_with("letter-staff-duties", &[("duties", &named(locale, self.duties))]),
            locale.text_with("letter-staff-reason", &[("text", &self.reason)]),
            locale.text_with("letter-members-by", &[("person", &self.by)]),
            locale.text_with("mail-new-sign-in-when", &[("when", &paris(self.at, locale))]),
            locale.text("letter-duties-if-not"),
        ];
        Ok(PasswordText { chrome, lines }.render()?)
    }
}

/// Puts the letter into the outbox for every operator and data protection officer but `but`, and for `mail.dpo` where it names an address
/// that is none of theirs.
///
/// # Errors
/// The database or the template failed.
pub async fn tell_staff(
    tx: &mut Tx,
    post: Post<'_>,
    (letter, but): (&impl Letter, Option<&str>),
    now: Timestamp,
) -> Outcome<()> {
    let mut dpo = post.config.mail.dpo.as_deref();
    for id in people::staff(tx).await? {
        let Some(person) = people::find(tx, &id).await? else { continue };
        dpo = dpo.filter(|address| !person.is_reached_at(address));
        if Some(id.as_str()) != but {
            write(tx, post, (&id, letter), now).await?;
        }
    }
    if let Some(address) = dpo {
        let to = Recipient { address, person: None, locale: Locale::Fr };
        write_to(tx, post, (&to, letter), (now, now)).await?;
    }
    Ok(())
}

#[cfg(test)]
impl StaffMeasureLetter {
    /// A letter of every sort.
    pub(super) fn samples() -> Vec<Self> {
        let measures = [
            (StaffMeasure::Suspended, (true, false)),
            (StaffMeasure::Reinstated, (false, true)),
            (StaffMeasure::Terminated, (true, false)),
        ];
        let letter = |(measure, duties)| Self {
            measure,
            person: "Zoé Bénard".to_owned(),
            duties,
            by: "Luc Roy".to_owned(),
            reason: "Session inconnue.".to_owned(),
            at: Timestamp::UNIX_EPOCH,
        };
        measures.into_iter().map(letter).collect()
    }
}

#[cfg(test)]
impl DutyLetter {
    /// A letter of every sort.
    pub(super) fn samples() -> Vec<Self> {
        let duties = [
            (DutyStage::Requested, (true, false)),
            (DutyStage::Done, (false, true)),
            (DutyStage::Refused, (false, false)),
        ];
        let (person, by) = ("Zoé Bénard", "Luc Roy");
        let letter = |(stage, duties)| Self {
            stage,
            person: person.to_owned(),
            by: by.to_owned(),
            duties,
            at: Timestamp::UNIX_EPOCH,
        };
        duties.into_iter().map(letter).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_names_whom_it_is_about_and_who_did_it() {
        for locale in Locale::ALL {
            for letter in DutyLetter::samples() {
                let text = letter.subject(locale) + &letter.body(Chrome::new(locale, "Habilis")).unwrap();
                assert!(text.contains("Zoé Bénard") && text.contains("Luc Roy"), "{text}");
                assert!(!text.contains('⟦'), "{text}");
            }
        }
    }

    #[test]
    fn the_others_read_whose_account_it_is_who_did_it_and_why() {
        for locale in Locale::ALL {
            for letter in StaffMeasureLetter::samples() {
                let text = letter.subject(locale) + &letter.body(Chrome::new(locale, "Habilis")).unwrap();
                for said in ["Zoé Bénard", "Luc Roy", "Session inconnue.", &named(locale, letter.duties)] {
                    assert!(text.contains(said), "{said}: {text}");
                }
                assert!(!text.contains('⟦'), "{text}");
            }
        }
        assert_eq!(StaffMeasure::of(Act::GiveNotice), None, "a notice closes nothing");
    }
}
