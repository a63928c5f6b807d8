//! Scopes: the syntax of RFC 6749 §3.3, and what a client gets of what it asks.

use std::collections::BTreeSet;
use std::fmt;

/// Longest scope parameter accepted, in bytes.
pub const MAX_LENGTH: usize = 4096;

/// A set of scope tokens, printed in alphabetical order with `openid` first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope(BTreeSet<String>);

/// The text is not a scope: empty tokens, or a character outside RFC 6749 §3.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("scope is a list of tokens separated by single spaces")]
pub struct MalformedScope;

impl Scope {
    /// Parses a scope parameter. The order of tokens does not matter; an empty text is the empty scope.
    ///
    /// # Errors
    /// [`MalformedScope`] on a forbidden character or more than [`MAX_LENGTH`] bytes.
    pub fn parse(text: &str) -> Result<Self, MalformedScope> {
        let allowed = |byte: u8| matches!(byte, b' ' | 0x21 | 0x23..=0x5B | 0x5D..=0x7E);
        if text.len() > MAX_LENGTH || !text.bytes().all(allowed) {
            return Err(MalformedScope);
        }
        Ok(Self(text.split(' ').filter(|token| !token.is_empty()).map(str::to_owned).collect()))
    }

    /// Whether `token` is in the set.
    pub fn contains(&self, token: &str) -> bool {
        self.0.contains(token)
    }

    /// Whether every token is in `other` too.
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }

    /// What both have.
    #[must_use]
    pub fn common(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }

    /// The set without `token`.
    #[must_use]
    pub fn without(mut self, token: &str) -> Self {
        self.0.remove(token);
        self
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tokens in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        let openid = self.0.iter().filter(|token| *token == "openid");
        for token in openid.chain(self.0.iter().filter(|token| *token != "openid")) {
            if !first {
                f.write_str(" ")?;
            }
            f.write_str(token)?;
            first = false;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn order_and_repetition_do_not_matter() {
        let scope = Scope::parse("profile openid  email profile").unwrap();
        assert_eq!(scope.to_string(), "openid email profile");
        assert!(scope.contains("email") && !scope.contains("phone"));
    }

    #[test]
    fn forbidden_characters_are_refused() {
        for text in ["a\"b", "a\\b", "a\tb", "é", "a\u{0}"] {
            assert_eq!(Scope::parse(text), Err(MalformedScope), "{text:?}");
        }
        assert_eq!(Scope::parse(&"x".repeat(4097)), Err(MalformedScope));
    }

    proptest! {
        #[test]
        fn printing_and_parsing_come_back(text in "[a-z:./ ]{0,80}") {
            let scope = Scope::parse(&text).unwrap();
            prop_assert_eq!(Scope::parse(&scope.to_string()).unwrap(), scope);
        }

        #[test]
        fn what_is_common_is_within_both(a in "[a-d ]{0,12}", b in "[a-d ]{0,12}") {
            let (a, b) = (Scope::parse(&a).unwrap(), Scope::parse(&b).unwrap());
            let common = a.common(&b);
            prop_assert!(common.is_within(&a) && common.is_within(&b));
        }
    }
}
