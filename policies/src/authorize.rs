//! What an authorization request needs next: the person's sign-in, their consent, an answer, or a refusal.
//!
//! OIDC Core §3.1.2.1 (`prompt`, `max_age`, `id_token_hint`), §3.1.2.3, §3.1.2.6. A sign-in done for the very request satisfies
//! `prompt=login` and `max_age`, so that nobody is sent round in a circle.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::acr::Sufficiency;
use crate::memberships::{Standing, TurnedAway};
use crate::second_factor::Rule;

/// The `prompt` parameter, parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "a set of four independent words")]
pub struct Prompt {
    /// Answer without showing anything.
    pub none: bool,
    /// Authenticate again.
    pub login: bool,
    /// Ask for consent again.
    pub consent: bool,
    /// Let the person choose an account.
    pub select_account: bool,
}

/// `none` stands beside another value (OIDC Core §3.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("prompt=none cannot be combined with another value")]
pub struct ContradictoryPrompt;

impl Prompt {
    /// Parses the parameter; unknown values are ignored.
    ///
    /// # Errors
    /// [`ContradictoryPrompt`].
    pub fn parse(text: &str) -> Result<Self, ContradictoryPrompt> {
        let mut prompt = Self::default();
        let mut values = 0;
        for value in text.split_ascii_whitespace() {
            values += 1;
            match value {
                "none" => prompt.none = true,
                "login" => prompt.login = true,
                "consent" => prompt.consent = true,
                "select_account" => prompt.select_account = true,
                _ => {}
            }
        }
        if prompt.none && values > 1 { Err(ContradictoryPrompt) } else { Ok(prompt) }
    }
}

/// How `id_token_hint` relates to the person of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// No hint was sent.
    Absent,
    /// It names the person signed in, or nobody is signed in yet.
    Agrees,
    /// It names somebody else.
    Differs,
}

/// Whether the person's consent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// The operator's own portal: no question asked.
    NotNeeded,
    /// Given for this request.
    GivenNow,
    /// Given earlier for all that is asked.
    Remembered,
    /// Not given.
    Missing,
}

/// What is known when deciding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// When the person of a living session authenticated.
    pub auth_time: Option<Timestamp>,
    /// Whether that happened for this very request.
    pub signed_in_for_this: bool,
    /// `prompt`.
    pub prompt: Prompt,
    /// `max_age` in seconds, or the client's `default_max_age`.
    pub max_age: Option<u32>,
    /// `id_token_hint`.
    pub hint: Hint,
    /// Consent.
    pub consent: Consent,
    /// Whether the sign-in is strong enough for the `acr` wanted.
    pub acr: Sufficiency,
    /// Whether a second factor is asked that this sign-in lacks.
    pub second_factor: Rule,
    /// For how long after a sign-in a second factor may be added to it; zero: never.
    pub good_for: SignedDuration,
    /// For which organization the sign-in is; settled when nobody is signed in yet.
    pub organization: Standing,
}

/// Why the person is asked to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInReason {
    /// Nobody is signed in.
    NoSession,
    /// The client asked for it: `prompt=login` or `select_account`.
    Asked,
    /// The last authentication is older than `max_age`.
    TooLongAgo,
    /// Another person is expected.
    OtherPerson,
    /// A stronger sign-in is expected.
    TooWeak,
    /// A stronger sign-in would be better, and the person has what it takes (RFC 9470 §5).
    Stronger,
    /// A second factor is asked.
    NoSecondFactor,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Answer the client with a code.
    Answer,
    /// Show the sign-in page.
    SignIn(SignInReason),
    /// Ask for the second factor alone: the person of the session has just given the first (RFC 9470 §5).
    StepUp,
    /// Ask for which organization.
    AskOrganization,
    /// Show why the portal is not for this person, before the client is told.
    TurnAway(TurnedAway),
    /// Show the consent page.
    AskConsent,
    /// Tell the client.
    Refuse(Refusal),
}

/// What the client is told (OIDC Core §3.1.2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// `login_required`.
    LoginRequired,
    /// `consent_required`.
    ConsentRequired,
    /// `interaction_required`: the person must choose an organization.
    InteractionRequired,
    /// `access_denied`: the portal is not for this person.
    TurnedAway(TurnedAway),
    /// `unmet_authentication_requirements` (OpenID Connect Core Error Code for it).
    UnmetAuthentication,
}

