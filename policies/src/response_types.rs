//! Response types: what an authorization request wants from the authorization endpoint itself (OAuth 2.0 Multiple Response Type
//! Encoding Practices §3 and §5, OIDC Core §3).

use serde::{Deserialize, Serialize};

/// A response type of OIDC Core §3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ResponseType {
    /// A code, exchanged at the token endpoint.
    #[default]
    #[serde(rename = "code")]
    Code,
    /// An ID token, and nothing else.
    #[serde(rename = "id_token")]
    IdToken,
    /// An ID token and an access token.
    #[serde(rename = "id_token token")]
    IdTokenToken,
    /// A code and an ID token.
    #[serde(rename = "code id_token")]
    CodeIdToken,
    /// A code and an access token.
    #[serde(rename = "code token")]
    CodeToken,
    /// All three.
    #[serde(rename = "code id_token token")]
    CodeIdTokenToken,
}

impl ResponseType {
    /// Every response type.
    pub const ALL: [Self; 6] =
        [Self::Code, Self::IdToken, Self::IdTokenToken, Self::CodeIdToken, Self::CodeToken, Self::CodeIdTokenToken];

    /// Its name, in the order the standards write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::IdToken => "id_token",
            Self::IdTokenToken => "id_token token",
            Self::CodeIdToken => "code id_token",
            Self::CodeToken => "code token",
            Self::CodeIdTokenToken => "code id_token token",
        }
    }

    /// Reads a parameter; the order of its words does not matter (OAuth 2.0 Multiple Response Types §3).
    pub fn parse(text: &str) -> Option<Self> {
        let sorted = |text: &str| {
            let mut words: Vec<String> = text.split(' ').take(4).map(str::to_owned).collect();
            words.sort_unstable();
            words
        };
        let wanted = sorted(text);
        Self::ALL.into_iter().find(|known| sorted(known.name()) == wanted)
    }

    /// Whether a code is given.
    pub const fn has_code(self) -> bool {
        !matches!(self, Self::IdToken | Self::IdTokenToken)
    }

    /// Whether the authorization endpoint gives an ID token: then `nonce` is required (OIDC Core §3.2.2.1, §3.3.2.11).
    pub const fn has_id_token(self) -> bool {
        !matches!(self, Self::Code | Self::CodeToken)
    }

    /// Whether the authorization endpoint gives an access token.
    pub const fn has_token(self) -> bool {
        matches!(self, Self::IdTokenToken | Self::CodeToken | Self::CodeIdTokenToken)
    }

    /// Whether tokens pass through the browser: never in the query, which is kept in histories and logs (OAuth 2.0 Multiple
    /// Response Types §5).
    pub const fn is_front_channel(self) -> bool {
        !matches!(self, Self::Code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_in_any_order_once_each() {
        for known in ResponseType::ALL {
            assert_eq!(ResponseType::parse(known.name()), Some(known));
            let mut words: Vec<_> = known.name().split(' ').collect();
            words.reverse();
            assert_eq!(ResponseType::parse(&words.join(" ")), Some(known));
            assert_eq!(serde_json_name(known), known.name());
        }
        for unknown in
            ["", "token", "none", "code code", "code  token", "Code", "code id_token token token", "id_token,token"]
        {
            assert_eq!(ResponseType::parse(unknown), None, "{unknown}");
        }
    }

    /// What a stored request says.
    fn serde_json_name(kind: ResponseType) -> String {
        serde_json::to_value(kind).unwrap().as_str().unwrap().to_owned()
    }

    #[test]
    fn what_each_gives_is_what_its_name_says() {
        for kind in ResponseType::ALL {
            let has = |word| kind.name().split(' ').any(|known| known == word);
            assert_eq!(kind.has_code(), has("code"), "{kind:?}");
            assert_eq!(kind.has_id_token(), has("id_token"), "{kind:?}");
            assert_eq!(kind.has_token(), has("token"), "{kind:?}");
            assert_eq!(kind.is_front_channel(), has("token") || has("id_token"), "{kind:?}");
        }
    }
}
