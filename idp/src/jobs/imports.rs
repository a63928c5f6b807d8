//! Imports of people: a file is read and checked row by row, and applied when somebody has looked at that (R058).

use std::collections::{BTreeMap, HashMap, HashSet};

use habilis_policies::attributes::{Asked, Attribute};
use habilis_policies::calendar;
use habilis_policies::contact::{Email, Name};
use habilis_policies::csv_people::{self, Affiliation, Mandate, Preview, Role, Row as Person};
use habilis_policies::password_hashes;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::whole_imports;
use super::work::Job;
use crate::account::attributes;
use crate::account::invite::{self, Incomplete, Invitation, InviteRefusal};
use crate::account::landing::Landing;
use crate::account::offers::{self, OfferRefusal};
use crate::account::signatories;
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::clients::{self, MANAGES_ALL};
use crate::db::imports::{self, Found, Import, Login, Row};
use crate::db::members::{self, Right, Terms};
use crate::db::membership_offers::NewOffer;
use crate::db::{TURN, Tx, imported_passwords, jobs, organizations, people, portal_grants, products, seats};
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
/// What digests of passwords beside a file are sealed for.
pub(crate) const HASHES: &str = "import_hashes";

/// Rows applied in one transaction at most; fewer when they take longer than a [`TURN`].
pub(super) const BATCH: u32 = 20;
/// Rows stored in one transaction.
const STORED: usize = 200;
/// A login taken between the look and the insert is seen at the next look.
pub(super) const LOOKS: u32 = 10;

/// Administrators that the letter to the signatory names; of more it says how many.
const NAMED: u32 = 50;

/// The code of a row that does not say what is asked of people.
const ATTRIBUTE_MISSING: &str = "attribute_missing";

/// Portals and roles.
type Rights<'a> = &'a [(String, String)];

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
    /// The passwords that people bring along; they are kept beside it.
    #[serde(skip)]
    pub(crate) hashes: Hashes,
}

/// Digests of passwords and when these were chosen, by login.
#[derive(Default)]
pub(crate) struct Hashes(HashMap<String, (String, Timestamp)>);

impl std::fmt::Debug for Hashes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} digests", self.0.len())
    }
}

impl Hashes {
    /// Those that were sent beside the file of an import.
    async fn of(app: &App, import: &str) -> Outcome<Self> {
        let Some(sealed) = imports::hashes(&mut app.db.reader().await?, import).await? else {
            return Ok(Self::default());
        };
        let file = app.keys.master().open(HASHES, import.as_bytes(), &sealed)?;
        // They were judged when they came.
        let read =
            tokio::task::spawn_blocking(move || password_hashes::read(file.expose(), |_| Ok(()), Timestamp::MAX));
        let lines = read.await?.map_err(|_| Fault::new("digests that were taken cannot be read any more"))?;
        Ok(Self(lines.into_iter().map(|line| (line.login, (line.phc, line.changed_at))).collect()))
    }

    /// Keeps what somebody brings along whose account was just made: it opens nothing before they typed the password at their link (R212).
    pub(super) async fn keep(&self, tx: &mut Tx, (login, person): (&str, &str)) -> Outcome<()> {
        if let Some((phc, changed_at)) = self.0.get(login) {
            imported_passwords::add(tx, person, (phc, *changed_at)).await?;
        }
        Ok(())
    }
}

/// The login of a row that was checked.
///
/// # Errors
/// A row that is ready has no cells.
pub(crate) fn login_of(row: &Row) -> Outcome<String> {
    Ok(Cells::of(row.data.as_deref())?.login)
}

/// The cells of a row.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Cells {
    pub(super) family: String,
    pub(super) given: String,
    pub(super) email: String,
    pub(super) login: String,
    administrator: bool,
    external: bool,
    /// See [`Mandate::name`]; none when the file says nothing.
    #[serde(default)]
    mandate: Option<String>,
    ends_on: Option<Date>,
    /// Products of the organization; empty when the file says nothing.
    #[serde(default)]
    products: Vec<String>,
    /// Portals and roles; empty when the file says nothing.
    #[serde(default)]
    rights: Vec<(String, String)>,
    #[serde(default)]
    phone: Option<String>,
    #[serde(default)]
    birthdate: Option<String>,
}