/// Decides what an authorization request needs next.
///
/// `max_age` is compared in milliseconds; `max_age=0` always asks for a sign-in.
pub fn next(facts: &Facts, now: Timestamp) -> Next {
    // No sign-in here would be enough: nobody is asked for one.
    if facts.acr == Sufficiency::Unreachable {
        return Next::Refuse(Refusal::UnmetAuthentication);
    }
    match sign_in_needed(facts, now) {
        Some(SignInReason::TooWeak) if facts.signed_in_for_this || facts.prompt.none => {
            return Next::Refuse(Refusal::UnmetAuthentication);
        }
        Some(SignInReason::Stronger) if facts.prompt.none => {}
        Some(_) if facts.prompt.none => return Next::Refuse(Refusal::LoginRequired),
        // The person has just signed in, as somebody else than the client expects: asking again would not help.
        Some(SignInReason::OtherPerson) if facts.signed_in_for_this => return Next::Refuse(Refusal::LoginRequired),
        Some(reason) if steps_up(reason, facts, now) => return Next::StepUp,
        Some(reason) => return Next::SignIn(reason),
        None => {}
    }
    match (facts.organization, facts.prompt.none) {
        (Standing::Settled, _) => {}
        (Standing::Open, true) => return Next::Refuse(Refusal::InteractionRequired),
        (Standing::Open, false) => return Next::AskOrganization,
        (Standing::TurnedAway(reason), true) => return Next::Refuse(Refusal::TurnedAway(reason)),
        (Standing::TurnedAway(reason), false) => return Next::TurnAway(reason),
    }
    let consent_stands = match facts.consent {
        Consent::GivenNow => true,
        Consent::NotNeeded | Consent::Remembered => !facts.prompt.consent,
        Consent::Missing => false,
    };
    match (consent_stands, facts.prompt.none) {
        (true, _) => Next::Answer,
        (false, true) => Next::Refuse(Refusal::ConsentRequired),
        (false, false) => Next::AskConsent,
    }
}

fn sign_in_needed(facts: &Facts, now: Timestamp) -> Option<SignInReason> {
    let Some(auth_time) = facts.auth_time else { return Some(SignInReason::NoSession) };
    if facts.hint == Hint::Differs {
        return Some(SignInReason::OtherPerson);
    }
    if facts.acr == Sufficiency::TooWeak {
        return Some(SignInReason::TooWeak);
    }
    if facts.second_factor == Rule::Required {
        return Some(SignInReason::NoSecondFactor);
    }
    if let Some(reason) = again_needed(facts, auth_time, now) {
        return Some(reason);
    }
    // Last: silence (`prompt=none`) is not broken for what is only preferred, but it is for anything above.
    (facts.acr == Sufficiency::Preferable && !facts.signed_in_for_this).then_some(SignInReason::Stronger)
}

/// Whether the client wants everything asked again, however strong the session is.
fn again_needed(facts: &Facts, auth_time: Timestamp, now: Timestamp) -> Option<SignInReason> {
    if facts.signed_in_for_this {
        return None;
    }
    if facts.prompt.login || facts.prompt.select_account || facts.max_age == Some(0) {
        return Some(SignInReason::Asked);
    }
    let too_long_ago =
        facts.max_age.is_some_and(|limit| now.duration_since(auth_time) > SignedDuration::from_secs(i64::from(limit)));
    too_long_ago.then_some(SignInReason::TooLongAgo)
}

