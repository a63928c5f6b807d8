//! The pages around passwords: asking for a link, choosing a password, and what is told in between.

use askama::Template;
use habilis_policies::passwords::{Composition, PasswordPolicy, PasswordRefusal};

use super::change::Problem;
use crate::web::page::{Chrome, Sample, sample_chrome};
use crate::web::text::Locale;

/// "Forgot your password?"
#[derive(Clone, Debug, Template)]
#[template(path = "login/forgot.html")]
pub struct Forgot {
    /// The frame.
    pub chrome: Chrome,
    /// Where the form is posted.
    pub action: String,
    /// The token that ties the form to the browser.
    pub csrf: String,
    /// Why the last attempt did not go through.
    pub problem: Option<ForgotProblem>,
}

/// Why no link was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForgotProblem {
    /// Too many requests.
    TryLater {
        /// How long to wait, in seconds; shown in minutes.
        seconds: u64,
    },
    /// The form had been open for too long.
    Stale,
}

impl Forgot {
    fn problem_text(&self) -> Option<String> {
        self.problem.map(|problem| match problem {
            ForgotProblem::TryLater { seconds } => {
                self.chrome.locale.text_count("login-try-later", seconds.div_ceil(60).max(1))
            }
            ForgotProblem::Stale => self.chrome.t("password-stale"),
        })
    }
}

impl Sample for Forgot {
    fn samples(locale: Locale) -> Vec<Self> {
        let plain = Self {
            chrome: sample_chrome(locale),
            action: "/password/forgot".to_owned(),
            csrf: "c5f0".to_owned(),
            problem: None,
        };
        vec![
            plain.clone(),
            Self { problem: Some(ForgotProblem::Stale), ..plain.clone() },
            Self { problem: Some(ForgotProblem::TryLater { seconds: 3000 }), ..plain },
        ]
    }
}

/// The rule of a new password in words, and in figures for the script that ticks it off as one types. Every page that includes
/// `login/password_fields.html` has one under the name `rule`.
#[derive(Clone, Copy, Debug)]
pub struct PasswordRule {
    /// The language.
    pub locale: Locale,
    /// The rule in force for the person.
    pub policy: PasswordPolicy,
}

impl PasswordRule {
    /// Of all four classes.
    pub fn four_classes(&self) -> String {
        self.locale.text_count("password-rule-four", self.policy.four_classes_min.into())
    }

    /// Of three classes.
    pub fn three_classes(&self) -> String {
        self.locale.text_count("password-rule-three", self.policy.three_classes_min.into())
    }

    /// A sentence.
    pub fn passphrase(&self) -> String {
        self.locale.text_count("password-rule-words", self.policy.passphrase_words_min.into())
    }

    /// What is asked besides.
    pub fn besides(&self) -> String {
        self.locale.text_count("password-rule-besides", self.policy.history.into())
    }

    /// What the script says of the five scores, with bars between.
    pub fn estimates(&self) -> String {
        self.locale.text("password-guess")
    }
}

/// Choosing a password.
#[derive(Clone, Debug, Template)]
#[template(path = "login/new_password.html")]
pub struct NewPassword {
    /// The frame.
    pub chrome: Chrome,
    /// Where the form is posted.
    pub action: String,
    /// What the person signs in with, for password managers.
    pub login: String,
    /// What is asked of it.
    pub rule: PasswordRule,
    /// Why the last one was not taken.
    pub problems: Vec<Problem>,
}

impl NewPassword {
    fn problem_texts(&self) -> Vec<String> {
        problem_texts(&self.chrome, &self.problems)
    }
}

/// The problems of a password, in words.
pub fn problem_texts(chrome: &Chrome, problems: &[Problem]) -> Vec<String> {
    let key = |problem: &Problem| match problem {
        Problem::NotRepeated => "password-not-repeated",
        Problem::NotKept => "password-not-kept",
        Problem::Refused(PasswordRefusal::TooLong) => "password-too-long",
        Problem::Refused(PasswordRefusal::NoPattern(_)) => "password-no-pattern",
        Problem::Refused(PasswordRefusal::PersonalWord) => "password-personal",
        Problem::Refused(PasswordRefusal::Guessable) => "password-guessable",
        Problem::Refused(PasswordRefusal::Leaked) => "password-leaked",
        Problem::Refused(PasswordRefusal::Reused) => "password-reused",
    };
    problems.iter().map(|problem| chrome.t(key(problem))).collect()
}