impl Cells {
    /// What they say beyond the names, in the form it is kept in.
    pub(super) fn attributes(&self) -> Vec<(Attribute, String)> {
        let said = [(Attribute::PhoneNumber, &self.phone), (Attribute::Birthdate, &self.birthdate)];
        said.into_iter().filter_map(|(attribute, value)| value.clone().map(|value| (attribute, value))).collect()
    }

    /// What of `asked` they do not say. Names they always say.
    pub(super) fn missing(&self, asked: &Asked) -> Vec<Attribute> {
        asked.missing(|attribute| match attribute {
            Attribute::GivenName | Attribute::FamilyName => true,
            Attribute::PhoneNumber => self.phone.is_some(),
            Attribute::Birthdate => self.birthdate.is_some(),
        })
    }

    /// What is wrong with the login of a row that an earlier version checked.
    pub(super) fn wrong_login(&self) -> Option<&'static str> {
        let theirs = Email::parse(&self.email).is_some_and(|email| email.may_have_login(&self.login));
        (!theirs).then_some("login_address")
    }

    /// Those of a row.
    pub(super) fn of(data: Option<&str>) -> Outcome<Self> {
        Ok(serde_json::from_str(data.ok_or_else(|| Fault::new("a row that is ready has no cells"))?)?)
    }

    /// Address, given and family name.
    pub(super) fn parsed(&self) -> Outcome<(Email, Name, Name)> {
        let parsed = (Email::parse(&self.email), Name::parse(&self.given), Name::parse(&self.family));
        let (Some(email), Some(given), Some(family)) = parsed else {
            return Err(Fault::new("a checked row has no name or address"));
        };
        Ok((email, given, family))
    }

    pub(super) fn role(&self) -> &'static str {
        if self.administrator { "administrator" } else { "member" }
    }

    pub(super) fn affiliation(&self) -> &'static str {
        if self.external { "external" } else { "employee" }
    }

    /// By what right they act for the organization: by the invitation, when the file says nothing.
    pub(super) fn mandate(&self) -> Mandate {
        self.mandate.as_deref().map_or(Mandate::Invitation, |mandate| Mandate::of(Some(mandate)))
    }

    pub(super) fn ends_on(&self) -> Option<String> {
        self.ends_on.map(|day| day.to_string())
    }

    /// The products a seat is taken of: those of the row, else those of the plan, else none, which is the only one.
    pub(super) fn products<'a>(&'a self, plan: &'a Plan) -> Option<&'a [String]> {
        if self.products.is_empty() { plan.products.as_deref() } else { Some(&self.products) }
    }

    /// What they may do in portals: what the row says, else what the plan does.
    pub(super) fn rights<'a>(&'a self, plan: &'a Plan) -> Rights<'a> {
        if self.rights.is_empty() { &plan.rights } else { &self.rights }
    }

    /// The rights that the row says, as offers keep them; none when it says none.
    pub(super) fn own_rights(&self) -> Option<String> {
        (!self.rights.is_empty()).then(|| as_lines(&self.rights))
    }

    /// Whether the organization may still give what the row says.
    fn may_be_given(&self, granted: &HashSet<(String, String)>) -> bool {
        self.rights.iter().all(|right| granted.contains(right))
    }

    /// The invitation of a row.
    pub(super) fn invitation<'a>(
        &'a self,
        (import, plan): (&'a Import, &'a Plan),
        (email, given, family): &'a (Email, Name, Name),
        (attributes, rights): (&'a [(Attribute, String)], Rights<'a>),
    ) -> Invitation<'a> {
        Invitation {
            login: &self.login,
            email,
            names: (given, family),
            attributes,
            incomplete: Incomplete::Refused,
            locale: Locale::negotiate(Some(&plan.locale), None),
            organization: Some((&import.organization_id, self.role())),
            rights,
            products: self.products(plan),
            initial_of: None,
            operator: false,
            landing: Landing::default(),
            by: &plan.by,
        }
    }

    pub(super) fn terms<'a>(&self, ends_on: Option<&'a str>) -> Terms<'a> {
        let mandate = Some(self.mandate()).filter(|mandate| *mandate != Mandate::None).map(Mandate::name);
        Terms { affiliation: self.affiliation(), ends_on, mandate }
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
    pub(super) fn of_row(code: &str) -> Self {
        Self { column: None, code: code.to_owned(), first_line: None, attribute: None }
    }

    pub(super) fn missing(attribute: Attribute) -> Self {
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
    let (products, rights) = (products_of(app, organization).await?, rights_of(app, organization).await?);
    let asked = attributes::asked_by(&mut app.db.reader().await?, &app.config, organization).await?;
    let rows = checked_rows(preview, (&asked, (&products, &rights), calendar::date_at(now)));
    let stored = imports::find(&mut app.db.reader().await?, organization, id).await?;
    let Some(Import { created_by, .. }) = stored else { return give_up(app, job).await };
    let total = i64::try_from(rows.len())?;
    let mut done = 0;
    let mut begun = false;
    for batch in rows.chunks(STORED) {
        let now = app.clock.now();
        let taken = taken(app, (organization, &created_by), batch).await?;
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

/// The products of an organization, each by what a file may call it: its id, or its name in any case.
async fn products_of(app: &App, organization: &str) -> Outcome<BTreeMap<String, String>> {
    let mut reader = app.db.reader().await?;
    let mut products = BTreeMap::new();
    let pools = seats::pools(&mut reader, organization).await?;
    for pool in &pools {
        if let Some(product) = products::find(&mut reader, &pool.product_id).await? {
            products.insert(product.name.to_lowercase(), product.id);
        }
    }
    // An id is that of its product, whatever another one is called.
    products.extend(pools.into_iter().map(|pool| (pool.product_id.to_lowercase(), pool.product_id)));
    Ok(products)
}

/// What an organization may give in portals, each right by what a file may call it: as [`csv_people::right`] writes it, or as it is.
async fn rights_of(app: &App, organization: &str) -> Outcome<BTreeMap<String, (String, String)>> {
    let granted = portal_grants::list(&mut app.db.reader().await?, organization).await?;
    let named = |text: String, right: Right| (text, (right.client_id, right.role));
    let mut rights: BTreeMap<_, _> =
        granted.iter().map(|one| named(format!("{}:{}", one.client_id, one.role), one.clone())).collect();
    // What only one right is written as is that right, whatever another one looks like.
    rights.extend(granted.into_iter().map(|one| named(csv_people::right(&one.client_id, &one.role), one)));
    Ok(rights)
}

/// Every row of the file that is good, or whose problems are told, by line.
fn checked_rows(preview: Preview, (asked, names, today): Known<'_>) -> Vec<Checked> {
    let column = |wanted| preview.columns.iter().find(|(column, _)| *column == wanted).map(|(_, name)| name.clone());
    let columns = Columns {
        mail: column(csv_people::Column::Email),
        end: column(csv_people::Column::EndsOn),
        products: column(csv_people::Column::Products),
        rights: column(csv_people::Column::Rights),
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
        rows.insert(row.line, checked_row(row, &columns, (asked, names, today)));
    }
    rows.into_values().collect()
}

/// Products and rights of an organization, by what they may be called.
type Names<'a> = (&'a BTreeMap<String, String>, &'a BTreeMap<String, (String, String)>);

/// What is known when a row is judged: what is asked of people, what things may be called, and the day.
type Known<'a> = (&'a Asked, Names<'a>, Date);

/// Headers as they are written, of the columns whose cells are judged here.
struct Columns {
    mail: Option<String>,
    end: Option<String>,
    products: Option<String>,
    rights: Option<String>,
    birthdate: Option<String>,
}

fn checked_row(row: Person, columns: &Columns, (asked, (products, rights), today): Known<'_>) -> Checked {
    let wrong = |column: &Option<String>, code: &str| Wrong { column: column.clone(), ..Wrong::of_row(code) };
    let mut wrongs = Vec::new();
    match row.ends_on {
        Some(day) if day < today => wrongs.push(wrong(&columns.end, "past")),
        Some(day) if day > calendar::add_years(today, 10) => wrongs.push(wrong(&columns.end, "too_far")),
        _ => {}
    }
    let named: Vec<_> = row.products.iter().map(|name| products.get(&name.to_lowercase())).collect();
    if named.contains(&None) {
        wrongs.push(wrong(&columns.products, "unknown_product"));
    }
    let given: Vec<_> = row.rights.iter().map(|text| rights.get(text)).collect();
    if given.contains(&None) {
        wrongs.push(wrong(&columns.rights, "not_granted"));
    }
    let mut given: Vec<_> = given.into_iter().flatten().cloned().collect();
    given.sort_unstable();
    given.dedup();
    let mut named: Vec<String> = named.into_iter().flatten().cloned().collect();
    named.sort_unstable();
    named.dedup();
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
        mandate: row.mandate.map(|mandate| mandate.name().to_owned()),
        ends_on: row.ends_on,
        products: named,
        rights: given,
        phone: row.phone,
        birthdate,
    };
    let told = row.birthdate.is_some() && cells.birthdate.is_none();
    let missing = cells.missing(asked).into_iter().filter(|attribute| !(told && *attribute == Attribute::Birthdate));
    wrongs.extend(missing.map(Wrong::missing));
    Checked { line: row.line, cells: Some(cells), wrong: wrongs }
}

/// The logins among the rows that somebody has, and what that means for who imports.
async fn taken(app: &App, who: (&str, &str), rows: &[Checked]) -> Outcome<BTreeMap<String, Login>> {
    let logins: Value = rows.iter().filter_map(|row| row.cells.as_ref()).map(|cells| cells.login.as_str()).collect();
    let found = imports::taken(&mut app.db.reader().await?, who, &logins.to_string(), app.clock.now()).await?;
    Ok(found.into_iter().map(|one| (one.login.clone(), one)).collect())
}

/// Why somebody who has an account is not invited; none when they are offered a membership, as by a single invitation.
fn taken_code(login: &Login, cells: &Cells) -> Option<&'static str> {
    match login {
        Login { member: true, .. } => Some("already_member"),
        Login { open: false, .. } => Some("login_taken"),
        // It is somebody else's, and whose is nobody's business.
        Login { email, .. } if email.as_deref().map(people::fold_login) != Some(people::fold_login(&cells.email)) => {
            Some("login_taken")
        }
        Login { offered: true, .. } => Some("already_offered"),
        Login { .. } => None,
    }
}

