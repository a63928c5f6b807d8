//! Passwords: what makes one acceptable, and until when it may be used.
//!
//! A password is accepted when it follows one of the three patterns the CNIL names (délibération 2022-100, a password alone):
//! twelve characters of four classes, fourteen of three, or seven words; when it does not contain the person's own words, is
//! not guessable, not on a list of leaked passwords and not one of the last few. Patterns, rather than bits of entropy: twelve
//! characters of 99 give 79.55 bits, and a strict 80 would refuse the CNIL's own example.
//!
//! It expires at 00:00 in Paris on the anniversary of its last change, or at the yearly campaign of mid-December when it is
//! already old by then. There is no exemption, administrators included. An expired password opens nothing: the way back is the
//! link sent to the declared address.
//!
//! Requirements R040–R049; questions Q01–Q03; domain facts 5.1, 5.2.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::calendar;

/// The longest password accepted, in characters. Hashing cost does not depend on it; scoring and folding do.
pub const MAX_CHARS: usize = 256;

/// The most previous passwords a rule may remember. Each is compared by a slow digest when a password is chosen.
pub const MAX_HISTORY: u8 = 24;

/// Whether passwords are renewed every year (R042, R043). An organization may turn it off, on the CNIL's advice (Q03).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Renewal {
    /// Neither anniversaries nor campaigns. The weaker of the two.
    Off,
    /// On the anniversary of the last change, and at campaigns.
    Yearly,
}

/// The rule passwords of an organization follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordPolicy {
    /// Shortest password with lower case, upper case, digits and special characters.
    pub four_classes_min: u16,
    /// Shortest password with lower case, upper case and digits.
    pub three_classes_min: u16,
    /// Fewest words of a passphrase.
    pub passphrase_words_min: u16,
    /// Lowest guessability score accepted, 0 to 4.
    pub strength_min: u8,
    /// How many previous passwords may not come back, the current one included.
    pub history: u8,
    /// Whether passwords are renewed every year.
    pub renewal: Renewal,
    /// Days an expired password may wait for renewal before the account is suspended (R045), at most 365.
    pub grace_days: u16,
}

impl PasswordPolicy {
    /// The least anyone may ask: the CNIL's three patterns, and no more than its advice on renewal.
    pub const CNIL_FLOOR: Self = Self {
        four_classes_min: 12,
        three_classes_min: 14,
        passphrase_words_min: 7,
        strength_min: 2,
        history: 1,
        renewal: Renewal::Off,
        grace_days: 365,
    };

    /// The rule of an operator that states none: the floor, yearly renewal, the last five refused, thirty days of grace.
    pub const DEFAULT: Self =
        Self { strength_min: 3, history: 5, renewal: Renewal::Yearly, grace_days: 30, ..Self::CNIL_FLOOR };

    /// Says whether this rule may be saved: nowhere weaker than `floor`, and possible to satisfy.
    ///
    /// # Errors
    /// Every [`PolicyRefusal`] that applies, for the page to list.
    ///
    /// Requirement R040.
    pub fn admit(&self, floor: &Self) -> Result<(), Vec<PolicyRefusal>> {
        use PolicyRefusal as R;
        let checks = [
            (self.four_classes_min < floor.four_classes_min, R::FourClassesTooShort { floor: floor.four_classes_min }),
            (
                self.three_classes_min < floor.three_classes_min,
                R::ThreeClassesTooShort { floor: floor.three_classes_min },
            ),
            (
                self.passphrase_words_min < floor.passphrase_words_min,
                R::PassphraseTooShort { floor: floor.passphrase_words_min },
            ),
            (self.strength_min < floor.strength_min, R::StrengthTooLow { floor: floor.strength_min }),
            (self.history < floor.history, R::HistoryTooShort { floor: floor.history }),
            (self.renewal < floor.renewal, R::RenewalRequired),
            (self.grace_days > floor.grace_days, R::GraceTooLong { ceiling: floor.grace_days }),
            (self.history > MAX_HISTORY, R::HistoryTooLong),
            (
                self.four_classes_min.max(self.three_classes_min) > 64
                    || self.passphrase_words_min > 16
                    || self.strength_min > 4,
                R::Unattainable,
            ),
        ];
        let refusals: Vec<_> = checks.into_iter().filter(|(refused, _)| *refused).map(|(_, refusal)| refusal).collect();
        if refusals.is_empty() { Ok(()) } else { Err(refusals) }
    }