impl Sample for NewPassword {
    fn samples(locale: Locale) -> Vec<Self> {
        let plain = Self {
            chrome: sample_chrome(locale),
            action: "/password/new/abc".to_owned(),
            login: "camille.martin@cfa-lumiere.example".to_owned(),
            rule: PasswordRule { locale, policy: PasswordPolicy::DEFAULT },
            problems: Vec::new(),
        };
        let composition = Composition { chars: 3, classes: [true, false, false, false], words: 1 };
        vec![
            plain.clone(),
            Self {
                rule: PasswordRule { locale, policy: PasswordPolicy::CNIL_FLOOR },
                login: "\"><script>alert('moi')</script>".to_owned(),
                problems: vec![
                    Problem::NotRepeated,
                    Problem::Refused(PasswordRefusal::TooLong),
                    Problem::Refused(PasswordRefusal::NoPattern(composition)),
                    Problem::Refused(PasswordRefusal::PersonalWord),
                    Problem::Refused(PasswordRefusal::Guessable),
                    Problem::Refused(PasswordRefusal::Leaked),
                    Problem::Refused(PasswordRefusal::Reused),
                ],
                ..plain
            },
        ]
    }
}

/// A page that only tells something.
#[derive(Clone, Debug, Template)]
#[template(path = "login/told.html")]
pub struct Told {
    /// The frame.
    pub chrome: Chrome,
    /// What.
    pub telling: Telling,
}

/// What [`Told`] tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// If the address is known, a link is on its way.
    LinkSent,
    /// The link was used, or its time is over.
    LinkOver,
    /// The password is changed.
    Changed,
    /// The password was right but has expired; a link is on its way (R044).
    Expired,
    /// The password is changed, in a session that goes on.
    ChangedHere,
    /// The link that reports a compromise was used, or its time is over.
    ReportOver,
    /// A compromise was reported; everything is closed, and a link is on its way (R031).
    Compromised,
    /// The removal of the second factors is announced by mail.
    RemovalAsked,
    /// It is done.
    RemovalDone,
    /// It was stopped.
    RemovalStopped,
    /// It was done or stopped before, or its time is over.
    RemovalOver,
}

impl Telling {
    fn name(self) -> &'static str {
        match self {
            Self::LinkSent => "link-sent",
            Self::LinkOver => "link-over",
            Self::Changed | Self::ChangedHere => "password-changed",
            Self::Expired => "password-expired",
            Self::ReportOver => "report-over",
            Self::Compromised => "compromise-reported",
            Self::RemovalAsked => "removal-asked",
            Self::RemovalDone => "removal-done",
            Self::RemovalStopped => "removal-stopped",
            Self::RemovalOver => "removal-over",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::LinkSent => "told-link-sent-title",
            Self::LinkOver => "told-link-over-title",
            Self::Changed | Self::ChangedHere => "told-password-changed-title",
            Self::Expired => "told-password-expired-title",
            Self::ReportOver => "told-report-over-title",
            Self::Compromised => "told-compromise-reported-title",
            Self::RemovalAsked => "told-removal-asked-title",
            Self::RemovalDone => "told-removal-done-title",
            Self::RemovalStopped => "told-removal-stopped-title",
            Self::RemovalOver => "told-removal-over-title",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::LinkSent => "told-link-sent-text",
            Self::LinkOver => "told-link-over-text",
            Self::Changed => "told-password-changed-text",
            Self::Expired => "told-password-expired-text",
            Self::ChangedHere => "told-password-changed-here-text",
            Self::ReportOver => "told-report-over-text",
            Self::Compromised => "told-compromise-reported-text",
            Self::RemovalAsked => "told-removal-asked-text",
            Self::RemovalDone => "told-removal-done-text",
            Self::RemovalStopped => "told-removal-stopped-text",
            Self::RemovalOver => "told-removal-over-text",
        }
    }

    fn link(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::LinkOver => Some((super::forgot::PATH, "told-ask-again")),
            Self::Changed | Self::RemovalDone | Self::RemovalOver => Some(("/login", "login-home-sign-in")),
            Self::ChangedHere | Self::ReportOver => Some(("/account", "login-home-account")),
            Self::RemovalStopped => Some((super::forgot::PATH, "told-change-password")),
            Self::LinkSent | Self::Expired | Self::Compromised | Self::RemovalAsked => None,
        }
    }
}

impl Sample for Told {
    fn samples(locale: Locale) -> Vec<Self> {
        let all = [
            Telling::LinkSent,
            Telling::LinkOver,
            Telling::Changed,
            Telling::Expired,
            Telling::ChangedHere,
            Telling::ReportOver,
            Telling::Compromised,
            Telling::RemovalAsked,
            Telling::RemovalDone,
            Telling::RemovalStopped,
            Telling::RemovalOver,
        ];
        all.into_iter().map(|telling| Self { chrome: sample_chrome(locale), telling }).collect()
    }
}
