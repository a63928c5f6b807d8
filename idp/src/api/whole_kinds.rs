//! The lists of a whole export that go beside orders, members and seats: one after the other, each newest first, a page at a time.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::api_keys::ApiKey;
use super::caller::Caller;
use super::document_requests::DocumentRequest;
use super::groups::{Group, InGroup};
use super::imports::Import;
use super::invitations::PendingInvitation;
use super::jsonl::Lines;
use super::measures::MeasureTaken;
use super::notices;
use super::offers::Offer;
use super::overrides::Override;
use super::problem::Answer;
use super::reviews::{self, ReviewItem};
use super::seat_requests::SeatRequest;
use super::successions::Succession;
use crate::db::cursor::MAX_LIMIT;
use crate::db::{
    At, Conn, api_keys, document_requests, groups, imports, measures, members, membership_offers,
    notices as stored_notices, overrides, reviews as stored_reviews, seat_requests, successions,
};

/// A list.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Invitations,
    Offers,
    Groups,
    SeatRequests,
    DocumentRequests,
    Measures,
    Reviews,
    Successions,
    Overrides,
    ApiKeys,
    Notices,
    Imports,
}

/// In which order they come.
const KINDS: [Kind; 12] = [
    Kind::Invitations,
    Kind::Offers,
    Kind::Groups,
    Kind::SeatRequests,
    Kind::DocumentRequests,
    Kind::Measures,
    Kind::Reviews,
    Kind::Successions,
    Kind::Overrides,
    Kind::ApiKeys,
    Kind::Notices,
    Kind::Imports,
];

/// Instant and id of an item.
type Item = (i64, String);

/// Where the lists go on.
#[derive(Debug)]
pub(super) struct Place {
    kind: usize,
    /// The last item that was told.
    after: Item,
    /// What that one holds is told first, behind the last that was.
    inside: Option<Item>,
}

/// Whose things are told, to whom, and when.
pub(super) struct Asked<'a> {
    pub(super) organization: &'a str,
    pub(super) caller: &'a Caller,
    pub(super) now: Timestamp,
}

/// What became of a page.
enum Told {
    /// It was full: the list goes on.
    More(Item),
    /// One item was told; what it holds comes next.
    Open(Item),
    /// That was all.
    All,
}

/// The place of the last of a full page.
fn told<T>(rows: &[T], place: impl Fn(&T) -> (At, &String)) -> Told {
    match rows.last().filter(|_| rows.len() == MAX_LIMIT as usize) {
        Some(row) => {
            let (at, id) = place(row);
            Told::More((at.milliseconds(), id.clone()))
        }
        None => Told::All,
    }
}

/// What is shown, with what it stands in.
fn within(name: &str, id: &str, shown: &impl Serialize) -> Answer<Value> {
    let mut data = serde_json::to_value(shown)?;
    data[name] = id.into();
    Ok(data)
}

impl Place {
    /// Before all.
    pub(super) fn first() -> Self {
        Self::beginning(0)
    }

    fn beginning(kind: usize) -> Self {
        Self { kind, after: (i64::MAX, String::new()), inside: None }
    }

    /// Adds the next lines; gives where it goes on, or nothing when everything was told.
    pub(super) async fn tell(self, c: &mut impl Conn, asked: &Asked<'_>, lines: &mut Lines) -> Answer<Option<Self>> {
        let Some(kind) = KINDS.get(self.kind).copied() else { return Ok(None) };
        if let Some(inside) = self.inside {
            let inside = tell_inside(c, asked, (kind, &self.after.1, &inside), lines).await?;
            return Ok(Some(Self { kind: self.kind, after: self.after, inside }));
        }
        let told = match kind {
            Kind::Invitations | Kind::Offers | Kind::Groups | Kind::Reviews => {
                tell_people(c, asked, (kind, &self.after), lines).await?
            }
            Kind::SeatRequests | Kind::DocumentRequests | Kind::Measures | Kind::Successions | Kind::Overrides => {
                tell_decisions(c, asked, (kind, &self.after), lines).await?
            }
            Kind::ApiKeys | Kind::Notices | Kind::Imports => tell_work(c, asked, (kind, &self.after), lines).await?,
        };
        Ok(Some(match told {
            Told::More(after) => Self { kind: self.kind, after, inside: None },
            Told::Open(after) => Self { kind: self.kind, after, inside: Some((-1, String::new())) },
            Told::All => Self::beginning(self.kind + 1),
        }))
    }
}

/// Who is in a group or a review, the longest first.
async fn tell_inside(
    c: &mut impl Conn,
    asked: &Asked<'_>,
    (kind, id, (at, person)): (Kind, &str, &Item),
    lines: &mut Lines,
) -> Answer<Option<Item>> {
    let from = (*at, person.as_str(), MAX_LIMIT);
    let told = if matches!(kind, Kind::Groups) {
        let rows = groups::members(c, id, from).await?;
        let told = told(&rows, |row| (row.added_at, &row.id));
        for row in rows.into_iter().filter(|row| asked.caller.sees(&row.id, (row.operator, row.privacy))) {
            lines.add("group_member", &within("group", id, &InGroup::from(row))?)?;
        }
        told
    } else {
        let rows = stored_reviews::items(c, (id, None), from).await?;
        let told = told(&rows, |row| (row.signed_in_at, &row.person_id));
        for row in rows {
            lines.add("review_item", &within("review", id, &ReviewItem::from(row))?)?;
        }
        told
    };
    Ok(match told {
        Told::More(after) | Told::Open(after) => Some(after),
        Told::All => None,
    })
}

