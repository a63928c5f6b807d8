//! What must hold for every input of the parsers that strangers can reach: no panic, and the properties asserted below.
//!
//! One function a target. `fuzz_targets/` gives each to libFuzzer (`./run` builds and runs them for a bounded time), and the
//! tests at the end of this file replay `corpus/` in the ordinary suite, so that what was found once stays mended.

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a property that does not hold is reported by a panic"
)]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use habilis::oidc::answer::ResponseMode;
use habilis::oidc::claims::{ClaimsProfile, ClaimsRequest, Place, Wanted};
use habilis::oidc::client::{Client, Metadata, Registration, SCOPES, Settings};
use habilis::oidc::{client_auth, dpop, request_object};
use habilis::web::params::Params;
use habilis_keys::Secret;
use habilis_keys::dpop::{Expected, MAX_JTI_BYTES, Proof, WINDOW_SECONDS};
use habilis_keys::jwk::{Jwk, Jwks, MAX_KEYS};
use habilis_keys::jws::{Algorithm, JoseError, Unverified};
use habilis_policies::authorize::Prompt;
use habilis_policies::csv_out::Sheet;
use habilis_policies::profiles::{RequestObjectClaims, SecurityProfile};
use habilis_policies::redirects::{self, Application};
use habilis_policies::request_objects;
use habilis_policies::scopes::Scope;
use habilis_policies::{acr, assertions, csv_people};
use jiff::Timestamp;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Map, Value, json};
use url::Url;

/// The instant every input is judged at: that of the examples of RFC 9449.
const NOW: i64 = 1_562_262_618;
const ISSUER: &str = "https://idp.example";
const CLIENT: &str = "client";
const ALGORITHMS: [Algorithm; 5] =
    [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa, Algorithm::Hs256];
const REGISTERED: [&str; 5] = [
    "https://rp.example/callback",
    "https://rp.example/callback?tenant=1",
    "http://127.0.0.1/callback",
    "http://[::1]:3000/callback?a=b",
    "fr.example.app:/callback",
];

fn now() -> Timestamp {
    Timestamp::from_second(NOW).expect("a day in 2019")
}

/// A query or a form as it comes to `/authorize`, `/par` or `/token`.
pub fn request_parameters(data: &[u8]) {
    if let Ok(params) = Params::parse(data) {
        check_parameters(&params);
    }
}

fn check_parameters(params: &Params) {
    let again = Params::parse(params.to_query().as_bytes()).expect("what was read can be written and read again");
    assert_eq!(again.to_query(), params.to_query());
    if let Some(text) = params.get("scope")
        && let Ok(scope) = Scope::parse(text)
    {
        assert_eq!(Scope::parse(&scope.to_string()).as_ref(), Ok(&scope));
        let granted = scope.common(&Scope::parse(&SCOPES.join(" ")).expect("our own scopes"));
        assert!(granted.is_within(&scope));
        assert!(granted.iter().all(|token| SCOPES.contains(&token)));
    }
    if let Some(Ok(prompt)) = params.get("prompt").map(Prompt::parse) {
        assert!(!(prompt.none && (prompt.login || prompt.consent || prompt.select_account)));
    }
    if let Some(Ok(claims)) = params.get("claims").map(ClaimsRequest::parse) {
        assert!(claims.acr().is_none_or(|wanted| wanted.values.len() <= acr::MAX_NAMES));
        claims.subject();
        let _ = Wanted::new(ClaimsProfile::Standard, &Scope::default(), &claims, Place::IdToken);
    }
    if let Some(values) = params.get("acr_values") {
        assert!(acr::Wanted::voluntary(values).values.len() <= acr::MAX_NAMES);
    }
    if let Some(Some(mode)) = params.get("response_mode").map(ResponseMode::parse) {
        assert!(mode.is_signed() == params.get("response_mode").is_some_and(|name| name.ends_with("jwt")));
    }
    if let Some(uri) = params.get("redirect_uri") {
        check_redirect(uri);
    }
    if let Some(challenge) = params.get("code_challenge") {
        let verifier = params.get("code_verifier").unwrap_or_default();
        if habilis_keys::pkce::matches_s256(verifier, challenge) {
            assert!(habilis_keys::pkce::is_s256_challenge(challenge));
        }
    }
    if params.get("dpop_jkt").is_some_and(dpop::is_thumbprint) {
        assert_eq!(params.get("dpop_jkt").map(str::len), Some(43));
    }
    // Not a parameter: the header that may stand beside a form.
    if let Some((id, secret)) = params.get("authorization").and_then(client_auth::basic) {
        assert!(!id.contains('\0') && !secret.expose().contains('\0'), "no text of ours holds NUL");
    }
}

