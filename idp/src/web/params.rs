//! Request parameters, parsed strictly: `application/x-www-form-urlencoded` in UTF-8, each name once, everything bounded.
//!
//! RFC 6749 §3.1: parameters sent without a value are treated as omitted, parameters must not be repeated, unknown ones are
//! ignored. The exception is `resource` (RFC 8707 §2): its values, which hold no space, are joined by one.

use std::collections::BTreeMap;

use percent_encoding::percent_decode;

/// Most parameters in one request.
const MAX_COUNT: usize = 64;
/// The parameter that may be repeated.
const LIST: &str = "resource";

/// The parameters of a request. [`Params::take`] hands each out once.
#[derive(Debug, Default, Clone)]
pub struct Params(BTreeMap<String, String>);

/// Why parameters cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    /// A name appears twice.
    #[error("parameter {0} is repeated")]
    Repeated(String),
    /// A broken escape or text that is not UTF-8.
    #[error("the parameters are not valid UTF-8 in form encoding")]
    Malformed,
    /// More than 64.
    #[error("there are more than 64 parameters")]
    TooMany,
}

impl Params {
    /// Parses a query or a form body.
    ///
    /// # Errors
    /// [`ParamsError`]. The name of a repeated parameter is cut to 40 printable characters, so that it can be shown.
    pub fn parse(encoded: &[u8]) -> Result<Self, ParamsError> {
        let mut params = BTreeMap::new();
        for pair in encoded.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &[][..]),
            };
            let (name, value) = (decode(name)?, decode(value)?);
            if params.len() == MAX_COUNT {
                return Err(ParamsError::TooMany);
            }
            if name == LIST
                && let Some(values) = params.get_mut(LIST)
            {
                let values: &mut String = values;
                values.push(' ');
                values.push_str(&value);
                continue;
            }
            if params.contains_key(&name) {
                let shown =
                    name.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\')).take(40).collect();
                return Err(ParamsError::Repeated(shown));
            }
            params.insert(name, value);
        }
        Ok(Self(params))
    }

    /// Takes a parameter out; absent and empty are the same.
    pub fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name).filter(|value| !value.is_empty())
    }

    /// Puts a parameter in the place of any other of its name.
    pub fn set(&mut self, name: &str, value: String) {
        self.0.insert(name.to_owned(), value);
    }

    /// Looks at a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The parameters as a query again.
    pub fn to_query(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }
}

fn decode(encoded: &[u8]) -> Result<String, ParamsError> {
    let mut escapes = encoded.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    let broken =
        escapes.any(|(at, _)| !encoded.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)));
    if broken {
        return Err(ParamsError::Malformed);
    }
    let spaced: Vec<u8> = encoded.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let text = percent_decode(&spaced).decode_utf8().map_err(|_| ParamsError::Malformed)?;
    if text.contains('\0') { Err(ParamsError::Malformed) } else { Ok(text.into_owned()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_come_once_and_empty_means_absent() {
        let mut params = Params::parse(b"a=1&b=&c&d=%C3%A9+x").unwrap();
        assert_eq!(params.take("a").as_deref(), Some("1"));
        assert_eq!(params.take("a"), None);
        assert_eq!(params.take("b"), None);
        assert_eq!(params.get("c"), None);
        assert_eq!(params.get("d"), Some("é x"));
        assert_eq!(Params::parse(b"a=1&b=2&a=").unwrap_err(), ParamsError::Repeated("a".into()));
        assert_eq!(Params::parse(b"a=1&%61=2").unwrap_err(), ParamsError::Repeated("a".into()));
        let mut resources = Params::parse(b"resource=urn:a&a=1&resource=urn:b").unwrap();
        assert_eq!(resources.to_query(), "a=1&resource=urn%3Aa+urn%3Ab");
        assert_eq!(resources.take("resource").as_deref(), Some("urn:a urn:b"));
    }

    #[test]
    fn what_is_not_utf8_or_badly_escaped_is_refused() {
        for bad in [&b"a=%FF"[..], b"a=\xff", b"a=%", b"a=%4", b"a=%zz", b"%c3=1", b"a=%00"] {
            assert_eq!(Params::parse(bad).unwrap_err(), ParamsError::Malformed, "{bad:?}");
        }
        let many = (0..65).map(|i| format!("p{i}=1")).collect::<Vec<_>>().join("&");
        assert_eq!(Params::parse(many.as_bytes()).unwrap_err(), ParamsError::TooMany);
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_what_it_reads_it_can_write(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(params) = Params::parse(&bytes) {
                let again = Params::parse(params.to_query().as_bytes()).unwrap();
                prop_assert_eq!(again.0, params.0);
            }
        }
    }
}