impl Checked {
    /// As it is stored; counts it.
    fn stored(&self, taken: &BTreeMap<String, Login>, found: &mut Found) -> Outcome<Value> {
        let mut wrong = self.wrong.clone();
        let login = self.cells.as_ref().and_then(|cells| taken.get(&cells.login).map(|login| (login, cells)));
        if let Some(code) = login.and_then(|(login, cells)| taken_code(login, cells)) {
            wrong.push(Wrong::of_row(code));
        } else if login.is_some() {
            // Who has an account is asked when they accept.
            wrong.retain(|wrong| wrong.code != ATTRIBUTE_MISSING);
        }
        let ready = wrong.is_empty();
        let offer = ready && login.is_some();
        if ready {
            found.ready += 1;
            found.offers += i64::from(offer);
            found.administrators += i64::from(self.cells.as_ref().is_some_and(|cells| cells.administrator));
        } else {
            found.invalid += 1;
        }
        let data = self.cells.as_ref().map(serde_json::to_string).transpose()?;
        Ok(json!({
            "line": self.line, "state": if ready { "ready" } else { "invalid" }, "data": data, "offer": offer,
            "problems": serde_json::to_string(&wrong)?,
        }))
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
    let plan = Plan { hashes: Hashes::of(app, id).await?, ..serde_json::from_str(plan)? };
    if import.mode.as_deref() == Some("all_or_nothing") {
        whole_imports::run(app, job, (import, &plan)).await
    } else {
        valid_rows(app, job, (&import, &plan)).await
    }
}

/// Some rows a transaction, each with what became of them: after a crash the next worker goes on behind the last commit.
async fn valid_rows(app: &App, job: &Job, (import, plan): (&Import, &Plan)) -> Outcome<()> {
    let (mut line, mut done) = (-1, import.done);
    let mut looks = 0;
    loop {
        let now = app.clock.now();
        let mut tx = app.db.begin().await?;
        let rows = imports::ready(&mut tx, &import.id, (line, BATCH)).await?;
        if !job.advance(&mut tx, (done, import.ready), now).await? {
            return Ok(());
        }
        if rows.is_empty() {
            return end(app, job, tx, (import, plan), now).await;
        }
        if let Some(applied) = batch(app, &mut tx, (import, plan), (&rows, now)).await? {
            done += i64::try_from(applied)?;
            job.advance(&mut tx, (done, import.ready), now).await?;
            tx.commit().await?;
            line = rows[..applied].last().map_or(line, |row| row.line);
            looks = 0;
            app.mail_waiting.notify_one();
        } else if looks < LOOKS {
            looks += 1;
        } else {
            return Err(Fault::new("a login is taken that nobody has"));
        }
    }
}

/// Invites the people of the first of these rows, as many as a [`TURN`] lasts for, or offers them a membership; says how many. None when
/// somebody took a login at this moment: the transaction is of no use then.
async fn batch(
    app: &App,
    tx: &mut Tx,
    (import, plan): (&Import, &Plan),
    (rows, now): (&[Row], Timestamp),
) -> Outcome<Option<usize>> {
    let begun = Instant::now();
    let organization = &import.organization_id;
    // What the operator grants the organization, and that it is active, must stay while people are invited.
    members::lock(tx, organization).await?;
    let barred = barred(tx, (import, plan), now).await?;
    let granted = granted(tx, organization).await?;
    let cells = rows.iter().map(|row| Cells::of(row.data.as_deref())).collect::<Outcome<Vec<_>>>()?;
    let logins: Value = cells.iter().map(|cells| cells.login.as_str()).collect();
    let taken = imports::taken(tx, (organization, &plan.by), &logins.to_string(), now).await?;
    let taken: BTreeMap<_, _> = taken.into_iter().map(|one| (one.login.clone(), one)).collect();
    let today = calendar::date_at(now);
    let mut applied = 0;
    for (row, cells) in rows.iter().zip(&cells) {
        let login = taken.get(&cells.login);
        let late = cells.ends_on.is_some_and(|day| day < today).then_some("past");
        let code = barred.or_else(|| cells.wrong_login());
        let code = code.or_else(|| login.and_then(|login| taken_code(login, cells))).or(late);
        let code = code.or_else(|| (!cells.may_be_given(&granted)).then_some("not_granted"));
        let done = match (code, login) {
            (Some(code), _) => Done::Refused(problems(&[Wrong::of_row(code)])?),
            (None, Some(_)) => offer(app, tx, (import, plan), (cells, now)).await?,
            (None, None) => admit(app, tx, (import, plan), (cells, now)).await?,
        };
        let (state, problems, person) = match done {
            Done::Made(person) => ("made", "[]".to_owned(), Some(person)),
            // Who was asked is nobody's business before they accept.
            Done::Offered => ("offered", "[]".to_owned(), None),
            Done::Refused(problems) => ("refused", problems, None),
            Done::Overtaken => return Ok(None),
        };
        imports::settle_row(tx, (&import.id, row.line), (state, &problems, person.as_deref())).await?;
        applied += 1;
        if begun.elapsed() > TURN {
            break;
        }
    }
    Ok(Some(applied))
}

/// What became of a row.
enum Done {
    Made(String),
    Offered,
    /// What is wrong, as it is stored.
    Refused(String),
    Overtaken,
}

/// What is wrong with a row, as it is stored.
pub(super) fn problems(wrongs: &[Wrong]) -> Outcome<String> {
    Ok(serde_json::to_string(wrongs)?)
}

/// Why there is no seat, in a word.
pub(super) fn seat_code(refusal: &SeatRefusal) -> &'static str {
    match refusal {
        SeatRefusal::LimitReached { .. } => "seat_limit_reached",
        SeatRefusal::ProductUnnamed(_) => "product_unnamed",
        SeatRefusal::NoSuchProduct(_) => "unknown_product",
    }
}

