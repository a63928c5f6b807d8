//! The way back for somebody who lost their second factors or their password, by the hand of an administrator or the operator (R035).
//! What they get is never shown to whoever acts: it goes to the person by mail.

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use habilis_policies::authorization::Action;
use habilis_policies::calendar;
use habilis_policies::second_factor::Rule;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::Problems;
use super::body::{Body, NoBody, fields};
use super::caller::Caller;
use super::people::somebody;
use super::problem::{Answer, Code, Problem};
use super::write::{Write, Written};
use crate::account::signatories;
use crate::app::App;
use crate::db::people::Person;
use crate::db::{Tx, audit, members, organizations, people, second_factors};
use crate::login::finish::asked;
use crate::login::links::may_be_sent;
use crate::login::{factors, reissue};
use crate::mail::factors::ResetBy;
use crate::mail::organizations::SensitiveAct;
use crate::web::routing::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(reset_of_member))
        .routes(routes!(renew))
        .routes(routes!(read))
        .routes(routes!(reset_of_person))
}

/// Why second factors are reset.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FactorsReset {
    /// How the person proved who they are, for the audit trail.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 2000)]
    reason: fields::Paragraph,
}

/// What was reset.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FactorsRemoved {
    /// Passkeys and authenticator apps that were removed.
    removed: u64,
}

/// The second factors of a person.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PersonFactors {
    /// Whether one is required of them, whatever the portal.
    required: bool,
    /// Passkeys.
    passkeys: i64,
    /// Authenticator apps that were confirmed.
    authenticator_apps: i64,
    /// Recovery codes that were not used.
    recovery_codes_left: i64,
    /// Whether there is a password.
    password: bool,
}

/// Take every second factor of a member away who lost them: passkeys, authenticator apps, recovery codes. Their sessions and tokens end,
/// they are told by mail, and set up another at the next sign-in where one is required. Of somebody who belongs to another organization
/// as well the operator does it: 409 `in_other_organizations`.
#[utoipa::path(
    post, path = "/organizations/{organization}/members/{person}/second-factors/reset", tag = "members", request_body = FactorsReset,
    params(("organization" = String, Path, description = "`org_…`"), ("person" = String, Path, description = "`usr_…`")),
    responses((status = 200, description = "Removed", body = FactorsRemoved), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn reset_of_member(
    State(app): State<App>,
    caller: Caller,
    Path((organization, person)): Path<(String, String)>,
    body: Body<FactorsReset>,
) -> Answer {
    let on = caller.on_member(&app, Action::ResetMemberFactors, (&organization, &person)).await?;
    let (organization, person) = (&on.organization.id, &on.member.person_id);
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    members::lock(&mut write.tx, organization).await?;
    let Some(member) = members::find(&mut write.tx, organization, person).await? else {
        return Err(Problem::not_found().into());
    };
    let today = calendar::date_at(write.now).to_string();
    let elsewhere = organizations::all_of_person(&mut write.tx, person).await?.into_iter().any(|of| {
        of.id != *organization
            && of.organization_status != "terminated"
            && of.ends_on.is_none_or(|last_day| last_day >= today)
    });
    if elsewhere {
        return Err(Problem::bare(Code::InOtherOrganizations).into());
    }
    let account = with_factors(&mut write.tx, person, write.now).await?;
    let event = on.event(&caller, "second_factors.reset").with("reason", body.value.reason.0.clone());
    let by = ResetBy::Organization(on.organization.name.clone());
    let removed = factors::reset_as(&mut write.tx, &app, (&account, event, by), write.now).await?;
    if member.role == "administrator" {
        let by = signatories::acted(&mut write.tx, &app.config, caller.id()).await?;
        let person = format!("{} {}", member.given_name, member.family_name);
        let act = SensitiveAct::FactorsReset { person, by };
        signatories::tell(&mut write.tx, &app, (&on.organization, act), write.now).await?;
    }
    let answer = write.finish(Written::changed(&FactorsRemoved { removed })?).await;
    app.mail_waiting.notify_one();
    answer
}

/// The person, locked, if they have something to reset.
async fn with_factors(tx: &mut Tx, person: &str, now: Timestamp) -> Answer<Person> {
    people::lock(tx, person).await?;
    let account = somebody(tx, person).await?;
    if !second_factors::find(tx, person, now).await?.any() {
        return Err(Problem::new(Code::Conflict, "there is no second factor to remove").into());
    }
    Ok(account)
}

/// Mail a member a link to choose another password, which works once within an hour (R035). Nobody else sees it. It needs an open account, or
/// one that is suspended until its password is renewed, and a proven address; somebody invited who never came is sent their invitation
/// again instead.
#[utoipa::path(
    post, path = "/organizations/{organization}/members/{person}/renewal", tag = "members",
    params(("organization" = String, Path, description = "`org_…`"), ("person" = String, Path, description = "`usr_…`")),
    responses((status = 204, description = "Sent"), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn renew(
    State(app): State<App>,
    caller: Caller,
    Path((organization, person)): Path<(String, String)>,
    request: NoBody,
) -> Answer {
    let on = caller.on_member(&app, Action::ReissuePassword, (&organization, &person)).await?;
    let person = &on.member.person_id;
    let mut write = Write::begin(&app, &caller, &request.idempotency).await?;
    people::lock(&mut write.tx, person).await?;
    let account = somebody(&mut write.tx, person).await?;
    if account.status == "pending" {
        return Err(Problem::bare(Code::AccountPending).into());
    }
    if !may_be_sent(&account.status) {
        return Err(Problem::new(Code::Conflict, "the account is closed: no password opens it").into());
    }
    if account.email.is_none() || !account.email_verified {
        return Err(Problem::bare(Code::AddressUnproven).into());
    }
    let to = (person.as_str(), on.organization.name.as_str());
    if let Err(too_early) = reissue::reissue(&mut write.tx, &app, to, write.now).await? {
        let left = too_early.retry_at.duration_since(write.now);
        return Err(Problem::wait("five links within an hour were sent", left).into());
    }
    audit::record(&mut write.tx, on.event(&caller, "password.reissued"), write.now).await?;
    let answer = write.finish(Written::nothing()).await;
    app.mail_waiting.notify_one();
    answer
}

/// Read what second factors a person has: how many of each, never which.
#[utoipa::path(
    get, path = "/people/{person}/second-factors", tag = "people",
    params(("person" = String, Path, description = "`usr_…`")),
    responses((status = 200, description = "Found", body = PersonFactors), Problems),
    security(("oauth2" = ["habilis.people.read"]))
)]
async fn read(State(app): State<App>, caller: Caller, Path(person): Path<String>) -> Answer {
    let person = somebody(&mut app.db.reader().await?, &person).await;
    let person = caller.on_person(&app, Action::ReadPerson, person).await?;
    let found = second_factors::find(&mut app.db.reader().await?, &person.id, app.clock.now()).await?;
    let factors = PersonFactors {
        required: asked(&app, &found, Rule::Optional) == Rule::Required,
        passkeys: found.passkeys,
        authenticator_apps: found.apps,
        recovery_codes_left: found.codes,
        password: found.passwords > 0,
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], axum::Json(factors)).into_response())
}