/// A list of people as a spreadsheet writes it: what was read can be written and read again, and is the same.
pub fn csv_people(data: &[u8]) {
    let Ok(preview) = csv_people::read(data) else { return };
    assert!(preview.problems.len() <= preview.problem_count && preview.bad_rows <= preview.problem_count);
    let mut sheet =
        Sheet::new(["Nom", "Prénom", "Courriel", "Identifiant", "Fin", "Téléphone", "Rôle", "Affiliation", "Mandat"]);
    for row in &preview.rows {
        let end = row.ends_on.map(|day| day.to_string()).unwrap_or_default();
        sheet.row([
            row.family.as_str(),
            row.given.as_str(),
            row.email.as_ref().map_or("", |email| email.as_str()),
            row.login.as_deref().unwrap_or_default(),
            &end,
            row.phone.as_deref().unwrap_or_default(),
            if row.role == csv_people::Role::Administrator { "admin" } else { "membre" },
            if row.affiliation == csv_people::Affiliation::External { "externe" } else { "interne" },
            row.mandate.map_or("", csv_people::Mandate::cell),
        ]);
    }
    let again = csv_people::read(&sheet.finish()).expect("a table of ours");
    let plain =
        |rows: Vec<csv_people::Row>| rows.into_iter().map(|row| csv_people::Row { line: 0, ..row }).collect::<Vec<_>>();
    assert_eq!(plain(again.rows), plain(preview.rows));
}

/// What is taken for a registered redirect URI leads to its very place, but for the port of a native application.
fn check_redirect(uri: &str) {
    for registered in REGISTERED {
        assert_eq!(redirects::matches(registered, uri, Application::Web), registered == uri);
        if redirects::matches(registered, uri, Application::Native) {
            let place = |uri: &str| {
                let mut url = Url::parse(uri).expect("a redirect URI is a URI");
                assert!(url.username().is_empty() && url.password().is_none(), "{uri}");
                if registered.starts_with("http://") {
                    url.set_port(None).expect("http has ports");
                }
                url
            };
            assert_eq!(place(uri), place(registered));
        }
    }
}

/// A compact token, and after a line break a set of keys to verify it with.
pub fn jose(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (compact, keys) = text.split_once('\n').unwrap_or((text, ""));
    let given = Jwks::parse(keys.as_bytes()).map(|set| set.keys).unwrap_or_default();
    assert!(given.len() <= MAX_KEYS);
    for key in &given {
        check_key(key);
    }
    let Ok(token) = Unverified::parse(compact) else { return };
    for key in &given {
        for algorithm in ALGORITHMS {
            check_verified(&token, key, algorithm);
        }
    }
    for (key, algorithm, signed) in KNOWN.iter() {
        if check_verified(&token, key, *algorithm) {
            assert!(compact.starts_with(signed), "a forged token: its owner never signed this");
        }
    }
    if token.verify_hmac(&Secret::new("short".to_owned())) != Err(JoseError::WeakSecret) {
        assert_ne!(token.header().alg, "HS256");
    }
}

fn check_key(key: &Jwk) {
    let written = serde_json::to_value(key).expect("a key is JSON");
    assert_eq!(Jwk::from_value(&written).as_ref(), Ok(key), "a key is written as it was read");
    assert_eq!(key.thumbprint().len(), 43);
}

