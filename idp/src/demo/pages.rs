//! The pages of the demonstration: who can sign in, the mail that was "sent", the clock, and a portal to sign in to.
//!
//! They exist only in a server started as a demonstration, on the loopback interface. "Campus Formation" is made to look
//! like another product on purpose: it stands for the portal of a training body, a relying party of this server.

use askama::Template;

use crate::web::{
    page::{Chrome, NavigationLink, Sample, sample_chrome},
    text::Locale,
};

/// The index of the demonstration.
#[derive(Clone, Debug, Template)]
#[template(path = "demo/index.html")]
pub struct DemoIndex {
    /// The frame.
    pub chrome: Chrome,
    /// The addresses worth visiting.
    pub places: Vec<DemoPlace>,
    /// Everybody who can sign in.
    pub people: Vec<DemoPerson>,
    /// The clock, when this demonstration lets time be moved.
    pub clock: Option<ClockForm>,
}

/// An address worth visiting.
#[derive(Clone, Debug)]
pub struct DemoPlace {
    /// What is there, in a few words.
    pub name: String,
    /// One sentence more; may be empty.
    pub detail: String,
    /// The address, shown and linked.
    pub href: String,
}

/// A fictitious person. Their password is public on purpose: never fill this from a real account.
#[derive(Clone, Debug)]
pub struct DemoPerson {
    /// The full name.
    pub name: String,
    /// What to type in the first field of the sign-in page.
    pub login: String,
    /// What to type in the second.
    pub password: String,
    /// The organization the person belongs to; empty for none.
    pub organization: String,
    /// What the person may do there, in words.
    pub roles: Vec<String>,
    /// What makes this person interesting to try, such as "password expired yesterday"; may be empty.
    pub kind: String,
    /// The secret of their authenticator app; empty for none.
    pub totp_secret: String,
}

/// The form that moves the demonstration's clock, posted to `/demo/clock`.
///
/// Fields: `csrf` and either `advance_seconds` (a whole number of seconds) or `set_to` (`YYYY-MM-DDTHH:MM`, Europe/Paris).
#[derive(Clone, Debug)]
pub struct ClockForm {
    /// The token that ties the form to the browser.
    pub csrf: String,
    /// The time it is in the demonstration, in words.
    pub now: String,
    /// The same instant as `YYYY-MM-DDTHH:MM` in Europe/Paris, to prefill the field.
    pub now_local: String,
    /// Whether the clock differs from the real one.
    pub moved: bool,
}

fn sample_people() -> Vec<DemoPerson> {
    let person = |name: &str, login: &str, organization: &str, roles: &[&str], kind: &str| DemoPerson {
        name: name.to_owned(),
        login: login.to_owned(),
        password: "Corriger-8-Cahiers!".to_owned(),
        organization: organization.to_owned(),
        roles: roles.iter().map(|&role| role.to_owned()).collect(),
        kind: kind.to_owned(),
        totp_secret: if kind.is_empty() { String::new() } else { "GEZD GNBV GY3T QOJQ".to_owned() },
    };
    vec![
        person(
            "Camille Martin",
            "camille.martin@cfa-lumiere.example",
            "CFA Lumière",
            &["Apprenante"],
            "Parcours ordinaire",
        ),
        person(
            "Idriss Benali",
            "idriss.benali@cfa-lumiere.example",
            "CFA Lumière",
            &["Administrateur", "Auteur"],
            "Invite ses collègues",
        ),
        person(
            "Jeanne Le Goff",
            "jeanne.legoff@menuiserie-legoff.example",
            "Menuiserie Le Goff",
            &["Apprenante"],
            "Mot de passe expiré depuis hier",
        ),
        person("<script>alert('moi')</script>", "x@x.example", "", &[], ""),
    ]
}

impl Sample for DemoIndex {
    fn samples(locale: Locale) -> Vec<Self> {
        let place = |name: &str, detail: &str, href: &str| DemoPlace {
            name: name.to_owned(),
            detail: detail.to_owned(),
            href: href.to_owned(),
        };
        let full = Self {
            chrome: sample_chrome(locale),
            places: vec![
                place("Campus Formation", "Un portail où se connecter", "http://127.0.0.1:8400/"),
                place("Boîte aux lettres", "Tous les courriels envoyés", "/demo/mailbox"),
                place("Découverte OpenID Connect", "", "http://127.0.0.1:8399/.well-known/openid-configuration"),
            ],
            people: sample_people(),
            clock: Some(ClockForm {
                csrf: "c5f0".to_owned(),
                now: "mardi 24 novembre 2026 à 10:44".to_owned(),
                now_local: "2026-11-24T10:44".to_owned(),
                moved: true,
            }),
        };
        vec![full.clone(), Self { places: Vec::new(), people: Vec::new(), clock: None, ..full }]
    }
}

/// The demonstration's mailbox: every mail the server would have sent, newest first.
#[derive(Clone, Debug, Template)]
#[template(path = "demo/mailbox.html")]
pub struct Mailbox {
    /// The frame.
    pub chrome: Chrome,
    /// The way back to the demonstration's index.
    pub index_href: String,
    /// The list.
    pub mails: Vec<MailLine>,
    /// The mail being read.
    pub opened: Option<OpenedMail>,
}

