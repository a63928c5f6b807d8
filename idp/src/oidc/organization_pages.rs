//! The pages about organizations at sign-in: which one it is for, and why a portal is not for somebody.

use askama::Template;
use habilis_policies::admission::Closed;
use habilis_policies::calendar;
use habilis_policies::identifiers::OrganizationKind;
use habilis_policies::memberships::TurnedAway;
use jiff::{SignedDuration, Timestamp};

use crate::mail::passwords::day;
use crate::web::page::{Chrome, ClientCard, Sample, sample_chrome, sample_client, sample_hostile_client};
use crate::web::text::Locale;

/// What an organization is, in plain words.
pub fn kind_words(kind: &str, locale: Locale) -> String {
    locale.text(match OrganizationKind::parse(kind) {
        Some(OrganizationKind::Company) => "organization-kind-company",
        Some(OrganizationKind::TrainingBody) => "organization-kind-training-body",
        Some(OrganizationKind::Cfa) => "organization-kind-cfa",
        Some(OrganizationKind::Partner) => "organization-kind-partner",
        Some(OrganizationKind::Individual) => "organization-kind-individual",
        None => "organization-kind-other",
    })
}

/// What organizations of a kind are, in plain words, in the plural.
pub fn kinds_words(kind: OrganizationKind, locale: Locale) -> String {
    locale.text(match kind {
        OrganizationKind::Company => "organization-kinds-company",
        OrganizationKind::TrainingBody => "organization-kinds-training-body",
        OrganizationKind::Cfa => "organization-kinds-cfa",
        OrganizationKind::Partner => "organization-kinds-partner",
        OrganizationKind::Individual => "organization-kinds-individual",
    })
}

/// An organization on a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationChoice {
    /// `org_…`.
    pub id: String,
    /// Name as registered.
    pub name: String,
    /// What it is, in plain words.
    pub kind: String,
    /// SIRET; empty when it has none.
    pub siret: String,
    /// Whether it is the one chosen the last time.
    pub is_last: bool,
}

impl OrganizationChoice {
    /// The SIRET as people write it: `844 317 461 00019`.
    fn siret_in_groups(&self) -> String {
        match (self.siret.get(..3), self.siret.get(3..6), self.siret.get(6..9), self.siret.get(9..)) {
            (Some(a), Some(b), Some(c), Some(d)) => format!("{a}\u{a0}{b}\u{a0}{c}\u{a0}{d}"),
            _ => self.siret.clone(),
        }
    }
}

fn sample_choices(locale: Locale) -> Vec<OrganizationChoice> {
    let choice = |id: &str, name: &str, kind: &str| OrganizationChoice {
        id: id.to_owned(),
        name: name.to_owned(),
        kind: kind_words(kind, locale),
        siret: "84431746100019".to_owned(),
        is_last: id == "org_01",
    };
    vec![
        choice("org_01", "Boulangeries Lefèvre", "company"),
        choice("org_02", "Centre de formation d’apprentis des métiers de l’alimentation et de l’hôtellerie", "cfa"),
        OrganizationChoice { siret: String::new(), ..choice("org_03", "Camille Martin", "individual") },
        choice("org_04", "Campus Formation", "training_body"),
        choice("org_05", "Réseau Compétences Ouest", "partner"),
        choice("\"><script>alert(1)</script>", "<script>alert('nom')</script>", "other"),
    ]
}

/// The page that asks for which organization a sign-in is: one button each.
#[derive(Clone, Debug, Template)]
#[template(path = "oidc/organization.html")]
pub struct ChooseOrganization {
    /// The frame.
    pub chrome: Chrome,
    /// Where the answer is posted, as `organization=org_…`, or `action=cancel`.
    pub action: String,
    /// The token that ties the form to the browser.
    pub csrf: String,
    /// The portal.
    pub client: ClientCard,
    /// The name of the person signed in.
    pub person: String,
    /// Where somebody else signs in instead.
    pub not_you_href: String,
    /// The organizations, the one chosen the last time first.
    pub choices: Vec<OrganizationChoice>,
}

impl Sample for ChooseOrganization {
    fn samples(locale: Locale) -> Vec<Self> {
        let all = sample_choices(locale);
        let ordinary = Self {
            chrome: sample_chrome(locale),
            action: "/interaction/organization/int_01".to_owned(),
            csrf: "c5f0".to_owned(),
            client: sample_client(),
            person: "Camille Martin".to_owned(),
            not_you_href: "/interaction/login/int_01".to_owned(),
            choices: all.iter().take(2).cloned().collect(),
        };
        vec![
            ordinary.clone(),
            Self {
                client: sample_hostile_client(),
                person: "<script>alert('moi')</script>".to_owned(),
                choices: all,
                ..ordinary
            },
        ]
    }
}

/// The page that says why a portal is not for somebody, whom to ask, and how to go back.
#[derive(Clone, Debug, Template)]
#[template(path = "oidc/not_for_you.html")]
pub struct NotForYou {
    /// The frame.
    pub chrome: Chrome,
    /// Where "back" is posted, as `action=cancel`.
    pub action: String,
    /// The token that ties the form to the browser.
    pub csrf: String,
    /// The portal.
    pub client: ClientCard,
    /// The name of the person signed in.
    pub person: String,
    /// Where another account signs in instead.
    pub not_you_href: String,
    /// Why.
    pub reason: TurnedAway,
    /// The kinds of organization the portal is for, in plain words.
    pub admitted: Vec<String>,
    /// The person's organizations.
    pub own: Vec<OrganizationChoice>,
    /// Whom the portal names as contact.
    pub contact: Option<String>,
    /// Where a seat can be asked for, when that is what is missing and somebody answers (R059).
    pub ask_href: Option<String>,
}