/// Whether the signature verifies; if so, everything the token says of itself agrees.
fn check_verified(token: &Unverified, key: &Jwk, algorithm: Algorithm) -> bool {
    let result = token.verify(key, algorithm);
    let Ok(claims) = result else { return result == Err(JoseError::Claims) };
    assert_eq!(token.header().alg.parse(), Ok(algorithm));
    assert_ne!(algorithm, Algorithm::Hs256, "a public key is no secret");
    assert!(key.fits(algorithm));
    assert_eq!(token.claims_unverified(), Ok(&claims));
    true
}

/// Public keys of RFC 7515 A.2 and A.3 and RFC 8037 A.2, with the one thing their owners signed.
static KNOWN: LazyLock<[(Jwk, Algorithm, &str); 3]> = LazyLock::new(|| {
    let key = |value: Value| Jwk::from_value(&value).expect("a key of an RFC");
    let n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR\
             T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXB\
             dQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9ia\
             GNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    let (x, y) = ("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
    [
        (
            key(json!({ "kty": "RSA", "n": n, "e": "AQAB" })),
            Algorithm::Rs256,
            "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.",
        ),
        (
            key(json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y })),
            Algorithm::Es256,
            "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.",
        ),
        (
            key(json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" })),
            Algorithm::EdDsa,
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.",
        ),
    ]
});

/// The key that signs the proofs made here.
static HOLDER: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("any 32 bytes are a seed"));