/// Why nobody can be invited any more: a kill switch closed the organization since (R033), the organization is not active, whoever started it may not invite there any more, or the
/// organization may not give a right of the plan. The organization is held.
pub(super) async fn barred(
    tx: &mut Tx,
    (import, plan): (&Import, &Plan),
    now: Timestamp,
) -> Outcome<Option<&'static str>> {
    let organization = import.organization_id.as_str();
    if jobs::is_closed(tx, &import.job_id).await? {
        return Ok(Some("access_closed"));
    }
    let active = organizations::find(tx, organization).await?.is_some_and(|found| found.status == "active");
    if !active {
        return Ok(Some("organization_not_active"));
    }
    if !may_still_invite(tx, organization, &plan.by, now).await? {
        return Ok(Some("author_barred"));
    }
    if plan.rights.is_empty() {
        return Ok(None);
    }
    let granted = granted(tx, organization).await?;
    let given = plan.rights.iter().all(|right| granted.contains(right));
    Ok((!given).then_some("not_granted"))
}

/// What an organization may give in portals: client and role.
pub(super) async fn granted(tx: &mut Tx, organization: &str) -> Outcome<HashSet<(String, String)>> {
    let granted = portal_grants::list(tx, organization).await?;
    Ok(granted.into_iter().map(|one| (one.client_id, one.role)).collect())
}

