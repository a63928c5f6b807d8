//! `/organizations/{organization}/members/bulk`: up to a thousand acts on members in one request, each under the rules of its own
//! endpoint and answered by itself (R051).
//!
//! They are done in turns ([`TURN`]), so that a thousand of them keep nobody from signing in: what a turn did is done, whatever becomes of
//! the request, and is kept under its `Idempotency-Key`, so that the same request again goes on behind it.

use axum::extract::{DefaultBodyLimit, Path, State};
use habilis_policies::authorization::Action;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;
use utoipa::ToSchema;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt as _};

use super::Problems;
use super::body::{Body, fields};
use super::caller::{Caller, OnMember};
use super::members::{MemberPatch, change, change_status, end_membership, show};
use super::problem::{Answer, Problem, Stop};
use super::rights::{Roles, giving, set_roles};
use super::write::{Write, Written};
use crate::app::App;
use crate::db::TURN;
use crate::web::routing::routes;

/// Acts in one request.
const MOST: usize = 1000;
/// Largest body: every act with a long reason.
const MAX_BODY: usize = 4 * 1024 * 1024;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(bulk).layer(DefaultBodyLimit::max(MAX_BODY)))
}

/// Acts on members, done in their order.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Operations {
    /// 1 to 1,000 of them.
    #[schema(min_items = 1, max_items = 1000)]
    operations: Vec<Operation>,
}

/// An act on a member.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "operation", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Operation {
    /// Suspend the membership.
    Suspend {
        /// `usr_…`.
        #[schema(max_length = 200)]
        person: String,
        /// Why, for the audit trail.
        #[serde(deserialize_with = "fields::parsed")]
        #[schema(value_type = String, min_length = 1, max_length = 2000)]
        reason: fields::Paragraph,
    },
    /// Set the last day, or take it away.
    SetEnd {
        /// `usr_…`.
        #[schema(max_length = 200)]
        person: String,
        /// Last day; null for none.
        #[serde(deserialize_with = "fields::optional")]
        #[schema(value_type = Option<String>, format = Date, required = true)]
        ends_on: Option<Date>,
    },
    /// Give exactly these roles in a portal.
    SetRights {
        /// `usr_…`.
        #[schema(max_length = 200)]
        person: String,
        /// `client_id` of the portal.
        #[schema(max_length = 256)]
        client_id: String,
        /// All of them: what is not named is taken away.
        #[schema(max_items = 50)]
        roles: Vec<String>,
    },
    /// Remove the member, or withdraw the invitation.
    Remove {
        /// `usr_…`.
        #[schema(max_length = 200)]
        person: String,
    },
    /// End the suspension of the membership.
    Reinstate {
        /// `usr_…`.
        #[schema(max_length = 200)]
        person: String,
        /// Why, for the audit trail.
        #[serde(deserialize_with = "fields::parsed")]
        #[schema(value_type = String, min_length = 1, max_length = 2000)]
        reason: fields::Paragraph,
    },
}

/// What became of an act.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct OperationResult {
    /// The member it was about.
    person: String,
    /// HTTP status that the endpoint of the act would have answered with.
    status: u16,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    problem: Option<Value>,
}

/// What became of each act, in their order.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BulkAnswer {
    /// How many were done.
    done: usize,
    /// How many were refused.
    refused: usize,
    /// One for each act.
    results: Vec<OperationResult>,
}

impl OperationResult {
    fn of(operation: &Operation, outcome: Result<u16, Problem>) -> Self {
        let person = operation.person().to_owned();
        match outcome {
            Ok(status) => Self { person, status, problem: None },
            Err(problem) => {
                let status = problem.code().status().as_u16();
                Self { person, status, problem: Some(problem.document()) }
            }
        }
    }
}

impl Operation {
    fn person(&self) -> &str {
        match self {
            Self::Suspend { person, .. }
            | Self::SetEnd { person, .. }
            | Self::SetRights { person, .. }
            | Self::Remove { person }
            | Self::Reinstate { person, .. } => person,
        }
    }

    fn action(&self) -> Action {
        match self {
            Self::Suspend { .. } => Action::SuspendMember,
            Self::SetEnd { .. } => Action::UpdateMember,
            Self::SetRights { roles, .. } => giving(roles),
            Self::Remove { .. } => Action::RemoveMember,
            Self::Reinstate { .. } => Action::ReinstateMember,
        }
    }
}

