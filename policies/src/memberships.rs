//! Which memberships count today, and for which of their organizations somebody signs in at a portal.
//!
//! A membership is in force while its own status and its organization's are `active` and its last day, a civil day in Paris, has
//! not passed. Requirements R008, R009 (portals closed to kinds of organization), R056 (external members leave by themselves)
//! and R088 (a course given up ends the access).

use jiff::civil::Date;

use crate::admission::Closed;
use crate::calendar;
use crate::identifiers::OrganizationKind;

/// The status of a membership, or of an organization, that counts.
pub const ACTIVE: &str = "active";

/// A membership as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts<'a> {
    /// `memberships.status`.
    pub membership: &'a str,
    /// `organizations.status`.
    pub organization: &'a str,
    /// The last day, `YYYY-MM-DD`; none when there is no end.
    pub ends_on: Option<&'a str>,
}

/// Says whether a membership counts on the day `today` in Paris.
///
/// The last day counts whole. A last day that cannot be read has passed.
pub fn in_force(facts: &Facts<'_>, today: Date) -> bool {
    let lasts = match facts.ends_on {
        None => true,
        Some(day) => day.parse::<Date>().is_ok_and(|last| today <= last),
    };
    facts.membership == ACTIVE && facts.organization == ACTIVE && lasts
}

/// Why a membership cannot end as asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndProblem {
    /// Somebody external without a last day.
    #[error("somebody external has a last day (R056)")]
    Missing,
    /// Before today.
    #[error("the last day is today or later")]
    Past,
    /// Later than in ten years.
    #[error("the last day is within ten years")]
    TooFar,
}

/// Whether somebody of this affiliation may have this last day from `today` on, civil days in Paris (R056).
///
/// # Errors
/// [`EndProblem`], each cause by its name.
pub fn check_end(affiliation: &str, ends_on: Option<Date>, today: Date) -> Result<(), EndProblem> {
    match ends_on {
        None if affiliation == "external" => Err(EndProblem::Missing),
        Some(day) if day < today => Err(EndProblem::Past),
        Some(day) if day > calendar::add_years(today, 10) => Err(EndProblem::TooFar),
        _ => Ok(()),
    }
}

/// An organization somebody belongs to, by a membership that is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// `org_…`.
    pub id: &'a str,
    /// Its kind; none when it is of a kind unknown here.
    pub kind: Option<OrganizationKind>,
    /// Whether the person has rights in the portal through it.
    pub has_rights: bool,
    /// Why the person may not use the portal for it now; none when they may.
    pub closed: Option<Closed>,
}

/// What a portal wants to know of the organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Nothing.
    Nothing,
    /// Which one it is.
    Identity,
}

/// For which portal, and what was said of the organization before.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What the portal wants to know.
    pub interest: Interest,
    /// The kinds the portal admits; none: it admits everybody, people without organization included.
    pub admitted: &'a [OrganizationKind],
    /// The organization that the request names.
    pub named: Option<&'a str>,
    /// What the person answered to this very request.
    pub answered: Option<&'a str>,
    /// What the person answered to the same portal earlier in this session.
    pub earlier: Option<&'a str>,
    /// Whether the portal wants the person to choose again.
    pub choose_again: bool,
    /// For a portal that asks for a seat or an enrolment: what is said to who belongs nowhere.
    pub metered: Option<Closed>,
}

/// Why somebody cannot come to a portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnedAway {
    /// None of their organizations is of a kind the portal admits, or they have none.
    KindNotAdmitted,
    /// They do not belong to the organization that the request names.
    NotAMember,
    /// They have no seat, no enrolment, or it is not the time.
    NoAccess(Closed),
    /// What their account says became all of somebody else, and nobody has verified who they are (R007): wherever they go.
    IdentityToVerify,
}

/// Where the choice of an organization stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice<'a> {
    /// The sign-in is for no organization in particular.
    None,
    /// It is for this one.
    Of(&'a str),
    /// The person has to say for which.
    Open,
    /// The portal is not for them.
    TurnedAway(TurnedAway),
}

/// What [`Choice`] means for the request, without the organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is left to choose.
    Settled,
    /// See [`Choice::Open`].
    Open,
    /// See [`Choice::TurnedAway`].
    TurnedAway(TurnedAway),
}

impl Choice<'_> {
    /// What it means for the request.
    pub fn standing(self) -> Standing {
        match self {
            Self::None | Self::Of(_) => Standing::Settled,
            Self::Open => Standing::Open,
            Self::TurnedAway(reason) => Standing::TurnedAway(reason),
        }
    }
}

/// Whether a portal that admits `admitted` admits an organization of this kind.
pub fn admits(admitted: &[OrganizationKind], kind: Option<OrganizationKind>) -> bool {
    admitted.is_empty() || kind.is_some_and(|kind| admitted.contains(&kind))
}

