//! API keys of apprenticeship centres: who gets one, until when it works, and what ends it early.
//!
//! A key belongs to a centre (CFA), not to the person who pressed the button, and is shown once. It works together with the
//! token of a software vendor. Its public end date `dateFinValidite` is a civil date in Paris, its last day inclusive: the key
//! dies at 00:00 of the day after. "One year at most" is measured on that instant, so the latest end date is the day before the
//! anniversary of the issue. A later date is refused rather than shortened: whoever planned on it should hear of it now.
//!
//! Requirements R033, R037, R100–R104; domain facts 2.3.

use std::net::IpAddr;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::calendar;
use crate::identifiers::{OrganizationKind, Siren};
use crate::networks::Network;
use crate::scopes::Scope;

/// Live keys a centre may have at once: the one in use and the one replacing it (R104).
pub const MAX_LIVE: usize = 2;

/// The scopes a key may carry unless the operator lists others.
pub const DEFAULT_SCOPES: [&str; 4] =
    ["apicfa.dossiers.read", "apicfa.dossiers.write", "apicfa.factures.read", "apicfa.factures.write"];

/// Whether a scope may be one of keys at all: the scopes of sign-in and of the management API never are.
pub fn is_for_keys(scope: &str) -> bool {
    !scope.starts_with("habilis.")
        && !["openid", "profile", "email", "address", "phone", "offline_access", "organization"].contains(&scope)
        && (1..=128).contains(&scope.len())
        && Scope::parse(scope).is_ok_and(|parsed| parsed.iter().eq([scope]))
}

/// Why an end date is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndDateRefusal {
    /// Before the day of issue.
    #[error("the end date is past")]
    Past,
    /// More than a year away, or after the subscription.
    #[error("the end date is after {latest}")]
    TooLate {
        /// The latest date accepted, for the form to offer.
        latest: Date,
    },
}

/// The end date of a key issued now: the one asked for, by default the latest. No key outlives the subscription of its centre, where its
/// `last_day` is known.
///
/// # Errors
/// A past date, or one that would let the key live beyond a year or the subscription: see [`EndDateRefusal`].
///
/// Requirements R087, R100.
pub fn end_date(issued_at: Timestamp, requested: Option<Date>, last_day: Option<Date>) -> Result<Date, EndDateRefusal> {
    let today = calendar::date_at(issued_at);
    let latest = last_day.into_iter().chain([calendar::last_day_of_term(today, 1)]).min().unwrap_or(today);
    match requested {
        _ if latest < today => Err(EndDateRefusal::Past),
        None => Ok(latest),
        Some(date) if date < today => Err(EndDateRefusal::Past),
        Some(date) if date > latest => Err(EndDateRefusal::TooLate { latest }),
        Some(date) => Ok(date),
    }
}

/// The first instant at which a key with this `dateFinValidite` no longer works: 00:00 in Paris of the day after.
///
/// Requirement R100, domain facts 2.3.
pub fn dies_at(end_date: Date) -> Timestamp {
    calendar::cut_after(end_date)
}

/// Whether a centre may use its rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Centre {
    /// It may.
    Active,
    /// Suspended until it complies (R084).
    Suspended,
    /// Its subscription or agreement ended, or it was terminated (R087).
    Ended,
}

impl Centre {
    /// A centre in good standing, as its subscription leaves it today: `last_day` of it where it is known, and whether all that was
    /// subscribed to is interrupted, unpaid or suspended ([`crate::orders::Orders::interrupted`]).
    ///
    /// Requirements R074, R083, R084, R087.
    #[must_use]
    pub fn subscribed(self, last_day: Option<Date>, interrupted: bool, today: Date) -> Self {
        match self {
            Self::Active if last_day.is_some_and(|last_day| last_day < today) => Self::Ended,
            Self::Active if interrupted => Self::Suspended,
            standing => standing,
        }
    }
}

/// Somebody asks for a key.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// What kind of organization asks.
    pub kind: OrganizationKind,
    /// Where it stands.
    pub centre: Centre,
    /// How many of its keys still work or are only suspended.
    pub live_keys: usize,
    /// The scopes asked for.
    pub scopes: &'a [&'a str],
    /// The scopes the operator gives to keys.
    pub allowed: &'a [&'a str],
}