/// Act on many members at once. Each act is done or refused by itself, in their order; those done stay so when the request is cut short,
/// and the same request with its `Idempotency-Key` goes on behind them.
#[utoipa::path(
    post, path = "/organizations/{organization}/members/bulk", tag = "members", request_body = Operations,
    params(("organization" = String, Path, description = "`org_…`")),
    responses((status = 200, description = "What became of each", body = BulkAnswer), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn bulk(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    body: Body<Operations>,
) -> Answer {
    let operations = &body.value.operations;
    // Who has nothing to do with the organization is told so, rather than a thousand times that there is no such member.
    caller.in_organization(&app, Action::ListMembers, &organization).await?;
    if operations.is_empty() || operations.len() > MOST {
        return Err(Problem::field("/operations", "invalid", "1 to 1,000 operations").into());
    }
    // Leave first, all of it: refusals are told to the trail in a transaction of their own.
    let (mut leave, mut told) = (Vec::with_capacity(operations.len()), Vec::new());
    for operation in operations {
        let mut asked = caller.on_member_of_many(&app, operation.action(), (&organization, operation.person())).await;
        if let (Operation::SetEnd { person, .. }, Ok(Ok(on))) = (operation, &asked)
            && on.member.role == "administrator"
        {
            // As at the endpoint of the act.
            asked = caller.on_member_of_many(&app, Action::SetMemberRole, (&organization, person)).await;
        }
        let asked = match refused(asked) {
            Ok(asked) => asked,
            Err(stop) => {
                caller.record_refused(&app, &told).await?;
                return Err(stop);
            }
        };
        leave.push(match asked {
            Ok(Ok(on)) => Ok(on),
            Ok(Err(refused)) => {
                let problem = refused.problem.clone();
                told.push(refused);
                Err(problem)
            }
            Err(problem) => Err(problem),
        });
    }
    caller.record_refused(&app, &told).await?;
    let answer = in_turns(&app, &caller, &body, &leave).await;
    app.mail_waiting.notify_one();
    answer
}

/// Does what there is leave for, some acts a transaction.
async fn in_turns(app: &App, caller: &Caller, body: &Body<Operations>, leave: &[Result<OnMember, Problem>]) -> Answer {
    let acts: Vec<_> = body.value.operations.iter().zip(leave).collect();
    let (mut write, so_far) = Write::begin_turns(app, caller, &body.idempotency).await?;
    let mut results = done_so_far(so_far)?;
    let mut begun = Instant::now();
    while let Some((operation, on)) = acts.get(results.len()) {
        let outcome = match on {
            Ok(on) => refused(carry_out(app, &mut write, (caller, on), operation).await)?,
            Err(problem) => Err(problem.clone()),
        };
        results.push(OperationResult::of(operation, outcome));
        if begun.elapsed() > TURN && results.len() < acts.len() {
            let (next, so_far) =
                write.turn((app, caller), &body.idempotency, &serde_json::to_string(&results)?).await?;
            app.mail_waiting.notify_one();
            write = next;
            // The same request beside this one may have gone further.
            if so_far.is_some() {
                results = done_so_far(so_far)?;
            }
            begun = Instant::now();
        }
    }
    let refused = results.iter().filter(|result| result.problem.is_some()).count();
    let answer = BulkAnswer { done: results.len() - refused, refused, results };
    write.finish(Written::changed(&answer)?).await
}

/// What became of the first acts in earlier turns.
fn done_so_far(kept: Option<String>) -> Answer<Vec<OperationResult>> {
    Ok(kept.map(|kept| serde_json::from_str(&kept)).transpose()?.unwrap_or_default())
}

/// A problem is the answer to one act; a challenge, an answer already given or a fault are about the request.
fn refused<T>(answer: Answer<T>) -> Answer<Result<T, Problem>> {
    match answer {
        Ok(done) => Ok(Ok(done)),
        Err(Stop::Refused(problem)) => Ok(Err(problem)),
        Err(stop) => Err(stop),
    }
}

/// Does one act by the function of its endpoint, which writes nothing when it refuses.
async fn carry_out(
    app: &App,
    write: &mut Write,
    (caller, on): (&Caller, &OnMember),
    operation: &Operation,
) -> Answer<u16> {
    match operation {
        Operation::Suspend { reason, .. } => {
            change_status((write, app), caller, on, ("suspended", &reason.0)).await.map(drop)?;
        }
        Operation::Reinstate { reason, .. } => {
            change_status((write, app), caller, on, ("active", &reason.0)).await.map(drop)?;
        }
        Operation::SetEnd { ends_on, .. } => {
            let patch = MemberPatch::ending(*ends_on);
            let (before, version) = show(&mut write.tx, (&on.organization.id, &on.member.person_id), &on.asked).await?;
            change(write, caller, on, (&patch, before, version)).await.map(drop)?;
        }
        Operation::SetRights { client_id, roles, .. } => {
            let roles = Roles { roles: roles.clone() }.checked()?;
            let Some(client) = app.client(client_id).await? else { return Err(Problem::not_found().into()) };
            set_roles(write, caller, on, (&client.id, &roles)).await.map(drop)?;
        }
        Operation::Remove { .. } => {
            // Removed by an act before this one.
            show(&mut write.tx, (&on.organization.id, &on.member.person_id), &on.asked).await?;
            end_membership(write, app, caller, on).await?;
            return Ok(204);
        }
    }
    Ok(200)
}