    /// The rule in force: the organization's, by default the operator's, raised to the floor wherever it is weaker.
    ///
    /// Raising matters when the floor rises after an organization saved its rule: the old rule does not outlive the new floor.
    ///
    /// Requirement R040.
    #[must_use]
    pub fn effective(organization: Option<&Self>, operator: &Self, floor: &Self) -> Self {
        let chosen = organization.unwrap_or(operator);
        Self {
            four_classes_min: chosen.four_classes_min.max(floor.four_classes_min),
            three_classes_min: chosen.three_classes_min.max(floor.three_classes_min),
            passphrase_words_min: chosen.passphrase_words_min.max(floor.passphrase_words_min),
            strength_min: chosen.strength_min.max(floor.strength_min),
            history: chosen.history.max(floor.history),
            renewal: chosen.renewal.max(floor.renewal),
            grace_days: chosen.grace_days.min(floor.grace_days),
        }
    }

    /// The stricter of two rules in every respect: what somebody follows who belongs to two organizations.
    #[must_use]
    pub fn stricter(&self, other: &Self) -> Self {
        Self::effective(Some(self), self, other)
    }
}

/// Why a password rule may not be saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyRefusal {
    /// Four-class passwords may be shorter than the floor.
    #[error("four-class passwords need at least {floor} characters")]
    FourClassesTooShort {
        /// Characters the floor asks for.
        floor: u16,
    },
    /// Three-class passwords may be shorter than the floor.
    #[error("three-class passwords need at least {floor} characters")]
    ThreeClassesTooShort {
        /// Characters the floor asks for.
        floor: u16,
    },
    /// Passphrases may be shorter than the floor.
    #[error("passphrases need at least {floor} words")]
    PassphraseTooShort {
        /// Words the floor asks for.
        floor: u16,
    },
    /// Guessable passwords would pass.
    #[error("the strength score must be at least {floor}")]
    StrengthTooLow {
        /// Score the floor asks for.
        floor: u8,
    },
    /// Too few previous passwords are remembered.
    #[error("at least the last {floor} passwords must be refused")]
    HistoryTooShort {
        /// How many the floor asks for.
        floor: u8,
    },
    /// More previous passwords than [`MAX_HISTORY`] would be remembered.
    #[error("at most the last {MAX_HISTORY} passwords can be refused")]
    HistoryTooLong,
    /// The operator's contract asks for yearly renewal.
    #[error("yearly renewal is required")]
    RenewalRequired,
    /// Expired passwords would wait longer than allowed.
    #[error("at most {ceiling} days of grace")]
    GraceTooLong {
        /// The most the floor allows, in days.
        ceiling: u16,
    },
    /// More than 64 characters, 16 words or a score of 4: nobody could comply.
    #[error("no password could satisfy this")]
    Unattainable,
}

/// A password somebody would like to use, with what others found out about it. Has no `Debug`: it holds the password.
#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    /// The password itself.
    pub text: &'a str,
    /// Names, e-mail address, organization: whatever is the person's own. Taken apart into words here.
    pub personal: &'a [&'a str],
    /// Guessability score, 0 (first guesses) to 4, computed with the same personal words.
    pub strength: u8,
    /// What the list of leaked passwords says.
    pub leaked: Leaked,
    /// Whether it equals each earlier password, the current one first.
    pub earlier: &'a [Earlier],
}

/// What the list of leaked passwords says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaked {
    /// It is on the list.
    Yes,
    /// It is not.
    No,
}

