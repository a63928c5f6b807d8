//! The pages of the second step: a code or a passkey, setting up a second factor, recovery codes, removal by mail.

use askama::Template;
use habilis_keys::secret::Secret;
use habilis_keys::totp;
use qrcode::{Color, QrCode};

use crate::outcome::Outcome;
use crate::web::page::{Chrome, ClientCard, Sample, sample_chrome, sample_client, sample_hostile_client};
use crate::web::text::Locale;

/// What the person means to answer with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum With {
    /// The code of an authenticator app.
    App,
    /// A passkey alone.
    Passkey,
    /// A recovery code.
    Recovery,
}

impl With {
    /// By name; an app for any other.
    pub fn of(name: Option<&str>) -> Self {
        if name == Some("recovery") { Self::Recovery } else { Self::App }
    }
}

/// The second step of a sign-in.
#[derive(Clone, Debug, Template)]
#[template(path = "login/second_step.html")]
pub struct SecondStep {
    /// The frame.
    pub chrome: Chrome,
    /// Where the forms are posted.
    pub action: String,
    /// The token that ties the forms to the browser.
    pub csrf: String,
    /// The client the person is on the way to.
    pub client: Option<ClientCard>,
    /// What is asked first.
    pub with: With,
    /// Whether there is a passkey.
    pub passkey: bool,
    /// Where a recovery code is typed; none when there is none left.
    pub recovery_href: Option<String>,
    /// Back from there.
    pub back_href: String,
    /// Where the sign-in begins again.
    pub again_href: String,
    /// Whether the person is signed in already, and a portal asks for more.
    pub signed_in: bool,
    /// Whether the second factor can be removed by mail.
    pub removal: bool,
    /// Why the previous attempt did not go through.
    pub problem: Option<StepProblem>,
}

/// Why a second step did not go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepProblem {
    /// A wrong code, or one used before.
    Wrong,
    /// Too many attempts.
    TryLater {
        /// How long to wait, in seconds; shown in minutes.
        seconds: u64,
    },
    /// The passkey is not known here, or its answer could not be read.
    PasskeyRefused,
    /// The person has as many sessions as the policy allows.
    NoRoom,
}

impl SecondStep {
    fn problem_text(&self) -> Option<String> {
        self.problem.map(|problem| match problem {
            StepProblem::Wrong if self.with == With::Recovery => self.chrome.t("factors-step-recovery-wrong"),
            StepProblem::Wrong => self.chrome.t("factors-step-wrong"),
            StepProblem::TryLater { seconds } => {
                self.chrome.locale.text_count("login-try-later", seconds.div_ceil(60).max(1))
            }
            StepProblem::NoRoom => self.chrome.t("login-no-room"),
            StepProblem::PasskeyRefused => self.chrome.t("factors-passkey-refused"),
        })
    }

    fn code_is_wrong(&self) -> bool {
        self.problem == Some(StepProblem::Wrong)
    }

    fn asks_recovery(&self) -> bool {
        self.with == With::Recovery
    }

    fn asks_app(&self) -> bool {
        self.with == With::App
    }
}

impl Sample for SecondStep {
    fn samples(locale: Locale) -> Vec<Self> {
        let path = "/sign-in/step/step_01";
        let plain = Self {
            chrome: sample_chrome(locale),
            action: path.to_owned(),
            csrf: "c5f0".to_owned(),
            client: Some(sample_client()),
            with: With::App,
            passkey: true,
            recovery_href: Some(format!("{path}?with=recovery")),
            back_href: path.to_owned(),
            again_href: "/interaction/login/int_01".to_owned(),
            signed_in: false,
            removal: true,
            problem: None,
        };
        vec![
            plain.clone(),
            Self { problem: Some(StepProblem::Wrong), passkey: false, removal: false, ..plain.clone() },
            Self { with: With::Passkey, problem: Some(StepProblem::PasskeyRefused), ..plain.clone() },
            Self { with: With::Recovery, problem: Some(StepProblem::Wrong), ..plain.clone() },
            Self {
                client: Some(sample_hostile_client()),
                recovery_href: None,
                problem: Some(StepProblem::TryLater { seconds: 241 }),
                ..plain.clone()
            },
            Self { client: None, ..plain },
        ]
    }
}

