//! The pages of signing in: the sign-in form and the front page of the server.
//!
//! The sign-in page never says which half of a credential was wrong, lets password managers and pasting work, and asks
//! for nothing a person would have to solve (WCAG 2.2 SC 3.3.8). `OpenID` Connect Core §3.1.2.3.

use askama::Template;

use crate::web::{
    page::{Chrome, ClientCard, Sample, sample_chrome, sample_client, sample_hostile_client},
    text::Locale,
};

/// The sign-in page.
#[derive(Clone, Debug, Template)]
#[template(path = "login/login.html")]
pub struct Login {
    /// The frame.
    pub chrome: Chrome,
    /// Where both forms are posted.
    pub action: String,
    /// The token that ties the form to the interaction cookie.
    pub csrf: String,
    /// What to put in the first field: `login_hint`, or what was typed before.
    pub username: String,
    /// Where somebody else signs in; `None` unless the first field is that of the person who is signed in, and not asked.
    pub not_you_href: Option<String>,
    /// The client the person is on the way to; `None` when they sign in to the provider itself.
    pub client: Option<ClientCard>,
    /// Why a person who is already signed in sees this page.
    pub notice: Option<LoginNotice>,
    /// Why the previous attempt did not go through.
    pub problem: Option<LoginProblem>,
    /// Where a forgotten password is replaced; `None` hides the link.
    pub forgot_href: Option<String>,
    /// Whether passkeys can be used on this server.
    pub passkeys: bool,
    /// Where people make themselves an account; `None` where they may not.
    pub sign_up_href: Option<String>,
}

/// Why the sign-in page is shown to somebody who did not ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginNotice {
    /// The client wants a fresh sign-in: `prompt=login` or `max_age`.
    ConfirmItIsYou,
    /// The session ended after a time without activity.
    SessionEnded,
}

impl LoginNotice {
    fn text(self, locale: Locale) -> String {
        match self {
            Self::ConfirmItIsYou => locale.text("login-notice-confirm"),
            Self::SessionEnded => locale.text("login-notice-session-ended"),
        }
    }
}

/// Why signing in did not go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginProblem {
    /// Wrong login, wrong password, closed account: one sentence for all.
    Refused,
    /// Too many attempts (answered with status 429).
    TryLater {
        /// How long to wait, in seconds; shown rounded up to minutes.
        seconds: u64,
    },
    /// The form had been open for too long, or in another tab: nothing was checked.
    Stale,
    /// The passkey is not known here, or its answer could not be read.
    PasskeyRefused,
    /// The person has as many sessions as the policy allows.
    NoRoom,
    /// Our fault, for now.
    Unavailable,
}

impl LoginProblem {
    fn text(self, locale: Locale) -> String {
        match self {
            Self::Refused => locale.text("login-refused"),
            Self::TryLater { seconds } => locale.text_count("login-try-later", seconds.div_ceil(60).max(1)),
            Self::Stale => locale.text("login-stale"),
            Self::PasskeyRefused => locale.text("factors-passkey-refused"),
            Self::NoRoom => locale.text("login-no-room"),
            Self::Unavailable => locale.text("login-unavailable"),
        }
    }

    /// Whether the fields themselves are to be corrected, and so to be marked for screen readers.
    fn concerns_fields(self) -> bool {
        self == Self::Refused
    }
}

impl Login {
    fn problem_text(&self) -> Option<String> {
        self.problem.map(|problem| problem.text(self.chrome.locale))
    }

    fn notice_text(&self) -> Option<String> {
        self.notice.map(|notice| notice.text(self.chrome.locale))
    }

    fn fields_are_wrong(&self) -> bool {
        self.problem.is_some_and(LoginProblem::concerns_fields)
    }
}

impl Sample for Login {
    fn samples(locale: Locale) -> Vec<Self> {
        let plain = Self {
            chrome: sample_chrome(locale),
            action: "/interaction/login/int_01".to_owned(),
            csrf: "c5f0".to_owned(),
            username: String::new(),
            not_you_href: None,
            client: Some(sample_client()),
            notice: None,
            problem: None,
            forgot_href: Some("/forgot".to_owned()),
            passkeys: true,
            sign_up_href: Some("/sign-up".to_owned()),
        };
        let typed = Self { username: "camille.martin@cfa-lumiere.example".to_owned(), ..plain.clone() };
        vec![
            plain.clone(),
            Self { problem: Some(LoginProblem::Refused), ..typed.clone() },
            Self { problem: Some(LoginProblem::TryLater { seconds: 241 }), ..typed.clone() },
            Self { notice: Some(LoginNotice::ConfirmItIsYou), ..typed.clone() },
            Self {
                notice: Some(LoginNotice::ConfirmItIsYou),
                problem: Some(LoginProblem::Refused),
                not_you_href: Some("/login?to=security&again=whole".to_owned()),
                sign_up_href: None,
                ..typed.clone()
            },
            Self { problem: Some(LoginProblem::PasskeyRefused), ..plain.clone() },
            Self { problem: Some(LoginProblem::NoRoom), sign_up_href: None, ..typed.clone() },
            Self {
                client: None,
                passkeys: false,
                forgot_href: None,
                notice: Some(LoginNotice::SessionEnded),
                problem: Some(LoginProblem::Stale),
                ..plain.clone()
            },
            Self {
                problem: Some(LoginProblem::Unavailable),
                username: "\"><script>alert('moi')</script>".to_owned(),
                client: Some(sample_hostile_client()),
                ..plain
            },
        ]
    }
}

/// The front page of the server: what this is, and the way to one's account.
#[derive(Clone, Debug, Template)]
#[template(path = "login/home.html")]
pub struct Home {
    /// The frame.
    pub chrome: Chrome,
    /// The name of the person signed in, if any.
    pub person: Option<String>,
    /// Where to sign in; shown when nobody is.
    pub sign_in_href: Option<String>,
    /// The person's own pages; shown when somebody is signed in.
    pub account_href: Option<String>,
    /// Where to sign out; shown when somebody is signed in.
    pub sign_out_href: Option<String>,
    /// The demonstration's index, when this server runs one.
    pub demo_href: Option<String>,
}

impl Sample for Home {
    fn samples(locale: Locale) -> Vec<Self> {
        let nobody = Self {
            chrome: sample_chrome(locale),
            person: None,
            sign_in_href: Some("/login".to_owned()),
            account_href: Some("/account".to_owned()),
            sign_out_href: Some("/logout".to_owned()),
            demo_href: None,
        };
        vec![
            nobody.clone(),
            Self { person: Some("Camille Martin".to_owned()), demo_href: Some("/demo".to_owned()), ..nobody.clone() },
            Self {
                person: Some("<script>alert('moi')</script>".to_owned()),
                sign_in_href: None,
                account_href: None,
                sign_out_href: None,
                ..nobody
            },
        ]
    }
}
