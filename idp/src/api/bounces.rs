//! `/bounces`: what the operator's mail server learns after it took a mail (R005), for the program that reads bounces. What is done is
//! `crate::mail::bounces`; whose addresses refused mail is told by the lists of people and members (`address=refused`).

use axum::extract::State;
use habilis_policies::authorization::Action;
use habilis_policies::contact::Email;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::Problems;
use super::body::{Body, fields};
use super::caller::Caller;
use super::problem::{Answer, Code, Problem};
use super::write::{Write, Written};
use crate::app::App;
use crate::mail::bounces::{self, Returned};
use crate::web::routing::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(report))
}

/// The `Message-ID` of a mail of this server, or its id.
#[derive(Debug)]
struct MessageId(String);

impl fields::FromText for MessageId {
    fn from_text(text: &str) -> Result<Self, String> {
        let graphic = (1..=320).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        match Returned::message(text).filter(|_| graphic) {
            Some(Returned::Mail(id)) => Ok(Self(id.to_owned())),
            _ => Err("`<mail_…@…>`, as a mail of this server has it, or `mail_…`".to_owned()),
        }
    }
}

/// A mail that came back: named by its address or by its `Message-ID`, one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewBounce {
    /// The address that took no mail: of everybody who has it.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, max_length = 254)]
    address: Option<Email>,
    /// The `Message-ID` of the mail that came back.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 320)]
    message_id: Option<MessageId>,
}

/// What came of it; who is concerned is in the trail.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BounceNoted {
    /// People whose address it is.
    people: usize,
    /// Those of them whose address counted as good until now: it is unproven, and the administrators of their organizations are told.
    unproven: usize,
}

/// Report a mail that came back. Its address counts as unproven from then on, and the administrators are told, once. 404 when nobody has the
/// address, or the mail is not one of this server's or was reported before.
#[utoipa::path(
    post, path = "/bounces", tag = "people", request_body = NewBounce,
    responses((status = 200, description = "Noted", body = BounceNoted), Problems),
    security(("oauth2" = ["habilis.bounces"]))
)]
async fn report(State(app): State<App>, caller: Caller, body: Body<NewBounce>) -> Answer {
    let policy = caller.may(&app, Action::ReportBounce).await?;
    let what = match (&body.value.address, &body.value.message_id) {
        (Some(address), None) => Returned::Address(address.as_str()),
        (None, Some(mail)) => Returned::Mail(&mail.0),
        _ => return Err(Problem::field("", "invalid", "address or message_id, one of the two").into()),
    };
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let event = caller.event(bounces::EVENT).with("policy", policy);
    let concerned = bounces::returned(&mut write.tx, (&app).into(), (what, &event), write.now).await?;
    let Some(concerned) = concerned else {
        return Err(Problem::new(Code::NotFound, "nobody has the address, or the mail is not known").into());
    };
    let unproven = concerned.iter().filter(|one| one.first).count();
    let noted = BounceNoted { people: concerned.len(), unproven };
    let answer = write.finish(Written::changed(&noted)?).await;
    app.mail_waiting.notify_one();
    answer
}
