//! Imports of people: a file is read and checked row by row, and applied when somebody has looked at that (R058).

use std::collections::{BTreeMap, HashSet};

use habilis_policies::attributes::{Asked, Attribute};
use habilis_policies::calendar;
use habilis_policies::contact::{Email, Name};
use habilis_policies::csv_people::{self, Affiliation, Preview, Role, Row as Person};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::work::Job;
use crate::account::attributes;
use crate::account::invite::{self, Incomplete, Invitation, InviteRefusal};
use crate::account::landing::Landing;
use crate::account::signatories;
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::imports::{self, Found, Import, Row};
use crate::db::members::{self, Terms};
use crate::db::{Db, Tx, organizations, people, portal_grants};
use crate::mail::organizations::SensitiveAct;
use crate::outcome::{Fault, Outcome};
use crate::seats::SeatRefusal;
use crate::web::text::Locale;

/// Kind of the job that reads a file.
pub(crate) const CHECK: &str = "import_check";
/// Kind of the job that applies one.
pub(crate) const APPLY: &str = "import_apply";
/// What files are sealed for.
pub(crate) const PURPOSE: &str = "import";
/// With one writer for everybody, so many rows at the most are applied in one transaction: it keeps everybody else waiting.
pub(crate) const AT_ONCE_WITH_ONE_WRITER: i64 = 500;

/// Rows checked or applied in one transaction. On `SQLite` every other write waits for it.
const BATCH: u32 = 20;
/// Rows stored in one transaction.
const STORED: usize = 200;
/// A login taken between the look and the insert is seen at the next look.
const LOOKS: u32 = 10;

/// The code of a row that does not say what is asked of people.
const ATTRIBUTE_MISSING: &str = "attribute_missing";

/// How an import is applied, and in whose name.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Who said so.
    pub(crate) by: String,
    /// Through which client.
    pub(crate) client: Option<String>,
    /// From where.
    pub(crate) address: Option<String>,
    /// By which request.
    pub(crate) request: Option<String>,
    /// The policy that gave leave.
    pub(crate) policy: String,
    /// `fr` or `en`: the language of the letters.
    pub(crate) locale: String,
    /// What everybody may do in portals: client and role.
    pub(crate) rights: Vec<(String, String)>,
    /// The products everybody takes a seat of; none for the only one.
    #[serde(default)]
    pub(crate) products: Option<Vec<String>>,
}

/// The cells of a row.
#[derive(Debug, Serialize, Deserialize)]
struct Cells {
    family: String,
    given: String,
    email: String,
    login: String,
    administrator: bool,
    external: bool,
    ends_on: Option<Date>,
    #[serde(default)]
    phone: Option<String>,
    #[serde(default)]
    birthdate: Option<String>,
}

impl Cells {
    /// What they say beyond the names, in the form it is kept in.
    fn attributes(&self) -> Vec<(Attribute, String)> {
        let said = [(Attribute::PhoneNumber, &self.phone), (Attribute::Birthdate, &self.birthdate)];
        said.into_iter().filter_map(|(attribute, value)| value.clone().map(|value| (attribute, value))).collect()
    }

    /// What of `asked` they do not say. Names they always say.
    fn missing(&self, asked: &Asked) -> Vec<Attribute> {
        asked.missing(|attribute| match attribute {
            Attribute::GivenName | Attribute::FamilyName => true,
            Attribute::PhoneNumber => self.phone.is_some(),
            Attribute::Birthdate => self.birthdate.is_some(),
        })
    }
}

/// What is wrong with a row, as it is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Wrong {
    /// Header of the column as it is written.
    pub(crate) column: Option<String>,
    /// Stable word.
    pub(crate) code: String,
    /// The line that has the same login already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) first_line: Option<u64>,
    /// The attribute that is asked of people and that the row does not say (R004).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) attribute: Option<Attribute>,
}

impl Wrong {
    fn of_row(code: &str) -> Self {
        Self { column: None, code: code.to_owned(), first_line: None, attribute: None }
    }

    fn missing(attribute: Attribute) -> Self {
        Self { attribute: Some(attribute), ..Self::of_row(ATTRIBUTE_MISSING) }
    }
}

/// A row that was checked.
struct Checked {
    line: u64,
    cells: Option<Cells>,
    wrong: Vec<Wrong>,
}