/// Why no key is issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IssueRefusal {
    /// Only apprenticeship centres get keys (R101).
    #[error("not an apprenticeship centre")]
    NotACentre,
    /// The centre is suspended or gone.
    #[error("the centre has no rights at present")]
    NoRights,
    /// Two keys are live: one must be revoked first.
    #[error("{MAX_LIVE} keys are live")]
    TooManyLive,
    /// No scope was asked for.
    #[error("no scope")]
    NoScope,
    /// A scope is not for keys.
    #[error("scope not allowed")]
    ScopeNotAllowed,
}

/// Says whether a centre gets one more key.
///
/// # Errors
/// Wrong kind of organization, centre suspended or ended, two live keys, no scope or a scope that is not for keys.
///
/// Requirements R101, R104.
pub fn admit(request: &Request<'_>) -> Result<(), IssueRefusal> {
    if request.kind != OrganizationKind::Cfa {
        Err(IssueRefusal::NotACentre)
    } else if request.centre != Centre::Active {
        Err(IssueRefusal::NoRights)
    } else if request.live_keys >= MAX_LIVE {
        Err(IssueRefusal::TooManyLive)
    } else if request.scopes.is_empty() {
        Err(IssueRefusal::NoScope)
    } else if request.scopes.iter().any(|scope| !request.allowed.contains(scope)) {
        Err(IssueRefusal::ScopeNotAllowed)
    } else {
        Ok(())
    }
}

/// A key as found by its readable part, its secret already verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The centre's company number.
    pub siren: Siren,
    /// Its `dateFinValidite`.
    pub end_date: Date,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Where the centre stands.
    pub centre: Centre,
    /// What it opens.
    pub scope: Scope,
    /// Where it may be used from; anywhere when there is none.
    pub networks: Vec<Network>,
}

/// What somebody wants to do with a key.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// The centre that the vendor's token, or the call, is about, where it is about one.
    pub about: Option<&'a Siren>,
    /// Where the call comes from; none where the caller is an intermediary that does not say.
    pub address: Option<IpAddr>,
    /// What the call needs; nothing to learn of the key alone.
    pub needs: &'a Scope,
}

