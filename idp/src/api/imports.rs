//! `/organizations/{organization}/imports`: people from a spreadsheet, looked at row by row before anybody is invited (R058).

use axum::extract::{DefaultBodyLimit, Path, State};
use habilis_keys::random;
use habilis_keys::token::file_digest_hex;
use habilis_policies::authorization::Action;
use habilis_policies::csv_people;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt as _};

use super::body::{Body, NoBody, RawBody, fields};
use super::caller::{Acting, Caller};
use super::import_report::RowShown;
use super::invitations::LocaleName;
use super::members::check_granted;
use super::page::{self, Asked, Page, Paging};
use super::problem::{Answer, Code, Problem};
use super::rights::RightGiven;
use super::write::{Write, Written};
use super::{Problems, instant};
use crate::app::App;
use crate::db::imports::{self, Import as Stored, NewImport};
use crate::db::jobs::{self, NewJob};
use crate::db::{Conn, audit, import_entries};
use crate::jobs::imports::{APPLY, CHECK, Hashes, PURPOSE, Plan};
use crate::web::routing::routes;
use axum::response::IntoResponse as _;

/// Jobs of an organization that wait or run.
const MOST_JOBS: i64 = 5;
/// Imports kept of an organization.
const MOST_KEPT: i64 = 50;
/// Rows with problems that an import shows; all of them are in its rows and its report.
const SHOWN: u32 = 20;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(upload, list).layer(DefaultBodyLimit::max(csv_people::MAX_BYTES)))
        .routes(routes!(read, forget))
        .routes(routes!(apply))
}

/// An import of people.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Import {
    /// `imp_…`.
    id: String,
    /// `checking`, `checked`, `unreadable`, `applying`, `applied` or `failed`.
    state: String,
    /// The file.
    file: ImportFile,
    /// Why it is unreadable (`too_large`, `not_text`, `empty`, `too_many_columns`, `too_many_rows`, `missing_columns`,
    /// `repeated_column`), why nothing was applied (`rows_refused`), or `broken`.
    failure: Option<String>,
    /// What became of its rows.
    rows: RowCounts,
    /// `all_or_nothing` or `valid_rows`, once it is applied.
    mode: Option<String>,
    /// Of the work on it.
    progress: Progress,
    /// Who uploaded it.
    created_by: String,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339.
    applied_at: Option<String>,
    /// When it is forgotten with its rows, RFC 3339.
    expires_at: String,
    /// The first rows that are wrong; in a list none.
    first_problems: Vec<RowShown>,
}

/// The file of an import; it is removed as soon as it was read.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ImportFile {
    /// SHA-256, hexadecimal.
    sha256: String,
    /// Size.
    size_bytes: i64,
    /// `encoding`, `separator`, `columns` that were recognised and `unknown_columns` that are left out, once it was read.
    form: Option<Value>,
}

/// Rows by what became of them.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RowCounts {
    /// Can be applied.
    ready: i64,
    /// Cannot.
    invalid: i64,
    /// Administrators among those that can.
    administrators: i64,
    /// Those among them whose person has an account: they are offered a membership, and accept or decline.
    offers: i64,
    /// Invited.
    made: i64,
    /// Offered a membership.
    offered: i64,
    /// Refused while they were applied.
    refused: i64,
    /// People who bring a password along, as a digest.
    password_hashes: i64,
}

/// How far a job is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Progress {
    /// `job_…`.
    job: String,
    /// Rows dealt with; of all or nothing each counts twice, prepared and written to.
    done: i64,
    /// Rows so counted; 0 while that is not known.
    total: i64,
}

impl Import {
    pub(super) fn new(row: Stored, first_problems: Vec<RowShown>) -> Answer<Self> {
        let form = row.form.as_deref().map(serde_json::from_str).transpose()?;
        Ok(Self {
            id: row.id,
            state: row.state,
            file: ImportFile { sha256: row.file_digest, size_bytes: row.size_bytes, form },
            failure: row.failure,
            rows: RowCounts {
                ready: row.ready,
                invalid: row.invalid,
                administrators: row.administrators,
                offers: row.offers,
                made: row.made,
                offered: row.offered,
                refused: row.refused,
                password_hashes: row.hash_count,
            },
            mode: row.mode,
            progress: Progress { job: row.job_id, done: row.done, total: row.total },
            created_by: row.created_by,
            created_at: instant(row.created_at),
            applied_at: row.applied_at.map(instant),
            expires_at: instant(row.expires_at),
            first_problems,
        })
    }
}

