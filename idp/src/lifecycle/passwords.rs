//! Passwords that come of age: reminders 30, 7 and 1 days before, suspension after the grace (R045, R047).
//!
//! The rule of a person hangs on the settings ([`Kind::rule`]), on what their organizations ask (a trigger marks these, and
//! [`Kind::prepare`] has their people looked at again) and on their memberships and account (triggers have theirs looked at again).

use std::collections::HashMap;

use habilis_keys::token::digest_hex;
use habilis_policies::calendar;
use habilis_policies::reminders::{Ladder, Notice};
use jiff::Timestamp;

use super::{Concerns, Ended, Facts, Kind, Page, Row, Saying};
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::passwords::{self, Due};
use crate::db::{At, Conn, Tx, grants, people};
use crate::login::{rules, session};
use crate::mail::passwords::PasswordLetter;
use crate::outcome::Outcome;

/// People marked in one transaction when the rule of their organization changed.
const MARKED_AT_ONCE: u32 = 500;

/// See the module.
pub(super) struct Passwords;

impl Row for Due {
    fn place(&self) -> (At, &str) {
        (self.look_at, &self.person_id)
    }
}

impl Kind for Passwords {
    const NAME: &'static str = "password";
    const AT_THE_END: &'static str = "the account is suspended";
    type Row = Due;

    async fn due<C: Conn>(c: &mut C, _: &App, page: Page<'_>) -> Outcome<Vec<Due>> {
        Ok(passwords::to_look_at(c, page.until, page.after, page.limit).await?)
    }

    async fn facts<C: Conn>(c: &mut C, app: &App, rows: &[&Due], now: Timestamp) -> Outcome<Vec<Option<Facts>>> {
        let people: Vec<&str> = rows.iter().map(|due| due.person_id.as_str()).collect();
        let rules = rules::of_people(c, &app.config, &people, now).await?;
        Ok(rows.iter().map(|due| facts(app, due, &rules)).collect())
    }

    async fn plan(tx: &mut Tx, looks: &[(&Due, Option<Timestamp>)]) -> Outcome<usize> {
        Ok(passwords::plan(tx, looks).await?)
    }

    async fn remind(saying: &mut Saying<'_>, due: &Due, facts: &Facts, notice: Notice) -> Outcome<()> {
        let letter = PasswordLetter::reminder(saying.app, notice.days_left, calendar::date_at(facts.due));
        saying.to_person(&due.person_id, &letter).await?;
        let event = Event::new("password.reminder_sent").about(&due.person_id).with("rung", notice.rung);
        Ok(audit::record(saying.tx, event, saying.now).await?)
    }

    async fn end(saying: &mut Saying<'_>, due: &Due, _: &Facts) -> Outcome<Ended> {
        let (person, now) = (due.person_id.as_str(), saying.now);
        if !people::set_status(saying.tx, person, ("active", "suspended_password"), now).await? {
            return Ok(Ended::Gone);
        }
        session::end_of_person(saying.tx, (person, ""), now).await?;
        grants::revoke_of_person(saying.tx, person, "", now).await?;
        let letter = PasswordLetter::suspended(saying.app);
        saying.to_person(person, &letter).await?;
        let event = Event::new("account.suspended").about(person).with("reason", "password_expired");
        audit::record(saying.tx, event, now).await?;
        Ok(Ended::Done)
    }

    async fn waiting<C: Conn>(c: &mut C, _: &App) -> Outcome<(i64, Option<Timestamp>)> {
        let (count, next) = passwords::waiting(c).await?;
        Ok((count, next.map(Timestamp::from)))
    }

    /// Organizations whose rule changed: their people are looked at again.
    async fn prepare(app: &App, _: Timestamp) -> Outcome<()> {
        while let Some((organization, from)) = passwords::to_replan(&mut app.db.reader().await?).await? {
            let mut tx = app.db.begin().await?;
            passwords::replan(&mut tx, (&organization, &from), MARKED_AT_ONCE).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    fn rule(app: &App) -> Option<String> {
        let (config, set) = (&app.config, &app.config.passwords);
        let rules = (config.password_policy(), config.password_floor(), Ladder::PASSWORD);
        let campaign = set.campaign_on.map(|on| (on.month, on.day, set.campaign_min_age_days));
        Some(digest_hex(&format!("{rules:?} {campaign:?}")))
    }

    async fn walk<C: Conn>(c: &mut C, after: &str, limit: u32) -> Outcome<Vec<Due>> {
        Ok(passwords::all_from(c, after, limit).await?)
    }
}

fn facts(app: &App, due: &Due, rules: &HashMap<String, habilis_policies::passwords::PasswordPolicy>) -> Option<Facts> {
    let changed = Timestamp::from(due.changed_at);
    let rule = rules.get(&due.person_id)?;
    let (expiry, _) = rules::expires_on(&app.config, rule, changed).filter(|_| due.status == "active")?;
    Some(Facts {
        subject: due.person_id.clone(),
        concerns: Concerns::Person(due.person_id.clone()),
        due: calendar::midnight(expiry),
        since: changed,
        ladder: Ladder::PASSWORD,
        end: Some(calendar::midnight(calendar::add_days(expiry, i32::from(rule.grace_days)))),
    })
}
