//! Orders, trials and enrolments: letters before and when something happens to them, and what follows (R020, R021, R064, R071, R074,
//! R087). Access itself needs no run: each use looks at what is open. The moments are rows that whatever changes a contract plans in
//! its own transaction.

use std::collections::BTreeSet;

use habilis_keys::random;
use habilis_policies::calendar;
use habilis_policies::enrolments::Status;
use habilis_policies::orders::Moment::Purges;
use habilis_policies::orders::{self as rules, Closing, Orders as All, Standing, notice_deadline};
use habilis_policies::reminders::{Ladder, Notice};
use habilis_policies::trials::TrialState;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::json;

use super::{Concerns, Ended, Facts, Kind, Page, Row, Saying};
use crate::api_keys::follow_subscription;
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::contract_moments::{self as moments, Moment};
use crate::db::jobs::{self, NewJob};
use crate::db::orders::Order;
use crate::db::{At, Conn, Tx, data_returns, enrolments, orders, organizations, people, purges, trials};
use crate::jobs::purges::KIND as PURGE;
use crate::mail;
use crate::mail::subscriptions::{Notice as Told, SubscriptionLetter};
use crate::orders::removal;
use crate::outcome::Outcome;
use crate::seats;
use crate::seats::letters::{self, About};

impl Row for Moment {
    fn place(&self) -> (At, &str) {
        (self.look_at, &self.place)
    }
}

async fn due<C: Conn>(c: &mut C, kind: &str, page: Page<'_>) -> Outcome<Vec<Moment>> {
    let (after, place) = page.after;
    Ok(moments::to_look_at(c, kind, (page.until, after, place, page.limit)).await?)
}

fn facts(rows: &[&Moment], ladder: fn(&Moment) -> Ladder) -> Vec<Option<Facts>> {
    let facts = |row: &&Moment| {
        Some(Facts {
            subject: row.place.clone(),
            concerns: Concerns::Organization(row.organization_id.clone()),
            due: row.due_at.into(),
            since: row.since.into(),
            ladder: ladder(row),
            end: Some(row.due_at.into()),
        })
    };
    rows.iter().map(facts).collect()
}

async fn plan(tx: &mut Tx, looks: &[(&Moment, Option<Timestamp>)]) -> Outcome<usize> {
    Ok(usize::try_from(moments::looked_at(tx, looks).await?)?)
}

async fn waiting<C: Conn>(c: &mut C, kind: &str) -> Outcome<(i64, Option<Timestamp>)> {
    let (count, next) = moments::waiting(c, kind).await?;
    Ok((count, next.map(Timestamp::from)))
}

/// The trail's line about a moment that was reached.
async fn reached(saying: &mut Saying<'_>, row: &Moment, event: Event) -> Outcome<()> {
    let event = event.by("lifecycle").in_organization(&row.organization_id).with("moment", row.moment.clone());
    Ok(audit::record(saying.tx, event, saying.now).await?)
}

/// Orders.
pub(super) struct Orders;

impl Orders {
    /// The order of a moment with all orders of its organization; none when it is gone.
    async fn load(saying: &mut Saying<'_>, row: &Moment) -> Outcome<Option<(Order, Vec<rules::Order>)>> {
        let all = orders::all(saying.tx, &row.organization_id).await?;
        let rules = all.iter().map(Order::rule).collect();
        Ok(all.into_iter().find(|order| order.id == row.subject_id).map(|order| (order, rules)))
    }

    async fn letter(saying: &mut Saying<'_>, order: &Order, told: Told) -> Outcome<Option<SubscriptionLetter>> {
        let about = About { organization: &order.organization_id, product: &order.product_id, number: &order.number };
        let seats = u64::try_from(order.seats).unwrap_or(0);
        letters::letter(saying.tx, about, told, (0, seats)).await
    }

    async fn tell(saying: &mut Saying<'_>, order: &Order, letter: Option<SubscriptionLetter>) -> Outcome<()> {
        match letter {
            Some(letter) => saying.to_administrators(&order.organization_id, &letter).await,
            None => Ok(()),
        }
    }

    /// Tells that an order has ended, and, where nothing goes on, when the data are removed.
    async fn tell_ended(saying: &mut Saying<'_>, (order, all): (&Order, &[rules::Order])) -> Outcome<()> {
        let removed_on = removed_on(saying, (&order.organization_id, all)).await?;
        let told = if removed_on.is_some() { Told::Ended } else { Told::EndedBeside };
        let mut letter = Self::letter(saying, order, told).await?;
        if let Some(letter) = &mut letter {
            letter.date = removed_on;
        }
        Self::tell(saying, order, letter).await?;
        tell_awaited(saying, (order, all), removed_on).await
    }
}

