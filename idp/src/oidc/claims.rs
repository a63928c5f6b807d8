//! Which claims about a person go where: by scope (OIDC Core §5.4), by the `claims` parameter (§5.5), and those of the training
//! sector: `org_id`, `org_name`, `org_kind`, `siret` (scope `organization`) and `roles`, the person's rights in the portal asking.
//!
//! What is not known is left out, never null.

use habilis_policies::acr;
use habilis_policies::scopes::Scope;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::db::people::Person;
use crate::db::{Conn, organizations};
use crate::outcome::Outcome;

/// Every claim about a person this server can give, for discovery.
pub const SUPPORTED: [&str; 26] = [
    "sub",
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "updated_at",
    "email",
    "email_verified",
    "address",
    "phone_number",
    "phone_number_verified",
    "org_id",
    "org_name",
    "org_kind",
    "siret",
    "roles",
    "auth_time",
];

const PROFILE: [&str; 14] = [
    "name",
    "family_name",
    "given_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "updated_at",
];
const ORGANIZATION: [&str; 5] = ["org_id", "org_name", "org_kind", "siret", "roles"];

/// Where claims are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The ID token: only what the `claims` parameter asks for.
    IdToken,
    /// An ID token without any access token: by scope as well, since there is no userinfo (OIDC Core §5.4).
    IdTokenAlone,
    /// Userinfo: by scope, and what the `claims` parameter asks for.
    UserInfo,
}

/// The `claims` parameter, parsed.
#[derive(Debug, Clone, Default)]
pub struct ClaimsRequest {
    id_token: Map<String, Value>,
    userinfo: Map<String, Value>,
}

/// The `claims` parameter cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("claims is not a JSON object of claims requests")]
pub struct MalformedClaims;

impl ClaimsRequest {
    /// Reads the parameter. Unknown members and unknown claims are ignored (OIDC Core §5.5).
    ///
    /// # Errors
    /// [`MalformedClaims`]: not JSON, not an object, or a request that is neither null nor an object.
    pub fn parse(json: &str) -> Result<Self, MalformedClaims> {
        let Ok(Value::Object(mut members)) = serde_json::from_str::<Value>(json) else { return Err(MalformedClaims) };
        let mut place = |name: &str| match members.remove(name) {
            None | Some(Value::Null) => Ok(Map::new()),
            Some(Value::Object(claims)) if claims.values().all(|value| value.is_null() || value.is_object()) => {
                Ok(claims)
            }
            Some(_) => Err(MalformedClaims),
        };
        Ok(Self { id_token: place("id_token")?, userinfo: place("userinfo")? })
    }

    fn at(&self, place: Place) -> &Map<String, Value> {
        match place {
            Place::IdToken | Place::IdTokenAlone => &self.id_token,
            Place::UserInfo => &self.userinfo,
        }
    }

    fn names(&self, place: Place) -> impl Iterator<Item = &str> {
        self.at(place).keys().map(String::as_str)
    }

    /// Whether `found` is a value asked for: any, when none was named (OIDC Core §5.5.1).
    fn accepts(&self, place: Place, name: &str, found: &Value) -> bool {
        let Some(Value::Object(asked)) = self.at(place).get(name) else { return true };
        match (asked.get("value"), asked.get("values")) {
            (Some(value), _) => value == found,
            (None, Some(Value::Array(values))) => values.contains(found),
            _ => true,
        }
    }

    /// The person the ID token must be about, when `sub` is asked for by value (OIDC Core §5.5.1).
    pub fn subject(&self) -> Option<&str> {
        self.id_token.get("sub")?.get("value")?.as_str()
    }

    /// The `acr` asked for in the ID token (OIDC Core §5.5.1.1).
    pub fn acr(&self) -> Option<acr::Wanted> {
        let Value::Object(asked) = self.id_token.get("acr")? else { return None };
        let values: Vec<String> = match (asked.get("value"), asked.get("values")) {
            (Some(Value::String(value)), _) => vec![value.clone()],
            (None, Some(Value::Array(values))) => {
                values.iter().filter_map(Value::as_str).take(acr::MAX_NAMES).map(str::to_owned).collect()
            }
            _ => return None,
        };
        let essential = asked.get("essential").and_then(Value::as_bool).unwrap_or_default();
        Some(acr::Wanted { values, essential })
    }
}

/// What a client may learn about a person at one place.
#[derive(Debug)]
pub struct Wanted<'a> {
    names: Vec<&'a str>,
    request: &'a ClaimsRequest,
    place: Place,
}

impl<'a> Wanted<'a> {
    /// The claims that `scope` and the `claims` parameter ask for at `place`.
    pub fn new(scope: &Scope, request: &'a ClaimsRequest, place: Place) -> Self {
        let mut names: Vec<&str> = request.names(place).collect();
        if place != Place::IdToken {
            let by_scope: [(&str, &[&str]); 5] = [
                ("profile", &PROFILE),
                ("email", &["email", "email_verified"]),
                ("address", &["address"]),
                ("phone", &["phone_number", "phone_number_verified"]),
                ("organization", &ORGANIZATION),
            ];
            names.extend(by_scope.iter().filter(|(token, _)| scope.contains(token)).flat_map(|(_, claims)| *claims));
        }
        Self { names, request, place }
    }