/// Reads the file and stores its rows with what is wrong with each. Begins again where somebody else had begun.
///
/// # Errors
/// The database failed, or the file was sealed under another key.
pub(super) async fn check(app: &App, job: &Job) -> Outcome<()> {
    let (id, organization) = (&job.taken.subject, &job.taken.organization_id);
    let Some(sealed) = imports::file(&mut app.db.reader().await?, id).await? else { return give_up(app, job).await };
    let file = app.keys.master().open(PURPOSE, id.as_bytes(), &sealed)?;
    let read = tokio::task::spawn_blocking(move || csv_people::read(file.expose())).await?;
    let now = app.clock.now();
    let preview = match read {
        Ok(preview) => preview,
        Err(error) => {
            let found = Found { state: "unreadable", failure: Some(error.code()), ..Found::default() };
            let mut tx = app.db.begin().await?;
            if job.finish(&mut tx, "done", now).await? {
                imports::checked(&mut tx, id, &found).await?;
                tx.commit().await?;
            }
            return Ok(());
        }
    };
    let mut found = Found { state: "checked", form: Some(form(&preview)), ..Found::default() };
    // Of the others no more is known than that they are wrong.
    let told: HashSet<u64> = preview.problems.iter().map(|problem| problem.line).collect();
    found.invalid = i64::try_from(preview.bad_rows.saturating_sub(told.len()))?;
    let asked = attributes::asked_by(&mut app.db.reader().await?, &app.config, organization).await?;
    let rows = checked_rows(preview, (&asked, calendar::date_at(now)));
    let total = i64::try_from(rows.len())?;
    let mut done = 0;
    let mut begun = false;
    for batch in rows.chunks(STORED) {
        let now = app.clock.now();
        let taken = taken(app, organization, batch).await?;
        let mut stored = Vec::with_capacity(batch.len());
        for row in batch {
            stored.push(row.stored(&taken, &mut found)?);
        }
        done += i64::try_from(batch.len())?;
        let mut tx = app.db.begin().await?;
        if !job.advance(&mut tx, (done, total), now).await? {
            return Ok(());
        }
        if !begun {
            imports::forget_rows(&mut tx, id).await?;
            begun = true;
        }
        imports::add_rows(&mut tx, id, &Value::from(stored).to_string()).await?;
        tx.commit().await?;
    }
    let mut tx = app.db.begin().await?;
    if job.finish(&mut tx, "done", app.clock.now()).await? {
        imports::checked(&mut tx, id, &found).await?;
        tx.commit().await?;
    }
    Ok(())
}

fn form(preview: &Preview) -> String {
    let encoding = match preview.encoding {
        csv_people::Encoding::Utf8 => "utf-8",
        csv_people::Encoding::Utf16 => "utf-16",
        csv_people::Encoding::Windows1252 => "windows-1252",
    };
    let columns: Vec<_> = preview.columns.iter().map(|(_, name)| name).collect();
    let form = json!({
        "encoding": encoding, "separator": preview.separator, "columns": columns, "unknown_columns": preview.unknown_columns,
    });
    form.to_string()
}

/// Every row of the file that is good, or whose problems are told, by line.
fn checked_rows(preview: Preview, (asked, today): (&Asked, Date)) -> Vec<Checked> {
    let column = |wanted| preview.columns.iter().find(|(column, _)| *column == wanted).map(|(_, name)| name.clone());
    let columns = Columns {
        mail: column(csv_people::Column::Email),
        end: column(csv_people::Column::EndsOn),
        birthdate: column(csv_people::Column::Birthdate),
    };
    let mut rows = BTreeMap::new();
    for problem in preview.problems {
        let first_line = match problem.wrong {
            csv_people::Wrong::Duplicate { first_line } => Some(first_line),
            _ => None,
        };
        let wrong = Wrong { column: problem.column, first_line, ..Wrong::of_row(problem.wrong.code()) };
        let row =
            rows.entry(problem.line).or_insert_with(|| Checked { line: problem.line, cells: None, wrong: Vec::new() });
        row.wrong.push(wrong);
    }
    for row in preview.rows {
        rows.insert(row.line, checked_row(row, &columns, (asked, today)));
    }
    rows.into_values().collect()
}

/// Headers as they are written, of the columns whose cells are judged here.
struct Columns {
    mail: Option<String>,
    end: Option<String>,
    birthdate: Option<String>,
}