impl Kind for Orders {
    const NAME: &'static str = "order";
    const AT_THE_END: &'static str = "the order opens, renews itself, is interrupted or ends";
    type Row = Moment;

    async fn due<C: Conn>(c: &mut C, _: &App, page: Page<'_>) -> Outcome<Vec<Moment>> {
        due(c, Self::NAME, page).await
    }

    async fn facts<C: Conn>(_: &mut C, _: &App, rows: &[&Moment], _: Timestamp) -> Outcome<Vec<Option<Facts>>> {
        Ok(facts(rows, |row| match row.moment.as_str() {
            "ends" => Ladder::SUBSCRIPTION,
            "renews" => Ladder::RENEWAL,
            _ => Ladder::NONE,
        }))
    }

    async fn plan(tx: &mut Tx, looks: &[(&Moment, Option<Timestamp>)]) -> Outcome<usize> {
        plan(tx, looks).await
    }

    async fn remind(saying: &mut Saying<'_>, row: &Moment, facts: &Facts, notice: Notice) -> Outcome<()> {
        let Some((order, _)) = Self::load(saying, row).await? else { return Ok(()) };
        let day = calendar::date_at(facts.due);
        let renews = row.moment == "renews";
        let mut letter = Self::letter(saying, &order, if renews { Told::Renews } else { Told::Ends }).await?;
        if let Some(letter) = &mut letter {
            // The last day is the one before the cut.
            letter.date = Some(if renews { day } else { calendar::add_days(day, -1) });
            letter.deadline = renews.then(|| notice_deadline(day));
        }
        Self::tell(saying, &order, letter).await?;
        let event = Event::new("order.notice_sent").about(&order.id).with("rung", notice.rung);
        reached(saying, row, event).await
    }

    async fn end(saying: &mut Saying<'_>, row: &Moment, facts: &Facts) -> Outcome<Ended> {
        let Some((order, all)) = Self::load(saying, row).await? else { return Ok(Ended::Done) };
        let standing = All(&all).standing(&order.rule(), saying.now);
        let (standing, closed) = match standing {
            Standing::Awaiting(_) => ("awaiting", None),
            Standing::Scheduled { .. } => ("scheduled", None),
            Standing::Open => ("open", None),
            Standing::Closed { why, .. } => ("closed", Some(why)),
        };
        let final_day = order.rule().final_day();
        match row.moment.as_str() {
            "opens" if standing == "open" => {
                let mut letter = Self::letter(saying, &order, Told::Opened).await?;
                if let Some(letter) = &mut letter {
                    letter.date = final_day;
                }
                Self::tell(saying, &order, letter).await?;
            }
            "interrupts" if closed == Some(Closing::Unpaid) => {
                let letter = Self::letter(saying, &order, Told::Interrupted).await?;
                Self::tell(saying, &order, letter).await?;
            }
            "renews" => {
                let mut letter = Self::letter(saying, &order, Told::Renewed).await?;
                if let Some(letter) = &mut letter {
                    letter.date = Some(order.rule().term_on(calendar::date_at(facts.due)).last_day);
                }
                Self::tell(saying, &order, letter).await?;
            }
            // Whatever had closed it before: unpaid, suspended, terminated for a breach.
            "ends" if All(&all).has_ended(&order.rule(), saying.now) => {
                Self::tell_ended(saying, (&order, &all)).await?;
            }
            "purges" => {
                let found = removal(saying.tx, (&order.organization_id, &all)).await?;
                if let Some(due) = found.filter(|removal| removal.at <= saying.now) {
                    begin_purge(saying, (&order.organization_id, due.last_day)).await?;
                }
            }
            _ => {}
        }
        let after = json!({
            "product": order.product_id, "seats": order.seats, "standing": standing, "final_day": final_day.map(|day| day.to_string()),
            "closed": closed.map(|why| format!("{why:?}").to_lowercase()),
        });
        let event = Event::new("order.reached").about(&order.id).changed(serde_json::Value::Null, after);
        reached(saying, row, event).await?;
        // What orders open is a question of the clock: the pools stay as they are. Left to do are the next renewal, and a word to who has
        // more seats taken than are left. This row is held, so that a step recorded at this moment plans after it.
        seats::plan(saying.tx, &order.organization_id, (&order.rule(), &all), saying.now).await?;
        // Options follow their subscription, and may be of other products.
        let products: BTreeSet<_> = all.iter().map(|order| order.product.as_str()).collect();
        for product in products {
            let pool = (order.organization_id.as_str(), product);
            seats::look_at_level(saying.tx, saying.app.into(), pool, saying.now).await?;
        }
        follow_subscription(saying.tx, (&order.organization_id, &all), saying.now).await?;
        Ok(Ended::Done)
    }

