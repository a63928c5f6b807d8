//! Imports of all or nothing: as many rows as a file has, and nobody sees some of them.
//!
//! 1. The rows are prepared, some hundreds a transaction, in tables that nobody reads ([`import_entries`]).
//! 2. They enter in one transaction of a few statements that each take all of them: asked again, counted among the seats, and made
//!    people, members and offers. From its commit on the import is all; before it, it is nothing.
//! 3. Each is written to, some at a time: rights, link, letter, trail. Nobody can sign in before that.
//!
//! A worker that dies leaves the first to be begun again, the second undone by the database, and the third to be carried on. The third is
//! never given up.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use habilis_keys::random;
use habilis_policies::attributes::Asked;
use habilis_policies::{calendar, search};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::imports::{
    self as rows_of, BATCH, Cells, LOOKS, Plan, Wrong, as_lines, barred, granted, problems, seat_code,
};
use super::work::Job;
use crate::account::{attributes, invite, offers};
use crate::app::App;
use crate::db::import_entries::{self, Entering, ToTell};
use crate::db::imports::{self, Import, Row};
use crate::db::organizations::Organization;
use crate::db::{TURN, Tx, audit, is_unique_violation, members, membership_offers, organizations, people};
use crate::lifecycle;
use crate::outcome::{Fault, Outcome};
use crate::seats;

/// Rows prepared, or prepared rows forgotten, in one transaction.
const PREPARED: u32 = 250;
/// Rows refused for one reason that are marked by one statement.
const MARKED: usize = 5000;

/// Lines that cannot be entered, each with what is wrong as it is stored.
type Refused = BTreeMap<i64, String>;

/// What became of a step.
enum Step<T> {
    /// Done.
    Done(T),
    /// Rows are refused: nothing is entered.
    Refused(Refused),
    /// The job is somebody else's by now, or was cancelled.
    Left,
}

/// Applies an import, or carries on with it.
///
/// # Errors
/// The database or a template failed.
pub(super) async fn run(app: &App, job: &Job, (import, plan): (Import, &Plan)) -> Outcome<()> {
    let import = if import.decided_at.is_some() {
        import
    } else {
        let entered = match prepare(app, job, (&import, plan)).await? {
            Step::Done(asked) => enter(app, job, (&import, plan), &asked).await?,
            Step::Refused(refused) => Step::Refused(refused),
            Step::Left => Step::Left,
        };
        match entered {
            Step::Done((made, offered)) => Import { made, offered, ..import },
            Step::Refused(refused) => return turn_down(app, job, (&import, plan), &refused).await,
            Step::Left => return Ok(()),
        }
    };
    tell(app, job, (&import, plan)).await
}

/// Puts every row aside with what it will be: once, though somebody had begun before.
async fn prepare(app: &App, job: &Job, (import, plan): (&Import, &Plan)) -> Outcome<Step<Asked>> {
    let total = 2 * import.ready;
    let asked = attributes::asked_by(&mut app.db.reader().await?, &app.config, &import.organization_id).await?;
    loop {
        let mut tx = app.db.begin().await?;
        if !job.advance(&mut tx, (0, total), app.clock.now()).await? {
            return Ok(Step::Left);
        }
        let forgotten = import_entries::forget(&mut tx, &import.id, PREPARED).await?;
        tx.commit().await?;
        if forgotten == 0 {
            break;
        }
    }
    let (mut line, mut done, mut refused) = (-1, 0, Refused::new());
    loop {
        let now = app.clock.now();
        let mut tx = app.db.begin().await?;
        let rows = imports::ready(&mut tx, &import.id, (line, PREPARED)).await?;
        let Some(last) = rows.last() else { break };
        line = last.line;
        done += i64::try_from(rows.len())?;
        if !job.advance(&mut tx, (done, total), now).await? {
            return Ok(Step::Left);
        }
        put_aside(&mut tx, (import, plan), (&rows, &asked, now), &mut refused).await?;
        tx.commit().await?;
    }
    Ok(if refused.is_empty() { Step::Done(asked) } else { Step::Refused(refused) })
}