/// The organizations to choose among: of a kind that is admitted, with access now and, when the person has rights in the portal at all, those
/// that give them.
pub fn offered<'a>(candidates: &[Candidate<'a>], admitted: &[OrganizationKind]) -> Vec<Candidate<'a>> {
    let open = |candidate: &Candidate<'_>| admits(admitted, candidate.kind) && candidate.closed.is_none();
    let mut offered: Vec<_> = candidates.iter().copied().filter(open).collect();
    if offered.iter().any(|candidate| candidate.has_rights) {
        offered.retain(|candidate| candidate.has_rights);
    }
    offered
}

/// Says for which organization somebody with these `candidates` signs in.
///
/// A portal that neither wants to know nor is closed to anybody has nothing to do with organizations. The one that a request
/// names is taken without a question if it can be, even where the person has no rights. Otherwise a question is asked only when
/// there is more than one answer, the portal wants to know, and the person has not answered it in this session.
pub fn choose<'a>(candidates: &[Candidate<'a>], question: &Question<'_>) -> Choice<'a> {
    let indifferent =
        question.interest == Interest::Nothing && question.admitted.is_empty() && question.metered.is_none();
    if indifferent && question.named.is_none() {
        return Choice::None;
    }
    if !question.admitted.is_empty() && !candidates.iter().any(|candidate| admits(question.admitted, candidate.kind)) {
        return Choice::TurnedAway(TurnedAway::KindNotAdmitted);
    }
    if let Some(named) = question.named {
        return match candidates.iter().find(|candidate| candidate.id == named) {
            Some(found) if admits(question.admitted, found.kind) => match found.closed {
                None => Choice::Of(found.id),
                Some(closed) => Choice::TurnedAway(TurnedAway::NoAccess(closed)),
            },
            Some(_) => Choice::TurnedAway(TurnedAway::KindNotAdmitted),
            None => Choice::TurnedAway(TurnedAway::NotAMember),
        };
    }
    let offered = offered(candidates, question.admitted);
    if let (Some(closed), []) = (question.metered, &offered[..]) {
        // Of several reasons the most hopeful is told.
        let admitted = candidates.iter().filter(|candidate| admits(question.admitted, candidate.kind));
        let closed = admitted.filter_map(|candidate| candidate.closed).max().unwrap_or(closed);
        return Choice::TurnedAway(TurnedAway::NoAccess(closed));
    }
    let among = |id: Option<&str>| offered.iter().find(|candidate| Some(candidate.id) == id);
    let earlier = question.earlier.filter(|_| !question.choose_again);
    match (&offered[..], among(question.answered).or(among(earlier))) {
        ([], _) => Choice::None,
        ([only], _) => Choice::Of(only.id),
        (_, Some(known)) => Choice::Of(known.id),
        ([first, ..], None) if question.interest == Interest::Nothing => Choice::Of(first.id),
        (_, None) => Choice::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use OrganizationKind::{Cfa, Company, TrainingBody};
    use jiff::civil::date;

    #[test]
    fn who_comes_from_outside_has_a_last_day_and_none_is_past_or_beyond_ten_years() {
        let day = |text: &str| text.parse::<Date>().unwrap();
        let today = day("2027-03-01");
        for (affiliation, ends_on, expected) in [
            ("employee", None, Ok(())),
            ("external", None, Err(EndProblem::Missing)),
            ("external", Some("2027-03-01"), Ok(())),
            ("employee", Some("2027-02-28"), Err(EndProblem::Past)),
            ("external", Some("2027-02-28"), Err(EndProblem::Past)),
            ("external", Some("2037-03-01"), Ok(())),
            ("employee", Some("2037-03-02"), Err(EndProblem::TooFar)),
        ] {
            assert_eq!(check_end(affiliation, ends_on.map(day), today), expected, "{affiliation} {ends_on:?}");
        }
    }

    #[test]
    fn a_membership_counts_while_it_and_its_organization_are_active_and_to_the_end_of_its_last_day() {
        let today = date(2027, 3, 31);
        for (membership, organization, ends_on, expected) in [
            ("active", "active", None, true),
            ("active", "active", Some("2027-03-31"), true),
            ("active", "active", Some("2027-04-01"), true),
            ("active", "active", Some("2028-02-29"), true),
            ("active", "active", Some("2027-03-30"), false),
            ("active", "active", Some("2026-12-31"), false),
            ("active", "active", Some("31/03/2028"), false),
            ("active", "active", Some(""), false),
            ("suspended", "active", None, false),
            ("suspended", "active", Some("2028-01-01"), false),
            ("active", "suspended", None, false),
            ("active", "terminated", None, false),
            ("", "", None, false),
            ("Active", "active", None, false),
        ] {
            let facts = Facts { membership, organization, ends_on };
            assert_eq!(in_force(&facts, today), expected, "{facts:?}");
        }
    }

    const fn candidate(id: &str, kind: OrganizationKind, has_rights: bool) -> Candidate<'_> {
        Candidate { id, kind: Some(kind), has_rights, closed: None }
    }

    const NOTHING: Question<'_> = Question {
        interest: Interest::Nothing,
        admitted: &[],
        named: None,
        answered: None,
        earlier: None,
        choose_again: false,
        metered: None,
    };
    const WANTED: Question<'_> = Question { interest: Interest::Identity, ..NOTHING };
    const CLOSED: Question<'_> = Question { admitted: &[TrainingBody, Cfa], ..WANTED };

    #[test]
    fn the_organization_is_asked_only_when_it_matters_and_is_not_known() {
        use Choice::{None as Nobody, Of, Open};
        let away = Choice::TurnedAway;
        let (a, b) = (candidate("a", Company, false), candidate("b", Cfa, false));
        let c = candidate("c", TrainingBody, false);
        let rights = |candidate: Candidate<'static>| Candidate { has_rights: true, ..candidate };
        let odd = Candidate { id: "o", kind: None, has_rights: true, closed: None };
        let closed_only = Question { interest: Interest::Nothing, ..CLOSED };
        let cases: &[(&str, &[Candidate<'_>], Question<'_>, Choice<'_>)] = &[
            ("does not matter", &[a, b], NOTHING, Nobody),
            ("nobody's", &[], WANTED, Nobody),
            ("one", &[a], WANTED, Of("a")),
            ("several", &[a, b], WANTED, Open),
            ("answered", &[a, b], Question { answered: Some("b"), ..WANTED }, Of("b")),
            ("answered something else", &[a, b], Question { answered: Some("z"), ..WANTED }, Open),
            ("earlier", &[a, b], Question { earlier: Some("a"), ..WANTED }, Of("a")),
            ("earlier, gone since", &[a, b], Question { earlier: Some("z"), ..WANTED }, Open),
            ("earlier, again", &[a, b], Question { earlier: Some("a"), choose_again: true, ..WANTED }, Open),
            (
                "earlier, again, answered",
                &[a, b],
                Question { earlier: Some("a"), answered: Some("b"), choose_again: true, ..WANTED },
                Of("b"),
            ),
            ("again, one", &[a], Question { choose_again: true, ..WANTED }, Of("a")),
            ("rights in one", &[a, rights(b)], WANTED, Of("b")),
            ("rights in two", &[a, rights(b), rights(c)], WANTED, Open),
            ("earlier without rights", &[a, rights(b)], Question { earlier: Some("a"), ..WANTED }, Of("b")),
            ("named", &[a, b], Question { named: Some("b"), ..WANTED }, Of("b")),
            ("named by a portal that asks nothing", &[a, b], Question { named: Some("b"), ..NOTHING }, Of("b")),
            ("named without rights", &[a, rights(b)], Question { named: Some("a"), ..WANTED }, Of("a")),
            (
                "named, whatever was answered",
                &[a, b],
                Question { named: Some("b"), earlier: Some("a"), answered: Some("a"), ..WANTED },
                Of("b"),
            ),
            ("named, no member", &[a], Question { named: Some("z"), ..WANTED }, away(TurnedAway::NotAMember)),
            (
                "named, not admitted",
                &[a, b],
                Question { named: Some("a"), ..CLOSED },
                away(TurnedAway::KindNotAdmitted),
            ),
            ("closed, nobody's", &[], CLOSED, away(TurnedAway::KindNotAdmitted)),
            ("closed, other kind", &[a], CLOSED, away(TurnedAway::KindNotAdmitted)),
            ("closed, other kind with rights", &[rights(a)], CLOSED, away(TurnedAway::KindNotAdmitted)),
            ("closed, unknown kind", &[odd], CLOSED, away(TurnedAway::KindNotAdmitted)),
            ("closed, one of two", &[a, b], CLOSED, Of("b")),
            ("closed, rights where it is closed", &[rights(a), b], CLOSED, Of("b")),
            ("closed, several", &[a, b, c], CLOSED, Open),
            ("closed, asks nothing", &[a, b, c], closed_only, Of("b")),
            ("closed, asks nothing, earlier", &[b, c], Question { earlier: Some("c"), ..closed_only }, Of("c")),
            ("closed, asks nothing, other kind", &[a], closed_only, away(TurnedAway::KindNotAdmitted)),
            ("unknown kind, open portal", &[odd], WANTED, Of("o")),
        ];
        for (name, candidates, question, expected) in cases {
            assert_eq!(choose(candidates, question), *expected, "{name}");
        }
    }

    #[test]
    fn what_is_chosen_is_always_a_membership_of_an_admitted_kind() {
        // Every combination of three organizations, of what is admitted and of what was said before.
        let all = [candidate("a", Company, false), candidate("b", Cfa, true), candidate("c", TrainingBody, false)];
        let said = [None, Some("a"), Some("b"), Some("z")];
        for subset in 0..8_usize {
            let candidates: Vec<_> =
                all.iter().enumerate().filter(|(place, _)| subset >> place & 1 == 1).map(|(_, c)| *c).collect();
            for admitted in [&[][..], &[Company], &[Cfa, TrainingBody]] {
                for (named, earlier) in said.iter().flat_map(|named| said.iter().map(move |said| (*named, *said))) {
                    let question = Question { admitted, named, earlier, answered: earlier, ..WANTED };
                    if let Choice::Of(id) = choose(&candidates, &question) {
                        let chosen = candidates.iter().find(|candidate| candidate.id == id).unwrap();
                        assert!(admits(admitted, chosen.kind), "{question:?}");
                    }
                }
            }
        }
    }
}