    async fn waiting<C: Conn>(c: &mut C, _: &App) -> Outcome<(i64, Option<Timestamp>)> {
        waiting(c, Self::NAME).await
    }
}

/// The day on which an organization's data are removed; none while anything that it ordered goes on.
async fn removed_on(saying: &mut Saying<'_>, of: (&str, &[rules::Order])) -> Outcome<Option<Date>> {
    let found = removal(saying.tx, of).await?.filter(|removal| removal.over_at <= saying.now);
    Ok(found.map(|removal| calendar::date_at(removal.at)))
}

/// Tells the operators, once everything is over, of data that are wanted back and were never taken (R157, R211).
async fn tell_awaited(
    saying: &mut Saying<'_>,
    (order, all): (&Order, &[rules::Order]),
    removed_on: Option<Date>,
) -> Outcome<()> {
    let mut moments = All(all).moments(&order.rule(), saying.now).into_iter();
    let organization = order.organization_id.as_str();
    let last = moments.any(|(moment, _)| moment == Purges);
    if !last || !data_returns::find(saying.tx, organization).await?.is_awaited() {
        return Ok(());
    }
    let Some(mut letter) = Orders::letter(saying, order, Told::ReturnDue).await? else { return Ok(()) };
    letter.date = removed_on;
    for person in people::operators(saying.tx).await? {
        mail::write(saying.tx, saying.app, (&person, &letter), saying.now).await?;
    }
    let event = Event::new("organization.data_return_due").by("lifecycle").in_organization(organization);
    let event = event.about(organization).with("removed_on", letter.date.map(|day| day.to_string()));
    Ok(audit::record(saying.tx, event, saying.now).await?)
}

/// Puts the removal of an organization's data to work, unless it is under way.
async fn begin_purge(saying: &mut Saying<'_>, (organization, last_day): (&str, Date)) -> Outcome<()> {
    if purges::list(saying.tx, organization).await?.iter().any(|purge| purge.finished_at.is_none()) {
        return Ok(());
    }
    let last_day = last_day.to_string();
    let (purge, job) = (random::id("pur", saying.now), random::id("job", saying.now));
    purges::start(saying.tx, (&purge, organization, &last_day), saying.now).await?;
    let new = NewJob { id: &job, organization, kind: PURGE, subject: &purge, total: 0, by: "lifecycle" };
    jobs::insert(saying.tx, &new, saying.now).await?;
    saying.app.work_waiting.notify_one();
    Ok(())
}

/// Trials.
pub(super) struct Trials;

impl Trials {
    async fn tell(saying: &mut Saying<'_>, (row, told): (&Moment, Told), facts: &Facts) -> Outcome<()> {
        let found = trials::find(saying.tx, &row.organization_id, &row.subject_id).await?;
        let Some(trial) = found else { return Ok(()) };
        let about = About { organization: &row.organization_id, product: &trial.product_id, number: "" };
        let seats = u64::try_from(trial.seats).unwrap_or(0);
        let Some(mut letter) = letters::letter(saying.tx, about, told, (0, seats)).await? else { return Ok(()) };
        letter.date = Some(calendar::add_days(calendar::date_at(facts.due), -1));
        saying.to_administrators(&row.organization_id, &letter).await
    }
}

impl Kind for Trials {
    const NAME: &'static str = "trial";
    const AT_THE_END: &'static str = "the trial is over; data are frozen";
    type Row = Moment;

    async fn due<C: Conn>(c: &mut C, _: &App, page: Page<'_>) -> Outcome<Vec<Moment>> {
        due(c, Self::NAME, page).await
    }

    async fn facts<C: Conn>(_: &mut C, _: &App, rows: &[&Moment], _: Timestamp) -> Outcome<Vec<Option<Facts>>> {
        Ok(facts(rows, |_| Ladder::TRIAL))
    }

    async fn plan(tx: &mut Tx, looks: &[(&Moment, Option<Timestamp>)]) -> Outcome<usize> {
        plan(tx, looks).await
    }

    async fn remind(saying: &mut Saying<'_>, row: &Moment, facts: &Facts, notice: Notice) -> Outcome<()> {
        Self::tell(saying, (row, Told::TrialEnds), facts).await?;
        let event = Event::new("trial.notice_sent").about(&row.subject_id).with("rung", notice.rung);
        reached(saying, row, event).await
    }