/// The verdict of comparing with one earlier password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Earlier {
    /// The same password.
    Same,
    /// Another one.
    Different,
}

/// The CNIL pattern a password follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// Lower case, upper case, digits and special characters.
    FourClasses,
    /// Lower case, upper case and digits.
    ThreeClasses,
    /// Words.
    Passphrase,
}

/// Why a password is not accepted. Carries nothing of the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordRefusal {
    /// More than [`MAX_CHARS`] characters.
    #[error("longer than {MAX_CHARS} characters")]
    TooLong,
    /// It follows none of the three patterns.
    #[error("follows none of the accepted patterns")]
    NoPattern(Composition),
    /// It contains a name, a part of the e-mail address or of the organization's name.
    #[error("contains a personal word")]
    PersonalWord,
    /// It would be among the first guesses.
    #[error("too easy to guess")]
    Guessable,
    /// It is on a list of leaked passwords.
    #[error("known from a leak")]
    Leaked,
    /// It was used recently.
    #[error("used recently")]
    Reused,
}

/// What a password is made of, so that a page can say what is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Composition {
    /// Length in characters.
    pub chars: usize,
    /// Has lower case, upper case, digits, special characters, in this order. A space is special; so is any other sign or
    /// letter without case.
    pub classes: [bool; 4],
    /// Different words of at least three letters, accents and case aside.
    pub words: usize,
}

impl Composition {
    fn of(text: &str) -> Self {
        let is = [
            |c: char| c.is_lowercase(),
            |c: char| c.is_uppercase(),
            |c: char| c.is_ascii_digit(),
            |c: char| !(c.is_lowercase() || c.is_uppercase() || c.is_ascii_digit()),
        ];
        let mut words: Vec<String> = words(text).into_iter().filter(|word| word.len() >= 3).collect();
        words.sort_unstable();
        words.dedup();
        Self { chars: text.chars().count(), classes: is.map(|class| text.chars().any(class)), words: words.len() }
    }

    fn pattern(&self, policy: &PasswordPolicy) -> Option<Pattern> {
        let long = |min: u16| self.chars >= usize::from(min);
        match self.classes {
            [true, true, true, true] if long(policy.four_classes_min) => Some(Pattern::FourClasses),
            [true, true, true, _] if long(policy.three_classes_min) => Some(Pattern::ThreeClasses),
            _ if self.words >= usize::from(policy.passphrase_words_min) => Some(Pattern::Passphrase),
            _ => None,
        }
    }
}

/// Says whether a password may be chosen, and by which pattern.
///
/// # Errors
/// Every [`PasswordRefusal`] that applies, so that a person corrects once; `TooLong` alone when it is too long to look at.
///
/// Requirement R040, question Q03, délibération CNIL 2022-100.
pub fn check(candidate: &Candidate<'_>, policy: &PasswordPolicy) -> Result<Pattern, Vec<PasswordRefusal>> {
    if candidate.text.chars().take(MAX_CHARS + 1).count() > MAX_CHARS {
        return Err(vec![PasswordRefusal::TooLong]);
    }
    let composition = Composition::of(candidate.text);
    let pattern = composition.pattern(policy);
    let mut refusals = Vec::new();
    if pattern.is_none() {
        refusals.push(PasswordRefusal::NoPattern(composition));
    }
    if has_personal_word(candidate.text, candidate.personal) {
        refusals.push(PasswordRefusal::PersonalWord);
    }
    if candidate.strength < policy.strength_min {
        refusals.push(PasswordRefusal::Guessable);
    }
    if candidate.leaked == Leaked::Yes {
        refusals.push(PasswordRefusal::Leaked);
    }
    if candidate.earlier.iter().take(usize::from(policy.history)).any(|&verdict| verdict == Earlier::Same) {
        refusals.push(PasswordRefusal::Reused);
    }
    match pattern {
        Some(pattern) if refusals.is_empty() => Ok(pattern),
        _ => Err(refusals),
    }
}