/// Whether somebody is of the operator's staff or administers the organization now, or software that manages it: work that goes on for
/// minutes does not outlive the rights of who started it.
async fn may_still_invite(tx: &mut Tx, organization: &str, by: &str, now: Timestamp) -> Outcome<bool> {
    let Some(person) = people::find(tx, by).await? else {
        let manages = clients::manages(tx, by).await?;
        return Ok(manages.is_some_and(|whose| whose == MANAGES_ALL || whose == organization));
    };
    if !person.is_active() {
        return Ok(false);
    }
    let mut places = members::in_force(tx, by, &calendar::date_at(now).to_string()).await?.into_iter();
    Ok(person.operator || places.any(|it| it.organization_id == organization && it.role == "administrator"))
}

async fn admit(
    app: &App,
    tx: &mut Tx,
    (import, plan): (&Import, &Plan),
    (cells, now): (&Cells, Timestamp),
) -> Outcome<Done> {
    let (parsed, ends_on, attributes) = (cells.parsed()?, cells.ends_on(), cells.attributes());
    let invitation = cells.invitation((import, plan), &parsed, (&attributes, cells.rights(plan)));
    let event = plan.event("member.invited", import);
    let asked = (&invitation, &cells.terms(ends_on.as_deref()), event);
    match invite::admit(tx, app.into(), asked, now).await? {
        Ok(invited) => {
            plan.hashes.keep(tx, (&cells.login, &invited.person)).await?;
            Ok(Done::Made(invited.person))
        }
        Err(InviteRefusal::LoginTaken) => Ok(Done::Overtaken),
        Err(InviteRefusal::Seat(refusal)) => Ok(Done::Refused(problems(&[Wrong::of_row(seat_code(&refusal))])?)),
        // The organization has begun to ask for more since the preview.
        Err(InviteRefusal::Missing(missing)) => {
            let wrongs: Vec<_> = missing.into_iter().map(Wrong::missing).collect();
            Ok(Done::Refused(problems(&wrongs)?))
        }
        Err(refusal) => Err(Fault::new(format!("a checked row was refused: {refusal}"))),
    }
}