    async fn end(saying: &mut Saying<'_>, row: &Moment, facts: &Facts) -> Outcome<Ended> {
        let found = trials::find(saying.tx, &row.organization_id, &row.subject_id).await?;
        let Some(trial) = found else { return Ok(Ended::Done) };
        let all: Vec<_> = orders::all(saying.tx, &row.organization_id).await?.iter().map(Order::rule).collect();
        // An order that was signed and paid meanwhile decides from now on.
        if trial.rule().state(&trial.product_id, &all, saying.now) != TrialState::Converted {
            Self::tell(saying, (row, Told::TrialEnded), facts).await?;
        }
        let after = json!({ "product": trial.product_id, "seats": trial.seats, "ended": true });
        let event = Event::new("trial.ended").about(&row.subject_id).changed(serde_json::Value::Null, after);
        reached(saying, row, event).await?;
        Ok(Ended::Done)
    }

    async fn waiting<C: Conn>(c: &mut C, _: &App) -> Outcome<(i64, Option<Timestamp>)> {
        waiting(c, Self::NAME).await
    }
}

/// Enrolments.
pub(super) struct Enrolments;

impl Enrolments {
    async fn letter(
        saying: &mut Saying<'_>,
        (enrolment, told): (&enrolments::Enrolment, Told),
    ) -> Outcome<Option<SubscriptionLetter>> {
        let organization = organizations::find(saying.tx, &enrolment.organization_id).await?;
        Ok(organization.map(|organization| SubscriptionLetter {
            notice: told,
            organization: organization.name,
            product: enrolment.title.clone(),
            number: String::new(),
            date: enrolment.closes_at.map(|at| calendar::add_days(calendar::date_at(at.into()), -1)),
            deadline: None,
            seats: (0, 0),
        }))
    }
}

impl Kind for Enrolments {
    const NAME: &'static str = "enrolment";
    const AT_THE_END: &'static str = "the registration lapses, access codes are late, or access ends";
    type Row = Moment;

    async fn due<C: Conn>(c: &mut C, _: &App, page: Page<'_>) -> Outcome<Vec<Moment>> {
        due(c, Self::NAME, page).await
    }

    async fn facts<C: Conn>(_: &mut C, _: &App, rows: &[&Moment], _: Timestamp) -> Outcome<Vec<Option<Facts>>> {
        Ok(facts(rows, |row| if row.moment == "ends" { Ladder::ACCESS } else { Ladder::NONE }))
    }

    async fn plan(tx: &mut Tx, looks: &[(&Moment, Option<Timestamp>)]) -> Outcome<usize> {
        plan(tx, looks).await
    }

    async fn remind(saying: &mut Saying<'_>, row: &Moment, _: &Facts, notice: Notice) -> Outcome<()> {
        let found = enrolments::find(saying.tx, &row.organization_id, &row.subject_id).await?;
        let Some(enrolment) = found else { return Ok(()) };
        if let Some(letter) = Self::letter(saying, (&enrolment, Told::AccessEnds)).await? {
            saying.to_person(&enrolment.person_id, &letter).await?;
        }
        let event = Event::new("enrolment.notice_sent").about(&enrolment.person_id).with("rung", notice.rung);
        reached(saying, row, event.with("enrolment", enrolment.id)).await
    }

    async fn end(saying: &mut Saying<'_>, row: &Moment, _: &Facts) -> Outcome<Ended> {
        let found = enrolments::find(saying.tx, &row.organization_id, &row.subject_id).await?;
        let Some(mut enrolment) = found else { return Ok(Ended::Done) };
        let told = match row.moment.as_str() {
            "returns" => Some(Told::RegistrationLapsed),
            "codes_due" => Some(Told::CredentialsDue),
            "codes_late" => Some(Told::CredentialsLate),
            _ => None,
        };
        if let Some(told) = told
            && let Some(letter) = Self::letter(saying, (&enrolment, told)).await?
        {
            saying.to_administrators(&row.organization_id, &letter).await?;
        }
        let before = json!({ "portal": enrolment.client_id, "status": enrolment.status });
        if row.moment == "returns" {
            Status::Lapsed.name().clone_into(&mut enrolment.status);
            if !enrolments::record(saying.tx, &enrolment, saying.now).await? {
                return Ok(Ended::Gone);
            }
        }
        let after = json!({ "portal": enrolment.client_id, "status": enrolment.status });
        let event = Event::new("enrolment.changed").about(&enrolment.person_id).with("enrolment", enrolment.id.clone());
        reached(saying, row, event.changed(before, after)).await?;
        Ok(Ended::Done)
    }

    async fn waiting<C: Conn>(c: &mut C, _: &App) -> Outcome<(i64, Option<Timestamp>)> {
        waiting(c, Self::NAME).await
    }
}