fn checked_row(row: Person, columns: &Columns, (asked, today): (&Asked, Date)) -> Checked {
    let wrong = |column: &Option<String>, code: &str| Wrong { column: column.clone(), ..Wrong::of_row(code) };
    let mut wrongs = Vec::new();
    match row.ends_on {
        Some(day) if day < today => wrongs.push(wrong(&columns.end, "past")),
        Some(day) if day > calendar::add_years(today, 10) => wrongs.push(wrong(&columns.end, "too_far")),
        _ => {}
    }
    let birthdate = row.birthdate.and_then(|day| Attribute::Birthdate.parse(&day.to_string(), today));
    if row.birthdate.is_some() && birthdate.is_none() {
        wrongs.push(wrong(&columns.birthdate, "date"));
    }
    // An invitation needs somewhere to go.
    let Some(email) = row.email else {
        wrongs.push(wrong(&columns.mail, "missing"));
        return Checked { line: row.line, cells: None, wrong: wrongs };
    };
    let cells = Cells {
        family: row.family.as_str().to_owned(),
        given: row.given.as_str().to_owned(),
        login: people::fold_login(row.login.as_deref().unwrap_or(email.as_str())),
        email: email.as_str().to_owned(),
        administrator: row.role == Role::Administrator,
        external: row.affiliation == Affiliation::External,
        ends_on: row.ends_on,
        phone: row.phone,
        birthdate,
    };
    let told = row.birthdate.is_some() && cells.birthdate.is_none();
    let missing = cells.missing(asked).into_iter().filter(|attribute| !(told && *attribute == Attribute::Birthdate));
    wrongs.extend(missing.map(Wrong::missing));
    Checked { line: row.line, cells: Some(cells), wrong: wrongs }
}

/// The logins among the rows that somebody has, and of those the ones of members.
async fn taken(app: &App, organization: &str, rows: &[Checked]) -> Outcome<BTreeMap<String, bool>> {
    let logins: Value = rows.iter().filter_map(|row| row.cells.as_ref()).map(|cells| cells.login.as_str()).collect();
    let found = imports::taken(&mut app.db.reader().await?, organization, &logins.to_string()).await?;
    Ok(found.into_iter().map(|one| (one.login, one.member)).collect())
}

/// Why somebody who has an account is not invited.
fn taken_code(member: bool) -> &'static str {
    if member { "already_member" } else { "login_taken" }
}

impl Checked {
    /// As it is stored; counts it.
    fn stored(&self, taken: &BTreeMap<String, bool>, found: &mut Found) -> Outcome<Value> {
        let mut wrong = self.wrong.clone();
        if let Some(member) = self.cells.as_ref().and_then(|cells| taken.get(&cells.login)) {
            wrong.push(Wrong::of_row(taken_code(*member)));
        }
        let state = if wrong.is_empty() { "ready" } else { "invalid" };
        if wrong.is_empty() {
            found.ready += 1;
            found.administrators += i64::from(self.cells.as_ref().is_some_and(|cells| cells.administrator));
        } else {
            found.invalid += 1;
        }
        let data = self.cells.as_ref().map(serde_json::to_string).transpose()?;
        Ok(json!({ "line": self.line, "state": state, "data": data, "problems": serde_json::to_string(&wrong)? }))
    }
}

/// Applies an import.
///
/// # Errors
/// The database or a template failed.
pub(super) async fn apply(app: &App, job: &Job) -> Outcome<()> {
    let (id, organization) = (&job.taken.subject, &job.taken.organization_id);
    let found = imports::find(&mut app.db.reader().await?, organization, id).await?;
    let Some(import) = found.filter(|import| import.state == "applying") else { return give_up(app, job).await };
    let plan = import.plan.as_deref().ok_or_else(|| Fault::new("an import is applied without a plan"))?;
    let plan: Plan = serde_json::from_str(plan)?;
    if import.mode.as_deref() == Some("all_or_nothing") {
        all_or_nothing(app, job, (&import, &plan)).await
    } else {
        valid_rows(app, job, (&import, &plan)).await
    }
}

/// Some rows a transaction, each with what became of them: after a crash the next worker goes on behind the last commit.
async fn valid_rows(app: &App, job: &Job, (import, plan): (&Import, &Plan)) -> Outcome<()> {
    let mut done = import.done;
    let mut looks = 0;
    loop {
        let now = app.clock.now();
        let mut tx = app.db.begin().await?;
        let rows = imports::ready(&mut tx, &import.id, (-1, BATCH)).await?;
        let after = done + i64::try_from(rows.len())?;
        if !job.advance(&mut tx, (after, import.ready), now).await? {
            return Ok(());
        }
        if rows.is_empty() {
            return end(app, job, tx, (import, plan), now).await;
        }
        match batch(app, &mut tx, (import, plan), (&rows, now)).await? {
            Some(_) => {
                tx.commit().await?;
                (done, looks) = (after, 0);
                app.mail_waiting.notify_one();
            }
            None if looks < LOOKS => looks += 1,
            None => return Err(Fault::new("a login is taken that nobody has")),
        }
    }
}

