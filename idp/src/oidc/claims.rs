//! Which claims about a person go where: by scope (OIDC Core §5.4), by the `claims` parameter (§5.5), and those of the training
//! sector, about the organization the person signed in for (scope `organization`), which stand in ID tokens, access tokens,
//! userinfo and introspection alike. Requirements R008, R009, R011, R015.
//!
//! What is not known is left out, never null.

use habilis_policies::acr;
use habilis_policies::scopes::Scope;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::db::Conn;
use crate::db::grants::Grant;
use crate::db::groups;
use crate::db::organizations::{self, Membership};
use crate::db::people::Person;
use crate::outcome::Outcome;

/// Every claim about a person this server can give, for discovery.
pub const SUPPORTED: [&str; 32] = [
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
    "siren",
    "uai",
    "nda",
    "mandate",
    "organization_roles",
    "roles",
    "groups",
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
const ORGANIZATION: [&str; 11] = [
    "org_id",
    "org_name",
    "org_kind",
    "siret",
    "siren",
    "uai",
    "nda",
    "mandate",
    "organization_roles",
    "roles",
    "groups",
];

/// The scope that asks for the organization.
pub const ORGANIZATION_SCOPE: &str = "organization";

/// All that a client of the profile `minimal` learns about a person, beside `sub` (R015).
const MINIMAL: [&str; 3] = ["given_name", "family_name", "email"];

/// What a client may learn about people, whatever it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClaimsProfile {
    /// What its scopes and its claims requests ask for.
    #[default]
    Standard,
    /// Of that, given name, family name and mail address alone (R015); nothing of the organization.
    Minimal,
}

impl ClaimsProfile {
    /// Whether it is the usual one.
    pub fn is_standard(&self) -> bool {
        *self == Self::Standard
    }

    /// Whether it is [`Self::Minimal`].
    pub fn is_minimal(self) -> bool {
        self == Self::Minimal
    }

    /// The scopes that mean nothing under it.
    pub fn idle_scopes(self) -> &'static [&'static str] {
        match self {
            Self::Standard => &[],
            Self::Minimal => &["address", "phone", ORGANIZATION_SCOPE],
        }
    }
}

