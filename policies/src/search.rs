//! Finding people by the words of their name: how names are folded, cut into words, asked for and sorted.
//!
//! Accents, case, ligatures, apostrophes and hyphens do not count: whoever looks for `lefevre` or `LEFÈVRE` finds `Lefèvre`, and
//! `oeil` finds `d’Œil`. What is folded here is stored beside the person; what somebody types is folded the same way and found
//! as the beginning of a stored word, so that both engines answer from an index. Bytes of folded text are valid UTF-8: `0xFF`
//! never occurs in them and ends every range.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The most words kept of a person or an organization.
pub const MAX_WORDS: usize = 24;
/// The longest word kept, in characters; of a longer one the beginning counts.
pub const MAX_WORD_CHARACTERS: usize = 64;
/// The most words of a query that count; of more, the longest.
pub const MAX_QUERY_WORDS: usize = 5;
/// Characters of a word that count in a pair.
const PAIRED_CHARACTERS: usize = 3;
/// The most characters that are read of one text.
const MAX_TEXT_CHARACTERS: usize = 512;
/// The most characters of each name in a sort key.
const MAX_KEY_CHARACTERS: usize = 48;

/// Folds a text for comparison: compatible characters alike, no accents, lower case, ligatures spelled out.
pub fn fold(text: &str) -> String {
    let folded = text
        .chars()
        .take(MAX_TEXT_CHARACTERS)
        .nfkd()
        .flat_map(char::to_lowercase)
        .nfkd()
        .filter(|c| !is_combining_mark(*c))
        .collect::<String>();
    let mut spelled = String::with_capacity(folded.len());
    for c in folded.chars() {
        match c {
            'œ' => spelled.push_str("oe"),
            'æ' => spelled.push_str("ae"),
            'ß' => spelled.push_str("ss"),
            'þ' => spelled.push_str("th"),
            'ø' => spelled.push('o'),
            'đ' | 'ð' => spelled.push('d'),
            'ł' => spelled.push('l'),
            'ı' => spelled.push('i'),
            'ς' => spelled.push('σ'),
            c => spelled.push(c),
        }
    }
    spelled
}

/// The words of a text, folded, in their order; repeated ones too.
///
/// Whatever is neither letter nor digit separates: spaces, hyphens, apostrophes of every kind, points.
pub fn words(text: &str) -> Vec<String> {
    fold(text)
        .split(|c: char| !c.is_alphanumeric() || is_apostrophe(c))
        .filter(|word| !word.is_empty())
        .map(cut)
        .collect()
}

/// Letters by their Unicode category, apostrophes by their use.
fn is_apostrophe(c: char) -> bool {
    matches!(c, '\u{02b9}'..='\u{02c1}' | '\u{02c8}' | '\u{02ee}')
}

fn cut(word: &str) -> String {
    word.chars().take(MAX_WORD_CHARACTERS).collect()
}

/// What a person is found by.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// Family name.
    pub family: &'a str,
    /// Given name.
    pub given: &'a str,
    /// Login.
    pub login: &'a str,
    /// Mail address.
    pub email: Option<&'a str>,
}

/// The words a person is found by, sorted, at most [`MAX_WORDS`]: of the names first, then of the login, then of the address.
///
/// Of a login also its numbers; of an address the parts before the `@`, and the domain as a whole, as `@exemple.fr`.
pub fn words_of_person(person: &Found<'_>) -> BTreeSet<String> {
    let mut kept = BTreeSet::new();
    let mut keep = |words: Vec<String>| {
        for word in words {
            if kept.len() < MAX_WORDS {
                kept.insert(word);
            }
        }
    };
    keep(words(person.family));
    keep(words(person.given));
    keep(words_of_address(person.login));
    keep(numbers(person.login));
    keep(person.email.map(words_of_address).unwrap_or_default());
    kept
}

/// The words an organization is found by, sorted, at most [`MAX_WORDS`]: its identifiers, then the words of its name.
pub fn words_of_organization<'a>(name: &str, identifiers: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    let mut kept: BTreeSet<String> = identifiers.into_iter().flat_map(words).take(MAX_WORDS / 2).collect();
    for word in words(name) {
        if kept.len() < MAX_WORDS {
            kept.insert(word);
        }
    }
    kept
}

/// The parts before the last `@`, and what comes after it as one word with the `@`.
fn words_of_address(address: &str) -> Vec<String> {
    let Some((local, domain)) = address.rsplit_once('@') else { return words(address) };
    let mut all = words(local);
    all.extend(domain_word(domain));
    all
}

fn domain_word(domain: &str) -> Option<String> {
    let domain = fold(domain);
    let domain = domain.trim_matches(|c: char| !c.is_alphanumeric());
    let good = !domain.is_empty() && domain.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-'));
    good.then(|| cut(&format!("@{domain}")))
}

