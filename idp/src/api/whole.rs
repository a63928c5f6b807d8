//! `/organizations/{organization}/export.jsonl`: everything that is kept of an organization, one JSON object a line, in the shapes of the
//! endpoints that read it (R157, R210, R212). What can be imported again are the members: `members.csv`.

use axum::body::Bytes;
use axum::extract::{Path, State};
use habilis_policies::attributes::Attribute;
use habilis_policies::authorization::Action;
use jiff::Timestamp;
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;

use super::Problems;
use super::caller::Caller;
use super::contacts::Contact;
use super::data_return::DataReturn;
use super::enrolments::Enrolment;
use super::jsonl::{Chunks, Lines, json_lines};
use super::members::MemberListed;
use super::orders::{Order, Removal};
use super::organizations::Organization;
use super::page;
use super::problem::{Answer, Problem};
use super::rights::RightGiven;
use super::seats::{SeatEvent, Seats};
use super::trail::AuditLine;
use super::trials::Trial;
use super::whole_kinds::{Asked, Place};
use super::{instant, webhooks};
use crate::account::attributes;
use crate::account::signatories;
use crate::app::App;
use crate::db::cursor::{Cursor, MAX_LIMIT, Order as Sorting};
use crate::db::members_list::{self, MemberFilter};
use crate::db::{
    Conn, audit, consents, contacts, data_returns, declarations, enrolments, members, orders, organizations,
    portal_grants, purges, seats, subscription_ends, trials,
};
use crate::mail::organizations::SensitiveAct;
use crate::web::routing::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(whole))
}

