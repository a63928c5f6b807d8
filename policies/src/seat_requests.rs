//! Members who ask for a seat: what they ask for is the organization's request and is billed to it, so that an administrator decides,
//! unless the organization said otherwise (R059).

use jiff::{SignedDuration, Timestamp};

/// How long a request waits for an answer: thirty days, then it lapses.
pub const WAITS_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Requests of one person that may wait in one organization.
pub const MOST_WAITING: i64 = 5;
/// Characters of a reason.
pub const MOST_CHARACTERS: usize = 500;
/// How long after asking the same person may ask for the same again.
pub const AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// What an organization does with requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rule {
    /// An administrator decides; what holds until an organization says otherwise.
    #[default]
    Approval,
    /// Whoever asks gets a seat while there is one: the organization agreed beforehand.
    Automatic,
    /// Nobody can ask.
    Off,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 3] = [Self::Approval, Self::Automatic, Self::Off];

    /// The word it is stored and told by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Approval => "approval",
            Self::Automatic => "automatic",
            Self::Off => "off",
        }
    }

    /// The rule of a word; one that is unknown lets nobody ask.
    pub fn parse(word: &str) -> Self {
        Self::ALL.into_iter().find(|rule| rule.name() == word).unwrap_or(Self::Off)
    }
}

/// What a member has of what they ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Has {
    /// Nothing.
    Nothing,
    /// A request that waits.
    Request,
    /// A seat.
    Seat,
}

/// What is known when a member asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// What the organization does with requests; none when who asks does not belong to it today, or it is not active.
    pub rule: Option<Rule>,
    /// Whether all that it subscribed to is over (R087).
    pub over: bool,
    /// Whether the organization has the product, or may order it (R078).
    pub offered: bool,
    /// What the member has of it.
    pub has: Has,
    /// How many requests of theirs wait in the organization.
    pub waiting: i64,
    /// When they last asked for it.
    pub last: Option<Timestamp>,
    /// Whether that was declined, or the seat they had was taken back.
    pub refused: bool,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It waits for an administrator.
    Wait,
    /// They get a seat at once, if there is one; else it waits.
    AtOnce,
}

/// Why nobody is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// They do not belong to the organization, or it is not active.
    #[error("no organization of the person's")]
    NotAMember,
    /// There is no such product, or it is not sold and the organization does not have it.
    #[error("there is no such product to ask for")]
    NotOffered,
    /// The organization takes no requests.
    #[error("the organization takes no requests")]
    Off,
    /// Its subscription is over.
    #[error("the organization's subscription is over")]
    Over,
    /// They have what they ask for.
    #[error("there is a seat already")]
    Holds,
    /// They asked already.
    #[error("a request waits already")]
    Waits,
    /// Too many requests of theirs wait.
    #[error("{MOST_WAITING} requests wait already")]
    TooMany,
    /// They asked a moment ago.
    #[error("it was asked for less than a day ago")]
    TooSoon {
        /// Until they may again.
        left: SignedDuration,
    },
}

/// Decides what becomes of a request at `now`.
///
/// # Errors
/// Why it is not made.
pub fn decide(facts: &Facts, now: Timestamp) -> Result<Way, Refusal> {
    let Some(rule) = facts.rule else { return Err(Refusal::NotAMember) };
    if !facts.offered {
        return Err(Refusal::NotOffered);
    }
    if facts.has == Has::Seat {
        return Err(Refusal::Holds);
    }
    if facts.over {
        return Err(Refusal::Over);
    }
    let way = match rule {
        Rule::Off => return Err(Refusal::Off),
        // What an administrator said no to, no rule grants behind their back.
        Rule::Automatic if !facts.refused => Way::AtOnce,
        Rule::Approval | Rule::Automatic => Way::Wait,
    };
    if facts.has == Has::Request {
        return Err(Refusal::Waits);
    }
    if facts.waiting >= MOST_WAITING {
        return Err(Refusal::TooMany);
    }
    let left = facts.last.map_or(SignedDuration::ZERO, |last| AGAIN_AFTER - now.duration_since(last));
    if left > SignedDuration::ZERO {
        return Err(Refusal::TooSoon { left });
    }
    Ok(way)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKS: Facts = Facts {
        rule: Some(Rule::Approval),
        over: false,
        offered: true,
        has: Has::Nothing,
        waiting: 0,
        last: None,
        refused: false,
    };

    #[test]
    fn an_administrator_decides_unless_the_organization_said_otherwise() {
        let now: Timestamp = "2027-03-01T09:00:00Z".parse().unwrap();
        let ago = |hours| Some(now - SignedDuration::from_hours(hours));
        let later = SignedDuration::from_hours(1);
        for (facts, expected) in [
            (ASKS, Ok(Way::Wait)),
            (Facts { rule: Some(Rule::default()), ..ASKS }, Ok(Way::Wait)),
            (Facts { rule: Some(Rule::Automatic), ..ASKS }, Ok(Way::AtOnce)),
            (Facts { rule: Some(Rule::Off), ..ASKS }, Err(Refusal::Off)),
            (Facts { rule: None, offered: false, ..ASKS }, Err(Refusal::NotAMember)),
            (Facts { rule: None, ..ASKS }, Err(Refusal::NotAMember)),
            (Facts { rule: Some(Rule::Automatic), refused: true, last: ago(72), ..ASKS }, Ok(Way::Wait)),
            (Facts { waiting: 4, ..ASKS }, Ok(Way::Wait)),
            (Facts { waiting: 5, ..ASKS }, Err(Refusal::TooMany)),
            (Facts { offered: false, ..ASKS }, Err(Refusal::NotOffered)),
            (Facts { has: Has::Seat, ..ASKS }, Err(Refusal::Holds)),
            (Facts { has: Has::Seat, rule: Some(Rule::Off), ..ASKS }, Err(Refusal::Holds)),
            (Facts { over: true, ..ASKS }, Err(Refusal::Over)),
            (Facts { over: true, rule: Some(Rule::Automatic), ..ASKS }, Err(Refusal::Over)),
            (Facts { has: Has::Request, last: ago(72), ..ASKS }, Err(Refusal::Waits)),
            (Facts { has: Has::Request, rule: Some(Rule::Automatic), last: ago(1), ..ASKS }, Err(Refusal::Waits)),
            (Facts { last: ago(23), ..ASKS }, Err(Refusal::TooSoon { left: later })),
            (Facts { last: ago(24), ..ASKS }, Ok(Way::Wait)),
            // A clock that went back makes nobody wait longer than a day from what it said then.
            (Facts { last: ago(-1), ..ASKS }, Err(Refusal::TooSoon { left: SignedDuration::from_hours(25) })),
        ] {
            assert_eq!(decide(&facts, now), expected, "{facts:?}");
        }
    }

    #[test]
    fn a_rule_is_told_by_its_word_and_an_unknown_one_lets_nobody_ask() {
        for rule in Rule::ALL {
            assert_eq!(Rule::parse(rule.name()), rule);
        }
        assert_eq!(Rule::parse("sometimes"), Rule::Off);
    }
}
