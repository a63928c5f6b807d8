//! Names and mail addresses as people give them: parsed at the door, trusted afterwards (R004).

/// The longest name, in characters.
pub const MAX_NAME: usize = 100;
/// The longest mail address, in bytes (RFC 5321 §4.5.3.1.3, without the angle brackets).
pub const MAX_EMAIL: usize = 254;

/// A given or family name: 1 to 100 characters, spaces folded, no control character, no address of a page in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Parses a name. What could make a link in a mail we send is refused: a name is no place for one.
    pub fn parse(typed: &str) -> Option<Self> {
        let folded = typed.split_whitespace().collect::<Vec<_>>().join(" ");
        let unlike = |c: char| {
            c.is_control()
                || matches!(c, '<' | '>' | '/' | '\\' | '@' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        let good = (1..=MAX_NAME).contains(&folded.chars().count())
            && folded.chars().any(char::is_alphabetic)
            && !folded.contains(unlike)
            && !folded.to_lowercase().contains("www.");
        good.then_some(Self(folded))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A mail address that an ordinary mail server takes: ASCII, a domain with a dot, the domain in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// Parses an address (RFC 5321 §4.1.2 without quoted names and address literals, which nobody has).
    pub fn parse(typed: &str) -> Option<Self> {
        let typed = typed.trim();
        let (local, domain) = typed.rsplit_once('@')?;
        let good = typed.len() <= MAX_EMAIL
            && (1..=64).contains(&local.len())
            && local.split('.').all(|part| !part.is_empty() && part.bytes().all(is_atext))
            && domain.contains('.')
            && domain.split('.').all(is_label)
            && domain.rsplit('.').next().is_some_and(|top| top.bytes().any(|byte| byte.is_ascii_alphabetic()));
        good.then(|| Self(format!("{local}@{}", domain.to_ascii_lowercase())))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether somebody who is reached here may sign in with `login` (in lower case): with whatever does not read as an address, or with
    /// this one. Others take a login for the address of who has it, so that of somebody else is nobody's to choose.
    pub fn may_have_login(&self, login: &str) -> bool {
        // What Unicode writes like an at sign reads like one.
        !login.contains(['@', '\u{ff20}', '\u{fe6b}']) || login == self.0.to_ascii_lowercase()
    }
}

fn is_atext(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_people() {
        let long = "a".repeat(MAX_NAME);
        for (typed, expected) in [
            ("Zoé", Some("Zoé")),
            ("  Jean   Marie ", Some("Jean Marie")),
            ("O’Neill-D'Almeida", Some("O’Neill-D'Almeida")),
            ("李", Some("李")),
            (long.as_str(), Some(long.as_str())),
            ("", None),
            (" \t ", None),
            ("12", None),
            ("a\u{0}b", None),
            ("<b>x</b>", None),
            ("http://evil.example", None),
            ("gagnez sur www.evil.example", None),
            ("a@b", None),
            ("abc\u{202e}def", None),
        ] {
            assert_eq!(Name::parse(typed).as_ref().map(Name::as_str), expected, "{typed:?}");
        }
        assert_eq!(Name::parse(&"a".repeat(MAX_NAME + 1)), None);
        assert_eq!(Name::parse("Zoé\r\nBcc: x").map(|name| name.0), Some("Zoé Bcc: x".to_owned()), "folded, no line");
    }

    #[test]
    fn a_login_that_reads_as_an_address_is_the_persons_own() {
        let email = Email::parse("Zoe.Martin@Exemple.FR").unwrap();
        for (login, may) in [
            ("zoe", true),
            ("zoe.martin", true),
            ("zoe.martin@exemple.fr", true),
            ("ceo@bigcorp.example", false),
            ("zoe.martin@exemple.fr ", false),
            ("zoe@interne", false),
            ("@zoe", false),
            ("ceo＠bigcorp.example", false),
            ("ceo﹫bigcorp.example", false),
        ] {
            assert_eq!(email.may_have_login(login), may, "{login}");
        }
    }

    #[test]
    fn addresses_are_those_mail_servers_take() {
        for (typed, expected) in [
            (" Zoe.Martin+of@Exemple.FR ", Some("Zoe.Martin+of@exemple.fr")),
            ("z@a-b.example", Some("z@a-b.example")),
            ("", None),
            ("zoe", None),
            ("zoe@", None),
            ("@exemple.fr", None),
            ("zoe@exemple", None),
            ("zoe@@exemple.fr", None),
            (".zoe@exemple.fr", None),
            ("zoe..m@exemple.fr", None),
            ("zoé@exemple.fr", None),
            ("zoe@-exemple.fr", None),
            ("zoe@exemple..fr", None),
            ("zoe@[127.0.0.1]", None),
            ("zoe@127.0.0.1", None),
            ("zoe@exemple.fr\nBcc: x@y.fr", None),
            ("\"zoe\"@exemple.fr", None),
            ("zoe martin@exemple.fr", None),
        ] {
            assert_eq!(Email::parse(typed).as_ref().map(Email::as_str), expected, "{typed:?}");
        }
        assert_eq!(Email::parse(&format!("{}@exemple.fr", "a".repeat(65))), None);
        assert_eq!(Email::parse(&format!("a@{}.fr", "b.".repeat(130))), None);
    }
}
