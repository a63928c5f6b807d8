//! Authentication context (`acr`): which level a sign-in reached, what a client calls it, and whether that is enough.
//!
//! OIDC Core §2 and §5.5.1.1, RFC 8176 for the methods (`amr`), RFC 9470 for resources. A level is a fact; its name is a matter
//! of vocabulary, which differs from client to client (a client of the French federation may only know `eidas1`).

use serde::{Deserialize, Serialize};

/// Most names in a vocabulary, and most values in a request.
pub const MAX_NAMES: usize = 16;

/// How much stands behind a sign-in; more is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// One factor.
    OneFactor,
    /// Two factors, or a key that checks its holder.
    TwoFactors,
}

impl Level {
    /// The level that methods reach, RFC 8176 values separated by spaces.
    pub fn of(amr: &str) -> Self {
        if amr.split(' ').any(|method| method == "mfa") { Self::TwoFactors } else { Self::OneFactor }
    }
}

/// A name of a level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// The `acr` value.
    pub acr: String,
    /// The least it promises.
    pub level: Level,
}

/// What a client calls the levels, weakest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Vocabulary(Vec<Name>);

impl Default for Vocabulary {
    /// The French names for an identity that was declared: `eidas1`, and `eidas1-mfa` with a second factor.
    fn default() -> Self {
        let name = |acr: &str, level| Name { acr: acr.to_owned(), level };
        Self(vec![name("eidas1", Level::OneFactor), name("eidas1-mfa", Level::TwoFactors)])
    }
}

impl FromIterator<Name> for Vocabulary {
    fn from_iter<I: IntoIterator<Item = Name>>(names: I) -> Self {
        Self(names.into_iter().collect())
    }
}

impl Vocabulary {
    /// Every name, weakest first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|name| name.acr.as_str())
    }

    /// The entry `acr`, if a sign-in of `level` may carry it.
    fn promised(&self, acr: &str, level: Level) -> Option<&Name> {
        self.0.iter().find(|name| name.acr == acr && name.level <= level)
    }

    /// Whether a sign-in of `level` may carry the name `acr`.
    pub fn reaches(&self, acr: &str, level: Level) -> bool {
        self.promised(acr, level).is_some()
    }

    /// The name to give a sign-in of `level`: the first of those `wanted` that it reaches, else the strongest it reaches.
    /// Never a name it does not reach; none when the vocabulary has none.
    pub fn name(&self, wanted: &Wanted, level: Level) -> Option<&str> {
        let asked = wanted.values.iter().find_map(|acr| self.promised(acr, level));
        let name = asked.or_else(|| {
            let reached = self.0.iter().filter(|name| name.level <= level);
            // Of equals the first: `max_by_key` would give the last.
            reached.rev().max_by_key(|name| name.level)
        });
        name.map(|name| name.acr.as_str())
    }
}

/// What a request wants to be told of the sign-in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Wanted {
    /// Values, best first; at most [`MAX_NAMES`].
    pub values: Vec<String>,
    /// Whether one of them must be reached.
    pub essential: bool,
}

impl Wanted {
    /// The `acr_values` parameter: best effort (OIDC Core §3.1.2.1).
    pub fn voluntary(acr_values: &str) -> Self {
        let values = acr_values.split_ascii_whitespace().take(MAX_NAMES).map(str::to_owned).collect();
        Self { values, essential: false }
    }
}

/// Whether a sign-in is enough for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sufficiency {
    /// It is, or nothing essential was asked.
    Enough,
    /// A stronger one would be preferred, though none is essential: for somebody who has a second factor anyway.
    Preferable,
    /// A stronger one would be.
    TooWeak,
    /// None that this server offers would be.
    Unreachable,
}

/// Compares what is `wanted` with the level reached and the strongest level that sign-in here can reach.
pub fn suffices(vocabulary: &Vocabulary, wanted: &Wanted, (reached, strongest): (Level, Level)) -> Sufficiency {
    let within = |level| wanted.values.iter().any(|acr| vocabulary.reaches(acr, level));
    match (wanted.essential, within(strongest)) {
        _ if wanted.values.is_empty() || within(reached) => Sufficiency::Enough,
        (true, true) => Sufficiency::TooWeak,
        (true, false) => Sufficiency::Unreachable,
        (false, true) => Sufficiency::Preferable,
        (false, false) => Sufficiency::Enough,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Level::{OneFactor, TwoFactors};

    fn wanted(values: &str, essential: bool) -> Wanted {
        Wanted { essential, ..Wanted::voluntary(values) }
    }

    #[test]
    fn methods_reach_a_level() {
        for (amr, level) in [
            ("pwd", OneFactor),
            ("", OneFactor),
            ("otp", OneFactor),
            ("pwd otp mfa", TwoFactors),
            ("pop mfa", TwoFactors),
        ] {
            assert_eq!(Level::of(amr), level, "{amr}");
        }
    }

    #[test]
    fn the_name_given_is_one_that_was_reached_and_if_possible_one_that_was_asked() {
        let names = Vocabulary::default();
        let cases = [
            ("", OneFactor, "eidas1"),
            ("", TwoFactors, "eidas1-mfa"),
            ("eidas1", TwoFactors, "eidas1"),
            ("eidas1-mfa eidas1", TwoFactors, "eidas1-mfa"),
            ("eidas1-mfa eidas1", OneFactor, "eidas1"),
            ("eidas1-mfa", OneFactor, "eidas1"),
            ("1 2", OneFactor, "eidas1"),
        ];
        for (values, level, expected) in cases {
            assert_eq!(names.name(&wanted(values, false), level), Some(expected), "{values} {level:?}");
        }
        assert_eq!(Vocabulary(Vec::new()).name(&wanted("eidas1", false), TwoFactors), None);
    }

    #[test]
    fn only_what_is_essential_can_be_missing() {
        use Sufficiency::{Enough, Preferable, TooWeak, Unreachable};
        let names = Vocabulary::default();
        let cases = [
            ("eidas3", false, (OneFactor, OneFactor), Enough),
            ("eidas1-mfa", false, (OneFactor, OneFactor), Enough),
            ("eidas1-mfa", false, (OneFactor, TwoFactors), Preferable),
            ("eidas1-mfa", false, (TwoFactors, TwoFactors), Enough),
            ("eidas1-mfa eidas1", false, (OneFactor, TwoFactors), Enough),
            ("", true, (OneFactor, OneFactor), Enough),
            ("eidas1", true, (OneFactor, OneFactor), Enough),
            ("eidas3 eidas1", true, (OneFactor, OneFactor), Enough),
            ("eidas1-mfa", true, (OneFactor, TwoFactors), TooWeak),
            ("eidas1-mfa", true, (OneFactor, OneFactor), Unreachable),
            ("eidas3", true, (TwoFactors, TwoFactors), Unreachable),
        ];
        for (values, essential, levels, expected) in cases {
            assert_eq!(suffices(&names, &wanted(values, essential), levels), expected, "{values} {levels:?}");
        }
    }
}