/// Export everything that is kept of an organization: one JSON object a line, `{"type": …, "data": …}`, where `type` is `organization`,
/// `contact`, `portal_right`, `order`, `trial`, `seats`, `subscription_end`, `data_return`, `data_removal`, `webhook`, `member`,
/// `declaration`, `consent`, `enrolment`, `seat_event`, `invitation`, `offer`, `group`, `group_member`, `document_request`, `measure`, `review`,
/// `review_item`, `succession`, `override`, `api_key`, `notice`, `import`, `audit` and last `end` with the number of lines before it: without
/// that line the export broke off. No secret is in it, and no digest of one: those of passwords are asked for by themselves.
#[utoipa::path(
    get, path = "/organizations/{organization}/export.jsonl", tag = "organizations",
    params(("organization" = String, Path, description = "`org_…`")),
    responses((status = 200, description = "JSON Lines", content_type = "application/jsonl", body = String), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn whole(State(app): State<App>, caller: Caller, Path(organization): Path<String>) -> Answer {
    let acting = caller.in_organization(&app, Action::ExportMembers, &organization).await?;
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    audit::record(&mut tx, acting.event(&caller, "organization.exported"), now).await?;
    let person = signatories::acted(&mut tx, &app.config, caller.id()).await?;
    let act = SensitiveAct::MembersExported { person };
    signatories::tell(&mut tx, &app, (&acting.organization, act), now).await?;
    tx.commit().await?;
    app.mail_waiting.notify_one();
    let (sorting, _) = page::place((None, "joined"), None, &[])?;
    let organization = acting.organization.id;
    let file = format!("{organization}.jsonl");
    let export = Export { app, caller, organization, now, sorting, part: Part::Few, lines: 0 };
    Ok(json_lines(&file, export))
}

/// What comes next, and where it goes on.
enum Part {
    /// What an organization has few of.
    Few,
    Members(Option<Cursor>),
    Enrolments(i64, String),
    /// Products whose history is left, and where that of the first goes on.
    SeatHistory(Vec<String>, (i64, String)),
    /// The lists of [`super::whole_kinds`].
    Lists(Place),
    Audit(i64, String),
    End,
}

struct Export {
    app: App,
    caller: Caller,
    organization: String,
    now: Timestamp,
    sorting: Sorting,
    part: Part,
    lines: u64,
}

impl Chunks for Export {
    fn by(&self) -> (&App, &Caller) {
        (&self.app, &self.caller)
    }

    async fn next(&mut self) -> Answer<(Bytes, bool)> {
        let mut lines = Lines::default();
        let first = (i64::MAX, String::new());
        self.part = match std::mem::replace(&mut self.part, Part::End) {
            Part::Few => {
                self.few(&mut lines).await?;
                Part::Members(None)
            }
            Part::Members(after) => match self.members(&mut lines, after).await? {
                Some(next) => Part::Members(Some(next)),
                None => Part::Enrolments(first.0, first.1),
            },
            Part::Enrolments(at, id) => {
                let mut reader = self.app.db.reader().await?;
                let of = (self.organization.as_str(), None, None);
                let rows = enrolments::list(&mut reader, of, (at, &id, MAX_LIMIT)).await?;
                for row in &rows {
                    lines.add("enrolment", &Enrolment::of(row, self.now))?;
                }
                if let Some(last) = rows.last().filter(|_| rows.len() == MAX_LIMIT as usize) {
                    Part::Enrolments(last.created_at.milliseconds(), last.id.clone())
                } else {
                    let pools = seats::pools(&mut reader, &self.organization).await?;
                    Part::SeatHistory(pools.into_iter().map(|pool| pool.product_id).collect(), first)
                }
            }
            Part::SeatHistory(mut products, (at, id)) => match products.last() {
                None => Part::Lists(Place::first()),
                Some(product) => {
                    let of = (self.organization.as_str(), product.as_str());
                    let rows = seats::history(&mut self.app.db.reader().await?, of, (at, &id, MAX_LIMIT)).await?;
                    let full = rows.len() == MAX_LIMIT as usize;
                    let last = rows.last().map(|row| (row.at.milliseconds(), row.id.clone()));
                    for row in rows {
                        let product = row.product_id.clone();
                        let mut data = serde_json::to_value(SeatEvent::from(row))?;
                        data["product"] = product.into();
                        lines.add("seat_event", &data)?;
                    }
                    if let Some(last) = last.filter(|_| full) {
                        Part::SeatHistory(products, last)
                    } else {
                        products.pop();
                        Part::SeatHistory(products, first)
                    }
                }
            },
            Part::Lists(place) => {
                let asked = Asked { organization: &self.organization, caller: &self.caller, now: self.now };
                match place.tell(&mut self.app.db.reader().await?, &asked, &mut lines).await? {
                    Some(next) => Part::Lists(next),
                    None => Part::Audit(first.0, first.1),
                }
            }
            Part::Audit(at, id) => {
                let mut reader = self.app.db.reader().await?;
                let rows = audit::in_organization(&mut reader, &self.organization, (at, &id), MAX_LIMIT).await?;
                let last = rows.last().map(|row| (row.at.milliseconds(), row.id.clone()));
                let full = rows.len() == MAX_LIMIT as usize;
                for row in rows {
                    lines.add("audit", &AuditLine::of(row, &self.caller))?;
                }
                match last.filter(|_| full) {
                    Some((at, id)) => Part::Audit(at, id),
                    None => Part::End,
                }
            }
            Part::End => {
                let mut tx = self.app.db.begin().await?;
                data_returns::exported(&mut tx, &self.organization, self.app.clock.now()).await?;
                tx.commit().await?;
                lines.add("end", &json!({ "lines": self.lines, "exported_at": self.now.to_string() }))?;
                return Ok((lines.into_bytes(), false));
            }
        };
        self.lines += lines.count();
        Ok((lines.into_bytes(), true))
    }
}

impl Export {
    async fn few(&self, lines: &mut Lines) -> Answer<()> {
        let id = &self.organization;
        let mut reader = self.app.db.reader().await?;
        let Some(row) = organizations::find(&mut reader, id).await? else { return Err(Problem::not_found().into()) };
        lines.add("organization", &Organization::from(row))?;
        for row in contacts::list(&mut reader, id).await? {
            lines.add("contact", &Contact::from(row))?;
        }
        for right in portal_grants::list(&mut reader, id).await? {
            lines.add("portal_right", &RightGiven::new(&right.client_id, &right.role))?;
        }
        let all = orders::all(&mut reader, id).await?;
        for row in &all {
            lines.add("order", &Order::of(row, &all, self.now))?;
        }
        for row in trials::of_organization(&mut reader, id).await? {
            lines.add("trial", &Trial::of(&row, &all, self.now))?;
        }
        for pool in seats::pools(&mut reader, id).await? {
            lines.add("seats", &Seats::of(&pool, self.now))?;
        }
        if let Some(last_day) = subscription_ends::find(&mut reader, id).await? {
            lines.add("subscription_end", &json!({ "last_day": last_day.to_string() }))?;
        }
        lines.add("data_return", &DataReturn::shown(&mut reader, id).await?)?;
        for row in purges::list(&mut reader, id).await? {
            lines.add("data_removal", &Removal::from(row))?;
        }
        for shown in webhooks::exported(&mut reader, id).await? {
            lines.add("webhook", &shown)?;
        }
        Ok(())
    }

    async fn members(&self, lines: &mut Lines, after: Option<Cursor>) -> Answer<Option<Cursor>> {
        let filter = MemberFilter::default();
        let mut reader = self.app.db.reader().await?;
        let asked = attributes::asked_by(&mut reader, &self.app.config, &self.organization).await?;
        let of = (self.organization.as_str(), &filter);
        let found = members_list::list(&mut reader, of, (self.sorting, after), MAX_LIMIT).await?;
        let mut seen = Vec::with_capacity(found.rows.len());
        for row in found.rows {
            if !self.caller.sees(&row.id, (row.operator, row.privacy)) {
                continue;
            }
            let rights = members::rights(&mut reader, &self.organization, &row.id).await?;
            let held = seats::of_member(&mut reader, &self.organization, &row.id).await?;
            seen.push(row.id.clone());
            // Nobody is told more of their people than their organization asks.
            let said = [Attribute::PhoneNumber, Attribute::Birthdate].into_iter().filter(|one| asked.includes(*one));
            let said: Vec<_> = said.map(|one| (one.claim(), attributes::claimed(&row.claims, one))).collect();
            let mandate = row.mandate.clone();
            let mut data = serde_json::to_value(MemberListed::new(row, &asked)?)?;
            data["mandate"] = mandate.into();
            for (claim, value) in said {
                data[claim] = value.into();
            }
            let right = |right: &members::Right| json!({ "client_id": right.client_id, "role": right.role });
            data["rights"] = rights.iter().map(right).collect();
            data["seats"] = held.iter().map(|seat| Value::from(seat.product_id.clone())).collect();
            lines.add("member", &data)?;
        }
        let seen: Vec<&str> = seen.iter().map(String::as_str).collect();
        accepted(&mut reader, (&self.organization, &seen), lines).await?;
        Ok(found.next)
    }
}

/// What members declared, and what they allowed the portals of the organization: what they allowed others is none of its business.
async fn accepted(c: &mut impl Conn, (organization, people): (&str, &[&str]), lines: &mut Lines) -> Answer<()> {
    for row in declarations::of_many(c, people).await? {
        let data = json!({
            "person": row.person_id, "id": row.id, "made_on": row.made_on, "text_version": row.text_version,
            "text_sha256": row.text_sha256, "locale": row.locale, "declared_at": instant(row.declared_at),
        });
        lines.add("declaration", &data)?;
    }
    for (person, client_id, scope, at) in consents::of_members(c, organization, people).await? {
        let data = json!({ "person": person, "client_id": client_id, "scope": scope, "created_at": instant(at) });
        lines.add("consent", &data)?;
    }
    Ok(())
}