/// The import as it is now.
pub(super) async fn show(c: &mut impl Conn, organization: &str, id: &str) -> Answer<Import> {
    let row = found(c, organization, id).await?;
    let wrong = imports::rows(c, &row.id, (-1, Some("invalid"), SHOWN)).await?;
    let wrong = wrong.into_iter().map(RowShown::new).collect::<Answer<_>>()?;
    Import::new(row, wrong)
}

/// The import, if the organization has it.
pub(super) async fn found(c: &mut impl Conn, organization: &str, id: &str) -> Answer<Stored> {
    imports::find(c, organization, id).await?.ok_or_else(|| Problem::not_found().into())
}

async fn room_for_a_job(write: &mut Write, organization: &str) -> Answer<()> {
    if jobs::unfinished(&mut write.tx, organization).await? >= MOST_JOBS {
        return Err(Problem::new(Code::Conflict, "five jobs of the organization wait or run already").into());
    }
    Ok(())
}

/// Upload a list of people. It is read and checked row by row; nobody is invited before it is applied.
#[utoipa::path(
    post, path = "/organizations/{organization}/imports", tag = "imports",
    params(("organization" = String, Path, description = "`org_…`")),
    request_body(
        content = String, content_type = "text/csv",
        description = "At most 20 MiB and 100,000 rows; UTF-8, UTF-16 or Windows-1252; semicolons, commas or tabs; headers in French or English"
    ),
    responses((status = 202, description = "It is being checked", body = Import), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn upload(State(app): State<App>, caller: Caller, Path(organization): Path<String>, body: RawBody) -> Answer {
    let acting = caller.in_organization(&app, Action::ImportMembers, &organization).await?;
    if body.media_type != "text/csv" {
        return Err(Problem::new(Code::UnsupportedMediaType, "send text/csv").into());
    }
    let organization = &acting.organization.id;
    let now = app.clock.now();
    let (id, job) = (random::id("imp", now), random::id("job", now));
    // Not within the transaction: 20 MB take their time.
    let sealed = app.keys.master().seal(PURPOSE, id.as_bytes(), &body.bytes);
    let digest = file_digest_hex(&body.bytes);
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    room_for_a_job(&mut write, organization).await?;
    if imports::count(&mut write.tx, organization).await? >= MOST_KEPT {
        return Err(Problem::new(Code::Conflict, "fifty imports are kept already; delete some").into());
    }
    let new = NewImport {
        id: &id,
        organization,
        job: &job,
        file: &sealed,
        digest: &digest,
        size_bytes: i64::try_from(body.bytes.len()).unwrap_or(i64::MAX),
        by: caller.id(),
    };
    let keep = SignedDuration::from_hours(24 * i64::from(app.config.imports.keep_days));
    imports::insert(&mut write.tx, &new, (write.now, write.now.saturating_add(keep)?)).await?;
    let new = NewJob { id: &job, organization, kind: CHECK, subject: &id, total: 0, by: caller.id() };
    jobs::insert(&mut write.tx, &new, write.now).await?;
    let event = acting.event(&caller, "import.uploaded").with("import", id.clone()).with("file_sha256", digest.clone());
    audit::record(&mut write.tx, event.with("size_bytes", body.bytes.len()), write.now).await?;
    let shown = show(&mut write.tx, organization, &id).await?;
    let location = format!("/api/v1/organizations/{organization}/imports/{id}");
    let answer = write.finish(Written::accepted(location, &shown)?).await;
    app.work_waiting.notify_one();
    answer
}

/// List imports, the newest first, with how far each is.
#[utoipa::path(
    get, path = "/organizations/{organization}/imports", tag = "imports",
    params(("organization" = String, Path, description = "`org_…`"), Paging),
    responses((status = 200, description = "A page", body = Page<Import>), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    Asked(paging): Asked<Paging>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadImport, &organization).await?;
    let (limit, (at, id)) = (paging.limit()?, paging.before()?);
    let mut reader = app.db.reader().await?;
    let rows = imports::list(&mut reader, &acting.organization.id, (at, &id, limit + 1)).await?;
    let cursor = |row: &Stored| page::cursor_before(row.created_at.milliseconds(), &row.id);
    let page = Page::of(rows, limit, cursor, |row| row);
    let items = page.items.into_iter().map(|row| Import::new(row, Vec::new())).collect::<Answer<_>>()?;
    Ok(Page { items, next: page.next }.into_response())
}

