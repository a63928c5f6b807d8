//! The pages of the protocol: consent, errors, sign-out, `form_post` and device sign-in.
//!
//! `OpenID` Connect Core §3.1.2.4 (consent) and §3.1.2.6 (errors), RP-Initiated Logout 1.0 §2, Front-Channel Logout 1.0 §2,
//! Form Post Response Mode 1.0, RFC 8628 §3.3 (device). An error that cannot be sent to a client is told to the person
//! here, with the code a technician needs and what to do now; these pages never redirect.

use askama::Template;

use crate::web::{
    page::{Chrome, ClientCard, Link, Sample, sample_chrome, sample_client, sample_hostile_client},
    text::Locale,
};

/// What a client asks for, in the words of the person who is to decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeWords {
    /// What it is, in a few words.
    pub title: String,
    /// What it gives the client, in one sentence; may be empty.
    pub detail: String,
}

impl ScopeWords {
    /// The words for a scope value; one we have no words for is shown by its name, never hidden.
    pub fn of(scope: &str, locale: Locale) -> Self {
        let (title, detail) = match scope {
            "openid" => ("oidc-scope-openid", "oidc-scope-openid-detail"),
            "profile" => ("oidc-scope-profile", "oidc-scope-profile-detail"),
            "email" => ("oidc-scope-email", "oidc-scope-email-detail"),
            "phone" => ("oidc-scope-phone", "oidc-scope-phone-detail"),
            "address" => ("oidc-scope-address", "oidc-scope-address-detail"),
            "organization" => ("oidc-scope-organization", "oidc-scope-organization-detail"),
            "offline_access" => ("oidc-scope-offline", "oidc-scope-offline-detail"),
            other => {
                return Self {
                    title: locale.text_with("oidc-scope-other", &[("scope", other)]),
                    detail: String::new(),
                };
            }
        };
        Self { title: locale.text(title), detail: locale.text(detail) }
    }
}

fn sample_scopes(locale: Locale) -> Vec<ScopeWords> {
    ["openid", "profile", "email", "phone", "address", "organization", "offline_access", "sessions:write"]
        .map(|scope| ScopeWords::of(scope, locale))
        .to_vec()
}

/// The consent page: who asks for what, and two equal answers.
#[derive(Clone, Debug, Template)]
#[template(path = "oidc/consent.html")]
pub struct Consent {
    /// The frame.
    pub chrome: Chrome,
    /// Where the answer is posted, as `action=allow` or `action=deny`.
    pub action: String,
    /// The token that ties the form to the interaction cookie.
    pub csrf: String,
    /// Who asks.
    pub client: ClientCard,
    /// The name of the person signed in.
    pub person: String,
    /// The organization they sign in for.
    pub organization: Option<String>,
    /// Where somebody else signs in instead; `None` hides the link.
    pub not_you_href: Option<String>,
    /// What is asked for.
    pub scopes: Vec<ScopeWords>,
}

impl Sample for Consent {
    fn samples(locale: Locale) -> Vec<Self> {
        let ordinary = Self {
            chrome: sample_chrome(locale),
            action: "/interaction/consent/int_01".to_owned(),
            csrf: "c5f0".to_owned(),
            client: sample_client(),
            person: "Camille Martin".to_owned(),
            organization: Some("CFA des Halles".to_owned()),
            not_you_href: Some("/interaction/switch/int_01".to_owned()),
            scopes: ["openid", "profile", "email"].map(|scope| ScopeWords::of(scope, locale)).to_vec(),
        };
        vec![
            ordinary.clone(),
            Self {
                client: sample_hostile_client(),
                person: "<script>alert('moi')</script>".to_owned(),
                organization: Some("<script>alert('organisation')</script>".to_owned()),
                not_you_href: None,
                scopes: sample_scopes(locale).into_iter().chain([ScopeWords::of("<script>", locale)]).collect(),
                ..ordinary
            },
        ]
    }
}