/// One line of the mailbox.
#[derive(Clone, Debug)]
pub struct MailLine {
    /// Where the mail is read.
    pub href: String,
    /// Whom it was sent to.
    pub to: String,
    /// What it is about.
    pub subject: String,
    /// When, in words.
    pub sent_at: String,
    /// Whether it is the one being read.
    pub current: bool,
}

/// A mail being read.
#[derive(Clone, Debug)]
pub struct OpenedMail {
    /// Who it is from.
    pub from: String,
    /// Whom it was sent to.
    pub to: String,
    /// What it is about.
    pub subject: String,
    /// When, in words.
    pub sent_at: String,
    /// The plain-text body; the web addresses in it are shown as links.
    pub body: String,
}

/// A stretch of a mail's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailPiece<'a> {
    /// Words.
    Words(&'a str),
    /// A web address.
    Address(&'a str),
}

impl OpenedMail {
    /// The body cut at its web addresses; nothing is lost: the pieces joined are the body.
    pub fn pieces(&self) -> Vec<MailPiece<'_>> {
        let mut pieces = Vec::new();
        let mut rest = self.body.as_str();
        while let Some(start) = next_address(rest) {
            let (words, from_address) = rest.split_at(start);
            let end = from_address
                .find(|character: char| character.is_whitespace() || "<>\"".contains(character))
                .unwrap_or(from_address.len());
            // A full stop after an address ends the sentence, not the address.
            let address = from_address
                .get(..end)
                .unwrap_or(from_address)
                .trim_end_matches(['.', ',', ';', ':', '!', '?', ')', '»']);
            pieces.push(MailPiece::Words(words));
            pieces.push(MailPiece::Address(address));
            rest = from_address.get(address.len()..).unwrap_or_default();
        }
        pieces.push(MailPiece::Words(rest));
        pieces.retain(|piece| *piece != MailPiece::Words(""));
        pieces
    }
}

fn next_address(text: &str) -> Option<usize> {
    ["https://", "http://"].into_iter().filter_map(|scheme| text.find(scheme)).min()
}

impl Sample for Mailbox {
    fn samples(locale: Locale) -> Vec<Self> {
        let line = |to: &str, subject: &str, current| MailLine {
            href: "/demo/mailbox/eml_01".to_owned(),
            to: to.to_owned(),
            subject: subject.to_owned(),
            sent_at: "24 nov. 2026, 10:44".to_owned(),
            current,
        };
        let opened = OpenedMail {
            from: "Habilis <ne-pas-repondre@habilis.example>".to_owned(),
            to: "camille.martin@cfa-lumiere.example".to_owned(),
            subject: "Activez votre accès à Campus Formation".to_owned(),
            sent_at: "24 nov. 2026, 10:44".to_owned(),
            body: "Bonjour Camille,\n\nVotre accès à Campus Formation est prêt. Choisissez votre mot de passe \
                   ici :\n\nhttp://127.0.0.1:8399/activate/3q2-7wEr5tYu1iOp9aSd0fGh4jKl6zXc8vBn2mQw\n\nCe lien sert \
                   une seule fois, jusqu’au 27 novembre 2026.\n\n-- \nHabilis\n<script>alert(1)</script>\n"
                .to_owned(),
        };
        let reading = Self {
            chrome: sample_chrome(locale),
            index_href: "/demo".to_owned(),
            mails: vec![
                line("camille.martin@cfa-lumiere.example", "Activez votre accès à Campus Formation", true),
                line("jeanne.legoff@menuiserie-legoff.example", "Votre mot de passe a expiré", false),
                line("x@x.example", "<script>alert('objet')</script>", false),
            ],
            opened: Some(opened),
        };
        vec![
            reading.clone(),
            Self { opened: None, ..reading.clone() },
            Self { mails: Vec::new(), opened: None, ..reading },
        ]
    }
}

/// Every component of the style sheet on one page: the place to look when drawing a new page.
#[derive(Clone, Debug, Template)]
#[template(path = "demo/components.html")]
pub struct Components {
    /// The frame.
    pub chrome: Chrome,
}

impl Sample for Components {
    fn samples(locale: Locale) -> Vec<Self> {
        let entry =
            |label: &str, current| NavigationLink { label: label.to_owned(), href: "#content".to_owned(), current };
        vec![Self {
            chrome: Chrome {
                navigation: vec![
                    entry("Mon compte", true),
                    entry("Sécurité", false),
                    entry("Mes appareils", false),
                    entry("Mes données", false),
                ],
                home_href: Some("/".to_owned()),
                ..sample_chrome(locale)
            },
        }]
    }
}

/// The portal's front page, for somebody who is not signed in.
#[derive(Clone, Debug, Template)]
#[template(path = "portal/home.html")]
pub struct PortalHome {
    /// The frame; its brand is the portal's.
    pub chrome: Chrome,
    /// Where signing in begins.
    pub sign_in_href: String,
    /// Whether the person has just signed out here.
    pub signed_out: bool,
}

