//! `/signing-keys`: the keys that this server signs with, for operators with a recent second factor and nobody else. What is done is
//! `crate::rotation`. Private halves are in no answer.

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use habilis_keys::jws::Algorithm;
use habilis_keys::keyring::Rotation;
use habilis_policies::authorization::Action;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::Problems;
use super::body::{Body, fields};
use super::caller::Caller;
use super::page::Page;
use super::problem::{Answer, Problem};
use super::write::{Write, Written};
use crate::app::App;
use crate::db::Conn;
use crate::keyring::{ALGORITHMS, KeyLine, lines};
use crate::rotation::{self, Withdrawal};
use crate::web::routing::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(rotate)).routes(routes!(withdraw))
}

/// A signing key.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SigningKey {
    /// `jwk_…`: the `kid` of its tokens.
    id: String,
    /// `RS256`, `PS256`, `ES256` or `EdDSA`.
    algorithm: &'static str,
    /// `next` (announced, signs later), `signing`, `retiring` (published until no token of it is alive) or `retired` (published no more, and
    /// of its tokens an `id_token_hint` alone is believed; forgotten after a year).
    state: &'static str,
    /// RFC 3339: when it was made, and published.
    created_at: String,
    /// RFC 3339: when it begins to sign.
    sign_from: String,
    /// RFC 3339: when it stops, once a successor is announced.
    sign_until: Option<String>,
    /// RFC 3339: when it is published no more, once a successor is announced.
    published_until: Option<String>,
    /// The public half (RFC 7517).
    #[schema(value_type = Object)]
    public_jwk: Value,
}

/// The signing keys, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SigningKeys {
    /// All of them.
    keys: Vec<SigningKey>,
}

impl SigningKey {
    fn of(line: KeyLine) -> Answer<Self> {
        Ok(Self {
            id: line.dates.kid,
            algorithm: line.dates.algorithm.as_str(),
            state: line.state,
            created_at: line.dates.created_at.to_string(),
            sign_from: line.dates.sign_from.to_string(),
            sign_until: line.dates.sign_until.map(|at| at.to_string()),
            published_until: line.dates.remove_at.map(|at| at.to_string()),
            public_jwk: serde_json::to_value(line.public)?,
        })
    }
}

async fn stored(c: &mut impl Conn, now: Timestamp) -> Answer<Vec<SigningKey>> {
    lines(c, now).await?.into_iter().map(SigningKey::of).collect()
}

/// Answers with the keys as they are now; this node goes by them at once.
async fn finish(app: &App, mut write: Write) -> Answer {
    let keys = stored(&mut write.tx, write.now).await?;
    let answer = write.finish(Written::changed(&SigningKeys { keys })?).await?;
    app.mail_waiting.notify_one();
    // It is done, whatever becomes of this: the jobs read the ring again within half a minute.
    if let Err(fault) = app.keys.reload(&app.db).await {
        tracing::error!(event = "signing_keys_not_reloaded", cause = ?fault);
    }
    Ok(answer)
}

/// List the signing keys, the oldest first: all that sign, will or did, until a year after their time was over.
#[utoipa::path(
    get, path = "/signing-keys", tag = "signing keys",
    responses((status = 200, description = "All of them", body = Page<SigningKey>), Problems),
    security(("oauth2" = ["habilis.signing_keys"]))
)]
async fn list(State(app): State<App>, caller: Caller) -> Answer {
    caller.may(&app, Action::ReadSigningKeys).await?;
    let items = stored(&mut app.db.reader().await?, app.clock.now()).await?;
    Ok(Page { items, next: None }.into_response())
}

/// An algorithm that this server signs with.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
enum AlgorithmName {
    #[serde(rename = "RS256")]
    Rs256,
    #[serde(rename = "PS256")]
    Ps256,
    #[serde(rename = "ES256")]
    Es256,
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl AlgorithmName {
    fn algorithm(self) -> Algorithm {
        match self {
            Self::Rs256 => Algorithm::Rs256,
            Self::Ps256 => Algorithm::Ps256,
            Self::Es256 => Algorithm::Es256,
            Self::EdDsa => Algorithm::EdDsa,
        }
    }
}

/// Which keys to replace.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlannedRotation {
    /// Of this algorithm alone; of each when absent.
    algorithm: Option<AlgorithmName>,
}

/// Announce new keys: published at once, they sign when every portal knows them, and the former ones stay published until no token needs
/// them. Where one is announced already, nothing changes.
#[utoipa::path(
    post, path = "/signing-keys/rotate", tag = "signing keys", request_body = PlannedRotation,
    responses((status = 200, description = "The keys as they are now", body = SigningKeys), Problems),
    security(("oauth2" = ["habilis.signing_keys"]))
)]
async fn rotate(State(app): State<App>, caller: Caller, body: Body<PlannedRotation>) -> Answer {
    let policy = caller.may(&app, Action::RotateSigningKeys).await?;
    let one = body.value.algorithm.map(|name| [name.algorithm()]);
    let algorithms = one.as_ref().map_or(&ALGORITHMS[..], |one| &one[..]);
    app.keys.reload(&app.db).await?;
    let made = app.keys.make_for(&rotation::planned(algorithms), app.clock.now()).await?;
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let event = caller.event("signing_keys.announced").with("policy", policy);
    rotation::announce(&mut write.tx, &app.keys, (algorithms, made, event), write.now).await?;
    finish(&app, write).await
}

/// Why a key is withdrawn.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EmergencyWithdrawal {
    /// For the audit trail, and the letter to operators and data protection officers.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 2000)]
    reason: fields::Paragraph,
}

/// Withdraw a compromised key at once, a `retired` one as well: it is published no more, what it signed is refused, and another one signs.
/// Other nodes follow within half a minute. Every operator and data protection officer is told by mail.
#[utoipa::path(
    post, path = "/signing-keys/{signing_key}/withdraw", tag = "signing keys", request_body = EmergencyWithdrawal,
    params(("signing_key" = String, Path, description = "`jwk_…`")),
    responses((status = 200, description = "The keys as they are now", body = SigningKeys), Problems),
    security(("oauth2" = ["habilis.signing_keys"]))
)]
async fn withdraw(
    State(app): State<App>,
    caller: Caller,
    Path(kid): Path<String>,
    body: Body<EmergencyWithdrawal>,
) -> Answer {
    let policy = caller.may(&app, Action::RotateSigningKeys).await?;
    if kid.contains('\0') {
        return Err(Problem::not_found().into());
    }
    app.keys.reload(&app.db).await?;
    let made = app.keys.make_for(&[Rotation::Emergency { kid: &kid }], app.clock.now()).await?;
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let event = caller.event("signing_key.withdrawn").with("policy", policy);
    let withdrawal = Withdrawal { kid: &kid, reason: &body.value.reason.0, by: caller.id() };
    let ring = (&app.keys, (&app).into());
    if !rotation::withdraw(&mut write.tx, ring, (withdrawal, made, event), write.now).await? {
        return Err(Problem::not_found().into());
    }
    finish(&app, write).await
}