/// The setting up of a second factor by somebody who must have one.
#[derive(Clone, Debug, Template)]
#[template(path = "login/enrol.html")]
pub struct Enrol {
    /// The frame.
    pub chrome: Chrome,
    /// Where the forms are posted.
    pub action: String,
    /// The token that ties the forms to the browser.
    pub csrf: String,
    /// Where the script fetches the challenge of a new passkey.
    pub options: String,
    /// Whether passkeys can be used on this server.
    pub passkeys: bool,
    /// The client the person is on the way to.
    pub client: Option<ClientCard>,
    /// Why the previous attempt did not go through.
    pub problem: Option<EnrolProblem>,
}

/// Why setting up did not go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnrolProblem {
    /// The passkey was not taken.
    Passkey,
}

impl Sample for Enrol {
    fn samples(locale: Locale) -> Vec<Self> {
        let plain = Self {
            chrome: sample_chrome(locale),
            action: "/sign-in/step/step_01".to_owned(),
            csrf: "c5f0".to_owned(),
            options: "/sign-in/step/step_01/passkey-options".to_owned(),
            passkeys: true,
            client: Some(sample_client()),
            problem: None,
        };
        vec![
            plain.clone(),
            Self { problem: Some(EnrolProblem::Passkey), ..plain.clone() },
            Self { client: Some(sample_hostile_client()), ..plain.clone() },
            Self { client: None, passkeys: false, ..plain },
        ]
    }
}

/// A new authenticator app: its picture, its secret, its first code. Has no `Debug`: it holds the secret.
#[derive(Clone, Template)]
#[template(path = "login/new_app.html")]
pub struct NewApp {
    /// The frame.
    pub chrome: Chrome,
    /// Where the form is posted.
    pub action: String,
    /// The token that ties the form to the browser.
    pub csrf: String,
    /// Back without one.
    pub back_href: String,
    /// The picture.
    pub picture: Picture,
    /// The secret as text.
    pub secret: String,
    /// The `otpauth:` URI, which opens the app on the phone itself.
    pub uri: String,
    /// Whether the code typed was not one of this app.
    pub wrong: bool,
}

/// A QR code as an SVG path of unit squares.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Squares on a side, the quiet zone of four included.
    pub size: usize,
    /// The dark squares.
    pub path: String,
}

impl Picture {
    /// Draws `text` (ISO/IEC 18004, level M).
    ///
    /// # Errors
    /// The text is too long for any.
    pub fn of(text: &str) -> Outcome<Self> {
        use std::fmt::Write as _;
        const QUIET: usize = 4;
        let code = QrCode::new(text)?;
        let width = code.width();
        let mut path = String::new();
        for (index, _) in code.to_colors().iter().enumerate().filter(|(_, color)| **color == Color::Dark) {
            let _ = write!(path, "M{} {}h1v1h-1z", index % width + QUIET, index / width + QUIET);
        }
        Ok(Self { size: width + 2 * QUIET, path })
    }
}

impl NewApp {
    /// The page of `secret` for the account `login`; `action`, token and way back come first.
    ///
    /// # Errors
    /// The secret is none of an app, or does not fit into a picture.
    pub fn new(
        chrome: Chrome,
        (action, csrf, back_href): (String, String, String),
        (secret, login): (&Secret<Vec<u8>>, &str),
    ) -> Outcome<Self> {
        let uri = totp::to_uri(secret, (&chrome.brand_name, login))?;
        Ok(Self {
            picture: Picture::of(uri.expose())?,
            secret: totp::to_text(secret).expose().clone(),
            uri: uri.expose().clone(),
            wrong: false,
            chrome,
            action,
            csrf,
            back_href,
        })
    }
}

