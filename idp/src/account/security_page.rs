//! The page of the second factors.

use askama::Template;

use super::kept::Kept;
use crate::web::page::{Chrome, Sample, sample_chrome};
use crate::web::text::Locale;

/// How the person signs in, beside the password.
#[derive(Clone, Debug, Template)]
#[template(path = "account/security.html")]
pub struct Security {
    /// The frame.
    pub chrome: Chrome,
    /// The token of the forms.
    pub csrf: String,
    /// Whether a second factor is asked of the person.
    pub required: bool,
    /// Whether passkeys can be used on this server.
    pub passkeys_offered: bool,
    /// Their passkeys.
    pub passkeys: Vec<Factor>,
    /// Their authenticator apps.
    pub apps: Vec<Factor>,
    /// Recovery codes not used.
    pub codes_left: u64,
    /// What the person was about to do when they had to confirm that it is them.
    pub waiting: Option<Waiting>,
    /// Why the last change did not go through.
    pub problem: Option<Problem>,
}

/// A form that waits for a last word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Where it goes.
    pub action: String,
    /// What was typed into it.
    pub name: String,
    what: What,
    /// What it is about, by the name its person knows.
    about: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    RemovePasskey,
    RemoveApp,
    Rename,
    AddApp,
    NewCodes,
}

impl Waiting {
    /// What waits, on a page that shows the factors there are; none for a factor that is not there any more, or a form that cannot be
    /// sent again.
    pub fn of(kept: &Kept, page: &Security) -> Option<Self> {
        let rest = kept.path.strip_prefix("/account/security/")?;
        let named = |factors: &[Factor], id: &str| {
            factors.iter().find(|factor| factor.id == id).map(|factor| factor.name.clone())
        };
        let (what, about) = match rest.split('/').collect::<Vec<_>>().as_slice() {
            ["passkeys", id, "remove"] => (What::RemovePasskey, named(&page.passkeys, id)?),
            ["passkeys", id, "rename"] => (What::Rename, named(&page.passkeys, id)?),
            ["apps", id, "remove"] => (What::RemoveApp, named(&page.apps, id)?),
            ["apps"] => (What::AddApp, String::new()),
            ["recovery-codes"] => (What::NewCodes, String::new()),
            _ => return None,
        };
        Some(Self { action: kept.path.clone(), name: kept.typed.clone(), what, about })
    }

    fn text(&self, chrome: &Chrome) -> String {
        match self.what {
            What::RemovePasskey | What::RemoveApp => chrome.t_with("factors-waiting-remove", "name", &self.about),
            What::Rename => chrome.t_with("factors-waiting-rename", "name", &self.name),
            What::AddApp => chrome.t("factors-waiting-app"),
            What::NewCodes => chrome.t("factors-waiting-codes"),
        }
    }

    fn button(&self, chrome: &Chrome) -> String {
        chrome.t(match self.what {
            What::RemovePasskey => "factors-security-remove-passkey",
            What::RemoveApp => "factors-security-remove-app",
            What::Rename => "factors-security-rename",
            What::AddApp => "factors-security-app-add",
            What::NewCodes => "factors-security-codes-new",
        })
    }

    fn removes(&self) -> bool {
        matches!(self.what, What::RemovePasskey | What::RemoveApp)
    }
}

/// A passkey or an authenticator app.
#[derive(Clone, Debug)]
pub struct Factor {
    /// Its id.
    pub id: String,
    /// What its person calls it.
    pub name: String,
    /// When it was added.
    pub added: String,
    /// When it was last used.
    pub used: Option<String>,
}

/// Why a change did not go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The passkey's answer could not be read, was late, or is known.
    PasskeyNotTaken,
    /// There are as many as can be.
    TooMany,
    /// Without it nothing opens the account.
    LastWayIn,
    /// A second factor is asked of the person, and this is the last.
    LastRequired,
}

impl Security {
    fn problem_text(&self) -> Option<String> {
        let key = match self.problem? {
            Problem::PasskeyNotTaken => "factors-passkey-not-taken",
            Problem::TooMany => "factors-security-too-many",
            Problem::LastWayIn => "factors-security-last-way-in",
            Problem::LastRequired => "factors-security-last-required",
        };
        Some(self.chrome.t(key))
    }

    fn codes_text(&self) -> String {
        self.chrome.locale.text_count("factors-security-codes-left", self.codes_left)
    }

    fn has_factor(&self) -> bool {
        !self.passkeys.is_empty() || !self.apps.is_empty()
    }
}

impl Sample for Security {
    fn samples(locale: Locale) -> Vec<Self> {
        let factor = |id: &str, name: &str, used: Option<&str>| Factor {
            id: id.to_owned(),
            name: name.to_owned(),
            added: "15/12/2027 à 09:30 (heure de Paris)".to_owned(),
            used: used.map(str::to_owned),
        };
        let plain = Self {
            chrome: sample_chrome(locale),
            csrf: "c5f0".to_owned(),
            required: false,
            passkeys_offered: true,
            passkeys: Vec::new(),
            apps: Vec::new(),
            codes_left: 0,
            waiting: None,
            problem: None,
        };
        let used = Some("16/12/2027 à 09:30 (heure de Paris)");
        let full = Self {
            required: true,
            passkeys: vec![factor("pky_1", "Chrome, Linux", used), factor("pky_2", "<script>alert(1)</script>", None)],
            apps: vec![factor("otp_1", "\"><script>alert('moi')</script>", used)],
            codes_left: 9,
            ..plain.clone()
        };
        let problems =
            [Problem::PasskeyNotTaken, Problem::TooMany, Problem::LastWayIn, Problem::LastRequired].into_iter();
        let mut samples =
            vec![plain.clone(), full.clone(), Self { passkeys_offered: false, codes_left: 1, ..full.clone() }];
        let hostile = "\"><script>alert('moi')</script>";
        for what in [What::RemovePasskey, What::RemoveApp, What::Rename, What::AddApp, What::NewCodes] {
            let waiting =
                Waiting { action: hostile.to_owned(), name: hostile.to_owned(), what, about: hostile.to_owned() };
            samples.push(Self { waiting: Some(waiting), ..full.clone() });
        }
        samples.extend(problems.map(|problem| Self { problem: Some(problem), ..full.clone() }));
        samples
    }
}
