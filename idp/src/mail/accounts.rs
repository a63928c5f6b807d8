//! The letters about accounts: invitation, sign-up, change of address, a session that had to end (R005, R025, R026).

use askama::Template as _;
use jiff::Timestamp;

use super::letters::{Kind, Letter, device, paris};
use super::passwords::PasswordText;
use crate::outcome::Outcome;
use crate::web::Origin;
use crate::web::page::Chrome;
use crate::web::text::Locale;

/// A letter about the person's account. Has no `Debug`: some carry a link.
pub enum AccountLetter {
    /// An account waits for the person.
    Invitation {
        /// What they will sign in with.
        login: String,
        /// The organization that invites them, if any.
        organization: Option<String>,
        /// Days the link works.
        days: u32,
        /// The one-time link.
        href: String,
    },
    /// An organization offers a membership to somebody who has an account.
    Offer {
        /// The organization's name.
        organization: String,
        /// Days it can be accepted.
        days: u32,
        /// Where to answer, signed in.
        href: String,
    },
    /// Somebody, likely the person, asked for an account.
    SignUp {
        /// The one-time link.
        href: String,
    },
    /// Somebody asked for an account although there is one.
    AlreadyKnown {
        /// Where to ask for a password.
        href: String,
    },
    /// The person wants this to be their address.
    NewEmail {
        /// The one-time link.
        href: String,
    },
    /// Somebody asked for another address for the account of this one.
    EmailChangeAsked {
        /// When.
        at: Timestamp,
        /// Where from.
        address: String,
        /// What device.
        device: String,
    },
    /// This address is no longer that of the account.
    EmailChanged {
        /// When.
        at: Timestamp,
        /// The link that takes it back.
        href: String,
    },
    /// The change was taken back: the account is no longer that of this address.
    EmailTakenBack {
        /// When.
        at: Timestamp,
    },
    /// The login was the address of somebody else, who has proven to own it.
    LoginYielded {
        /// What the person signed in with.
        former: String,
        /// What they sign in with now.
        login: String,
    },
    /// To an administrator: the address of a member takes no mail.
    AddressRefused {
        /// Given and family name.
        name: String,
        /// What they sign in with.
        login: String,
        /// The address.
        address: String,
    },
    /// A session ended for another.
    SessionEnded {
        /// The browser that was signed out.
        device: String,
        /// How many there may be.
        most: u32,
    },
}

impl AccountLetter {
    /// The notice to the present address that `origin` asks for another.
    pub fn email_change_asked(origin: &Origin, now: Timestamp) -> Self {
        Self::EmailChangeAsked { at: now, address: origin.address.to_string(), device: device(&origin.user_agent) }
    }

    fn lines(&self, locale: Locale) -> Vec<String> {
        let text = |key: &str| locale.text(key);
        match self {
            Self::Invitation { login, organization, days, href } => {
                let what = match organization {
                    Some(name) => locale.text_with("letter-invitation-what-from", &[("name", name)]),
                    None => text("letter-invitation-what"),
                };
                vec![
                    what,
                    locale.text_with("letter-invitation-login", &[("login", login)]),
                    locale.text_count("letter-invitation-link", u64::from(*days)),
                    href.clone(),
                    text("letter-invitation-personal"),
                ]
            }
            Self::Offer { organization, days, href } => vec![
                locale.text_with("letter-offer-what", &[("organization", organization)]),
                locale.text_count("letter-offer-link", u64::from(*days)),
                href.clone(),
                text("letter-offer-if-not"),
            ],
            Self::SignUp { href } => vec![text("letter-sign-up-what"), href.clone(), text("letter-sign-up-if-not")],
            Self::AlreadyKnown { href } => {
                vec![text("letter-known-what"), text("letter-known-how"), href.clone(), text("letter-known-if-not")]
            }
            Self::NewEmail { href } => {
                vec![text("letter-new-email-what"), href.clone(), text("letter-new-email-if-not")]
            }
            Self::EmailChangeAsked { at, address, device } => vec![
                text("letter-email-change-asked-what"),
                locale.text_with("mail-new-sign-in-when", &[("when", &paris(*at, locale))]),
                locale.text_with("mail-new-sign-in-device", &[("device", device)]),
                locale.text_with("mail-new-sign-in-address", &[("address", address)]),
                text("letter-email-change-asked-if-not"),
            ],
            Self::EmailChanged { at, href } => vec![
                text("letter-email-changed-what"),
                locale.text_with("mail-new-sign-in-when", &[("when", &paris(*at, locale))]),
                text("letter-email-changed-if-not"),
                href.clone(),
            ],
            Self::EmailTakenBack { at } => vec![
                text("letter-email-taken-back-what"),
                locale.text_with("mail-new-sign-in-when", &[("when", &paris(*at, locale))]),
                text("letter-email-taken-back-if-not"),
            ],
            Self::LoginYielded { former, login } => vec![
                locale.text_with("letter-login-yielded-what", &[("former", former)]),
                locale.text_with("letter-login-yielded-login", &[("login", login)]),
                text("letter-login-yielded-rest"),
            ],
            Self::AddressRefused { name, login, address } => vec![
                locale.text_with(
                    "letter-address-refused-what",
                    &[("name", name), ("login", login), ("address", address)],
                ),
                text("letter-address-refused-how"),
                text("letter-address-refused-once"),
            ],
            Self::SessionEnded { device, most } => vec![
                locale.text_count("letter-session-ended-what", u64::from(*most)),
                locale.text_with("letter-session-ended-device", &[("device", device)]),
                text("letter-session-ended-if-not"),
            ],
        }
    }
}

