//! Resource indicators (RFC 8707): for which of the resources that were granted a token is.
//!
//! A token is for one resource, so that none that it is shown to can use it elsewhere (RFC 8707 §3). A grant may name several; each
//! token request then says which. This server is itself a resource: its own address, where userinfo is.

use url::Url;

use crate::scopes::Scope;

/// Most resources one request may name.
pub const MAX: usize = 8;
/// Longest address of a resource, in bytes.
pub const MAX_LENGTH: usize = 512;

/// Why no token can be had for a resource. The client is told `invalid_target`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetProblem {
    /// Not an absolute URI without fragment (RFC 8707 §2), or too long.
    #[error("resource is an absolute URI without fragment, of at most 512 bytes")]
    Malformed,
    /// More than [`MAX`].
    #[error("at most 8 resources can be named")]
    TooMany,
    /// No such resource is known.
    #[error("the resource is not known here")]
    Unknown,
    /// The authorization does not cover it.
    #[error("the resource was not part of the authorization")]
    NotGranted,
    /// Several in one token request.
    #[error("an access token is for one resource: name one")]
    Several,
}

/// Why a resource cannot be made known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Its address is not one.
    #[error("a resource is an absolute URI without fragment, of at most 512 bytes")]
    Malformed,
    /// Its address is this server's own.
    #[error("this server is a resource of its own accord")]
    Own,
    /// Its scope is not one.
    #[error("scope is a list of tokens separated by single spaces, of at most 4096 bytes")]
    MalformedScope,
    /// Its scope is empty: no token could be for it.
    #[error("name at least one scope token")]
    NoScope,
}

/// Whether `uri` can be made known as a resource at the server `issuer`.
///
/// # Errors
/// [`Problem::Malformed`], [`Problem::Own`].
pub fn check(uri: &str, issuer: &str) -> Result<(), Problem> {
    if !is_resource(uri) {
        return Err(Problem::Malformed);
    }
    if uri == issuer { Err(Problem::Own) } else { Ok(()) }
}

/// The scope tokens that mean something at a resource.
///
/// # Errors
/// [`Problem::MalformedScope`], [`Problem::NoScope`].
pub fn check_scope(text: &str) -> Result<Scope, Problem> {
    let scope = Scope::parse(text).map_err(|_| Problem::MalformedScope)?;
    if scope.is_empty() { Err(Problem::NoScope) } else { Ok(scope) }
}

/// Reads a `resource` parameter: addresses parted by spaces, which no address holds.
///
/// # Errors
/// [`TargetProblem::Malformed`], [`TargetProblem::TooMany`].
pub fn parse(text: &str) -> Result<Vec<String>, TargetProblem> {
    let mut found: Vec<String> = Vec::new();
    for uri in text.split(' ').filter(|uri| !uri.is_empty()) {
        if !is_resource(uri) {
            return Err(TargetProblem::Malformed);
        }
        if !found.iter().any(|known| known == uri) {
            found.push(uri.to_owned());
        }
    }
    if found.len() > MAX { Err(TargetProblem::TooMany) } else { Ok(found) }
}

/// Whether `uri` can be the address of a resource.
pub fn is_resource(uri: &str) -> bool {
    uri.len() <= MAX_LENGTH
        && !uri.contains('#')
        && uri.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
        && Url::parse(uri).is_ok()
}

/// What a token request is held against.
#[derive(Debug, Clone, Copy)]
pub struct Granted<'a> {
    /// The resources of the authorization.
    pub resources: &'a [String],
    /// This server, as a resource.
    pub issuer: &'a str,
    /// Whether the scope holds `openid`: the client may always ask who the person is.
    pub identifies: bool,
}