/// Offers a membership to somebody who has an account, as a single invitation does.
async fn offer(
    app: &App,
    tx: &mut Tx,
    (import, plan): (&Import, &Plan),
    (cells, now): (&Cells, Timestamp),
) -> Outcome<Done> {
    let Some(person) = people::find_by_login(tx, &cells.login).await? else { return Ok(Done::Overtaken) };
    let Some(organization) = organizations::find(tx, &import.organization_id).await? else {
        return Err(Fault::new("an import of no organization"));
    };
    let (ends_on, rights) = (cells.ends_on(), as_lines(cells.rights(plan)));
    let new = NewOffer {
        id: "",
        organization: &organization.id,
        person: &person.id,
        email: &cells.email,
        role: cells.role(),
        affiliation: cells.affiliation(),
        ends_on: ends_on.as_deref(),
        mandate: cells.mandate().of_offer(),
        rights: &rights,
        by: &plan.by,
    };
    let asked = (&person, &organization, (new, cells.products(plan), None));
    match offers::make(tx, app.into(), asked, now).await? {
        Ok((id, mail)) => {
            let event = plan.event("member.offered", import).about(&person.id).with("offer", id).with("mail", mail);
            audit::record(tx, event, now).await?;
            Ok(Done::Offered)
        }
        Err(OfferRefusal::AlreadyMember) => Ok(Done::Refused(problems(&[Wrong::of_row("already_member")])?)),
        Err(OfferRefusal::NotTheirs) => Ok(Done::Refused(problems(&[Wrong::of_row("login_taken")])?)),
        Err(OfferRefusal::Seat(refusal)) => Ok(Done::Refused(problems(&[Wrong::of_row(seat_code(&refusal))])?)),
        // Another one was made at this moment. What is asked of people is asked when they accept.
        Err(OfferRefusal::AlreadyOffered | OfferRefusal::Over | OfferRefusal::Missing(_)) => Ok(Done::Overtaken),
    }
}