/// Declares the refusals with their stable words.
macro_rules! refusals {
    ($($(#[doc = $about:literal])+ $refusal:ident $code:literal $status:literal $text:literal,)*) => {
        /// Why a key opens nothing. What comes after "unknown" is said to the machine that presented the right secret, so it may
        /// be precise.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
        pub enum KeyRefusal { $($(#[doc = $about])+ #[error($text)] $refusal,)* }

        impl KeyRefusal {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$refusal),*];

            /// The stable word, for programs.
            pub fn code(self) -> &'static str {
                match self { $(Self::$refusal => $code,)* }
            }

            /// The status at HTTP: 401 for a key that is none (any more), 403 for one that does not reach so far.
            pub fn status(self) -> u16 {
                match self { $(Self::$refusal => $status,)* }
            }
        }
    };
}

refusals! {
    /// No key was sent.
    Missing "key_missing" 401 "no API key was sent",
    /// The text is no key: a typing error, or a key of another environment.
    Malformed "key_malformed" 401 "the API key is malformed: mistyped, cut, or of another environment",
    /// No such key.
    Unknown "key_unknown" 401 "the API key is not known",
    /// Too many unknown keys came from there.
    TooManyGuesses "too_many_attempts" 429 "too many unknown keys, try again in a minute",
    /// Revoked: unauthenticated.
    Revoked "key_revoked" 401 "the API key was revoked",
    /// Past its end date: unauthenticated.
    Expired "key_expired" 401 "the API key is past its end date",
    /// The centre has no rights at present: forbidden.
    NoRights "centre_inactive" 403 "the centre is suspended or gone",
    /// The vendor's token, or the call, is about another centre: forbidden.
    OtherCentre "key_of_another_centre" 403 "the API key is of another centre",
    /// Not from there: forbidden.
    OtherAddress "address_not_allowed" 403 "the API key may not be used from this address",
    /// The key does not open that: forbidden.
    ScopeNotGranted "scope_not_granted" 403 "the API key lacks a scope that is needed",
    /// Only together with the token of a software vendor.
    VendorMissing "vendor_missing" 401 "a software vendor's access token is needed beside the API key",
    /// The vendor's token is expired, revoked or none of ours.
    VendorTokenInvalid "vendor_token_invalid" 401 "the software vendor's access token is expired, revoked or malformed",
    /// The vendor's token is for another resource than the API called (RFC 8707).
    OtherResource "token_of_another_resource" 401 "the software vendor's access token is for another resource",
    /// The client is not one that works with keys of centres.
    VendorNotAllowed "vendor_not_allowed" 403 "this client may not use API keys of centres",
    /// The call does not say which software it comes from.
    SoftwareMissing "software_missing" 400 "the headers EDITEUR, LOGICIEL and VERSION are needed, 1 to 64 visible characters each",
}

/// Says whether a key works at `now`, for what is attempted.
///
/// # Errors
/// Revoked, expired, centre without rights, other centre, other address, scope not granted: see [`KeyRefusal`], in that order.
///
/// Requirements R100, R102.
pub fn judge(key: &Key, attempt: &Attempt<'_>, now: Timestamp) -> Result<(), KeyRefusal> {
    if key.revoked_at.is_some_and(|revoked| revoked <= now) {
        Err(KeyRefusal::Revoked)
    } else if now >= dies_at(key.end_date) {
        Err(KeyRefusal::Expired)
    } else if key.centre != Centre::Active {
        Err(KeyRefusal::NoRights)
    } else if attempt.about.is_some_and(|siren| *siren != key.siren) {
        Err(KeyRefusal::OtherCentre)
    } else if !key.networks.is_empty()
        && !attempt.address.is_none_or(|from| key.networks.iter().any(|it| it.contains(from)))
    {
        Err(KeyRefusal::OtherAddress)
    } else if !attempt.needs.is_within(&key.scope) {
        Err(KeyRefusal::ScopeNotGranted)
    } else {
        Ok(())
    }
}

/// The end of a token obtained with a key: what was wanted, never beyond the key's own end (R102).
pub fn token_expiry(key: &Key, wanted: Timestamp) -> Timestamp {
    let end = dies_at(key.end_date);
    key.revoked_at.map_or(end, |revoked| revoked.min(end)).min(wanted)
}

/// What can happen to a key, its centre or the people and software around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The key is known or suspected to be in other hands (R031, R037).
    KeyCompromised,
    /// The account of the person who issued it was taken over: the key may have been read.
    IssuerCompromised,
    /// The organization pulled its kill switch (R033).
    KillSwitch,
    /// The centre is suspended until it complies (R084).
    CentreSuspended,
    /// The suspension is lifted.
    CentreRestored,
    /// The centre is terminated for breach (R084).
    CentreTerminated,
    /// All that the centre subscribed to is suspended, or terminated for a breach (R083, R084); while an invoice is unpaid after its
    /// delay, the same goes without a word of anybody's (R074).
    SubscriptionSuspended,
    /// The subscription ends on its last day (R087).
    SubscriptionEnds,
    /// The person who issued it leaves or is deleted.
    IssuerRemoved,
    /// The client of the software vendor is revoked.
    VendorRevoked,
}

/// What becomes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFate {
    /// It goes on.
    Keeps,
    /// It opens nothing until restored, and still counts as live.
    Blocked,
    /// It is dead at once.
    Revoked,
    /// It is dead at 00:00 in Paris after the last day.
    RevokedAtCut,
}

/// What becomes of the tokens obtained with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFate {
    /// They go on.
    Keep,
    /// They are dead at once.
    Revoked,
    /// They are dead when the key is.
    WithKey,
}

/// What the centre is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Nothing beyond the ordinary notice of the event.
    None,
    /// Issue a new key: the old one no longer works.
    Replace,
    /// Rotate when convenient: somebody who may have read the key is gone.
    Rotate,
}

