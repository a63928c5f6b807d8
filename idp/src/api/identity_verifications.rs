//! `/people/{person}/identity-verifications`: an operator records that they verified who somebody is, which opens the portals to an account
//! whose names, day of birth and address became those of somebody else (R007). How it was verified is said; what proves it stays elsewhere.

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use habilis_keys::random;
use habilis_policies::authorization::Action;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::body::{Body, fields};
use super::caller::Caller;
use super::page::Page;
use super::people::somebody;
use super::precondition::IfMatch;
use super::problem::{Answer, Code, Problem};
use super::write::{Write, Written};
use super::{Problems, instant};
use crate::account::identity;
use crate::app::App;
use crate::db::identities::{self, Verification};
use crate::db::{audit, people};
use crate::web::routing::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(verify, list))
}

/// How the identity was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum VerificationMethod {
    IdentityDocument,
    Video,
    InPerson,
}

impl VerificationMethod {
    fn word(self) -> &'static str {
        match self {
            Self::IdentityDocument => "identity_document",
            Self::Video => "video",
            Self::InPerson => "in_person",
        }
    }
}

/// A verification to record.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewIdentityVerification {
    /// `identity_document`, `video` or `in_person`.
    method: VerificationMethod,
    /// Where the proof is kept, such as a file number; never the number of a document.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    reference: Option<fields::Line>,
    /// Why the account says what it says now.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 2000)]
    reason: Option<fields::Paragraph>,
}

/// A verification that was recorded.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct IdentityVerification {
    /// `idv_…`.
    id: String,
    /// `identity_document`, `video` or `in_person`.
    method: String,
    /// Where the proof is kept.
    #[schema(required = true)]
    reference: Option<String>,
    /// What was said of it.
    #[schema(required = true)]
    reason: Option<String>,
    /// Who recorded it, `usr_…`.
    verified_by: String,
    /// RFC 3339.
    verified_at: String,
}

impl From<Verification> for IdentityVerification {
    fn from(row: Verification) -> Self {
        Self {
            id: row.id,
            method: row.method,
            reference: row.reference,
            reason: row.reason,
            verified_by: row.verified_by,
            verified_at: instant(row.verified_at),
        }
    }
}

/// Record that the identity of a person was verified, as the account said it at the version of `If-Match`: portals are open to them again, and
/// later changes are weighed against what it says now. Nobody does it of themselves, and no program does.
#[utoipa::path(
    post, path = "/people/{person}/identity-verifications", tag = "people", request_body = NewIdentityVerification,
    params(
        ("person" = String, Path, description = "`usr_…`"),
        ("If-Match" = String, Header, description = "`ETag` of the person that was read")
    ),
    responses((status = 201, description = "Recorded", body = IdentityVerification), Problems),
    security(("oauth2" = ["habilis.measures"]))
)]
async fn verify(
    State(app): State<App>,
    caller: Caller,
    Path(person): Path<String>,
    if_match: IfMatch,
    body: Body<NewIdentityVerification>,
) -> Answer {
    let person = somebody(&mut app.db.reader().await?, &person).await;
    let person = caller.on_person(&app, Action::VerifyIdentity, person).await?;
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    people::lock(&mut write.tx, &person.id).await?;
    let account = somebody(&mut write.tx, &person.id).await?;
    if_match.check(account.version)?;
    match account.status.as_str() {
        "pending" => return Err(Problem::bare(Code::AccountPending).into()),
        "closed" | "terminated" => return Err(Problem::new(Code::Conflict, "the account is closed for good").into()),
        _ => {}
    }
    let new = &body.value;
    let made = Verification {
        id: random::id("idv", write.now),
        method: new.method.word().to_owned(),
        reference: new.reference.as_ref().map(|line| line.0.clone()),
        reason: new.reason.as_ref().map(|text| text.0.clone()),
        verified_by: caller.id().to_owned(),
        verified_at: write.now.into(),
    };
    let waited = identity::verified(&mut write.tx, &app, (&account, &made), write.now).await?;
    let event = caller.event("account.identity_verified").about(&account.id);
    let event = event.with("verification", made.id.clone()).with("method", made.method.clone()).with("waited", waited);
    audit::record(&mut write.tx, event, write.now).await?;
    let place = format!("/api/v1/people/{}/identity-verifications", account.id);
    let answer = write.finish(Written::created(place, &IdentityVerification::from(made))?).await;
    app.mail_waiting.notify_one();
    answer
}

/// List the verifications of a person's identity, the newest first.
#[utoipa::path(
    get, path = "/people/{person}/identity-verifications", tag = "people",
    params(("person" = String, Path, description = "`usr_…`")),
    responses((status = 200, description = "At most 100", body = Page<IdentityVerification>), Problems),
    security(("oauth2" = ["habilis.people.read"]))
)]
async fn list(State(app): State<App>, caller: Caller, Path(person): Path<String>) -> Answer {
    let person = somebody(&mut app.db.reader().await?, &person).await;
    let person = caller.on_person(&app, Action::ReadPerson, person).await?;
    let rows = identities::of_person(&mut app.db.reader().await?, &person.id).await?;
    Ok(Page { items: rows.into_iter().map(IdentityVerification::from).collect(), next: None }.into_response())
}