/// Read an import: how far it is, its counts and the first rows that are wrong.
#[utoipa::path(
    get, path = "/organizations/{organization}/imports/{import}", tag = "imports",
    params(("organization" = String, Path, description = "`org_…`"), ("import" = String, Path, description = "`imp_…`")),
    responses((status = 200, description = "Found", body = Import), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn read(State(app): State<App>, caller: Caller, Path((organization, import)): Path<(String, String)>) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadImport, &organization).await?;
    let shown = show(&mut app.db.reader().await?, &acting.organization.id, &import).await?;
    Ok(Written::changed(&shown)?.into_response())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ApplyModeName {
    AllOrNothing,
    ValidRows,
}

impl ApplyModeName {
    fn word(self) -> &'static str {
        if self == Self::AllOrNothing { "all_or_nothing" } else { "valid_rows" }
    }
}

/// How an import is to be applied.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Application {
    /// `all_or_nothing`: every row or none; `valid_rows`: those that can be.
    mode: ApplyModeName,
    /// That the people in the file have been informed that their data is entered here (R153): only `true` is taken.
    people_informed: bool,
    /// The language of the letters; `fr` when absent.
    locale: Option<LocaleName>,
    /// What everybody may do in portals, within what the organization may give.
    #[serde(default)]
    #[schema(max_items = 100)]
    rights: Vec<RightGiven>,
    /// The products everybody takes a seat of whose row names none, in an organization that ordered several; of the only one when absent.
    #[serde(default, deserialize_with = "fields::optional_list")]
    #[schema(value_type = Option<Vec<String>>, max_items = 20)]
    products: Option<Vec<fields::Line>>,
}

/// Apply an import that was checked: the people are invited, as if one by one.
#[utoipa::path(
    post, path = "/organizations/{organization}/imports/{import}/apply", tag = "imports", request_body = Application,
    params(("organization" = String, Path, description = "`org_…`"), ("import" = String, Path, description = "`imp_…`")),
    responses((status = 202, description = "It is being applied", body = Import), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn apply(
    State(app): State<App>,
    caller: Caller,
    Path((organization, import)): Path<(String, String)>,
    body: Body<Application>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ImportMembers, &organization).await?;
    let organization = &acting.organization.id;
    let stored = found(&mut app.db.reader().await?, organization, &import).await?;
    let strong = stored.administrators > 0;
    if strong {
        caller.on_newcomer(&app, Action::SetMemberRole, organization).await?;
    }
    let asked = &body.value;
    if !asked.people_informed {
        let detail = "who enters people's data informs them first (R153)";
        return Err(Problem::field("/people_informed", "required", detail).into());
    }
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    check_granted(&mut write.tx, organization, &asked.rights).await?;
    room_for_a_job(&mut write, organization).await?;
    let stored = found(&mut write.tx, organization, &import).await?;
    applicable(&stored, asked.mode)?;
    if stored.administrators > 0 && !strong {
        // The check of the file has ended since this looked: there are administrators in it, and nobody asked for a strong sign-in.
        return Err(Problem::new(Code::Conflict, "the file was being checked: apply it now").into());
    }
    let job = random::id("job", write.now);
    let plan = serde_json::to_string(&plan(&caller, &acting, asked))?;
    if !imports::apply(&mut write.tx, (organization, &import), (asked.mode.word(), &plan, &job)).await? {
        return Err(Problem::new(Code::Conflict, "the import is being applied already").into());
    }
    let new = NewJob { id: &job, organization, kind: APPLY, subject: &import, total: stored.ready, by: caller.id() };
    jobs::insert(&mut write.tx, &new, write.now).await?;
    let event = acting.event(&caller, "import.started").with("import", import.clone());
    let event = event.with("mode", asked.mode.word()).with("ready", stored.ready).with("invalid", stored.invalid);
    let event = event.with("people_informed", true).with("file_sha256", stored.file_digest);
    audit::record(&mut write.tx, event, write.now).await?;
    let shown = show(&mut write.tx, organization, &import).await?;
    let location = format!("/api/v1/organizations/{organization}/imports/{import}");
    let answer = write.finish(Written::accepted(location, &shown)?).await;
    app.work_waiting.notify_one();
    answer
}