/// Runs of two digits and more that are part of a longer word.
fn numbers(text: &str) -> Vec<String> {
    fold(text).split(|c: char| !c.is_ascii_digit()).filter(|run| run.len() > 1).map(cut).collect()
}

/// The words of a query, each to be found as the beginning of a word: at most [`MAX_QUERY_WORDS`], none the beginning of another.
///
/// `@exemple.fr` asks for a domain. Digits in groups, as identifiers are written (`823 456 789`), are one word.
pub fn query(typed: &str) -> Vec<String> {
    let digits = |c: char| c.is_ascii_digit() || c.is_whitespace() || c == '\u{a0}' || c == '.';
    let mut all = if typed.chars().take(MAX_TEXT_CHARACTERS).all(digits) {
        words(&typed.chars().filter(char::is_ascii_digit).take(MAX_WORD_CHARACTERS).collect::<String>())
    } else {
        let text: String = typed.chars().take(MAX_TEXT_CHARACTERS).collect();
        text.split_whitespace().flat_map(words_of_address).collect()
    };
    // The longest first: of two of which one begins the other, the longer says all.
    all.sort_by(|a, b| b.chars().count().cmp(&a.chars().count()).then_with(|| a.cmp(b)));
    let mut kept: Vec<String> = Vec::new();
    for word in all {
        if kept.len() < MAX_QUERY_WORDS && !kept.iter().any(|longer| longer.starts_with(&word)) {
            kept.push(word);
        }
    }
    kept
}

/// The pairs of words by which whoever has both is found at once: three characters of each, in alphabetical order.
///
/// Kept beside the words of a person; a query of two words and more is answered from the range of one of its own pairs. Words of
/// fewer characters and domains are in no pair, nor are two of which one begins the other: the words of a query never do.
/// Each pair begins with a control character and so is no word.
pub fn pairs<'a>(words: impl IntoIterator<Item = &'a String>) -> BTreeSet<String> {
    let begin = |word: &str| word.chars().take(PAIRED_CHARACTERS).collect::<String>();
    let paired = |word: &&String| !word.starts_with('@') && word.chars().count() >= PAIRED_CHARACTERS;
    let words: Vec<&String> = words.into_iter().filter(paired).collect();
    let mut pairs = BTreeSet::new();
    for (index, one) in words.iter().enumerate() {
        for other in &words[index + 1..] {
            if !one.starts_with(other.as_str()) && !other.starts_with(one.as_str()) {
                let (one, other) = (begin(one), begin(other));
                let (first, second) = if one <= other { (one, other) } else { (other, one) };
                pairs.insert(format!("\u{1}{first}\u{1}{second}"));
            }
        }
    }
    pairs
}

/// Each of a person's words and pairs, in order, with how many of its bytes the one before begins with too.
///
/// Of the words that begin with a prefix the first alone shares less with its neighbour than the prefix is long: whoever has two
/// words in the range of a search is counted once, without looking at their other words.
pub fn with_shared(words: &BTreeSet<String>) -> Vec<(&str, usize)> {
    let mut before = "";
    let shared =
        |before: &str, word: &str| before.bytes().zip(word.bytes()).take_while(|(one, other)| one == other).count();
    words.iter().map(|word| (word.as_str(), shared(std::mem::replace(&mut before, word), word))).collect()
}

/// Whether every word of `query` begins one of `words`: what the statements of the server answer, for tests and small lists.
pub fn matches(query: &[String], words: &BTreeSet<String>) -> bool {
    query.iter().all(|wanted| words.iter().any(|word| word.starts_with(wanted.as_str())))
}

/// Bytes whose order is that of a French list of names: by family name, word by word, then by given name, accents and case
/// counting only between names that are else the same.
///
/// Never empty, at most about 600 bytes, never beginning with `0xFF`.
pub fn sort_key(family: &str, given: &str) -> Vec<u8> {
    let part = |name: &str| words(name).join(" ").chars().take(MAX_KEY_CHARACTERS).collect::<String>();
    let (folded_family, folded_given) = (part(family), part(given));
    let mut key = Vec::with_capacity(folded_family.len() + folded_given.len() + 2);
    // NUL is below the space between words: `Martin` comes before `Martin Dupont`, whoever bears it.
    key.extend_from_slice(folded_family.as_bytes());
    key.push(0);
    key.extend_from_slice(folded_given.as_bytes());
    for (name, folded) in [(family, &folded_family), (given, &folded_given)] {
        let plain: String = name.chars().take(MAX_KEY_CHARACTERS).nfc().flat_map(char::to_lowercase).collect();
        if plain != **folded {
            key.push(0);
            key.extend_from_slice(plain.as_bytes());
        }
    }
    key
}