async fn put_aside(
    tx: &mut Tx,
    (import, plan): (&Import, &Plan),
    (rows, asked, now): (&[Row], &Asked, Timestamp),
    refused: &mut Refused,
) -> Outcome<()> {
    let organization = import.organization_id.as_str();
    let (mut entries, mut taken) = (Vec::with_capacity(rows.len()), Vec::new());
    let cells = rows.iter().map(|row| Cells::of(row.data.as_deref())).collect::<Outcome<Vec<_>>>()?;
    let all: Value = cells.iter().map(|cells| cells.login.as_str()).collect();
    let known = imports::taken(tx, (organization, &plan.by), &all.to_string(), now).await?;
    let mut products = BTreeMap::new();
    for (row, cells) in rows.iter().zip(cells) {
        if let Some(code) = cells.wrong_login() {
            refused.insert(row.line, problems(&[Wrong::of_row(code)])?);
        }
        let missing = cells.missing(asked);
        // Who has an account is asked when they accept.
        if !missing.is_empty() && !known.iter().any(|login| login.login == cells.login) {
            let wrongs: Vec<_> = missing.into_iter().map(Wrong::missing).collect();
            refused.insert(row.line, problems(&wrongs)?);
        }
        let attributes = cells.attributes().into_iter();
        let claims: Map<_, _> =
            attributes.map(|(attribute, value)| (attribute.claim().to_owned(), value.into())).collect();
        let named = cells.products(plan).map(<[String]>::to_vec);
        let known = if let Some(known) = products.get(&named) {
            known
        } else {
            let found = seats::products_of_newcomer(tx, organization, named.as_deref(), now).await?;
            products.entry(named).or_insert(found)
        };
        match known {
            Ok(known) => taken.extend(known.iter().map(|product| json!([row.line, product]))),
            Err(refusal) => {
                refused.insert(row.line, problems(&[Wrong::of_row(seat_code(refusal))])?);
            }
        }
        entries.push(json!({
            "line": row.line, "login": cells.login, "email": cells.email, "given": cells.given, "family": cells.family,
            "role": cells.role(), "affiliation": cells.affiliation(), "mandate": cells.mandate().name(), "ends_on": cells.ends_on(),
            "claims": Value::Object(claims).to_string(), "key": hexadecimal(&search::sort_key(&cells.family, &cells.given)),
            "person": random::id("usr", now), "offer": random::id("off", now), "rights": cells.own_rights(),
        }));
    }
    import_entries::add(tx, &import.id, (&Value::from(entries).to_string(), &Value::from(taken).to_string())).await?;
    // An offer whose time is over stands in the way of another until it is closed.
    for login in known {
        let Some(person) = people::find_by_login(tx, &login.login).await? else { continue };
        if let Some(before) = membership_offers::lapsed_of(tx, (organization, &person.id), now).await? {
            lifecycle::offers::lapse(tx, &before, now).await?;
        }
    }
    Ok(())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing into a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The step by which all of them appear, or none.
async fn enter(app: &App, job: &Job, (import, plan): (&Import, &Plan), asked: &Asked) -> Outcome<Step<(i64, i64)>> {
    for _ in 0..LOOKS {
        let now = app.clock.now();
        let mut tx = app.db.begin().await?;
        if !job.advance(&mut tx, (import.ready, 2 * import.ready), now).await? {
            return Ok(Step::Left);
        }
        // What the operator grants the organization, and that it is active, must stay until they are in.
        members::lock(&mut tx, &import.organization_id).await?;
        if attributes::asked_by(&mut tx, &app.config, &import.organization_id).await? != *asked {
            return Err(Fault::new("what is asked of people has changed meanwhile; the import begins again"));
        }
        let refused = refused(&mut tx, (import, plan), now).await?;
        if !refused.is_empty() {
            return Ok(Step::Refused(refused));
        }
        let wanted = import_entries::seats_wanted(&mut tx, (&import.id, &import.organization_id)).await?;
        let mut refused = Refused::new();
        for (product, wanted) in &wanted {
            let at = (import.organization_id.as_str(), product.as_str());
            if let Err(free) = seats::count_many(&mut tx, at, *wanted, now).await? {
                let lines = import_entries::without_seat(&mut tx, (&import.id, at.0), (product, free)).await?;
                let full = problems(&[Wrong::of_row("seat_limit_reached")])?;
                refused.extend(lines.into_iter().map(|line| (line, full.clone())));
            }
        }
        if !refused.is_empty() {
            return Ok(Step::Refused(refused));
        }
        let how = Entering {
            import: &import.id,
            organization: &import.organization_id,
            locale: &plan.locale,
            rights: &as_lines(&plan.rights),
            by: &plan.by,
            offers_until: offers::open_until(app.into(), now)?,
        };
        let (made, offered) = match import_entries::enter(&mut tx, &how, now).await {
            // Somebody took a login at this moment. It is seen at the next look.
            Err(error) if is_unique_violation(&error) => continue,
            entered => entered?,
        };
        for (product, _) in &wanted {
            seats::look_at_level(&mut tx, app.into(), (&import.organization_id, product), now).await?;
        }
        let event = plan.event("import.entered", import).with("made", made).with("offered", offered);
        audit::record(&mut tx, event, now).await?;
        tx.commit().await?;
        return Ok(Step::Done((made, offered)));
    }
    Err(Fault::new("a login is taken that nobody has"))
}

/// What was in order when it was looked at, and is not any more.
async fn refused(tx: &mut Tx, (import, plan): (&Import, &Plan), now: Timestamp) -> Outcome<Refused> {
    if let Some(code) = barred(tx, (import, plan), now).await? {
        let lines = import_entries::lines(tx, &import.id).await?;
        let problems = problems(&[Wrong::of_row(code)])?;
        return Ok(lines.into_iter().map(|line| (line, problems.clone())).collect());
    }
    import_entries::resolve(tx, &import.id).await?;
    let today = calendar::date_at(now).to_string();
    let whose = (import.id.as_str(), import.organization_id.as_str());
    let mut found = import_entries::refused(tx, whose, (&plan.by, &today)).await?;
    let granted = granted(tx, &import.organization_id).await?;
    // Many rows say the same.
    for rights in import_entries::rights_said(tx, &import.id).await? {
        let mut given = rights.lines().filter_map(|line| line.split_once(' '));
        if !given.all(|(client, role)| granted.contains(&(client.to_owned(), role.to_owned()))) {
            let lines = import_entries::lines_saying(tx, &import.id, &rights).await?;
            found.extend(lines.into_iter().map(|line| (line, "not_granted".to_owned())));
        }
    }
    found.into_iter().map(|(line, code)| Ok((line, problems(&[Wrong::of_row(&code)])?))).collect()
}

/// Nothing was entered: the import is as it was after the check, with these rows marked.
async fn turn_down(app: &App, job: &Job, (import, plan): (&Import, &Plan), refused: &Refused) -> Outcome<()> {
    let now = app.clock.now();
    let mut alike = BTreeMap::<&str, Vec<i64>>::new();
    for (line, problems) in refused {
        alike.entry(problems).or_default().push(*line);
    }
    let mut tx = app.db.begin().await?;
    if !job.finish(&mut tx, "done", now).await? {
        return Ok(());
    }
    for (problems, lines) in alike {
        for lines in lines.chunks(MARKED) {
            imports::settle_rows(&mut tx, &import.id, (&Value::from(lines).to_string(), problems)).await?;
        }
    }
    imports::turned_down(&mut tx, &import.id, i64::try_from(refused.len())?).await?;
    let event = plan.event("import.turned_down", import).with("refused", refused.len());
    audit::record(&mut tx, event, now).await?;
    Ok(tx.commit().await?)
}

/// Writes to everybody who was entered and knows nothing yet, then ends the import.
async fn tell(app: &App, job: &Job, (import, plan): (&Import, &Plan)) -> Outcome<()> {
    let total = 2 * (import.made + import.offered);
    let mut tx = app.db.begin().await?;
    let mut done = total - i64::try_from(import_entries::lines(&mut tx, &import.id).await?.len())?;
    drop(tx);
    let mut line = -1;
    loop {
        let now = app.clock.now();
        let mut tx = app.db.begin().await?;
        let begun = Instant::now();
        let rows = import_entries::to_tell(&mut tx, &import.id, (line, BATCH)).await?;
        if !job.advance(&mut tx, (done, total), now).await? {
            return Ok(());
        }
        if rows.is_empty() {
            return rows_of::end(app, job, tx, (import, plan), now).await;
        }
        // What the operator takes back from now on is taken back from them as well.
        members::lock(&mut tx, &import.organization_id).await?;
        let Some(organization) = organizations::find(&mut tx, &import.organization_id).await? else {
            return Err(Fault::new("an import of no organization"));
        };
        let granted = granted(&mut tx, &organization.id).await?;
        for row in &rows {
            tell_one(app, &mut tx, (import, plan), (row, &organization, &granted), now).await?;
            import_entries::told(&mut tx, &import.id, row.line).await?;
            line = row.line;
            done += 1;
            if begun.elapsed() > TURN {
                break;
            }
        }
        job.advance(&mut tx, (done, total), now).await?;
        tx.commit().await?;
        app.mail_waiting.notify_one();
    }
}

async fn tell_one(
    app: &App,
    tx: &mut Tx,
    (import, plan): (&Import, &Plan),
    (row, organization, granted): (&ToTell, &Organization, &HashSet<(String, String)>),
    now: Timestamp,
) -> Outcome<()> {
    let cells = Cells::of(row.data.as_deref())?;
    let products = import_entries::products_of(tx, &import.id, row.line).await?;
    let Some(account) = &row.account_id else {
        let person = row.new_id.as_str();
        seats::tell_held(tx, (&organization.id, person), &products, (&plan.by, "invited")).await?;
        let (parsed, ends_on, attributes) = (cells.parsed()?, cells.ends_on(), cells.attributes());
        let rights: Vec<_> = cells.rights(plan).iter().filter(|right| granted.contains(*right)).cloned().collect();
        let invitation = cells.invitation((import, plan), &parsed, (&attributes, &rights));
        let event = plan.event("member.invited", import);
        let told = (&invitation, &cells.terms(ends_on.as_deref()), event);
        plan.hashes.keep(tx, (&cells.login, person)).await?;
        return invite::announce(tx, app.into(), (person, told), now).await;
    };
    seats::tell_held(tx, (&organization.id, account), &products, (&plan.by, "offered")).await?;
    let Some(person) = people::find(tx, account).await? else { return Ok(()) };
    let event = plan.event("member.offered", import).about(account).with("offer", row.offer_id.clone());
    // Taken back meanwhile: nothing is left to accept.
    let offer = membership_offers::find(tx, &organization.id, &row.offer_id).await?;
    if offer.is_none_or(|offer| offer.status != "open") {
        return Ok(audit::record(tx, event.with("withdrawn", true), now).await?);
    }
    let mail = offers::write_to(tx, app.into(), (&person, organization), now).await?;
    Ok(audit::record(tx, event.with("mail", mail), now).await?)
}