/// What an event does to a key: the decision table.
///
/// Revocation is final: a restored centre finds its blocked keys again, never its revoked ones. A key outlives its issuer, so
/// that a departure does not stop a centre's billing, and the remaining administrators are asked to rotate it.
///
/// Requirements R031, R033, R037, R083, R084, R087, R103.
pub fn fate(event: Event) -> (KeyFate, TokenFate, Advice) {
    match event {
        Event::KeyCompromised | Event::IssuerCompromised | Event::KillSwitch => {
            (KeyFate::Revoked, TokenFate::Revoked, Advice::Replace)
        }
        Event::CentreSuspended | Event::SubscriptionSuspended => (KeyFate::Blocked, TokenFate::Revoked, Advice::None),
        Event::CentreRestored => (KeyFate::Keeps, TokenFate::Keep, Advice::None),
        Event::CentreTerminated => (KeyFate::Revoked, TokenFate::Revoked, Advice::None),
        Event::SubscriptionEnds => (KeyFate::RevokedAtCut, TokenFate::WithKey, Advice::None),
        Event::IssuerRemoved => (KeyFate::Keeps, TokenFate::Keep, Advice::Rotate),
        Event::VendorRevoked => (KeyFate::Keeps, TokenFate::Revoked, Advice::None),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::calendar::midnight;
    use crate::reminders::{self, Ladder, Notice, Watch};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_key_ends_by_default_and_at_the_latest_the_day_before_its_anniversary() {
        let latest = date(2027, 3, 9);
        let issued = "2026-03-10T14:00:00Z";
        let table = [
            (issued, None, Ok(latest)),
            (issued, Some(latest), Ok(latest)),
            (issued, Some(date(2027, 3, 10)), Err(EndDateRefusal::TooLate { latest })),
            (issued, Some(date(2026, 3, 10)), Ok(date(2026, 3, 10))),
            (issued, Some(date(2026, 3, 9)), Err(EndDateRefusal::Past)),
            // Late evening UTC is already the next day in Paris.
            ("2026-03-10T23:30:00Z", None, Ok(date(2027, 3, 10))),
            ("2028-02-29T12:00:00Z", None, Ok(date(2029, 2, 27))),
            ("2027-03-01T12:00:00Z", None, Ok(date(2028, 2, 29))),
        ];
        for (issued, requested, expected) in table {
            assert_eq!(end_date(at(issued), requested, None), expected, "{issued} {requested:?}");
        }
    }

    #[test]
    fn no_key_outlives_the_subscription_of_its_centre() {
        let issued = at("2026-03-10T14:00:00Z");
        let (last, year) = (date(2026, 8, 31), date(2027, 3, 9));
        let table = [
            (None, Some(last), Ok(last)),
            (None, Some(date(2030, 1, 1)), Ok(year)),
            (Some(date(2026, 6, 1)), Some(last), Ok(date(2026, 6, 1))),
            (Some(last), Some(last), Ok(last)),
            (Some(date(2026, 9, 1)), Some(last), Err(EndDateRefusal::TooLate { latest: last })),
            (None, Some(date(2026, 3, 10)), Ok(date(2026, 3, 10))),
            (None, Some(date(2026, 3, 9)), Err(EndDateRefusal::Past)),
        ];
        for (requested, last_day, expected) in table {
            assert_eq!(end_date(issued, requested, last_day), expected, "{requested:?} {last_day:?}");
        }
    }

    #[test]
    fn a_centre_has_the_rights_that_its_subscription_leaves_it() {
        use Centre::{Active, Ended, Suspended};
        let today = date(2026, 8, 31);
        let (yesterday, tomorrow) = (date(2026, 8, 30), date(2026, 9, 1));
        let table = [
            (Active, None, false, Active),
            (Active, Some(today), false, Active),
            (Active, Some(yesterday), false, Ended),
            (Active, Some(yesterday), true, Ended),
            (Active, Some(tomorrow), true, Suspended),
            (Active, None, true, Suspended),
            (Suspended, Some(yesterday), false, Suspended),
            (Ended, None, true, Ended),
        ];
        for (centre, last_day, interrupted, expected) in table {
            assert_eq!(centre.subscribed(last_day, interrupted, today), expected, "{last_day:?} {interrupted}");
        }
    }

    fn key() -> Key {
        Key {
            siren: Siren::parse("130025265").unwrap(),
            end_date: date(2027, 3, 9),
            revoked_at: None,
            centre: Centre::Active,
            scope: Scope::parse("apicfa.dossiers.read apicfa.factures.read").unwrap(),
            networks: Vec::new(),
        }
    }

    fn nothing_more(about: Option<&Siren>) -> Attempt<'_> {
        static NONE: std::sync::LazyLock<Scope> = std::sync::LazyLock::new(Scope::default);
        Attempt { about, address: None, needs: &NONE }
    }

    #[test]
    fn a_key_works_until_the_last_second_of_its_end_date_in_paris() {
        let table = [
            (date(2027, 3, 9), "2027-03-09T23:00:00Z"),
            (date(2027, 8, 31), "2027-08-31T22:00:00Z"),
            (date(2027, 3, 28), "2027-03-28T22:00:00Z"),
        ];
        for (end_date, dead) in table {
            let (key, dead) = (Key { end_date, ..key() }, at(dead));
            assert_eq!(judge(&key, &nothing_more(None), dead - std::time::Duration::from_nanos(1)), Ok(()));
            assert_eq!(judge(&key, &nothing_more(None), dead), Err(KeyRefusal::Expired));
        }
    }

    #[test]
    fn a_key_opens_nothing_when_revoked_suspended_or_of_another_centre() {
        let now = at("2026-06-01T10:00:00Z");
        let (own, other) = (Siren::parse("130025265").unwrap(), Siren::parse("732829320").unwrap());
        let second = std::time::Duration::from_secs(1);
        let table = [
            (key(), Some(&own), Ok(())),
            (key(), Some(&other), Err(KeyRefusal::OtherCentre)),
            (Key { revoked_at: Some(now), ..key() }, Some(&own), Err(KeyRefusal::Revoked)),
            (Key { revoked_at: Some(now + second), ..key() }, Some(&own), Ok(())),
            (Key { centre: Centre::Suspended, ..key() }, Some(&own), Err(KeyRefusal::NoRights)),
            (Key { centre: Centre::Ended, ..key() }, Some(&own), Err(KeyRefusal::NoRights)),
            (Key { end_date: date(2026, 5, 31), ..key() }, Some(&other), Err(KeyRefusal::Expired)),
        ];
        for (key, bound, expected) in table {
            assert_eq!(judge(&key, &nothing_more(bound), now), expected, "{key:?}");
        }
    }

    #[test]
    fn a_key_opens_its_scopes_from_its_addresses() {
        let now = at("2026-06-01T10:00:00Z");
        let listed = vec![Network::parse("192.0.2.0/24").unwrap(), Network::parse("2001:db8::7").unwrap()];
        let table = [
            (Vec::new(), Some("198.51.100.1"), "apicfa.dossiers.read", Ok(())),
            (Vec::new(), None, "", Ok(())),
            (Vec::new(), None, "apicfa.dossiers.read apicfa.factures.read", Ok(())),
            (Vec::new(), None, "apicfa.dossiers.read apicfa.dossiers.write", Err(KeyRefusal::ScopeNotGranted)),
            (listed.clone(), Some("192.0.2.200"), "apicfa.dossiers.read", Ok(())),
            (listed.clone(), Some("2001:db8::7"), "", Ok(())),
            (listed.clone(), None, "", Ok(())),
            (listed.clone(), Some("192.0.3.1"), "", Err(KeyRefusal::OtherAddress)),
            (listed, Some("2001:db8::8"), "nothing", Err(KeyRefusal::OtherAddress)),
        ];
        for (networks, address, needs, expected) in table {
            let (key, needs) = (Key { networks, ..key() }, Scope::parse(needs).unwrap());
            let address = address.map(|address| address.parse().unwrap());
            assert_eq!(
                judge(&key, &Attempt { about: None, address, needs: &needs }, now),
                expected,
                "{address:?} {needs}"
            );
        }
    }

    #[test]
    fn every_refusal_has_a_word_and_a_status_of_its_own() {
        let mut codes: Vec<_> = KeyRefusal::ALL.iter().map(|refusal| refusal.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), KeyRefusal::ALL.len());
        assert!(KeyRefusal::ALL.iter().all(|refusal| matches!(refusal.status(), 400 | 401 | 403 | 429)));
    }

    #[test]
    fn scopes_of_the_server_itself_are_no_scopes_of_keys() {
        assert!(DEFAULT_SCOPES.into_iter().all(is_for_keys));
        for bad in ["", "openid", "habilis.keys", "a b", "é", "organization"] {
            assert!(!is_for_keys(bad), "{bad}");
        }
    }

    #[test]
    fn a_token_never_outlives_its_key() {
        let (end, hour) = (midnight(date(2027, 3, 10)), std::time::Duration::from_hours(1));
        let revoked = Key { revoked_at: Some(end - 2 * hour), ..key() };
        let table = [
            (key(), end - 2 * hour, end - 2 * hour),
            (key(), end + hour, end),
            (revoked.clone(), end - hour, end - 2 * hour),
            (revoked, end - 3 * hour, end - 3 * hour),
        ];
        for (key, wanted, expected) in table {
            assert_eq!(token_expiry(&key, wanted), expected, "{wanted}");
        }
    }

    #[test]
    fn only_a_centre_in_good_standing_gets_a_key_and_two_at_most() {
        let read = &["apicfa.dossiers.read"][..];
        let good = Request {
            kind: OrganizationKind::Cfa,
            centre: Centre::Active,
            live_keys: 1,
            scopes: read,
            allowed: &DEFAULT_SCOPES,
        };
        let table = [
            (good, Ok(())),
            (Request { kind: OrganizationKind::Company, ..good }, Err(IssueRefusal::NotACentre)),
            (Request { kind: OrganizationKind::TrainingBody, ..good }, Err(IssueRefusal::NotACentre)),
            (Request { kind: OrganizationKind::Partner, ..good }, Err(IssueRefusal::NotACentre)),
            (Request { centre: Centre::Suspended, ..good }, Err(IssueRefusal::NoRights)),
            (Request { centre: Centre::Ended, ..good }, Err(IssueRefusal::NoRights)),
            (Request { live_keys: 2, ..good }, Err(IssueRefusal::TooManyLive)),
            (Request { scopes: &[], ..good }, Err(IssueRefusal::NoScope)),
            (Request { scopes: &["apicfa.dossiers.read", "openid"], ..good }, Err(IssueRefusal::ScopeNotAllowed)),
            (Request { allowed: &[], ..good }, Err(IssueRefusal::ScopeNotAllowed)),
        ];
        for (request, expected) in table {
            assert_eq!(admit(&request), expected, "{request:?}");
        }
    }

    #[test]
    fn what_happens_around_a_key_decides_its_fate() {
        let table = [
            (Event::KeyCompromised, KeyFate::Revoked, TokenFate::Revoked, Advice::Replace),
            (Event::IssuerCompromised, KeyFate::Revoked, TokenFate::Revoked, Advice::Replace),
            (Event::KillSwitch, KeyFate::Revoked, TokenFate::Revoked, Advice::Replace),
            (Event::CentreSuspended, KeyFate::Blocked, TokenFate::Revoked, Advice::None),
            (Event::SubscriptionSuspended, KeyFate::Blocked, TokenFate::Revoked, Advice::None),
            (Event::CentreRestored, KeyFate::Keeps, TokenFate::Keep, Advice::None),
            (Event::CentreTerminated, KeyFate::Revoked, TokenFate::Revoked, Advice::None),
            (Event::SubscriptionEnds, KeyFate::RevokedAtCut, TokenFate::WithKey, Advice::None),
            (Event::IssuerRemoved, KeyFate::Keeps, TokenFate::Keep, Advice::Rotate),
            (Event::VendorRevoked, KeyFate::Keeps, TokenFate::Revoked, Advice::None),
        ];
        for (event, key, tokens, advice) in table {
            assert_eq!(fate(event), (key, tokens, advice), "{event:?}");
        }
    }

    #[test]
    fn renewal_is_recalled_sixty_thirty_seven_and_one_days_before_the_key_dies() {
        let due = dies_at(key().end_date);
        let since = at("2026-03-10T14:00:00Z");
        for rung in [60, 30, 7, 1] {
            let watch = Watch { due, since, ladder: &Ladder::API_KEY, sent: &[] };
            let notice = reminders::decide(&watch, None, calendar::days_before(due, rung)).send;
            assert_eq!(notice, Some(Notice { rung, days_left: rung }));
        }
    }

    proptest! {
        #[test]
        fn no_key_lives_more_than_a_civil_year(issued in 1_500_000_000_i64..4_000_000_000, days in 0_i32..800) {
            let issued = Timestamp::from_second(issued).unwrap();
            let today = calendar::date_at(issued);
            let wanted = calendar::add_days(today, days);
            for end in [end_date(issued, None, None), end_date(issued, Some(wanted), None)].into_iter().flatten() {
                prop_assert!(dies_at(end) <= midnight(calendar::anniversary(today)));
                prop_assert!(dies_at(end) > issued);
            }
            prop_assert_eq!(end_date(issued, Some(wanted), None).is_err(), wanted >= calendar::anniversary(today));
        }
    }
}