/// Who is to come, and lists of who is there.
async fn tell_people(
    c: &mut impl Conn,
    asked: &Asked<'_>,
    (kind, (at, id)): (Kind, &Item),
    lines: &mut Lines,
) -> Answer<Told> {
    let from = (*at, id.as_str(), MAX_LIMIT);
    match kind {
        Kind::Invitations => {
            let rows = members::pending(c, asked.organization, from, asked.now).await?;
            let told = told(&rows, |row| (row.created_at, &row.person_id));
            for row in rows.into_iter().filter(|row| asked.caller.sees(&row.person_id, (row.operator, row.privacy))) {
                lines.add("invitation", &PendingInvitation::from(row))?;
            }
            Ok(told)
        }
        Kind::Offers => {
            let rows = membership_offers::of_organization(c, (asked.organization, None), from).await?;
            let told = told(&rows, |row| (row.created_at, &row.id));
            for row in rows {
                lines.add("offer", &Offer::from(row))?;
            }
            Ok(told)
        }
        // One at a time: each may hold many people.
        Kind::Groups => {
            let Some(row) = groups::list(c, asked.organization, (*at, id, 1)).await?.pop() else {
                return Ok(Told::All);
            };
            let place = (row.created_at.milliseconds(), row.id.clone());
            lines.add("group", &Group::from(row))?;
            Ok(Told::Open(place))
        }
        _ => {
            let Some(row) = stored_reviews::list(c, asked.organization, (*at, id, 1)).await?.pop() else {
                return Ok(Told::All);
            };
            let place = (row.opened_at.milliseconds(), row.id.clone());
            let counts = stored_reviews::counts(c, &row.id).await?;
            lines.add("review", &reviews::shown(row, counts))?;
            Ok(Told::Open(place))
        }
    }
}

/// What was asked for, and what was decided.
async fn tell_decisions(
    c: &mut impl Conn,
    asked: &Asked<'_>,
    (kind, (at, id)): (Kind, &Item),
    lines: &mut Lines,
) -> Answer<Told> {
    let (from, of) = ((*at, id.as_str(), MAX_LIMIT), (asked.organization, None));
    Ok(match kind {
        Kind::SeatRequests => {
            let rows = seat_requests::list(c, of, from).await?;
            let told = told(&rows, |row| (row.requested_at, &row.id));
            for row in rows.into_iter().filter(|row| asked.caller.sees(&row.person_id, (row.staff, row.staff))) {
                lines.add("seat_request", &SeatRequest::shown(row, asked.caller))?;
            }
            told
        }
        Kind::DocumentRequests => {
            let rows = document_requests::list(c, of, from).await?;
            let told = told(&rows, |row| (row.requested_at, &row.id));
            for row in rows {
                let documents = document_requests::documents(c, &row.id).await?;
                lines.add("document_request", &DocumentRequest::new(row, documents))?;
            }
            told
        }
        Kind::Measures => {
            let rows = measures::of_organization(c, asked.organization, from).await?;
            let told = told(&rows, |row| (row.imposed_at, &row.id));
            for row in rows {
                let shown = MeasureTaken::shown(c, row).await?;
                lines.add("measure", &if asked.caller.is_operator() { shown } else { shown.for_its_subject() })?;
            }
            told
        }
        Kind::Successions => {
            let rows = successions::list(c, of, from).await?;
            let told = told(&rows, |row| (row.requested_at, &row.id));
            for row in rows {
                lines.add("succession", &Succession::from(row))?;
            }
            told
        }
        _ => {
            let rows = overrides::list(c, of, from).await?;
            let told = told(&rows, |row| (row.requested_at, &row.id));
            for row in rows {
                lines.add("override", &Override::from(row))?;
            }
            told
        }
    })
}

/// What software may do, what letters said, and what was read from files.
async fn tell_work(
    c: &mut impl Conn,
    asked: &Asked<'_>,
    (kind, (at, id)): (Kind, &Item),
    lines: &mut Lines,
) -> Answer<Told> {
    let from = (*at, id.as_str(), MAX_LIMIT);
    Ok(match kind {
        Kind::ApiKeys => {
            let rows = api_keys::list(c, asked.organization, (*at, id), MAX_LIMIT).await?;
            let told = told(&rows, |row| (row.created_at, &row.id));
            for row in rows {
                lines.add("api_key", &ApiKey::new(row, asked.now))?;
            }
            told
        }
        Kind::Notices => {
            let rows = stored_notices::in_organization(c, (asked.organization, None), from).await?;
            let told = told(&rows, |row| (row.sent_at, &row.id));
            for notice in notices::shown(c, asked.caller, (rows, MAX_LIMIT)).await?.items {
                lines.add("notice", &notice)?;
            }
            told
        }
        _ => {
            let rows = imports::list(c, asked.organization, from).await?;
            let told = told(&rows, |row| (row.created_at, &row.id));
            for row in rows {
                lines.add("import", &Import::new(row, Vec::new())?)?;
            }
            told
        }
    })
}