/// What a person can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Go back to where one came from and begin anew.
    StartAgain,
    /// The portal's request was wrong: its support has to know.
    TellPortal,
    /// Our fault: try again in a few minutes.
    TryLater,
}

impl Advice {
    fn text(self, locale: Locale) -> String {
        match self {
            Self::StartAgain => locale.text("oidc-error-start-again"),
            Self::TellPortal => locale.text("oidc-error-tell-portal"),
            Self::TryLater => locale.text("oidc-error-try-later"),
        }
    }
}

/// The error page: for everything that cannot, or must not, be sent back to a client.
#[derive(Clone, Debug, Template)]
#[template(path = "oidc/error.html")]
pub struct ErrorPage {
    /// The frame.
    pub chrome: Chrome,
    /// The error code of the protocol, such as `invalid_request`.
    pub error: String,
    /// The public description, in English as in the protocol.
    pub description: String,
    /// What the person can do now.
    pub advice: Advice,
    /// The reference to quote to support.
    pub request_id: String,
    /// The way back, when the client is known for certain.
    pub portal: Option<Link>,
}

impl ErrorPage {
    fn advice_text(&self) -> String {
        self.advice.text(self.chrome.locale)
    }
}

impl Sample for ErrorPage {
    fn samples(locale: Locale) -> Vec<Self> {
        let ordinary = Self {
            chrome: sample_chrome(locale),
            error: "invalid_request".to_owned(),
            description: "redirect_uri is not registered for this client.".to_owned(),
            advice: Advice::TellPortal,
            request_id: "req_01jd8x4m2k".to_owned(),
            portal: None,
        };
        vec![
            ordinary.clone(),
            Self {
                error: "server_error".to_owned(),
                description: "The service is temporarily unable to answer.".to_owned(),
                advice: Advice::TryLater,
                portal: Some(Link { name: "Campus Formation".to_owned(), href: "https://campus.example/".to_owned() }),
                ..ordinary.clone()
            },
            Self {
                error: "<script>alert(1)</script>".to_owned(),
                description: "<script>alert(2)</script>".to_owned(),
                advice: Advice::StartAgain,
                portal: Some(Link {
                    name: "<script>alert('nom')</script>".to_owned(),
                    href: "https://x.example/\"><script>alert(3)</script>".to_owned(),
                }),
                ..ordinary
            },
        ]
    }
}

/// The page of an interaction that is over, was finished elsewhere, or never was. Answered with status 400.
#[derive(Clone, Debug, Template)]
#[template(path = "oidc/stale.html")]
pub struct Stale {
    /// The frame.
    pub chrome: Chrome,
    /// The reference to quote to support.
    pub request_id: String,
    /// The way back, when known.
    pub portal: Option<Link>,
}

impl Sample for Stale {
    fn samples(locale: Locale) -> Vec<Self> {
        let unknown = Self { chrome: sample_chrome(locale), request_id: "req_01jd8x4m2k".to_owned(), portal: None };
        vec![
            Self {
                portal: Some(Link { name: "Campus Formation".to_owned(), href: "https://campus.example/".to_owned() }),
                ..unknown.clone()
            },
            unknown,
        ]
    }
}

/// The question before signing out.
#[derive(Clone, Debug, Template)]
#[template(path = "oidc/logout.html")]
pub struct LogoutConfirm {
    /// The frame.
    pub chrome: Chrome,
    /// Where the answer is posted, as `action=confirm` or `action=stay`.
    pub action: String,
    /// The token that ties the form to the session.
    pub csrf: String,
    /// The logout request, carried along as hidden fields (name, value).
    pub fields: Vec<(String, String)>,
    /// The client that asks, when the request says so for certain.
    pub client_name: Option<String>,
    /// The name of the person signed in.
    pub person: Option<String>,
}