/// Words of four letters or more are refused anywhere; of three, only standing alone: "Léa" must not forbid "pleasure".
fn has_personal_word(text: &str, personal: &[&str]) -> bool {
    let (whole, alone) = (fold(text), words(text));
    personal.iter().flat_map(|source| words(source)).any(|word| match word.chars().count() {
        0..=2 => false,
        3 => alone.contains(&word),
        _ => whole.contains(&word),
    })
}

/// The words of a text, folded: runs of letters.
fn words(text: &str) -> Vec<String> {
    fold(text).split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Lower case without accents or ligatures, for the Latin letters of European names.
fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase) {
        match c {
            'à'..='å' | 'ā' | 'ă' | 'ą' => folded.push('a'),
            'ç' | 'ć' | 'č' | 'ĉ' | 'ċ' => folded.push('c'),
            'ď' | 'đ' | 'ð' => folded.push('d'),
            'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => folded.push('e'),
            'ğ' | 'ĝ' | 'ġ' | 'ģ' => folded.push('g'),
            'ì'..='ï' | 'ī' | 'ĩ' | 'į' | 'ı' => folded.push('i'),
            'ł' | 'ľ' | 'ĺ' | 'ļ' => folded.push('l'),
            'ñ' | 'ń' | 'ň' | 'ņ' => folded.push('n'),
            'ò'..='ö' | 'ø' | 'ō' | 'ő' => folded.push('o'),
            'ř' | 'ŕ' => folded.push('r'),
            'ś' | 'š' | 'ş' | 'ș' => folded.push('s'),
            'ť' | 'ţ' | 'ț' => folded.push('t'),
            'ù'..='ü' | 'ū' | 'ů' | 'ű' | 'ų' => folded.push('u'),
            'ý' | 'ÿ' => folded.push('y'),
            'ź' | 'ż' | 'ž' => folded.push('z'),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'ß' => folded.push_str("ss"),
            // Accents typed as separate marks.
            '\u{300}'..='\u{36f}' => {}
            _ => folded.push(c),
        }
    }
    folded
}

/// A renewal campaign of all passwords that are already old on its date (R041, Q01).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Campaign {
    held_on: Date,
    older_than_days: u16,
}

/// A campaign may spare passwords changed in the last year at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a campaign concerns passwords older than 0 to 365 days")]
pub struct CampaignRefused;

impl Campaign {
    /// Age in days beyond which a campaign forces a change, unless configured (Q01).
    pub const DEFAULT_OLDER_THAN_DAYS: u16 = 90;

    /// A campaign on a date, for passwords last changed more than so many days before.
    ///
    /// # Errors
    /// More than 365 days: the anniversary has come by then.
    pub fn new(held_on: Date, older_than_days: u16) -> Result<Self, CampaignRefused> {
        if older_than_days > 365 { Err(CampaignRefused) } else { Ok(Self { held_on, older_than_days }) }
    }

    /// The usual one, on 15 December; `None` for a year the calendar does not have.
    pub fn mid_december(year: i16) -> Option<Self> {
        let held_on = Date::new(year, 12, 15).ok()?;
        Some(Self { held_on, older_than_days: Self::DEFAULT_OLDER_THAN_DAYS })
    }

    /// Whether a password last changed then must be changed at this campaign.
    ///
    /// The others keep their anniversary. A forced one gets a new anniversary from the day it is really changed.
    pub fn forces(&self, last_change: Timestamp) -> bool {
        calendar::days_between(calendar::date_at(last_change), self.held_on) > i32::from(self.older_than_days)
    }
}

/// Why a password expires when it does, for the notice and the evidence (Q01).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The anniversary of its last change.
    Anniversary,
    /// A campaign.
    Campaign,
}

