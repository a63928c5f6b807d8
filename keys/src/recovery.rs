//! Recovery codes: written down once, typed when the second factor is lost.

use crate::random::{Alphabet, text};
use crate::secret::Secret;

/// How many codes a set has.
pub const COUNT: usize = 10;
/// Characters of a code, 5 bits each: with a keyed digest and few attempts, 60 bits are plenty.
const LENGTH: usize = 12;
const GROUP: usize = 4;

/// A new set of codes, in groups of four characters: `k3f9-0qz1-77ab`.
pub fn generate() -> Vec<Secret<String>> {
    let code = || {
        let drawn = text(Alphabet::Crockford, LENGTH);
        let groups: Vec<&str> =
            (0..LENGTH / GROUP).filter_map(|n| drawn.expose().get(n * GROUP..(n + 1) * GROUP)).collect();
        Secret::new(groups.join("-"))
    };
    (0..COUNT).map(|_| code()).collect()
}

/// A typed code as it is compared: without spaces and dashes, in lower case, and with the letters Crockford's base32 leaves
/// out read as the digits they look like. None when it cannot be one.
pub fn canonical(typed: &str) -> Option<Secret<String>> {
    let mut code = String::with_capacity(LENGTH);
    for c in typed.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '\u{2010}'..='\u{2015}')) {
        let c = match c.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            c if c.is_ascii_alphanumeric() && c != 'u' => c,
            _ => return None,
        };
        if code.len() == LENGTH {
            return None;
        }
        code.push(c);
    }
    (code.len() == LENGTH).then(|| Secret::new(code))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_set_has_ten_different_codes_that_read_back() {
        let codes = generate();
        let different: HashSet<_> = codes.iter().map(|code| code.expose().clone()).collect();
        assert_eq!(different.len(), COUNT);
        for code in codes {
            assert_eq!(code.expose().len(), 14, "{}", code.expose());
            let read = canonical(code.expose()).unwrap();
            assert_eq!(*read.expose(), code.expose().replace('-', ""));
        }
    }

    #[test]
    fn codes_are_read_as_people_type_them() {
        for (typed, expected) in [
            ("k3f9-0qz1-77ab", Some("k3f90qz177ab")),
            (" K3F9 OQZL 77AB\n", Some("k3f90qz177ab")),
            ("k3f9\u{2013}0qzi\u{2013}77ab", Some("k3f90qz177ab")),
            ("k3f9-0qz1-77a", None),
            ("k3f9-0qz1-77abc", None),
            ("k3f9-0qz1-77aé", None),
            ("k3f9-0qz1-77au", None),
            ("", None),
        ] {
            assert_eq!(canonical(typed).map(|code| code.expose().clone()).as_deref(), expected, "{typed}");
        }
    }
}