/// All rows in one transaction, or none: what nobody sees until it commits was not made if it never does.
async fn all_or_nothing(app: &App, job: &Job, (import, plan): (&Import, &Plan)) -> Outcome<()> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let (mut line, mut done, mut refused) = (-1, 0, Vec::new());
    loop {
        let rows = imports::ready(&mut tx, &import.id, (line, BATCH)).await?;
        let Some(last) = rows.last() else { break };
        line = last.line;
        done += i64::try_from(rows.len())?;
        match batch(app, &mut tx, (import, plan), (&rows, now)).await? {
            Some(lines) => refused.extend(lines),
            // Somebody took a login at this moment. Nothing is lost but time: it is seen at the next look.
            None => return Err(Fault::new("a login was taken meanwhile; the import begins again")),
        }
        // Beside the writer of SQLite there is no other; there the transaction is short.
        if let Db::Postgres(_) = app.db {
            let mut sign = app.db.begin().await?;
            if !job.advance(&mut sign, (done, import.ready), app.clock.now()).await? {
                return Ok(());
            }
            sign.commit().await?;
        }
    }
    if refused.is_empty() {
        if !job.advance(&mut tx, (done, import.ready), now).await? {
            return Ok(());
        }
        return end(app, job, tx, (import, plan), now).await;
    }
    drop(tx);
    let mut tx = app.db.begin().await?;
    if !job.finish(&mut tx, "done", now).await? {
        return Ok(());
    }
    for (line, problems) in &refused {
        imports::settle_row(&mut tx, (&import.id, *line), ("invalid", problems, None)).await?;
    }
    imports::turned_down(&mut tx, &import.id, i64::try_from(refused.len())?).await?;
    let event = plan.event("import.turned_down", import).with("refused", refused.len());
    audit::record(&mut tx, event, now).await?;
    Ok(tx.commit().await?)
}

/// Invites the people of these rows; gives those that were refused, by line. None when somebody took a login at this moment:
/// the transaction is of no use then.
async fn batch(
    app: &App,
    tx: &mut Tx,
    (import, plan): (&Import, &Plan),
    (rows, now): (&[Row], Timestamp),
) -> Outcome<Option<Vec<(i64, String)>>> {
    let organization = &import.organization_id;
    // What the operator grants the organization, and that it is active, must stay while people are invited.
    members::lock(tx, organization).await?;
    let barred = barred(tx, organization, plan).await?;
    let mut cells = Vec::with_capacity(rows.len());
    for row in rows {
        let data = row.data.as_deref().ok_or_else(|| Fault::new("a row that is ready has no cells"))?;
        cells.push(serde_json::from_str::<Cells>(data)?);
    }
    let logins: Value = cells.iter().map(|cells| cells.login.as_str()).collect();
    let taken = imports::taken(tx, organization, &logins.to_string()).await?;
    let taken: BTreeMap<_, _> = taken.into_iter().map(|one| (one.login, one.member)).collect();
    let today = calendar::date_at(now);
    let mut refused = Vec::new();
    for (row, cells) in rows.iter().zip(&cells) {
        let late = cells.ends_on.is_some_and(|day| day < today).then_some("past");
        let code = barred.or(taken.get(&cells.login).map(|member| taken_code(*member))).or(late);
        if let Some(code) = code {
            refused.push(refuse(tx, (import, row), &[Wrong::of_row(code)]).await?);
            continue;
        }
        match admit(app, tx, (import, plan), (cells, now)).await? {
            Ok(person) => {
                imports::settle_row(tx, (&import.id, row.line), ("made", "[]", Some(&person))).await?;
            }
            Err(InviteRefusal::LoginTaken) => return Ok(None),
            Err(InviteRefusal::Seat(refusal)) => {
                let code = match refusal {
                    SeatRefusal::LimitReached { .. } => "seat_limit_reached",
                    SeatRefusal::ProductUnnamed(_) | SeatRefusal::NoSuchProduct(_) => "product_unnamed",
                };
                refused.push(refuse(tx, (import, row), &[Wrong::of_row(code)]).await?);
            }
            // The organization has begun to ask for more since the preview.
            Err(InviteRefusal::Missing(missing)) => {
                let wrongs: Vec<Wrong> = missing.into_iter().map(Wrong::missing).collect();
                refused.push(refuse(tx, (import, row), &wrongs).await?);
            }
            Err(refusal) => return Err(Fault::new(format!("a checked row was refused: {refusal}"))),
        }
    }
    Ok(Some(refused))
}