impl Sample for NewApp {
    fn samples(locale: Locale) -> Vec<Self> {
        let plain = Self {
            chrome: sample_chrome(locale),
            action: "/account/security/apps/otp_01".to_owned(),
            csrf: "c5f0".to_owned(),
            back_href: "/account/security".to_owned(),
            picture: Picture { size: 29, path: "M4 4h1v1h-1z".to_owned() },
            secret: "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ".to_owned(),
            uri: "otpauth://totp/Habilis:a?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Habilis".to_owned(),
            wrong: false,
        };
        vec![plain.clone(), Self { wrong: true, ..plain }]
    }
}

/// The recovery codes, shown once. Has no `Debug`: it holds them.
#[derive(Clone, Template)]
#[template(path = "login/recovery_codes.html")]
pub struct Codes {
    /// The frame.
    pub chrome: Chrome,
    /// The codes.
    pub codes: Vec<String>,
    /// The same as a file, in a `data:` address: nothing is asked of the server again, and no script is needed.
    pub file: String,
    /// Where to go on.
    pub next_href: String,
}

impl Codes {
    /// The page of these codes.
    pub fn new(chrome: Chrome, codes: &[Secret<String>], next_href: String) -> Self {
        let codes: Vec<String> = codes.iter().map(|code| code.expose().clone()).collect();
        let title = chrome.t_with("factors-codes-file-title", "name", &chrome.brand_name);
        let text = format!("{title}\r\n\r\n{}\r\n", codes.join("\r\n"));
        let encoded = percent_encoding::utf8_percent_encode(&text, percent_encoding::NON_ALPHANUMERIC);
        Self { file: format!("data:text/plain;charset=utf-8,{encoded}"), chrome, codes, next_href }
    }
}

impl Sample for Codes {
    fn samples(locale: Locale) -> Vec<Self> {
        let codes: Vec<_> = (0..10).map(|n| Secret::new(format!("k3f9-0qz1-77a{n}"))).collect();
        vec![Self::new(sample_chrome(locale), &codes, "/account/security".to_owned())]
    }
}

/// The removal of the second factors by mail.
#[derive(Clone, Debug, Template)]
#[template(path = "login/removal.html")]
pub struct Removal {
    /// The frame.
    pub chrome: Chrome,
    /// Where the forms are posted.
    pub action: String,
    /// When it becomes possible.
    pub ready_at: String,
    /// Whether it is possible by now.
    pub ready: bool,
}

impl Sample for Removal {
    fn samples(locale: Locale) -> Vec<Self> {
        let plain = Self {
            chrome: sample_chrome(locale),
            action: "/sign-in/removal/abc".to_owned(),
            ready_at: "15/12/2027 à 09:30 (heure de Paris)".to_owned(),
            ready: false,
        };
        vec![plain.clone(), Self { ready: true, ..plain }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_made_of_squares_alone() {
        let picture = Picture::of("otpauth://totp/Habilis:a?secret=GEZDGNBVGY3TQOJQ&issuer=Habilis").unwrap();
        assert!(picture.size > 29 && picture.path.starts_with("M4 4h1v1h-1z"), "{}", picture.path);
        assert!(picture.path.bytes().all(|byte| byte.is_ascii_digit() || b"Mhvz- ".contains(&byte)));
        assert!(Picture::of(&"x".repeat(5000)).is_err());
    }

    #[test]
    fn the_file_holds_every_code() {
        for locale in Locale::ALL {
            for page in Codes::samples(locale) {
                let (_, file) = page.file.split_once(',').unwrap();
                let text = percent_encoding::percent_decode_str(file).decode_utf8().unwrap();
                assert!(page.codes.iter().all(|code| text.contains(code)), "{text}");
            }
        }
    }
}
