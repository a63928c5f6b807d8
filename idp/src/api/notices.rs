//! Notices of all that expires: what was said of what and when, in which text and version, and what became of the mails (R026). Read
//! by the administrators of an organization, and by the operator and the data protection officer everywhere.

use std::collections::HashMap;

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use habilis_policies::authorization::Action;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::caller::Caller;
use super::page::{self, Asked, Page, Paging, cursor_before};
use super::problem::{Answer, Problem};
use super::{Problems, instant};
use crate::app::App;
use crate::db::notices::{self, Notice as Row};
use crate::db::outbox::{self, OfNotice};
use crate::db::{At, Conn, people};
use crate::lifecycle::NAMES;
use crate::web::routing::routes;

/// Mails shown of the notices of one page; one goes to every administrator.
const MAILS: u32 = 20_000;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(of_organization)).routes(routes!(of_server))
}

/// Something that was said, or done at the end, of a thing that expires.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Notice {
    /// `ntc_…`.
    id: String,
    /// Of which kind of thing: `password`, `api_key`, `invitation`, `offer`, `membership`, `succession`, `review_opening`, `review`,
    /// `override`, `order`, `seats`…
    kind: String,
    /// Of which thing: a person, a key, an offer; of a membership the organization and the person.
    subject: String,
    /// When it falls due, RFC 3339.
    due_at: String,
    /// The reminder it was, in days before; 0 is what happened at the end.
    days_before: i64,
    /// RFC 3339.
    sent_at: String,
    /// The mails it went out by; none where nobody has an address, or nothing was to be written.
    mails: Vec<NoticeMail>,
}

/// A mail of a notice, without address and text.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NoticeMail {
    /// `mail_…`, also in its `Message-ID`.
    id: String,
    /// To whom, `usr_…`.
    person: Option<String>,
    /// Name and version of the text.
    template: String,
    /// `fr` or `en`.
    locale: String,
    /// SHA-256 of the text, hexadecimal.
    text_sha256: Option<String>,
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

/// What became of a mail that came back, was sent, or is due at these instants.
pub(super) fn outcome(bounced_at: Option<At>, sent_at: Option<At>, due_at: Option<At>) -> &'static str {
    match (bounced_at, sent_at, due_at) {
        (Some(_), ..) => "bounced",
        (None, Some(_), _) => "sent",
        (None, None, Some(_)) => "waiting",
        (None, None, None) => "given_up",
    }
}

impl From<OfNotice> for NoticeMail {
    fn from(row: OfNotice) -> Self {
        Self {
            outcome: outcome(row.bounced_at, row.sent_at, row.due_at),
            id: row.id,
            person: row.person_id,
            template: row.template,
            locale: row.locale,
            text_sha256: row.body_digest,
            sent_at: row.sent_at.map(instant),
            bounced_at: row.bounced_at.map(instant),
            attempts: row.attempts,
            answer: row.answer,
        }
    }
}

/// Which notices.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct NoticeQuery {
    /// Of this kind of thing only.
    #[param(max_length = 40)]
    kind: Option<String>,
    /// Rows at the most, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(max_length = 512)]
    cursor: Option<String>,
}

impl NoticeQuery {
    fn kind(&self) -> Result<Option<&str>, Problem> {
        page::one_of("kind", self.kind.as_deref(), NAMES)
    }

    fn paging(&self) -> Paging {
        Paging::new(self.limit, self.cursor.clone())
    }
}

/// A page of notices with their mails. Whoever may not know of a person does not learn that one of the mails went to them.
pub(super) async fn shown(c: &mut impl Conn, caller: &Caller, (rows, limit): (Vec<Row>, u32)) -> Answer<Page<Notice>> {
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    let mut mails: HashMap<String, Vec<NoticeMail>> = HashMap::new();
    for mail in outbox::of_notices(c, &ids, MAILS).await? {
        mails.entry(mail.notice_id.clone()).or_default().push(mail.into());
    }
    if !caller.is_operator() {
        let named = mails.values().flatten().filter_map(|mail| mail.person.clone());
        let named: std::collections::BTreeSet<String> = named.collect();
        for person in named {
            let found = people::find(c, &person).await?;
            let seen = found.is_some_and(|found| caller.sees(&person, (found.operator, found.privacy)));
            if !seen {
                for mail in mails.values_mut().flatten().filter(|mail| mail.person.as_ref() == Some(&person)) {
                    mail.person = None;
                }
            }
        }
    }
    let show = |row: Row| Notice {
        due_at: instant(row.due_at),
        sent_at: instant(row.sent_at),
        days_before: row.rung,
        kind: row.kind,
        subject: row.subject,
        id: row.id,
        mails: Vec::new(),
    };
    let mut page = Page::of(rows, limit, |row| cursor_before(row.sent_at.milliseconds(), &row.id), show);
    for notice in &mut page.items {
        notice.mails = mails.remove(&notice.id).unwrap_or_default();
    }
    Ok(page)
}

/// List what was said of an organization's things that expire, newest first: its own, and its members'.
#[utoipa::path(
    get, path = "/organizations/{organization}/notices", tag = "audit",
    params(("organization" = String, Path, description = "`org_…`"), NoticeQuery),
    responses((status = 200, description = "A page", body = Page<Notice>), Problems),
    security(("oauth2" = ["habilis.audit.read"]))
)]
async fn of_organization(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    Asked(query): Asked<NoticeQuery>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadNotices, &organization).await?;
    let (limit, (at, id)) = (query.paging().limit()?, query.paging().before()?);
    let mut reader = app.db.reader().await?;
    let which = (acting.organization.id.as_str(), query.kind()?);
    let rows = notices::in_organization(&mut reader, which, (at, &id, limit + 1)).await?;
    Ok(shown(&mut reader, &caller, (rows, limit)).await?.into_response())
}

/// List what was said of everything that expires, newest first.
#[utoipa::path(
    get, path = "/notices", tag = "audit", params(NoticeQuery),
    responses((status = 200, description = "A page", body = Page<Notice>), Problems),
    security(("oauth2" = ["habilis.audit.read"]))
)]
async fn of_server(State(app): State<App>, caller: Caller, Asked(query): Asked<NoticeQuery>) -> Answer {
    caller.may(&app, Action::ReadNotices).await?;
    let (limit, (at, id)) = (query.paging().limit()?, query.paging().before()?);
    let mut reader = app.db.reader().await?;
    let rows = notices::everywhere(&mut reader, query.kind()?, (at, &id, limit + 1)).await?;
    Ok(shown(&mut reader, &caller, (rows, limit)).await?.into_response())
}