impl Sample for LogoutConfirm {
    fn samples(locale: Locale) -> Vec<Self> {
        let ordinary = Self {
            chrome: sample_chrome(locale),
            action: "/logout".to_owned(),
            csrf: "c5f0".to_owned(),
            fields: vec![("state".to_owned(), "af0ifjsldkj".to_owned())],
            client_name: Some("Campus Formation".to_owned()),
            person: Some("Camille Martin".to_owned()),
        };
        vec![
            ordinary.clone(),
            Self { client_name: None, person: None, fields: Vec::new(), ..ordinary.clone() },
            Self {
                client_name: Some("<script>alert('nom')</script>".to_owned()),
                person: Some("<script>alert('moi')</script>".to_owned()),
                fields: vec![("state".to_owned(), "\"><script>alert(1)</script>".to_owned())],
                ..ordinary
            },
        ]
    }
}

/// The page after signing out.
#[derive(Clone, Debug, Template)]
#[template(path = "oidc/logged_out.html")]
pub struct LoggedOut {
    /// The frame.
    pub chrome: Chrome,
    /// The way back to the portal, when known.
    pub portal: Option<Link>,
}

impl Sample for LoggedOut {
    fn samples(locale: Locale) -> Vec<Self> {
        [None, Some("Campus Formation"), Some("<script>alert('nom')</script>")]
            .map(|name| Self {
                chrome: sample_chrome(locale),
                portal: name.map(|name| Link { name: name.to_owned(), href: "https://campus.example/".to_owned() }),
            })
            .to_vec()
    }
}

/// The page that tells the other portals of a sign-out, then moves on by itself after two seconds.
///
/// Its answer needs `frame-src` for the origins of `frames`.
#[derive(Clone, Debug, Template)]
#[template(path = "oidc/front_channel_logout.html")]
pub struct FrontChannelLogout {
    /// The frame.
    pub chrome: Chrome,
    /// The `frontchannel_logout_uri` of each client, complete with `iss` and `sid`.
    pub frames: Vec<String>,
    /// Where to go next.
    pub next_href: String,
}

impl Sample for FrontChannelLogout {
    fn samples(locale: Locale) -> Vec<Self> {
        vec![Self {
            chrome: sample_chrome(locale),
            frames: vec![
                "https://campus.example/logout?iss=https%3A%2F%2Fid.example&sid=s1".to_owned(),
                "https://x.example/\"><script>alert(1)</script>".to_owned(),
            ],
            next_href: "https://campus.example/bye?state=a&x=\"><script>alert(1)</script>".to_owned(),
        }]
    }
}

/// The page that posts an authorization response to the client.
#[derive(Clone, Debug, Template)]
#[template(path = "oidc/form_post.html")]
pub struct FormPost {
    /// The frame.
    pub chrome: Chrome,
    /// The client's redirect URI.
    pub action: String,
    /// The response, as hidden fields (name, value).
    pub fields: Vec<(String, String)>,
}

impl Sample for FormPost {
    fn samples(locale: Locale) -> Vec<Self> {
        vec![Self {
            chrome: sample_chrome(locale),
            action: "https://campus.example/callback?a=1&b=\"><script>alert(1)</script>".to_owned(),
            fields: vec![
                ("code".to_owned(), "SplxlOBeZQQYbYS6WxSbIA".to_owned()),
                ("state".to_owned(), "\"><script>alert(1)</script>".to_owned()),
            ],
        }]
    }
}

/// The page where a person types the code that a device shows (RFC 8628 §3.3).
#[derive(Clone, Debug, Template)]
#[template(path = "oidc/device_code.html")]
pub struct DeviceCode {
    /// The frame.
    pub chrome: Chrome,
    /// Where the code is posted, as `user_code`.
    pub action: String,
    /// The token that ties the form to the session.
    pub csrf: String,
    /// What to put in the field: `verification_uri_complete`, or what was typed before.
    pub user_code: String,
    /// Why the code typed before was not taken.
    pub problem: Option<DeviceProblem>,
}

/// Why a device code was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceProblem {
    /// Unknown, mistyped, used or expired: one sentence for all.
    UnknownCode,
    /// Too many attempts (answered with status 429).
    TryLater {
        /// How long to wait, in seconds; shown rounded up to minutes.
        seconds: u64,
    },
}

