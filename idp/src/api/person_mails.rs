//! `/people/{person}/mails`: what was sent to somebody and what the mail server answered, as proof of notice (R026). For the operator and
//! the data protection officer.

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use habilis_policies::authorization::Action;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::caller::Caller;
use super::notices::outcome;
use super::page::{Asked, Page, Paging, cursor_before};
use super::people::somebody;
use super::problem::Answer;
use super::{Problems, instant};
use crate::app::App;
use crate::db::outbox::{self, Notice};
use crate::web::routing::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// A mail to a person, without address, subject and text.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PersonMail {
    /// `mail_…`, also in its `Message-ID`.
    id: String,
    /// Name and version of the text.
    template: String,
    /// `fr` or `en`.
    locale: String,
    /// SHA-256 of the text, hexadecimal.
    text_sha256: Option<String>,
    /// The notice that it carries, `ntc_…`; absent when it carries none.
    notice: Option<String>,
    /// RFC 3339.
    written_at: String,
    /// `waiting`, `sent`, `bounced` or `given_up`.
    outcome: &'static str,
    /// When the mail server took it, RFC 3339.
    sent_at: Option<String>,
    /// When it was refused for good, or came back, RFC 3339.
    bounced_at: Option<String>,
    /// How many times it was tried.
    attempts: i64,
    /// What the mail server said last.
    answer: Option<String>,
}

impl From<Notice> for PersonMail {
    fn from(row: Notice) -> Self {
        Self {
            outcome: outcome(row.bounced_at, row.sent_at, row.due_at),
            id: row.id,
            template: row.template,
            locale: row.locale,
            text_sha256: row.body_digest,
            notice: row.notice_id,
            written_at: instant(row.created_at),
            sent_at: row.sent_at.map(instant),
            bounced_at: row.bounced_at.map(instant),
            attempts: row.attempts,
            answer: row.answer,
        }
    }
}

/// List the mails to a person, newest first, and what became of each. Never the text or the address.
#[utoipa::path(
    get, path = "/people/{person}/mails", tag = "people",
    params(("person" = String, Path, description = "`usr_…`"), Paging),
    responses((status = 200, description = "A page", body = Page<PersonMail>), Problems),
    security(("oauth2" = ["habilis.people.read"]))
)]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(person): Path<String>,
    Asked(paging): Asked<Paging>,
) -> Answer {
    let person = somebody(&mut app.db.reader().await?, &person).await;
    let person = caller.on_person(&app, Action::ReadPerson, person).await?;
    let (limit, (at, id)) = (paging.limit()?, paging.before()?);
    let rows = outbox::of_person(&mut app.db.reader().await?, &person.id, (at, &id, limit + 1)).await?;
    let cursor = |row: &Notice| cursor_before(row.created_at.milliseconds(), &row.id);
    Ok(Page::of(rows, limit, cursor, PersonMail::from).into_response())
}