impl Sample for PortalHome {
    fn samples(locale: Locale) -> Vec<Self> {
        [false, true]
            .map(|signed_out| Self {
                chrome: sample_portal_chrome(locale),
                sign_in_href: "/login".to_owned(),
                signed_out,
            })
            .to_vec()
    }
}

/// The portal, for somebody signed in: who they are to it, and what it was told about them.
#[derive(Clone, Debug, Template)]
#[template(path = "portal/learner.html")]
pub struct PortalLearner {
    /// The frame; its brand is the portal's.
    pub chrome: Chrome,
    /// The person's name.
    pub name: String,
    /// The person's organization, if any.
    pub organization: Option<String>,
    /// What the person may do on this portal, in words.
    pub rights: Vec<String>,
    /// The answer of the userinfo endpoint, one line a claim (name, value as text).
    pub userinfo: Vec<(String, String)>,
    /// Where signing out is posted.
    pub sign_out_action: String,
    /// The token that ties the sign-out form to the portal's session.
    pub csrf: String,
}

impl Sample for PortalLearner {
    fn samples(locale: Locale) -> Vec<Self> {
        let claim = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let learner = Self {
            chrome: sample_portal_chrome(locale),
            name: "Camille Martin".to_owned(),
            organization: Some("CFA Lumière".to_owned()),
            rights: vec![
                "Suivre ses modules".to_owned(),
                "Déposer un travail".to_owned(),
                "Voir ses attestations".to_owned(),
            ],
            userinfo: vec![
                claim("sub", "usr_01jd8x4m2k9v7c5b3n1q"),
                claim("name", "Camille Martin"),
                claim("email", "camille.martin@cfa-lumiere.example"),
                claim("email_verified", "true"),
                claim("locale", "fr"),
                claim(
                    "organizations",
                    "[{\"id\":\"org_01jd8x4m2k\",\"name\":\"CFA Lumière\",\"roles\":[\"apprenant\"]}]",
                ),
            ],
            sign_out_action: "/logout".to_owned(),
            csrf: "c5f0".to_owned(),
        };
        vec![
            learner.clone(),
            Self {
                name: "<script>alert('moi')</script>".to_owned(),
                organization: None,
                rights: Vec::new(),
                userinfo: vec![claim("<script>", "<script>alert(1)</script>")],
                ..learner
            },
        ]
    }
}

/// The portal's own error page, when signing in came back without success.
#[derive(Clone, Debug, Template)]
#[template(path = "portal/error.html")]
pub struct PortalError {
    /// The frame; its brand is the portal's.
    pub chrome: Chrome,
    /// The error code received, such as `access_denied`.
    pub error: String,
    /// The description received; may be empty.
    pub description: String,
    /// Where to try again.
    pub retry_href: String,
}

impl Sample for PortalError {
    fn samples(locale: Locale) -> Vec<Self> {
        let refused = Self {
            chrome: sample_portal_chrome(locale),
            error: "access_denied".to_owned(),
            description: String::new(),
            retry_href: "/login".to_owned(),
        };
        vec![
            refused.clone(),
            Self {
                error: "<script>alert(1)</script>".to_owned(),
                description: "<script>alert(2)</script>".to_owned(),
                ..refused
            },
        ]
    }
}

impl PortalError {
    /// The person said no: nothing broke.
    fn is_refusal(&self) -> bool {
        self.error == "access_denied"
    }
}

fn sample_portal_chrome(locale: Locale) -> Chrome {
    Chrome { brand_name: "Campus Formation".to_owned(), home_href: Some("/".to_owned()), ..sample_chrome(locale) }
}

#[cfg(test)]
mod tests {
    use super::{MailPiece, OpenedMail};

    fn mail(body: &str) -> OpenedMail {
        OpenedMail {
            from: String::new(),
            to: String::new(),
            subject: String::new(),
            sent_at: String::new(),
            body: body.to_owned(),
        }
    }

    #[test]
    fn web_addresses_in_a_mail_become_links_and_nothing_else_does() {
        use MailPiece::{Address, Words};
        for (body, expected) in [
            ("", vec![]),
            ("Bonjour.", vec![Words("Bonjour.")]),
            (
                "Voir https://a.example/x?y=1.\nFin",
                vec![Words("Voir "), Address("https://a.example/x?y=1"), Words(".\nFin")],
            ),
            (
                "<http://a.example/>http://b.example",
                vec![Words("<"), Address("http://a.example/"), Words(">"), Address("http://b.example")],
            ),
            ("javascript:alert(1)", vec![Words("javascript:alert(1)")]),
        ] {
            assert_eq!(mail(body).pieces(), expected, "{body:?}");
        }
    }

    #[test]
    fn no_word_of_a_mail_is_lost() {
        let body = "é https:// «https://a.example/é».\n\n https://";
        let mail = mail(body);
        let joined: String =
            mail.pieces().into_iter().map(|(MailPiece::Words(text) | MailPiece::Address(text))| text).collect();
        assert_eq!(joined, body);
    }
}