impl NotForYou {
    fn is_about_kind(&self) -> bool {
        self.reason == TurnedAway::KindNotAdmitted
    }

    fn is_about_identity(&self) -> bool {
        self.reason == TurnedAway::IdentityToVerify
    }

    /// Title, reason and advice when it is about seats or a course, or the person's identity.
    fn access_texts(&self) -> Option<[&'static str; 3]> {
        let closed = match self.reason {
            TurnedAway::NoAccess(closed) => closed,
            TurnedAway::IdentityToVerify => {
                return Some(["access-identity-title", "access-identity-why", "access-identity-then"]);
            }
            TurnedAway::KindNotAdmitted | TurnedAway::NotAMember => return None,
        };
        Some(match closed {
            Closed::NoSeat => ["access-no-seat-title", "access-no-seat-why", "access-no-seat-then"],
            Closed::NotEnrolled => ["access-not-enrolled-title", "access-not-enrolled-why", "access-not-enrolled-then"],
            Closed::EnrolmentOver { .. } => ["access-over-title", "access-over-why", "access-over-then"],
            Closed::NotOpen { .. } => ["access-not-open-title", "access-not-open-why", "access-not-open-then"],
            Closed::OpensLater { .. } => {
                ["access-opens-later-title", "access-opens-later-why", "access-opens-later-then"]
            }
            Closed::NotBegun { .. } => ["access-not-begun-title", "access-not-begun-why", "access-not-begun-then"],
            Closed::AllConnected => {
                ["access-all-connected-title", "access-all-connected-why", "access-all-connected-then"]
            }
        })
    }

    fn title(&self) -> String {
        match self.access_texts() {
            Some([title, ..]) => self.chrome.t(title),
            None if self.is_about_kind() => self.chrome.t("organization-kind-title"),
            None => self.chrome.t("organization-member-title"),
        }
    }

    /// Why, with the day it began or begins.
    fn access_why(&self, key: &str) -> String {
        let at = match self.reason {
            TurnedAway::NoAccess(Closed::OpensLater { at } | Closed::NotBegun { at }) => Some(at),
            // The last day is the one before the cut.
            TurnedAway::NoAccess(Closed::EnrolmentOver { since } | Closed::NotOpen { since: Some(since) }) => {
                since.checked_sub(SignedDuration::from_secs(1)).ok()
            }
            _ => None,
        };
        let date = at.map(|at| day(calendar::date_at(at), self.chrome.locale)).unwrap_or_default();
        self.chrome.locale.text_with(key, &[("client", &self.client.name), ("date", &date)])
    }
}

impl Sample for NotForYou {
    fn samples(locale: Locale) -> Vec<Self> {
        let all = sample_choices(locale);
        let ordinary = Self {
            chrome: sample_chrome(locale),
            action: "/interaction/organization/int_01".to_owned(),
            csrf: "c5f0".to_owned(),
            client: sample_client(),
            person: "Camille Martin".to_owned(),
            not_you_href: "/interaction/login/int_01".to_owned(),
            reason: TurnedAway::KindNotAdmitted,
            admitted: vec![
                kinds_words(OrganizationKind::TrainingBody, locale),
                kinds_words(OrganizationKind::Cfa, locale),
            ],
            own: all.iter().take(1).cloned().collect(),
            contact: Some("support@campus.example".to_owned()),
            ask_href: None,
        };
        let access = |closed| Self { reason: TurnedAway::NoAccess(closed), admitted: Vec::new(), ..ordinary.clone() };
        vec![
            ordinary.clone(),
            Self { own: Vec::new(), contact: None, ..ordinary.clone() },
            Self { reason: TurnedAway::NotAMember, admitted: Vec::new(), ..ordinary.clone() },
            Self { reason: TurnedAway::IdentityToVerify, admitted: Vec::new(), own: Vec::new(), ..ordinary.clone() },
            access(Closed::NoSeat),
            Self { ask_href: Some("/account/seats?product=lms".to_owned()), ..access(Closed::NoSeat) },
            access(Closed::NotEnrolled),
            access(Closed::EnrolmentOver { since: Timestamp::UNIX_EPOCH }),
            access(Closed::NotOpen { since: Some(Timestamp::UNIX_EPOCH) }),
            access(Closed::OpensLater { at: Timestamp::UNIX_EPOCH }),
            access(Closed::NotBegun { at: Timestamp::UNIX_EPOCH }),
            access(Closed::AllConnected),
            Self {
                client: sample_hostile_client(),
                person: "<script>alert('moi')</script>".to_owned(),
                admitted: OrganizationKind::ALL.map(|kind| kinds_words(kind, locale)).to_vec(),
                own: all,
                contact: Some("<script>alert('contact')</script>".to_owned()),
                ..ordinary
            },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_siret_is_written_in_the_usual_groups() {
        let mut choice = sample_choices(Locale::Fr).remove(0);
        assert_eq!(choice.siret_in_groups(), "844\u{a0}317\u{a0}461\u{a0}00019");
        for odd in ["", "12", "é4431746100019"] {
            choice.siret = odd.to_owned();
            assert!(!choice.siret_in_groups().contains("\u{a0}\u{a0}"), "{odd}");
        }
    }
}