/// When a password expires: at 00:00 in Paris on this date, and why. `None` when renewal is off.
///
/// The earliest of the anniversary and the campaigns that force it: a campaign never postpones an anniversary.
///
/// Requirements R041–R043, questions Q01, Q02.
pub fn expires_on(last_change: Timestamp, policy: &PasswordPolicy, campaigns: &[Campaign]) -> Option<(Date, Cause)> {
    if policy.renewal == Renewal::Off {
        return None;
    }
    let anniversary = calendar::anniversary(calendar::date_at(last_change));
    let forced =
        campaigns.iter().filter(|campaign| campaign.forces(last_change)).map(|campaign| campaign.held_on).min();
    match forced {
        Some(date) if date < anniversary => Some((date, Cause::Campaign)),
        _ => Some((anniversary, Cause::Anniversary)),
    }
}

/// Where a password stands at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// May be used.
    Valid,
    /// May be used, and expires within 30 days.
    DueIn {
        /// Days left on the Paris calendar, 1 to 30.
        days: u16,
    },
    /// Opens nothing: the page says so and a link goes to the declared address (R044).
    Expired {
        /// The first day it could no longer be used.
        since: Date,
    },
    /// Expired beyond the grace: the account is suspended until the password is renewed (R045).
    SuspendedForAge {
        /// The first day of suspension.
        since: Date,
    },
}

impl State {
    /// Whether the right password opens a session.
    pub fn may_sign_in(self) -> bool {
        matches!(self, Self::Valid | Self::DueIn { .. })
    }
}