/// A proof as it comes in the header; or the claims of one, and after a line break what else its header says, which are then
/// signed here, so that the fuzzer gets past the signature.
pub fn dpop_proof(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let compact = if text.starts_with('{') { signed_proof(text) } else { text.to_owned() };
    let uri = Url::parse("https://server.example.com/token").expect("a URL");
    for access_token in [None, Some("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU")] {
        let expected = Expected { method: "POST", uri: &uri, now: now(), access_token, nonce: None };
        let Ok(proof) = Proof::check(&compact, &expected) else { continue };
        assert!((1..=MAX_JTI_BYTES).contains(&proof.jti.len()));
        assert!(proof.iat.as_second().abs_diff(NOW) <= WINDOW_SECONDS.unsigned_abs());
        assert!(dpop::is_thumbprint(&proof.jkt));
        let token = Unverified::parse(&compact).expect("it was read before");
        let claims = token.claims_unverified().expect("it was read before");
        assert_eq!(token.header().typ.as_deref(), Some("dpop+jwt"));
        assert_eq!(claims["htm"], "POST");
        let htu = Url::parse(claims["htu"].as_str().expect("htu is a text")).expect("htu is a URL");
        assert_eq!((htu.scheme(), htu.host_str()), ("https", Some("server.example.com")));
        assert_eq!((htu.port_or_known_default(), htu.username(), htu.password()), (Some(443), "", None));
        assert!(access_token.is_none() || claims["ath"] == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
    }
}

fn signed_proof(text: &str) -> String {
    let (claims, more) = text.split_once('\n').unwrap_or((text, ""));
    let x = URL_SAFE_NO_PAD.encode(HOLDER.public_key().as_ref());
    let mut header = json!({ "typ": "dpop+jwt", "alg": "EdDSA", "jwk": { "kty": "OKP", "crv": "Ed25519", "x": x } });
    if let (Some(header), Ok(more)) = (header.as_object_mut(), serde_json::from_str::<Map<String, Value>>(more)) {
        header.extend(more);
    }
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(HOLDER.sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// The body of a registration.
pub fn registration_metadata(data: &[u8]) {
    let Ok(mut document) = serde_json::from_slice::<Map<String, Value>>(data) else { return };
    document.retain(|_, value| !value.is_null());
    let Ok(metadata) = serde_json::from_value::<Metadata>(Value::Object(document)) else { return };
    for profile in [
        SecurityProfile::Oidc,
        SecurityProfile::Fapi2Security,
        SecurityProfile::Fapi2MessageSigning,
        SecurityProfile::Legacy,
    ] {
        match metadata.check(profile) {
            Ok(()) => check_registered(&metadata, profile),
            Err(problems) => assert!(!problems.is_empty(), "a refusal says why"),
        }
    }
}

/// What was accepted can be stored, read back and used.
fn check_registered(metadata: &Metadata, profile: SecurityProfile) {
    let settings = Settings { profile, ..Settings::default() };
    let registration = Registration::new("cli_1".to_owned(), metadata, &settings, None).expect("it can be written");
    let client = Client::from_row(registration.row).expect("what registration accepts can be read back");
    let written = |metadata: &Metadata| serde_json::to_value(metadata).expect("metadata are JSON");
    assert_eq!(written(&client.metadata), written(metadata));
    assert_eq!(client.secret_digest.is_some(), client.authentication.uses_secret());
    assert!(!client.scope.contains(""));
    for uri in &metadata.redirect_uris {
        assert!(client.redirects_to(uri), "{uri}");
        let url = Url::parse(uri).expect("a redirect URI is a URI");
        assert_eq!(url.fragment(), None, "{uri}");
        assert!(!["javascript", "data", "file", "vbscript"].contains(&url.scheme()), "{uri}");
        assert!(url.username().is_empty() && url.password().is_none(), "{uri}");
    }
    for uri in [&metadata.logo_uri, &metadata.policy_uri, &metadata.tos_uri, &metadata.client_uri].into_iter().flatten()
    {
        let lower = uri.to_ascii_lowercase();
        assert!(lower.starts_with("http://") || lower.starts_with("https://"), "{uri}");
        assert!(uri.bytes().all(|byte| byte.is_ascii_graphic()), "{uri}");
    }
}

/// The claims of a request object whose signature was verified.
pub fn request_object(data: &[u8]) {
    let Ok(claims) = serde_json::from_slice::<Map<String, Value>>(data) else { return };
    let about = request_object::about(&claims, ISSUER);
    for rule in [RequestObjectClaims::AsPresent, RequestObjectClaims::Required] {
        if request_objects::check(&about, CLIENT, rule, now()).is_err() {
            continue;
        }
        assert!(!claims.contains_key("request") && !claims.contains_key("request_uri"));
        assert_ne!(claims.get("sub").and_then(Value::as_str), Some(CLIENT));
        if rule == RequestObjectClaims::Required {
            assert_eq!(claims["iss"], CLIENT);
            let expires_at = claims["exp"].as_f64().expect("exp is a number");
            let limit = request_objects::MAX_LIFE.as_secs_f64() + assertions::SKEW.as_secs_f64();
            #[expect(clippy::cast_precision_loss, reason = "an instant of this century")]
            let left = expires_at - NOW as f64;
            assert!(left < limit + 1.0 && left > -assertions::SKEW.as_secs_f64(), "{left}");
        }
    }
    let Some(parameters) = request_object::parameters(&claims) else { return };
    let mut params = Params::default();
    for (name, value) in parameters {
        assert!(!["iss", "aud", "exp", "client_id"].contains(&name.as_str()));
        params.set(&name, value);
    }
    check_parameters(&params);
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Runs `target` on every input kept for it.
    fn replay(name: &str, target: fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let mut count = 0;
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let input = std::fs::read(&path).unwrap();
            assert!(
                std::panic::catch_unwind(|| target(&input)).is_ok(),
                "{} breaks a property of {name}",
                path.display()
            );
            count += 1;
        }
        assert!(count >= 5, "{name} has {count} inputs");
    }

    macro_rules! replayed {
        ($($name:ident)*) => {$(
            #[test]
            fn $name() {
                replay(stringify!($name), super::$name);
            }
        )*};
    }

    replayed! { request_parameters jose dpop_proof registration_metadata request_object csv_people }
}