/// Whether the import can be applied so.
fn applicable(stored: &Stored, mode: ApplyModeName) -> Result<(), Problem> {
    let conflict = |detail: &str| {
        let problem = Problem::new(Code::Conflict, detail).with("state", stored.state.clone());
        Err(problem.with("ready", stored.ready).with("invalid", stored.invalid))
    };
    if stored.state != "checked" {
        return conflict("only an import that was checked, and once, can be applied");
    }
    if stored.ready == 0 {
        return conflict("there is no row that can be applied");
    }
    if mode == ApplyModeName::AllOrNothing && stored.invalid > 0 {
        return conflict("rows are wrong: correct the file, or apply the valid rows");
    }
    Ok(())
}

fn plan(caller: &Caller, acting: &Acting, asked: &Application) -> Plan {
    let event = caller.event("import.started");
    Plan {
        by: caller.id().to_owned(),
        client: event.client_id,
        address: event.address,
        request: event.request_id,
        policy: acting.policy.clone(),
        locale: asked.locale.map_or("fr", |locale| locale.locale().tag()).to_owned(),
        rights: asked.rights.iter().map(|right| (right.client_id.clone(), right.role.clone())).collect(),
        products: asked.products.as_ref().map(|list| list.iter().map(|product| product.0.clone()).collect()),
        hashes: Hashes::default(),
    }
}

/// Forget an import with its rows, and stop the work on it. Who was invited stays invited.
#[utoipa::path(
    delete, path = "/organizations/{organization}/imports/{import}", tag = "imports",
    params(("organization" = String, Path, description = "`org_…`"), ("import" = String, Path, description = "`imp_…`")),
    responses((status = 204, description = "Forgotten"), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn forget(
    State(app): State<App>,
    caller: Caller,
    Path((organization, import)): Path<(String, String)>,
    request: NoBody,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ImportMembers, &organization).await?;
    let organization = &acting.organization.id;
    let stored = found(&mut app.db.reader().await?, organization, &import).await?;
    // The job first: its worker, too, holds it before the organization and the rows.
    let mut tx = app.db.begin().await?;
    let stopped = jobs::cancel(&mut tx, &stored.job_id, app.clock.now()).await?;
    let mut write = Write::begin_in(tx, (&app, &caller), &request.idempotency).await?;
    if import_entries::decided(&mut write.tx, &import).await? {
        let detail = "everybody is in: it is forgotten when all of them have been written to";
        return Err(Problem::new(Code::Conflict, detail).into());
    }
    if found(&mut write.tx, organization, &import).await?.job_id != stored.job_id {
        return Err(Problem::new(Code::Conflict, "the import was just begun to be applied").into());
    }
    let counts = imports::counts(&mut write.tx, &import).await?;
    let made = counts.into_iter().find(|(state, _)| state == "made").map_or(0, |(_, made)| made);
    if !imports::remove(&mut write.tx, organization, &import).await? {
        return Err(Problem::not_found().into());
    }
    let event = acting.event(&caller, "import.forgotten").with("import", import.clone());
    let event = event.with("state", stored.state).with("stopped", stopped).with("made", made);
    audit::record(&mut write.tx, event, write.now).await?;
    write.finish(Written::nothing()).await
}

#[cfg(test)]
mod tests {
    use habilis_policies::csv_people;

    #[test]
    fn every_header_that_the_documentation_names_is_known() {
        let documented = include_str!("../../docs/management-api.md");
        let (_, list) = documented.split_once("or English headers: ").expect("the list of headers");
        let (list, _) = list.split_once(')').expect("its end");
        let names: Vec<&str> = list.split(',').map(str::trim).collect();
        assert!(names.len() >= 12, "{list}");
        let read = csv_people::read(format!("{}\n", names.join(";")).as_bytes()).expect("a table");
        assert_eq!(read.unknown_columns, Vec::<String>::new());
    }
}