/// Whether a second factor is all that is missing, and the first was given lately enough for it to be added.
fn steps_up(reason: SignInReason, facts: &Facts, now: Timestamp) -> bool {
    let Some(auth_time) = facts.auth_time else { return false };
    matches!(reason, SignInReason::TooWeak | SignInReason::Stronger | SignInReason::NoSecondFactor)
        && again_needed(facts, auth_time, now).is_none()
        && now.duration_since(auth_time) < facts.good_for
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;
    const AWAY: Standing = Standing::TurnedAway(TurnedAway::KindNotAdmitted);

    fn facts() -> Facts {
        Facts {
            auth_time: Timestamp::from_second(NOW - 100).ok(),
            signed_in_for_this: false,
            prompt: Prompt::default(),
            max_age: None,
            hint: Hint::Absent,
            consent: Consent::NotNeeded,
            acr: Sufficiency::Enough,
            second_factor: Rule::Optional,
            good_for: SignedDuration::ZERO,
            organization: Standing::Settled,
        }
    }

    fn prompt(text: &str) -> Prompt {
        Prompt::parse(text).unwrap()
    }

    fn check(cases: &[(&str, Facts, Next)]) {
        let now = Timestamp::from_second(NOW).unwrap();
        for (name, facts, expected) in cases {
            assert_eq!(next(facts, now), *expected, "{name}");
        }
    }

    #[test]
    fn each_request_gets_what_it_needs() {
        use Next::{Answer, Refuse, SignIn};
        let nobody = Facts { auth_time: None, ..facts() };
        let signed = Facts { signed_in_for_this: true, ..facts() };
        let cases: &[(&str, Facts, Next)] = &[
            ("signed in", facts(), Answer),
            ("nobody", nobody, SignIn(SignInReason::NoSession)),
            ("none, nobody", Facts { prompt: prompt("none"), ..nobody }, Refuse(Refusal::LoginRequired)),
            ("none, signed in", Facts { prompt: prompt("none"), ..facts() }, Answer),
            ("login", Facts { prompt: prompt("login"), ..facts() }, SignIn(SignInReason::Asked)),
            ("login, done", Facts { prompt: prompt("login"), ..signed }, Answer),
            ("select_account", Facts { prompt: prompt("select_account"), ..facts() }, SignIn(SignInReason::Asked)),
            ("max_age kept", Facts { max_age: Some(100), ..facts() }, Answer),
            ("max_age passed", Facts { max_age: Some(99), ..facts() }, SignIn(SignInReason::TooLongAgo)),
            ("max_age 0", Facts { max_age: Some(0), ..facts() }, SignIn(SignInReason::Asked)),
            ("max_age 0, done", Facts { max_age: Some(0), ..signed }, Answer),
            (
                "max_age passed, none",
                Facts { max_age: Some(1), prompt: prompt("none"), ..facts() },
                Refuse(Refusal::LoginRequired),
            ),
            ("hint differs", Facts { hint: Hint::Differs, ..facts() }, SignIn(SignInReason::OtherPerson)),
            (
                "hint differs, none",
                Facts { hint: Hint::Differs, prompt: prompt("none"), ..facts() },
                Refuse(Refusal::LoginRequired),
            ),
            ("hint differs after sign-in", Facts { hint: Hint::Differs, ..signed }, Refuse(Refusal::LoginRequired)),
            ("hint agrees, none", Facts { hint: Hint::Agrees, prompt: prompt("none"), ..facts() }, Answer),
        ];
        check(cases);
    }

    #[test]
    fn a_request_that_asks_for_more_gets_it_or_is_refused() {
        use Next::{Answer, AskConsent, AskOrganization, Refuse, SignIn};
        let nobody = Facts { auth_time: None, ..facts() };
        let signed = Facts { signed_in_for_this: true, ..facts() };
        let cases: &[(&str, Facts, Next)] = &[
            ("too weak", Facts { acr: Sufficiency::TooWeak, ..facts() }, SignIn(SignInReason::TooWeak)),
            ("too weak, nobody", Facts { acr: Sufficiency::TooWeak, ..nobody }, SignIn(SignInReason::NoSession)),
            (
                "too weak after sign-in",
                Facts { acr: Sufficiency::TooWeak, ..signed },
                Refuse(Refusal::UnmetAuthentication),
            ),
            (
                "too weak, none",
                Facts { acr: Sufficiency::TooWeak, prompt: prompt("none"), ..facts() },
                Refuse(Refusal::UnmetAuthentication),
            ),
            ("second factor", Facts { second_factor: Rule::Required, ..facts() }, SignIn(SignInReason::NoSecondFactor)),
            (
                "second factor, none",
                Facts { second_factor: Rule::Required, prompt: prompt("none"), ..facts() },
                Refuse(Refusal::LoginRequired),
            ),
            ("preferable", Facts { acr: Sufficiency::Preferable, ..facts() }, SignIn(SignInReason::Stronger)),
            ("preferable, done", Facts { acr: Sufficiency::Preferable, ..signed }, Answer),
            ("preferable, none", Facts { acr: Sufficiency::Preferable, prompt: prompt("none"), ..facts() }, Answer),
            (
                "preferable, none, too long ago",
                Facts { acr: Sufficiency::Preferable, prompt: prompt("none"), max_age: Some(1), ..facts() },
                Refuse(Refusal::LoginRequired),
            ),
            ("unreachable", Facts { acr: Sufficiency::Unreachable, ..nobody }, Refuse(Refusal::UnmetAuthentication)),
            ("consent missing", Facts { consent: Consent::Missing, ..facts() }, AskConsent),
            (
                "consent missing, none",
                Facts { consent: Consent::Missing, prompt: prompt("none"), ..facts() },
                Refuse(Refusal::ConsentRequired),
            ),
            ("consent remembered", Facts { consent: Consent::Remembered, ..facts() }, Answer),
            (
                "prompt=consent",
                Facts { consent: Consent::Remembered, prompt: prompt("consent"), ..facts() },
                AskConsent,
            ),
            ("prompt=consent, own portal", Facts { prompt: prompt("consent"), ..facts() }, AskConsent),
            (
                "prompt=consent, given",
                Facts { consent: Consent::GivenNow, prompt: prompt("consent"), ..facts() },
                Answer,
            ),
            ("organization", Facts { organization: Standing::Open, ..facts() }, AskOrganization),
            (
                "organization, none",
                Facts { organization: Standing::Open, prompt: prompt("none"), ..facts() },
                Refuse(Refusal::InteractionRequired),
            ),
            (
                "sign-in comes before the organization",
                Facts { organization: Standing::Open, ..nobody },
                SignIn(SignInReason::NoSession),
            ),
            (
                "the organization comes before consent",
                Facts { organization: Standing::Open, consent: Consent::Missing, ..facts() },
                AskOrganization,
            ),
            ("turned away", Facts { organization: AWAY, ..facts() }, Next::TurnAway(TurnedAway::KindNotAdmitted)),
            (
                "turned away, none",
                Facts { organization: AWAY, prompt: prompt("none"), consent: Consent::Missing, ..facts() },
                Refuse(Refusal::TurnedAway(TurnedAway::KindNotAdmitted)),
            ),
            (
                "signed in again first, though turned away",
                Facts { organization: AWAY, prompt: prompt("login"), ..facts() },
                SignIn(SignInReason::Asked),
            ),
            (
                "sign-in comes before consent",
                Facts { consent: Consent::Missing, ..nobody },
                SignIn(SignInReason::NoSession),
            ),
        ];
        check(cases);
    }

    #[test]
    fn a_second_factor_alone_is_asked_of_whoever_has_just_signed_in() {
        use Next::{Answer, Refuse, SignIn, StepUp};
        // The sign-in was 100 seconds ago.
        let recent = Facts { good_for: SignedDuration::from_secs(101), ..facts() };
        let weak = Facts { acr: Sufficiency::TooWeak, ..recent };
        let required = Facts { second_factor: Rule::Required, ..recent };
        let preferred = Facts { acr: Sufficiency::Preferable, ..recent };
        let cases: &[(&str, Facts, Next)] = &[
            ("strong enough", recent, Answer),
            ("too weak", weak, StepUp),
            ("required", required, StepUp),
            ("preferred", preferred, StepUp),
            ("max_age kept", Facts { max_age: Some(100), ..weak }, StepUp),
            (
                "too long ago to add to",
                Facts { good_for: SignedDuration::from_secs(100), ..weak },
                SignIn(SignInReason::TooWeak),
            ),
            ("never", Facts { good_for: SignedDuration::ZERO, ..required }, SignIn(SignInReason::NoSecondFactor)),
            ("max_age passed", Facts { max_age: Some(99), ..weak }, SignIn(SignInReason::TooWeak)),
            ("max_age 0", Facts { max_age: Some(0), ..required }, SignIn(SignInReason::NoSecondFactor)),
            ("login", Facts { prompt: prompt("login"), ..weak }, SignIn(SignInReason::TooWeak)),
            ("select_account", Facts { prompt: prompt("select_account"), ..preferred }, SignIn(SignInReason::Asked)),
            ("somebody else", Facts { hint: Hint::Differs, ..weak }, SignIn(SignInReason::OtherPerson)),
            ("nobody", Facts { auth_time: None, ..weak }, SignIn(SignInReason::NoSession)),
            ("none, too weak", Facts { prompt: prompt("none"), ..weak }, Refuse(Refusal::UnmetAuthentication)),
            ("none, required", Facts { prompt: prompt("none"), ..required }, Refuse(Refusal::LoginRequired)),
            ("none, preferred", Facts { prompt: prompt("none"), ..preferred }, Answer),
            (
                "done, and still too weak",
                Facts { signed_in_for_this: true, ..weak },
                Refuse(Refusal::UnmetAuthentication),
            ),
        ];
        let now = Timestamp::from_second(NOW).unwrap();
        for (name, facts, expected) in cases {
            assert_eq!(next(facts, now), *expected, "{name}");
        }
    }

    #[test]
    fn prompt_none_stands_alone() {
        assert_eq!(Prompt::parse("none login"), Err(ContradictoryPrompt));
        assert_eq!(Prompt::parse("none create"), Err(ContradictoryPrompt));
        assert!(Prompt::parse("login consent").is_ok_and(|prompt| prompt.login && prompt.consent));
        assert_eq!(Prompt::parse("create"), Ok(Prompt::default()));
    }
}