    fn has(&self, name: &str) -> bool {
        self.names.contains(&name)
    }

    /// Collects the wanted claims about `person` for the portal `client`.
    ///
    /// # Errors
    /// The database failed, or what is stored cannot be read.
    pub async fn collect(&self, c: &mut impl Conn, person: &Person, client: &str) -> Outcome<Map<String, Value>> {
        let mut claims = about(person)?;
        if ORGANIZATION.iter().any(|name| self.has(name)) {
            claims.extend(organization(c, person, client).await?);
        }
        claims
            .retain(|name, value| self.has(name) && !value.is_null() && self.request.accepts(self.place, name, value));
        Ok(claims)
    }
}

fn about(person: &Person) -> Outcome<Map<String, Value>> {
    let mut claims: Map<String, Value> = serde_json::from_str(&person.claims)?;
    let mut set = |name: &str, value: Value| {
        claims.entry(name).or_insert(value);
    };
    set("name", format!("{} {}", person.given_name, person.family_name).into());
    set("given_name", person.given_name.clone().into());
    set("family_name", person.family_name.clone().into());
    set("preferred_username", person.login.clone().into());
    set("locale", person.locale.clone().into());
    set("updated_at", Timestamp::from(person.updated_at).as_second().into());
    if let Some(email) = &person.email {
        set("email", email.clone().into());
        set("email_verified", person.email_verified.into());
    }
    Ok(claims)
}

/// The organization a person acts for: their oldest membership, until they can choose at sign-in.
async fn organization(c: &mut impl Conn, person: &Person, client: &str) -> Outcome<Map<String, Value>> {
    let mut claims = Map::new();
    let Some(organization) = organizations::of_person(c, &person.id).await?.into_iter().next() else {
        return Ok(claims);
    };
    let roles = organizations::rights_of(c, (&person.id, &organization.id), client).await?;
    claims.insert("org_id".to_owned(), organization.id.into());
    claims.insert("org_name".to_owned(), organization.name.into());
    claims.insert("org_kind".to_owned(), organization.kind.into());
    claims.insert("siret".to_owned(), organization.siret.map_or(Value::Null, Value::String));
    claims.insert("roles".to_owned(), roles.into());
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_claims_parameter_is_read_leniently_where_the_standard_says_so() {
        for good in
            ["{}", r#"{"userinfo":{"name":{"essential":true},"unknown":null}}"#, r#"{"id_token":null,"other":{"x":1}}"#]
        {
            assert!(ClaimsRequest::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "[]", "null", r#"{"userinfo":[]}"#, r#"{"userinfo":{"name":1}}"#, "{\"userinfo\":"] {
            assert_eq!(ClaimsRequest::parse(bad).unwrap_err(), MalformedClaims, "{bad}");
        }
    }

    #[test]
    fn values_asked_for_are_honoured() {
        let request = ClaimsRequest::parse(
            r#"{"id_token":{"sub":{"value":"usr_1"},"acr":{"essential":true,"values":["a","b"]}},
                "userinfo":{"locale":{"value":"fr"},"zoneinfo":{"values":["x","y"]},"name":{"essential":true}}}"#,
        )
        .unwrap();
        assert_eq!(request.subject(), Some("usr_1"));
        assert_eq!(request.acr(), Some(acr::Wanted { values: vec!["a".into(), "b".into()], essential: true }));
        let accepts = |name, value: &str| request.accepts(Place::UserInfo, name, &value.into());
        assert!(accepts("locale", "fr") && !accepts("locale", "en"));
        assert!(accepts("zoneinfo", "y") && !accepts("zoneinfo", "z"));
        assert!(accepts("name", "anything") && accepts("nickname", "anything"));
        let other = ClaimsRequest::parse(r#"{"id_token":{"acr":{"essential":true}}}"#).unwrap();
        assert_eq!((other.acr(), other.subject()), (None, None));
    }

    #[test]
    fn scopes_speak_for_userinfo_and_for_an_id_token_without_it() {
        let scope = Scope::parse("openid profile email").unwrap();
        let request = ClaimsRequest::parse(r#"{"id_token":{"email":null}}"#).unwrap();
        let id_token = Wanted::new(&scope, &request, Place::IdToken);
        assert!(id_token.has("email") && !id_token.has("name"));
        let alone = Wanted::new(&scope, &request, Place::IdTokenAlone);
        assert!(alone.has("email") && alone.has("name") && !alone.has("phone_number"));
        let userinfo = Wanted::new(&scope, &request, Place::UserInfo);
        assert!(userinfo.has("email") && userinfo.has("name") && !userinfo.has("phone_number"));
    }
}
