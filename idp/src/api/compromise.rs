//! `/me/compromise`: what the button of the account does, for the application somebody has at hand (R031).

use axum::extract::State;
use habilis_policies::authorization::Action;
use utoipa_axum::router::OpenApiRouter;

use super::Problems;
use super::body::NoBody;
use super::caller::Caller;
use super::people::somebody;
use super::problem::Answer;
use super::write::{Write, Written};
use crate::account::compromise;
use crate::app::App;
use crate::db::people;
use crate::web::routing::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(report))
}

/// Report that somebody else uses one's account, or may: every session and token ends, this one included, the password is taken away, and a
/// link to choose another goes to the declared address. The data protection officer is told. Whoever asks again is no longer known: 401.
#[utoipa::path(
    post, path = "/me/compromise", tag = "me",
    responses((status = 204, description = "Everything is closed"), Problems),
    security(("oauth2" = ["habilis.self"]))
)]
async fn report(State(app): State<App>, caller: Caller, request: NoBody) -> Answer {
    let policy = caller.on_self(&app, Action::UpdateSelf).await?;
    let mut write = Write::begin(&app, &caller, &request.idempotency).await?;
    people::lock(&mut write.tx, caller.id()).await?;
    let person = somebody(&mut write.tx, caller.id()).await?;
    let event = caller.event("account.compromise_reported").about(&person.id).with("by", "api").with("policy", policy);
    compromise::close(&mut write.tx, &app, (&person, event), (&caller.origin, write.now)).await?;
    let answer = write.finish(Written::nothing()).await;
    app.mail_waiting.notify_one();
    answer
}