/// Says where a password stands at `now`. The grace of the policy delays suspension, never expiry.
///
/// Requirements R042–R045.
pub fn state(last_change: Timestamp, policy: &PasswordPolicy, campaigns: &[Campaign], now: Timestamp) -> State {
    let Some((expiry, _)) = expires_on(last_change, policy, campaigns) else {
        return State::Valid;
    };
    let today = calendar::date_at(now);
    let suspension = calendar::add_days(expiry, i32::from(policy.grace_days));
    if today >= expiry {
        return if today < suspension {
            State::Expired { since: expiry }
        } else {
            State::SuspendedForAge { since: suspension }
        };
    }
    match u16::try_from(calendar::days_between(today, expiry)) {
        Ok(days @ 1..=30) => State::DueIn { days },
        _ => State::Valid,
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::calendar::{add_days, midnight};
    use crate::reminders::{self, Ladder, Watch};

    const YEARLY: PasswordPolicy = PasswordPolicy::DEFAULT;

    fn candidate(text: &str) -> Candidate<'_> {
        Candidate { text, personal: &[], strength: 4, leaked: Leaked::No, earlier: &[] }
    }

    #[test]
    fn the_three_patterns_of_the_cnil_pass_and_one_less_does_not() {
        let table = [
            // Twelve characters of four classes: 79.55 bits, and still the CNIL's own example.
            ("tR8!xqLm2?vB", Some(Pattern::FourClasses)),
            ("tR8!xqLm2?v", None),
            ("tR8 xqLm2 vB", Some(Pattern::FourClasses)),
            ("éÀ8€xqLm2vBn", Some(Pattern::FourClasses)),
            ("tR8xqLm2vBnPw4", Some(Pattern::ThreeClasses)),
            ("tR8xqLm2vBnPw", None),
            ("tr8!xqlm2?vbnp4", None),
            ("cheval agrafe lundi tapis nuage forêt silex", Some(Pattern::Passphrase)),
            ("cheval-agrafe-lundi-tapis-nuage-forêt-silex", Some(Pattern::Passphrase)),
            ("cheval agrafe lundi tapis nuage forêt", None),
            ("cheval agrafe lundi tapis nuage forêt Cheval", None),
            ("un de la cheval agrafe lundi tapis", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(check(&candidate(text), &YEARLY).ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_refusal_says_what_is_missing() {
        let composition = Composition { chars: 7, classes: [true, false, true, false], words: 1 };
        assert_eq!(check(&candidate("cheval1"), &YEARLY), Err(vec![PasswordRefusal::NoPattern(composition)]));
        let all = Candidate { strength: 1, leaked: Leaked::Yes, earlier: &[Earlier::Same], ..candidate("x") };
        assert_eq!(check(&all, &YEARLY).unwrap_err().len(), 4);
    }

    #[test]
    fn a_password_has_at_most_256_characters() {
        let text = "tR8!".repeat(64);
        assert_eq!(check(&candidate(&text), &YEARLY), Ok(Pattern::FourClasses));
        assert_eq!(check(&candidate(&format!("{text}é")), &YEARLY), Err(vec![PasswordRefusal::TooLong]));
    }

    #[test]
    fn personal_words_are_refused_without_regard_to_case_and_accents() {
        let personal = ["Léa Gérôme-Nuñez", "lea.gerome@centre-durand.example", "Œuvre des Métiers", "Ba"];
        let table = [
            ("tR8!xqGEROMEm2?", true),
            ("tR8!xqGérômem2?", true),
            ("tR8!xqGe\u{301}ro\u{302}mem2?", true),
            ("Durand!2027xqLm", true),
            ("tR8!oeuvre?xqLm", true),
            ("tR8!Lea?xqLm2vB", true),
            ("tR8!Pleasure?2v", false),
            ("tR8!Balance?2vx", false),
            ("tR8!xqLm2?vBnP", false),
        ];
        for (text, refused) in table {
            let verdict = check(&Candidate { personal: &personal, ..candidate(text) }, &YEARLY);
            assert_eq!(verdict == Err(vec![PasswordRefusal::PersonalWord]), refused, "{text}: {verdict:?}");
        }
    }

    #[test]
    fn guessable_leaked_and_recent_passwords_are_refused() {
        use Earlier::{Different, Same};
        let good = candidate("tR8!xqLm2?vB");
        let table = [
            (Candidate { strength: 3, ..good }, None),
            (Candidate { strength: 2, ..good }, Some(PasswordRefusal::Guessable)),
            (Candidate { leaked: Leaked::Yes, ..good }, Some(PasswordRefusal::Leaked)),
            (
                Candidate { earlier: &[Different, Different, Different, Different, Same], ..good },
                Some(PasswordRefusal::Reused),
            ),
            (Candidate { earlier: &[Different, Different, Different, Different, Different, Same], ..good }, None),
        ];
        for (candidate, expected) in table {
            assert_eq!(check(&candidate, &YEARLY).err(), expected.map(|refusal| vec![refusal]));
        }
    }

    #[test]
    fn a_rule_weaker_than_the_floor_is_rejected_with_its_reason() {
        use PolicyRefusal as R;
        let floor =
            PasswordPolicy { renewal: Renewal::Yearly, history: 3, grace_days: 60, ..PasswordPolicy::CNIL_FLOOR };
        let table = [
            (YEARLY, None),
            (PasswordPolicy { four_classes_min: 11, ..YEARLY }, Some(R::FourClassesTooShort { floor: 12 })),
            (PasswordPolicy { three_classes_min: 13, ..YEARLY }, Some(R::ThreeClassesTooShort { floor: 14 })),
            (PasswordPolicy { passphrase_words_min: 6, ..YEARLY }, Some(R::PassphraseTooShort { floor: 7 })),
            (PasswordPolicy { strength_min: 1, ..YEARLY }, Some(R::StrengthTooLow { floor: 2 })),
            (PasswordPolicy { history: 2, ..YEARLY }, Some(R::HistoryTooShort { floor: 3 })),
            (PasswordPolicy { renewal: Renewal::Off, ..YEARLY }, Some(R::RenewalRequired)),
            (PasswordPolicy { grace_days: 61, ..YEARLY }, Some(R::GraceTooLong { ceiling: 60 })),
            (PasswordPolicy { four_classes_min: 65, ..YEARLY }, Some(R::Unattainable)),
            (PasswordPolicy { strength_min: 5, ..YEARLY }, Some(R::Unattainable)),
            (PasswordPolicy { history: 24, ..YEARLY }, None),
            (PasswordPolicy { history: 25, ..YEARLY }, Some(R::HistoryTooLong)),
        ];
        for (policy, expected) in table {
            assert_eq!(policy.admit(&floor).err(), expected.map(|refusal| vec![refusal]));
        }
        assert_eq!(PasswordPolicy { renewal: Renewal::Off, ..YEARLY }.admit(&PasswordPolicy::CNIL_FLOOR), Ok(()));
    }

    #[test]
    fn the_organization_rules_by_default_the_operator_and_never_below_the_floor() {
        let strict = PasswordPolicy { four_classes_min: 16, ..YEARLY };
        let stale = PasswordPolicy { four_classes_min: 8, renewal: Renewal::Off, grace_days: 400, ..YEARLY };
        let floor = PasswordPolicy { renewal: Renewal::Yearly, ..PasswordPolicy::CNIL_FLOOR };
        assert_eq!(PasswordPolicy::effective(None, &YEARLY, &floor), YEARLY);
        assert_eq!(PasswordPolicy::effective(Some(&strict), &YEARLY, &floor), strict);
        let raised = PasswordPolicy::effective(Some(&stale), &strict, &floor);
        assert_eq!(raised.admit(&floor), Ok(()));
        assert_eq!((raised.four_classes_min, raised.renewal, raised.grace_days), (12, Renewal::Yearly, 365));
    }

    #[test]
    fn a_member_of_two_organizations_follows_the_stricter_rule_in_every_respect() {
        let long = PasswordPolicy { four_classes_min: 16, renewal: Renewal::Off, grace_days: 90, history: 2, ..YEARLY };
        let yearly = PasswordPolicy { passphrase_words_min: 8, grace_days: 10, ..YEARLY };
        let both = PasswordPolicy {
            four_classes_min: 16,
            three_classes_min: 14,
            passphrase_words_min: 8,
            strength_min: 3,
            history: 5,
            renewal: Renewal::Yearly,
            grace_days: 10,
        };
        assert_eq!(long.stricter(&yearly), both);
        assert_eq!(yearly.stricter(&long), both);
        assert_eq!(both.stricter(&both), both);
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_password_expires_at_midnight_in_paris_on_its_anniversary() {
        let table = [
            ("2026-03-10T09:00:00Z", date(2027, 3, 10)),
            // 23:30 UTC is already the next day in Paris.
            ("2026-03-10T23:30:00Z", date(2027, 3, 11)),
            ("2028-02-29T12:00:00Z", date(2029, 2, 28)),
            ("2027-02-28T12:00:00Z", date(2028, 2, 28)),
        ];
        for (changed, expected) in table {
            assert_eq!(expires_on(at(changed), &YEARLY, &[]), Some((expected, Cause::Anniversary)), "{changed}");
            let before = midnight(expected) - std::time::Duration::from_nanos(1);
            assert_eq!(state(at(changed), &YEARLY, &[], before), State::DueIn { days: 1 });
            assert_eq!(state(at(changed), &YEARLY, &[], midnight(expected)), State::Expired { since: expected });
        }
        assert_eq!(expires_on(at("2026-03-10T09:00:00Z"), &PasswordPolicy::CNIL_FLOOR, &[]), None);
    }

    #[test]
    fn a_password_goes_from_valid_to_due_to_expired_to_suspended() {
        let changed = at("2026-03-10T09:00:00Z");
        let expiry = date(2027, 3, 10);
        let table = [
            (-365, State::Valid),
            (-31, State::Valid),
            (-30, State::DueIn { days: 30 }),
            (-7, State::DueIn { days: 7 }),
            (-1, State::DueIn { days: 1 }),
            (0, State::Expired { since: expiry }),
            (29, State::Expired { since: expiry }),
            (30, State::SuspendedForAge { since: date(2027, 4, 9) }),
            (400, State::SuspendedForAge { since: date(2027, 4, 9) }),
        ];
        for (days, expected) in table {
            assert_eq!(state(changed, &YEARLY, &[], midnight(add_days(expiry, days))), expected, "{days:+}");
        }
        let no_grace = PasswordPolicy { grace_days: 0, ..YEARLY };
        assert_eq!(state(changed, &no_grace, &[], midnight(expiry)), State::SuspendedForAge { since: expiry });
        let off = PasswordPolicy { renewal: Renewal::Off, ..YEARLY };
        assert_eq!(
            state(changed, &off, &[Campaign::mid_december(2026).unwrap()], at("2040-01-01T00:00:00Z")),
            State::Valid
        );
    }

    #[test]
    fn a_campaign_forces_old_passwords_and_leaves_young_ones_their_anniversary() {
        let december = Campaign::mid_december(2026).unwrap();
        let all = Campaign::new(date(2026, 12, 15), 0).unwrap();
        let (forced, kept) = (Cause::Campaign, Cause::Anniversary);
        let table = [
            // 90 days before 15 December is 16 September: that is not more than 90.
            (december, date(2026, 9, 16), date(2027, 9, 16), kept),
            (december, date(2026, 9, 15), date(2026, 12, 15), forced),
            (december, date(2026, 1, 5), date(2026, 12, 15), forced),
            // Changed at the campaign: the anniversary moves to the day of the change.
            (december, date(2026, 12, 15), date(2027, 12, 15), kept),
            // The anniversary came first, or on the very day.
            (december, date(2025, 12, 1), date(2026, 12, 1), kept),
            (december, date(2025, 12, 15), date(2026, 12, 15), kept),
            (all, date(2026, 12, 14), date(2026, 12, 15), forced),
            (all, date(2026, 12, 15), date(2027, 12, 15), kept),
        ];
        for (campaign, changed, expiry, cause) in table {
            assert_eq!(expires_on(midnight(changed), &YEARLY, &[campaign]), Some((expiry, cause)), "{changed}");
        }
        assert_eq!(Campaign::new(date(2026, 12, 15), 366), Err(CampaignRefused));
        assert!(Campaign::new(date(2026, 12, 15), 365).is_ok());
    }

    #[test]
    fn reminders_go_out_thirty_seven_and_one_days_before() {
        let changed = at("2026-03-10T09:00:00Z");
        let (expiry, _) = expires_on(changed, &YEARLY, &[]).unwrap();
        let (mut sent, mut days) = (Vec::new(), Vec::new());
        for day in -40..5 {
            let now = midnight(add_days(expiry, day));
            let watch = Watch { due: midnight(expiry), since: changed, ladder: &Ladder::PASSWORD, sent: &sent };
            if let Some(notice) = reminders::decide(&watch, None, now).send {
                sent.push(notice.rung);
                days.push(day);
            }
        }
        assert_eq!(days, [-30, -7, -1]);
    }

    proptest! {
        #[test]
        fn no_password_older_than_a_civil_year_ever_signs_in(
            changed in 1_500_000_000_i64..2_500_000_000, age in 0_i64..1_000_000_000, grace_days in 0_u16..400, held in 2015_i16..2050,
        ) {
            let changed = Timestamp::from_second(changed).unwrap();
            let now = changed + jiff::SignedDuration::from_secs(age);
            let policy = PasswordPolicy { grace_days, ..YEARLY };
            let campaigns = [Campaign::mid_december(held).unwrap()];
            let too_old = calendar::date_at(now) >= calendar::anniversary(calendar::date_at(changed));
            for campaigns in [&campaigns[..], &[]] {
                let may = state(changed, &policy, campaigns, now).may_sign_in();
                prop_assert!(!(too_old && may));
                prop_assert!(too_old || may || !campaigns.is_empty());
            }
        }

        #[test]
        fn no_text_breaks_the_check(text in "\\PC{0,300}", word in "\\PC{0,20}") {
            let personal = [word.as_str()];
            let _ = check(&Candidate { personal: &personal, ..candidate(&text) }, &YEARLY);
        }
    }
}