/// Take every second factor of a person away who lost them, wherever they are a member. Their sessions and tokens end, and they
/// are told by mail.
#[utoipa::path(
    post, path = "/people/{person}/second-factors/reset", tag = "people", request_body = FactorsReset,
    params(("person" = String, Path, description = "`usr_…`")),
    responses((status = 200, description = "Removed", body = FactorsRemoved), Problems),
    security(("oauth2" = ["habilis.measures"]))
)]
async fn reset_of_person(
    State(app): State<App>,
    caller: Caller,
    Path(person): Path<String>,
    body: Body<FactorsReset>,
) -> Answer {
    let person = somebody(&mut app.db.reader().await?, &person).await;
    let person = caller.on_person(&app, Action::ResetPersonFactors, person).await?;
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let administered = administered(&mut write.tx, &person.id, write.now).await?;
    let account = with_factors(&mut write.tx, &person.id, write.now).await?;
    let event = caller.event("second_factors.reset").about(&person.id);
    let event = event.with("reason", body.value.reason.0.clone());
    let removed = factors::reset_as(&mut write.tx, &app, (&account, event, ResetBy::Operator), write.now).await?;
    let by = signatories::acted(&mut write.tx, &app.config, caller.id()).await?;
    for organization in administered {
        let person = format!("{} {}", account.given_name, account.family_name);
        let act = SensitiveAct::FactorsReset { person, by: by.clone() };
        signatories::tell(&mut write.tx, &app, (&organization, act), write.now).await?;
    }
    let answer = write.finish(Written::changed(&FactorsRemoved { removed })?).await;
    app.mail_waiting.notify_one();
    answer
}

/// The organizations that a person administers today.
async fn administered(tx: &mut Tx, person: &str, now: Timestamp) -> Answer<Vec<organizations::Organization>> {
    let today = calendar::date_at(now).to_string();
    let mut found = Vec::new();
    for of in members::in_force(tx, person, &today).await?.into_iter().filter(|of| of.role == "administrator") {
        found.extend(organizations::find(tx, &of.organization_id).await?);
    }
    Ok(found)
}