impl Letter for AccountLetter {
    fn kind(&self) -> Kind {
        match self {
            Self::SessionEnded { .. } | Self::EmailChangeAsked { .. } => Kind::Security,
            Self::EmailChanged { .. } => Kind::Undoable,
            Self::Invitation { .. }
            | Self::Offer { .. }
            | Self::SignUp { .. }
            | Self::AlreadyKnown { .. }
            | Self::NewEmail { .. }
            | Self::EmailTakenBack { .. }
            | Self::LoginYielded { .. }
            | Self::AddressRefused { .. } => Kind::Other,
        }
    }

    fn template(&self) -> &'static str {
        match self {
            Self::Invitation { .. } => "account_invitation.1",
            Self::Offer { .. } => "membership_offer.1",
            Self::SignUp { .. } => "account_sign_up.1",
            Self::AlreadyKnown { .. } => "account_already_known.1",
            Self::NewEmail { .. } => "account_new_email.1",
            Self::EmailChangeAsked { .. } => "account_email_change_asked.1",
            Self::EmailChanged { .. } => "account_email_changed.1",
            Self::EmailTakenBack { .. } => "account_email_taken_back.1",
            Self::LoginYielded { .. } => "account_login_yielded.1",
            Self::AddressRefused { .. } => "address_refused.1",
            Self::SessionEnded { .. } => "account_session_ended.1",
        }
    }

    fn subject(&self, locale: Locale) -> String {
        let key = match self {
            Self::Offer { organization, .. } => {
                return locale.text_with("letter-offer-subject", &[("organization", organization)]);
            }
            Self::Invitation { .. } => "letter-invitation-subject",
            Self::SignUp { .. } => "letter-sign-up-subject",
            Self::AlreadyKnown { .. } => "letter-known-subject",
            Self::NewEmail { .. } => "letter-new-email-subject",
            Self::EmailChangeAsked { .. } => "letter-email-change-asked-subject",
            Self::EmailChanged { .. } => "letter-email-changed-subject",
            Self::EmailTakenBack { .. } => "letter-email-taken-back-subject",
            Self::LoginYielded { .. } => "letter-login-yielded-subject",
            Self::AddressRefused { .. } => "letter-address-refused-subject",
            Self::SessionEnded { .. } => "letter-session-ended-subject",
        };
        locale.text(key)
    }

    fn body(&self, chrome: Chrome) -> Outcome<String> {
        Ok(PasswordText { lines: self.lines(chrome.locale), chrome }.render()?)
    }
}

#[cfg(test)]
impl AccountLetter {
    /// One of each.
    pub(super) fn samples() -> Vec<Self> {
        let href = || "https://compte.example/x".to_owned();
        let invitation =
            |organization| Self::Invitation { login: "zoe".to_owned(), organization, days: 7, href: href() };
        vec![
            invitation(None),
            invitation(Some("Campus Formation".to_owned())),
            Self::Offer { organization: "Campus Formation".to_owned(), days: 7, href: href() },
            Self::SignUp { href: href() },
            Self::AlreadyKnown { href: href() },
            Self::NewEmail { href: href() },
            Self::EmailChangeAsked {
                at: Timestamp::UNIX_EPOCH,
                address: "192.0.2.7".to_owned(),
                device: "Firefox, Linux".to_owned(),
            },
            Self::EmailChanged { at: Timestamp::UNIX_EPOCH, href: href() },
            Self::EmailTakenBack { at: Timestamp::UNIX_EPOCH },
            Self::LoginYielded { former: "zoe@ailleurs.example".to_owned(), login: "zoe@exemple.example".to_owned() },
            Self::AddressRefused {
                name: "Zoé Martin".to_owned(),
                login: "zoe".to_owned(),
                address: "zoe@ancienne.example".to_owned(),
            },
            Self::SessionEnded { device: "Firefox, Linux".to_owned(), most: 3 },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::page::sample_chrome;

    #[test]
    fn every_letter_reads_in_every_language_and_keeps_its_link() {
        let letters = AccountLetter::samples();
        for locale in Locale::ALL {
            for letter in &letters {
                let body = letter.body(sample_chrome(locale)).unwrap() + &letter.subject(locale);
                assert!(!body.contains('⟦'), "{body}");
                let linked = !matches!(
                    letter,
                    AccountLetter::SessionEnded { .. }
                        | AccountLetter::EmailChangeAsked { .. }
                        | AccountLetter::EmailTakenBack { .. }
                        | AccountLetter::LoginYielded { .. }
                        | AccountLetter::AddressRefused { .. }
                );
                assert_eq!(body.contains("https://compte.example/x"), linked, "{body}");
            }
        }
    }
}