/// Where claims are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The ID token: what the `claims` parameter asks for, and the organization by scope.
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

    /// Whether anything about the organization is asked for anywhere.
    pub fn ask_organization(&self) -> bool {
        ORGANIZATION.iter().any(|name| self.id_token.contains_key(*name) || self.userinfo.contains_key(*name))
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
    /// The claims that `scope` and the `claims` parameter ask for at `place`, within what a client of this profile may learn.
    pub fn new(profile: ClaimsProfile, scope: &Scope, request: &'a ClaimsRequest, place: Place) -> Self {
        let mut names: Vec<&str> = request.names(place).collect();
        let by_scope: [(&str, &[&str]); 5] = [
            ("profile", &PROFILE),
            ("email", &["email", "email_verified"]),
            ("address", &["address"]),
            ("phone", &["phone_number", "phone_number_verified"]),
            (ORGANIZATION_SCOPE, &ORGANIZATION),
        ];
        // OIDC Core §5.4: what is about the person comes from userinfo where there is one.
        let spoken = |token: &str| scope.contains(token) && (place != Place::IdToken || token == ORGANIZATION_SCOPE);
        names.extend(by_scope.iter().filter(|(token, _)| spoken(token)).flat_map(|(_, claims)| *claims));
        if profile.is_minimal() {
            names.retain(|name| MINIMAL.contains(name));
        }
        Self { names, request, place }
    }

    fn has(&self, name: &str) -> bool {
        self.names.contains(&name)
    }

    /// Whether nothing is wanted.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether anything about the organization is wanted.
    pub fn has_organization(&self) -> bool {
        ORGANIZATION.iter().any(|name| self.has(name))
    }

    /// Collects the wanted claims about `person` and, with [`of_organization`], what they signed in for.
    ///
    /// # Errors
    /// What is stored cannot be read.
    pub fn collect(&self, person: &Person, organization: &Map<String, Value>) -> Outcome<Map<String, Value>> {
        let mut claims = about(person)?;
        // INVARIANT: nothing that is stored with a person speaks for an organization.
        claims.retain(|name, _| !ORGANIZATION.contains(&name.as_str()));
        claims.extend(organization.clone());
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

/// What tokens of `grant` say of the organization the person signed in for; nothing when it is for none, or the person does not
/// belong to it any more.
///
/// # Errors
/// The database failed.
pub async fn of_organization(c: &mut impl Conn, grant: &Grant, now: Timestamp) -> Outcome<Map<String, Value>> {
    let Some(id) = &grant.organization_id else { return Ok(Map::new()) };
    let Some(membership) = organizations::membership(c, (&grant.person_id, id), now).await? else {
        return Ok(Map::new());
    };
    let roles = organizations::rights_of(c, (&grant.person_id, id), &grant.client_id).await?;
    let groups = groups::names_of(c, (&grant.person_id, id)).await?;
    let mut claims = organization(membership, roles);
    // Who is in no group has no such claim (R016).
    if !groups.is_empty() {
        claims.insert("groups".to_owned(), groups.into());
    }
    Ok(claims)
}

fn organization(membership: Membership, roles: Vec<String>) -> Map<String, Value> {
    let mut claims = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            claims.insert(name.to_owned(), value);
        }
    };
    // The SIRET begins with the SIREN.
    let siren = membership.siren.or_else(|| Some(membership.siret.as_deref()?.get(..9)?.to_owned()));
    set("org_id", Some(membership.id.into()));
    set("org_name", Some(membership.name.into()));
    set("org_kind", Some(membership.kind.into()));
    set("siret", membership.siret.map(Value::from));
    set("siren", siren.map(Value::from));
    set("uai", membership.uai.map(Value::from));
    set("nda", membership.nda.map(Value::from));
    // Who has no mandate has no say in the organization, whatever their role was (R011).
    if let Some(mandate) = membership.mandate {
        set("mandate", Some(mandate.into()));
        set("organization_roles", Some(vec![membership.role].into()));
    }
    set("roles", Some(roles.into()));
    claims
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
        let wanted = |place| Wanted::new(ClaimsProfile::Standard, &scope, &request, place);
        let id_token = wanted(Place::IdToken);
        assert!(id_token.has("email") && !id_token.has("name"));
        let alone = wanted(Place::IdTokenAlone);
        assert!(alone.has("email") && alone.has("name") && !alone.has("phone_number"));
        let userinfo = wanted(Place::UserInfo);
        assert!(userinfo.has("email") && userinfo.has("name") && !userinfo.has("phone_number"));
        assert!(!userinfo.has_organization());
        let scope = Scope::parse("openid organization").unwrap();
        let id_token = Wanted::new(ClaimsProfile::Standard, &scope, &request, Place::IdToken);
        assert!(
            id_token.has("org_id") && id_token.has("roles") && !id_token.has("name"),
            "the organization is in both"
        );
    }

    #[test]
    fn a_minimal_client_gets_names_and_address_whatever_it_asks_for() {
        let scope = Scope::parse("openid profile email phone address organization").unwrap();
        let request = ClaimsRequest::parse(r#"{"userinfo":{"birthdate":{"essential":true},"org_id":null}}"#).unwrap();
        for place in [Place::UserInfo, Place::IdTokenAlone, Place::IdToken] {
            let wanted = Wanted::new(ClaimsProfile::Minimal, &scope, &request, place);
            assert!(wanted.names.iter().all(|name| MINIMAL.contains(name)), "{place:?}: {:?}", wanted.names);
            assert!(!wanted.has_organization());
        }
    }

    #[test]
    fn an_organization_is_told_with_what_is_known_of_it() {
        let membership = |siret: Option<&str>, siren: Option<&str>, mandate: Option<&str>| Membership {
            id: "org_1".to_owned(),
            kind: "cfa".to_owned(),
            name: "CFA des Halles".to_owned(),
            siret: siret.map(str::to_owned),
            siren: siren.map(str::to_owned),
            uai: Some("0750654D".to_owned()),
            nda: None,
            role: "administrator".to_owned(),
            mandate: mandate.map(str::to_owned),
        };
        let claims = organization(membership(Some("73282932000074"), None, Some("delegation")), vec![]);
        assert_eq!(claims["siren"], "732829320");
        assert_eq!(claims["uai"], "0750654D");
        assert_eq!(
            (&claims["mandate"], &claims["organization_roles"][0]),
            (&"delegation".into(), &"administrator".into())
        );
        assert!(claims["roles"].is_array() && !claims.contains_key("nda"));
        assert!(claims.keys().all(|name| ORGANIZATION.contains(&name.as_str()) && SUPPORTED.contains(&name.as_str())));
        let claims = organization(membership(None, Some("356000000"), None), vec!["gestionnaire".to_owned()]);
        assert_eq!((&claims["siren"], &claims["roles"][0]), (&"356000000".into(), &"gestionnaire".into()));
        for absent in ["siret", "mandate", "organization_roles"] {
            assert!(!claims.contains_key(absent), "{absent}");
        }
    }
}