/// The resource a token will be for.
///
/// # Errors
/// [`TargetProblem::Several`] when nothing singles one out, [`TargetProblem::NotGranted`].
pub fn choose<'a>(granted: Granted<'a>, asked: &'a [String]) -> Result<&'a str, TargetProblem> {
    match (asked, granted.resources) {
        ([], []) => Ok(granted.issuer),
        ([], [only]) => Ok(only),
        ([] | [_, _, ..], _) => Err(TargetProblem::Several),
        ([one], known) if known.contains(one) => Ok(one),
        ([one], known) if one == granted.issuer && (known.is_empty() || granted.identifies) => Ok(one),
        _ => Err(TargetProblem::NotGranted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://op.example";

    fn list(text: &str) -> Vec<String> {
        parse(text).unwrap()
    }

    #[test]
    fn a_resource_is_an_absolute_uri_without_fragment() {
        let long = format!("https://a.example/{}", "a".repeat(500));
        let cases = [
            ("https://a.example", true),
            ("https://a.example:8443/b?c=d", true),
            ("urn:example:a", true),
            ("a.example", false),
            ("/a", false),
            ("https://a.example/#f", false),
            ("https://a.example/#", false),
            ("https://a.example/\u{e9}", false),
            ("https://a.example/\"", false),
            (&long, false),
        ];
        for (uri, good) in cases {
            assert_eq!(parse(uri).is_ok(), good, "{uri}");
        }
        assert_eq!(list("urn:x:a  urn:x:b urn:x:a"), ["urn:x:a", "urn:x:b"]);
        assert!(list("").is_empty());
        let many = |count: usize| (0..count).map(|n| format!("urn:x:{n}")).collect::<Vec<_>>().join(" ");
        assert!(parse(&many(MAX)).is_ok());
        assert_eq!(parse(&many(MAX + 1)), Err(TargetProblem::TooMany));
    }

    #[test]
    fn a_token_is_for_one_resource_that_was_granted() {
        use TargetProblem::{NotGranted, Several};
        let cases = [
            ("", true, "", Ok(ISSUER)),
            ("", false, "", Ok(ISSUER)),
            ("", false, ISSUER, Ok(ISSUER)),
            ("", true, "urn:x:a", Err(NotGranted)),
            ("urn:x:a", true, "", Ok("urn:x:a")),
            ("urn:x:a", true, "urn:x:a", Ok("urn:x:a")),
            ("urn:x:a", true, "urn:x:b", Err(NotGranted)),
            ("urn:x:a", true, ISSUER, Ok(ISSUER)),
            ("urn:x:a", false, ISSUER, Err(NotGranted)),
            ("urn:x:a urn:x:b", true, "", Err(Several)),
            ("urn:x:a urn:x:b", true, "urn:x:b", Ok("urn:x:b")),
            ("urn:x:a urn:x:b", true, "urn:x:a urn:x:b", Err(Several)),
            ("urn:x:a urn:x:b", true, ISSUER, Ok(ISSUER)),
            ("https://op.example urn:x:a", false, ISSUER, Ok(ISSUER)),
        ];
        for (granted, identifies, asked, expected) in cases {
            let (resources, asked) = (list(granted), list(asked));
            let granted = Granted { resources: &resources, issuer: ISSUER, identifies };
            assert_eq!(choose(granted, &asked), expected, "{granted:?} {asked:?}");
        }
    }

    #[test]
    fn a_resource_is_made_known_by_an_address_of_its_own_and_a_scope() {
        for (uri, expected) in [
            ("https://a.example/", Ok(())),
            ("urn:x:a", Ok(())),
            (ISSUER, Err(Problem::Own)),
            ("https://op.example/", Ok(())),
            ("texte", Err(Problem::Malformed)),
            ("https://a.example/#f", Err(Problem::Malformed)),
            ("", Err(Problem::Malformed)),
        ] {
            assert_eq!(check(uri, ISSUER), expected, "{uri}");
        }
        let long = "a".repeat(5000);
        for (scope, expected) in [
            ("b a", Ok("a b")),
            ("a a", Ok("a")),
            ("", Err(Problem::NoScope)),
            (" ", Err(Problem::NoScope)),
            ("a\u{0}b", Err(Problem::MalformedScope)),
            ("\u{e9}", Err(Problem::MalformedScope)),
            (&long, Err(Problem::MalformedScope)),
        ] {
            assert_eq!(check_scope(scope).map(|scope| scope.to_string()), expected.map(str::to_owned), "{scope}");
        }
    }
}