/// Settles a row whose person is not invited; gives its line and what is wrong.
async fn refuse(tx: &mut Tx, (import, row): (&Import, &Row), wrongs: &[Wrong]) -> Outcome<(i64, String)> {
    let problems = serde_json::to_string(wrongs)?;
    imports::settle_row(tx, (&import.id, row.line), ("refused", &problems, None)).await?;
    Ok((row.line, problems))
}

/// Why nobody can be invited any more: the organization is not active, or may not give a right of the plan.
async fn barred(tx: &mut Tx, organization: &str, plan: &Plan) -> Outcome<Option<&'static str>> {
    let active = organizations::find(tx, organization).await?.is_some_and(|found| found.status == "active");
    if !active {
        return Ok(Some("organization_not_active"));
    }
    if plan.rights.is_empty() {
        return Ok(None);
    }
    let granted = portal_grants::list(tx, organization).await?;
    let granted: HashSet<_> = granted.iter().map(|one| (one.client_id.as_str(), one.role.as_str())).collect();
    let given = plan.rights.iter().all(|(client, role)| granted.contains(&(client.as_str(), role.as_str())));
    Ok((!given).then_some("not_granted"))
}

async fn admit(
    app: &App,
    tx: &mut Tx,
    (import, plan): (&Import, &Plan),
    (cells, now): (&Cells, Timestamp),
) -> Outcome<Result<String, InviteRefusal>> {
    let parsed = (Email::parse(&cells.email), Name::parse(&cells.given), Name::parse(&cells.family));
    let (Some(email), Some(given), Some(family)) = parsed else {
        return Err(Fault::new("a checked row has no name or address"));
    };
    let attributes = cells.attributes();
    let invitation = Invitation {
        login: &cells.login,
        email: &email,
        names: (&given, &family),
        attributes: &attributes,
        incomplete: Incomplete::Refused,
        locale: Locale::negotiate(Some(&plan.locale), None),
        organization: Some((&import.organization_id, if cells.administrator { "administrator" } else { "member" })),
        rights: &plan.rights,
        products: plan.products.as_deref(),
        initial_of: None,
        operator: false,
        landing: Landing::default(),
        by: &plan.by,
    };
    let ends_on = cells.ends_on.map(|day| day.to_string());
    let affiliation = if cells.external { "external" } else { "employee" };
    let terms = Terms { affiliation, ends_on: ends_on.as_deref(), mandate: Some("invitation") };
    let event = plan.event("member.invited", import);
    let invited = invite::admit(tx, app.into(), (&invitation, &terms, event), now).await?;
    Ok(invited.map(|invited| invited.person))
}

impl Plan {
    /// An event of this import.
    fn event(&self, name: &'static str, import: &Import) -> Event {
        let mut event = Event::new(name).by(&self.by).in_organization(&import.organization_id);
        event.client_id.clone_from(&self.client);
        event.address.clone_from(&self.address);
        event.request_id.clone_from(&self.request);
        event.with("policy", self.policy.clone()).with("import", import.id.clone())
    }
}

/// Ends an import whose every row has been dealt with: the signatory is told, the cells are forgotten.
async fn end(app: &App, job: &Job, mut tx: Tx, (import, plan): (&Import, &Plan), now: Timestamp) -> Outcome<()> {
    let counts: BTreeMap<_, _> = imports::counts(&mut tx, &import.id).await?.into_iter().collect();
    let count = |state: &str| counts.get(state).copied().unwrap_or_default();
    let (made, refused) = (count("made"), count("refused"));
    imports::applied(&mut tx, &import.id, (made, refused), now).await?;
    let event = plan.event("import.applied", import).with("made", made).with("refused", refused);
    let event = event
        .with("invalid", import.invalid)
        .with("mode", import.mode.clone())
        .with("file_sha256", import.file_digest.clone());
    audit::record(&mut tx, event, now).await?;
    if made > 0
        && let Some(organization) = organizations::find(&mut tx, &import.organization_id).await?
    {
        let person = signatories::actor(&mut tx, &plan.by).await?;
        let act = SensitiveAct::MembersImported { person, made };
        signatories::tell(&mut tx, app, (&organization, act), now).await?;
    }
    if job.finish(&mut tx, "done", now).await? {
        tx.commit().await?;
    }
    Ok(())
}

/// Ends a job that cannot be done, and says so at its import.
///
/// # Errors
/// The database failed.
pub(super) async fn give_up(app: &App, job: &Job) -> Outcome<()> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if job.finish(&mut tx, "failed", now).await? {
        imports::failed(&mut tx, &job.taken.subject).await?;
        let event = Event::new("import.failed").in_organization(&job.taken.organization_id);
        audit::record(&mut tx, event.with("import", job.taken.subject.clone()), now).await?;
        tx.commit().await?;
    }
    Ok(())
}