/// Rights as offers keep them.
pub(super) fn as_lines(rights: Rights<'_>) -> String {
    rights.iter().map(|(client, role)| format!("{client} {role}")).collect::<Vec<_>>().join("\n")
}

impl Plan {
    /// An event of this import.
    pub(super) fn event(&self, name: &'static str, import: &Import) -> Event {
        let mut event = Event::new(name).by(&self.by).in_organization(&import.organization_id);
        event.client_id.clone_from(&self.client);
        event.address.clone_from(&self.address);
        event.request_id.clone_from(&self.request);
        event.with("policy", self.policy.clone()).with("import", import.id.clone())
    }
}

/// Ends an import whose every row has been dealt with: the signatory is told, the cells are forgotten.
pub(super) async fn end(
    app: &App,
    job: &Job,
    mut tx: Tx,
    (import, plan): (&Import, &Plan),
    now: Timestamp,
) -> Outcome<()> {
    let counts: BTreeMap<_, _> = imports::counts(&mut tx, &import.id).await?.into_iter().collect();
    let count = |state: &str| counts.get(state).copied().unwrap_or_default();
    let (made, offered, refused) = (count("made"), count("offered"), count("refused"));
    imports::applied(&mut tx, &import.id, (made, offered, refused), now).await?;
    let event =
        plan.event("import.applied", import).with("made", made).with("offered", offered).with("refused", refused);
    let event = event
        .with("invalid", import.invalid)
        .with("mode", import.mode.clone())
        .with("file_sha256", import.file_digest.clone());
    audit::record(&mut tx, event, now).await?;
    if made + offered > 0
        && let Some(organization) = organizations::find(&mut tx, &import.organization_id).await?
    {
        let person = signatories::acted(&mut tx, &app.config, &plan.by).await?;
        let (administrators, administer) = if import.administrators > 0 {
            imports::made_administrators(&mut tx, (&import.id, &organization.id), NAMED).await?
        } else {
            (Vec::new(), 0)
        };
        let act = SensitiveAct::MembersImported { person, made: made + offered, administrators, administer };
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