impl DeviceCode {
    fn problem_text(&self) -> Option<String> {
        let locale = self.chrome.locale;
        self.problem.map(|problem| match problem {
            DeviceProblem::UnknownCode => locale.text("oidc-device-unknown-code"),
            DeviceProblem::TryLater { seconds } => locale.text_count("login-try-later", seconds.div_ceil(60).max(1)),
        })
    }
}

impl Sample for DeviceCode {
    fn samples(locale: Locale) -> Vec<Self> {
        let empty = Self {
            chrome: sample_chrome(locale),
            action: "/device".to_owned(),
            csrf: "c5f0".to_owned(),
            user_code: String::new(),
            problem: None,
        };
        vec![
            empty.clone(),
            Self { user_code: "WDJB-MJHX".to_owned(), problem: Some(DeviceProblem::UnknownCode), ..empty.clone() },
            Self {
                user_code: "\"><script>alert(1)</script>".to_owned(),
                problem: Some(DeviceProblem::TryLater { seconds: 60 }),
                ..empty
            },
        ]
    }
}

/// The question whether this device is to be signed in, with a warning against codes sent by strangers (RFC 8628 §5.4).
#[derive(Clone, Debug, Template)]
#[template(path = "oidc/device_confirm.html")]
pub struct DeviceConfirm {
    /// The frame.
    pub chrome: Chrome,
    /// Where the answer is posted, as `action=allow` or `action=deny`.
    pub action: String,
    /// The token that ties the form to the session.
    pub csrf: String,
    /// The code to compare with the device's screen; posted again as `user_code`.
    pub user_code: String,
    /// Who asks.
    pub client: ClientCard,
    /// The name of the person signed in.
    pub person: String,
    /// The organization they sign in for: its id, posted again as `organization`, and its name.
    pub organization: Option<(String, String)>,
    /// Where they choose another one; none when there is no other.
    pub change_href: Option<String>,
    /// What is asked for.
    pub scopes: Vec<ScopeWords>,
}

impl DeviceConfirm {
    fn organization_id(&self) -> &str {
        self.organization.as_ref().map(|(id, _)| id.as_str()).unwrap_or_default()
    }
}

impl Sample for DeviceConfirm {
    fn samples(locale: Locale) -> Vec<Self> {
        let ordinary = Self {
            chrome: sample_chrome(locale),
            action: "/device".to_owned(),
            csrf: "c5f0".to_owned(),
            user_code: "WDJB-MJHX".to_owned(),
            client: sample_client(),
            person: "Camille Martin".to_owned(),
            organization: None,
            change_href: None,
            scopes: ["openid", "profile"].map(|scope| ScopeWords::of(scope, locale)).to_vec(),
        };
        vec![
            ordinary.clone(),
            Self {
                client: sample_hostile_client(),
                person: "<script>alert('moi')</script>".to_owned(),
                user_code: "\"><script>alert(1)</script>".to_owned(),
                organization: Some(("org_01".to_owned(), "<script>alert('organisation')</script>".to_owned())),
                change_href: Some("/device/organization".to_owned()),
                ..ordinary
            },
        ]
    }
}

/// The end of a device sign-in, on the side of the person's browser.
#[derive(Clone, Debug, Template)]
#[template(path = "oidc/device_done.html")]
pub struct DeviceDone {
    /// The frame.
    pub chrome: Chrome,
    /// What the person answered.
    pub outcome: DeviceOutcome,
}

/// What the person answered to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceOutcome {
    /// The device is being signed in.
    Allowed,
    /// The device was turned away.
    Denied,
}

impl DeviceDone {
    fn is_allowed(&self) -> bool {
        self.outcome == DeviceOutcome::Allowed
    }
}

impl Sample for DeviceDone {
    fn samples(locale: Locale) -> Vec<Self> {
        [DeviceOutcome::Allowed, DeviceOutcome::Denied]
            .map(|outcome| Self { chrome: sample_chrome(locale), outcome })
            .to_vec()
    }
}