/// The end of the range of words that begin with `prefix`: the first bytes that are beyond all of them.
pub fn end_of_prefix(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    end.push(0xFF);
    end
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn accents_case_ligatures_and_separators_do_not_count() {
        for (text, expected) in [
            ("Lefèvre", "lefevre"),
            ("LEFÈVRE", "lefevre"),
            ("Lefe\u{300}vre", "lefevre"),
            ("Œuvrard", "oeuvrard"),
            ("Lætitia", "laetitia"),
            ("Groß", "gross"),
            ("Søren Łukasz Đức", "soren lukasz duc"),
            ("İbrahim Işık", "ibrahim isik"),
            ("ﬁn", "fin"),
            ("Ｍａｒｔｉｎ", "martin"),
            ("Ÿ", "y"),
            ("ΟΔΥΣΣΕΥΣ", "οδυσσευσ"),
            ("Οδυσσεύς", "οδυσσευσ"),
        ] {
            assert_eq!(fold(text), expected, "{text}");
        }
    }

    #[test]
    fn names_are_cut_into_words() {
        for (text, expected) in [
            ("d’Alembert", vec!["d", "alembert"]),
            ("D'Alembert", vec!["d", "alembert"]),
            ("O\u{02bc}Neill", vec!["o", "neill"]),
            ("Jean-Marie", vec!["jean", "marie"]),
            ("Le\u{a0}Gall", vec!["le", "gall"]),
            ("de la Tour  du Pin", vec!["de", "la", "tour", "du", "pin"]),
            ("  ", vec![]),
            ("'-'", vec![]),
            ("李 小龙", vec!["李", "小龙"]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
        assert_eq!(words(&"x".repeat(100))[0].chars().count(), MAX_WORD_CHARACTERS);
    }

    #[test]
    fn a_person_is_found_by_names_login_and_address() {
        let person = Found {
            family: "Lefèvre-d’Œil",
            given: "Zoé",
            login: "zlefevre42",
            email: Some("zoe.l_b-c+of@Exemple.FR"),
        };
        let words: Vec<_> = words_of_person(&person).into_iter().collect();
        assert_eq!(words, ["42", "@exemple.fr", "b", "c", "d", "l", "lefevre", "oeil", "of", "zlefevre42", "zoe"],);
        let many = (0..60).map(|number| format!("mot{number}")).collect::<Vec<_>>().join(" ");
        assert_eq!(words_of_person(&Found { family: &many, ..person }).len(), MAX_WORDS);
    }

    #[test]
    fn an_organization_is_found_by_name_and_number() {
        let words = words_of_organization("CFA de l’Éclair", ["82345678900012", "823456789"]);
        assert!(matches(&query("eclair cfa"), &words));
        assert!(matches(&query("823 456 789"), &words));
        assert!(matches(&query("823 456 789 00012"), &words));
        assert!(!matches(&query("456"), &words));
    }

    #[test]
    fn a_query_has_few_words_and_none_twice() {
        for (typed, expected) in [
            ("Zoé  LEFÈVRE", vec!["lefevre", "zoe"]),
            ("mar marie", vec!["marie"]),
            ("marie marie", vec!["marie"]),
            ("d'al", vec!["al", "d"]),
            ("jean.dupont@exemple.fr", vec!["@exemple.fr", "dupont", "jean"]),
            ("@exemple.fr", vec!["@exemple.fr"]),
            ("a@", vec!["a"]),
            ("jean.dupont", vec!["dupont", "jean"]),
            ("823 456", vec!["823456"]),
            ("", vec![]),
            (" -' ", vec![]),
        ] {
            assert_eq!(query(typed), expected, "{typed}");
        }
        assert_eq!(query("aa bb cc dd ee ff gg hh").len(), MAX_QUERY_WORDS);
    }

    #[test]
    fn pairs_are_of_words_that_a_query_may_have_together() {
        let pairs_of = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            pairs(&words).into_iter().collect::<Vec<_>>()
        };
        assert_eq!(pairs_of(&["zoe", "lefevre"]), ["\u{1}lef\u{1}zoe"]);
        assert_eq!(pairs_of(&["marie", "martin"]), ["\u{1}mar\u{1}mar"]);
        assert_eq!(pairs_of(&["david", "david2", "lou"]), ["\u{1}dav\u{1}lou"]);
        assert_eq!(pairs_of(&["le", "gall", "@exemple.fr"]), [""; 0]);
        assert_eq!(pairs_of(&["éél", "œil", "ail"]).len(), 3);
    }

    #[test]
    fn names_sort_as_in_a_french_list() {
        let sorted = [
            ("Côte", "Anne"),
            ("Coté", "Bernard"),
            ("COTE", "Chloé"),
            ("d’Alembert", "Jean"),
            ("Dupont", "Élodie"),
            ("Dupont", "Eva"),
            ("Le Gall", "Yann"),
            ("Lebrun", "Ève"),
            ("Martin", "Zoé"),
            ("Martin Dupont", "Anne"),
            ("Martin-Petit", "Anne"),
            ("Œuvrard", "Guy"),
            ("Olivier", "Guy"),
        ];
        let keys: Vec<_> = sorted.iter().map(|(family, given)| sort_key(family, given)).collect();
        for pair in keys.windows(2) {
            assert!(pair[0] < pair[1], "{pair:?}");
        }
        assert_ne!(sort_key("Cote", "A"), sort_key("Côte", "A"), "accents decide at the end");
        assert!(sort_key("Cote", "A") < sort_key("Côte", "A") && sort_key("Côte", "A") < sort_key("Cote", "B"));
        assert!(!sort_key("", "").is_empty());
        assert!(sort_key(&"\u{10ffff}".repeat(500), &"é".repeat(500)).len() < 700);
    }

    /// A name as people bear it, with what French spelling has.
    fn names() -> impl Strategy<Value = String> {
        "[A-Za-zÀ-ÖØ-öø-ÿŒœ]{1,12}([ '’-][A-Za-zÀ-ÖØ-öø-ÿŒœ]{1,12}){0,3}"
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in "\\PC{0,60}") {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once);
        }

        #[test]
        fn words_are_bounded_and_fold_to_themselves(text in any::<String>()) {
            for word in words(&text) {
                prop_assert!(word.chars().count() <= MAX_WORD_CHARACTERS);
                prop_assert_eq!(words(&word), [word]);
            }
            prop_assert!(query(&text).len() <= MAX_QUERY_WORDS);
        }

        #[test]
        fn a_beginning_of_any_word_in_any_spelling_finds_the_person(
            family in names(), given in names(), word in 0..4_usize, length in 1..12_usize, spelling in 0..4_u8,
        ) {
            let kept = words_of_person(&Found { family: &family, given: &given, login: "x", email: None });
            for name in [&family, &given] {
                let parts: Vec<&str> = name.split([' ', '\'', '’', '-']).collect();
                let typed: String = parts[word % parts.len()].chars().take(length).collect();
                let typed = match spelling {
                    0 => typed.to_uppercase(),
                    1 => typed.to_lowercase(),
                    2 => typed.nfd().collect(),
                    _ => fold(&typed),
                };
                prop_assert!(matches(&query(&typed), &kept), "{typed:?} in {kept:?}");
            }
            let whole = format!("{given} {family}");
            prop_assert!(matches(&query(&whole), &kept), "{whole:?} in {kept:?}");
        }

        #[test]
        fn whoever_has_the_words_of_a_query_has_its_pairs(
            words in prop::collection::btree_set("[ab]{1,5}|@[ab]{1,3}", 0..8), typed in "[ab]{1,5}( [ab]{1,5}){1,3}",
        ) {
            let query = query(&typed);
            if matches(&query, &words) {
                prop_assert!(pairs(&query).is_subset(&pairs(&words)), "{query:?} {words:?}");
            }
        }

        #[test]
        fn the_first_word_with_a_prefix_alone_shares_less_than_the_prefix(
            words in prop::collection::btree_set("[abé]{1,4}", 0..12), prefix in "[abé]{1,3}",
        ) {
            let first: Vec<&str> = with_shared(&words)
                .into_iter()
                .filter(|(word, shared)| word.starts_with(&prefix) && *shared < prefix.len())
                .map(|(word, _)| word)
                .collect();
            let expected: Vec<&String> = words.iter().filter(|word| word.starts_with(&prefix)).take(1).collect();
            prop_assert_eq!(first, expected);
        }

        #[test]
        fn ranges_of_bytes_hold_exactly_the_words_with_the_prefix(word in "[a-zé]{1,6}", prefix in "[a-zé]{1,3}") {
            let inside = word.as_bytes() >= prefix.as_bytes() && word.as_bytes() < end_of_prefix(&prefix).as_slice();
            prop_assert_eq!(inside, word.starts_with(&prefix));
        }

        #[test]
        fn the_order_of_keys_is_that_of_folded_names(a in names(), b in names(), given in names()) {
            let (left, right) = (words(&a).join(" "), words(&b).join(" "));
            if left != right {
                prop_assert_eq!(sort_key(&a, &given) < sort_key(&b, &given), left < right);
            }
        }
    }
}
