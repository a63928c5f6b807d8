//! `/organizations/{organization}/password-hashes`: the digests of the passwords of an organization's people, to the client itself on its
//! explicit choice; and `…/imports/{import}/password-hashes`, by which people bring theirs along (R212).
//!
//! Why what comes in opens nothing by itself is told in `docs/orders.md`.

use std::collections::{BTreeMap, HashMap};

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::Response;
use habilis_keys::password::{self, PasswordError};
use habilis_keys::token::file_digest_hex;
use habilis_policies::authorization::Action;
use habilis_policies::calendar;
use habilis_policies::password_hashes::{self as files, Line, MAX_WRONG};
use habilis_policies::passwords::PasswordPolicy;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt as _};

use super::Problems;
use super::body::{Body, RawBody, fields};
use super::caller::Caller;
use super::imports::{self, Import};
use super::jsonl::{Chunks, Lines, json_lines};
use super::problem::{Answer, Code, FieldError, Problem};
use super::write::{Write, Written};
use crate::account::signatories;
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::cursor::MAX_LIMIT;
use crate::db::imports as stored;
use crate::db::password_exports::{self, Holder};
use crate::jobs::imports::{HASHES, login_of};
use crate::login::rules;
use crate::mail::organizations::SensitiveAct;
use crate::web::routing::routes;

/// Rows of an import looked at in one go.
const ROWS: u32 = 1000;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(export)).routes(routes!(add).layer(DefaultBodyLimit::max(files::MAX_BYTES)))
}

/// The explicit choice to take digests of passwords.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HashesChoice {
    /// Why, for the signatory, the data protection contact and the trail.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 2000)]
    reason: fields::Paragraph,
    /// That whoever has the file can try passwords against it, and that it is kept and destroyed as a secret: only `true` is taken.
    understood: bool,
}

/// What a repeated request is told: never the digests again.
#[derive(Debug, Serialize)]
struct Handed {
    people: i64,
    exported_at: String,
}

/// Take the digests of the passwords of the organization's people away, on its explicit choice (R212): JSON Lines of
/// `{"type": "password_hash", "data": {"person", "login", "password_hash", "changed_at"}}`, where `password_hash` is an Argon2id PHC string,
/// and last `end` with the number of `lines` before it and how many people were `left_out` and why. For an administrator in person, with a
/// recent sign-in by two factors; three times a day. The same request with the same `Idempotency-Key` is answered `people` and
/// `exported_at` as JSON: digests are not kept to be given again.
#[utoipa::path(
    post, path = "/organizations/{organization}/password-hashes", tag = "organizations", request_body = HashesChoice,
    params(("organization" = String, Path, description = "`org_…`")),
    responses((status = 200, description = "JSON Lines", content_type = "application/jsonl", body = String), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn export(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    body: Body<HashesChoice>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ExportPasswordHashes, &organization).await?;
    if !body.value.understood {
        let detail = "whoever has the file can try passwords against it: say that this is understood";
        return Err(Problem::field("/understood", "required", detail).into());
    }
    let (organization, reason) = (acting.organization.id.clone(), body.value.reason.0.clone());
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let now = write.now;
    let today = calendar::date_at(now);
    if !password_exports::take(&mut write.tx, &organization, (today, now)).await? {
        let tomorrow = calendar::midnight(calendar::add_days(today, 1));
        return Err(Problem::wait("the digests were taken three times today", tomorrow.duration_since(now)).into());
    }
    let people = password_exports::count(&mut write.tx, &organization, now).await?;
    let event = acting.event(&caller, "organization.password_hashes_exported").about(&organization);
    audit::record(&mut write.tx, event.with("reason", reason.clone()).with("people", people), now).await?;
    let person = signatories::actor(&mut write.tx, caller.id()).await?;
    let act = SensitiveAct::PasswordHashesExported { person, people, reason };
    for duty in ["signatory", "dpo"] {
        signatories::tell_duty(&mut write.tx, &app, (&acting.organization, duty, act.clone()), now).await?;
    }
    write.keep(&Written::changed(&Handed { people, exported_at: now.to_string() })?).await?;
    app.mail_waiting.notify_one();
    Ok(stream(Export {
        event: acting.event(&caller, "account.password_hash_exported"),
        app,
        caller,
        organization,
        after: String::new(),
        lines: 0,
        left_out: WHY.into_iter().map(|why| (why, 0)).collect(),
    }))
}

fn stream(export: Export) -> Response {
    let file = format!("{}-password-hashes.jsonl", export.organization);
    json_lines(&file, export)
}

/// Why somebody's digest stays.
const WHY: [&str; 4] = ["account_closed", "no_password", "not_yours_alone", "to_be_renewed"];

/// An export on its way.
struct Export {
    app: App,
    caller: Caller,
    organization: String,
    /// What each person's trail says.
    event: Event,
    after: String,
    lines: u64,
    left_out: BTreeMap<&'static str, u64>,
}

impl Chunks for Export {
    fn by(&self) -> (&App, &Caller) {
        (&self.app, &self.caller)
    }

    /// Some people, each told in the trail before their line leaves.
    async fn next(&mut self) -> Answer<(Bytes, bool)> {
        let now = self.app.clock.now();
        let mut tx = self.app.db.begin().await?;
        // Asked again with the organization held: a kill switch comes before these lines, or after they are in the trail.
        if let Some(lost) = self.caller.lost(&mut tx, now).await? {
            drop(tx);
            self.caller.record_lost(&self.app, now).await?;
            return Err(lost.into());
        }
        let at = (self.organization.as_str(), now);
        let found = password_exports::page(&mut tx, at, (&self.after, MAX_LIMIT)).await?;
        let people: Vec<&str> = found.iter().map(|row| row.id.as_str()).collect();
        let policies = rules::of_people(&mut tx, &self.app.config, &people, now).await?;
        let (mut lines, mut handed) = (Lines::default(), Vec::new());
        for row in &found {
            match digest(&self.app, row, (policies.get(&row.id), now)) {
                Ok((phc, changed_at)) => {
                    let changed_at = changed_at.to_string();
                    let data =
                        json!({ "person": row.id, "login": row.login, "password_hash": phc, "changed_at": changed_at });
                    lines.add("password_hash", &data)?;
                    handed.push(row.id.as_str());
                }
                Err(why) => *self.left_out.entry(why).or_default() += 1,
            }
        }
        audit::record_about_many(&mut tx, self.event.clone(), &handed, now).await?;
        tx.commit().await?;
        self.lines += lines.count();
        if let Some(last) = found.last().filter(|_| found.len() == MAX_LIMIT as usize) {
            self.after.clone_from(&last.id);
            return Ok((lines.into_bytes(), true));
        }
        let end = json!({ "lines": self.lines, "left_out": self.left_out, "exported_at": now.to_string() });
        lines.add("end", &end)?;
        Ok((lines.into_bytes(), false))
    }
}

/// The digest of a member's password and when it was chosen, or why it stays: one that opens nothing is not handed over.
fn digest<'a>(
    app: &App,
    row: &'a Holder,
    (policy, now): (Option<&PasswordPolicy>, Timestamp),
) -> Result<(&'a str, Timestamp), &'static str> {
    if let Some(why) = WHY.into_iter().find(|why| *why == row.why) {
        return Err(why);
    }
    let (Some(phc), Some(changed_at), Some(policy)) = (row.phc.as_deref(), row.changed_at, policy) else {
        return Err("no_password");
    };
    let changed_at = Timestamp::from(changed_at);
    let opens = rules::state(app, policy, changed_at, now).may_sign_in();
    if opens { Ok((phc, changed_at)) } else { Err("to_be_renewed") }
}

/// Let the people of an import bring their passwords along, as digests (R212): JSON Lines as the export of them writes, in the place of what
/// was sent before. Each line is about a row that will become an account, by its `login`; an account that exists keeps its password. One wrong
/// line and nothing is taken: `errors` names each, the first hundred. For an operator in person, until the import is applied.
#[utoipa::path(
    put, path = "/organizations/{organization}/imports/{import}/password-hashes", tag = "imports",
    params(("organization" = String, Path, description = "`org_…`"), ("import" = String, Path, description = "`imp_…`")),
    request_body(content = String, content_type = "application/jsonl", description = "At most 32 MiB and 100,000 lines"),
    responses((status = 200, description = "The import as it is now", body = Import), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn add(
    State(app): State<App>,
    caller: Caller,
    Path((organization, import)): Path<(String, String)>,
    body: RawBody,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ImportPasswordHashes, &organization).await?;
    if body.media_type != "application/jsonl" {
        return Err(Problem::new(Code::UnsupportedMediaType, "send application/jsonl").into());
    }
    let organization = &acting.organization.id;
    checked(&imports::found(&mut app.db.reader().await?, organization, &import).await?)?;
    // Not within the transaction: 32 MB take their time.
    let lines = read(&app, body.bytes.clone()).await?;
    let wrong = strangers(&app, &import, &lines).await?;
    if !wrong.is_empty() {
        return Err(Problem::fields(wrong).into());
    }
    let count = i64::try_from(lines.len()).unwrap_or(i64::MAX);
    let sealed = app.keys.master().seal(HASHES, import.as_bytes(), &body.bytes);
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    if !stored::set_hashes(&mut write.tx, (organization, &import), (&sealed, count)).await? {
        checked(&imports::found(&mut write.tx, organization, &import).await?)?;
        return Err(Problem::bare(Code::Conflict).into());
    }
    let event = acting.event(&caller, "import.password_hashes_added").with("import", import.clone());
    let event = event.with("people", count).with("file_sha256", file_digest_hex(&body.bytes));
    audit::record(&mut write.tx, event, write.now).await?;
    let shown = imports::show(&mut write.tx, organization, &import).await?;
    write.finish(Written::changed(&shown)?).await
}

/// Whether an import takes digests still.
fn checked(import: &stored::Import) -> Result<(), Problem> {
    if import.state == "checked" {
        return Ok(());
    }
    let detail = "digests come when the file was checked, and before it is applied";
    Err(Problem::new(Code::Conflict, detail).with("state", import.state.clone()))
}

/// Reads the file, apart from the request threads.
async fn read(app: &App, bytes: Bytes) -> Answer<Vec<Line>> {
    let (params, now) = (app.config.hash_params(), app.clock.now());
    let admit = move |phc: &str| {
        password::admit_foreign(phc, params).map_err(|error| match error {
            PasswordError::Params => "too_dear",
            _ => "no_argon2id",
        })
    };
    let read = tokio::task::spawn_blocking(move || files::read(&bytes, admit, now))
        .await
        .map_err(crate::outcome::Fault::from)?;
    let error = |one: files::Wrong| wrong((one.line, one.member), one.code);
    read.map_err(|wrongs| Problem::fields(wrongs.into_iter().map(error).collect()).into())
}

/// Lines about nobody whom the import makes an account for.
async fn strangers(app: &App, import: &str, lines: &[Line]) -> Answer<Vec<FieldError>> {
    let mut reader = app.db.reader().await?;
    let (mut line, mut rows) = (-1, HashMap::new());
    loop {
        let found = stored::ready(&mut reader, import, (line, ROWS)).await?;
        let Some(last) = found.last() else { break };
        line = last.line;
        for row in &found {
            rows.insert(login_of(row)?, row.offer);
        }
    }
    let code = |line: &Line| match rows.get(&line.login) {
        Some(false) => None,
        Some(true) => Some("account_exists"),
        None => Some("no_such_row"),
    };
    let wrong = lines.iter().filter_map(|line| code(line).map(|code| wrong((line.number, "login"), code)));
    Ok(wrong.take(MAX_WRONG).collect())
}

/// What is wrong with a line, by a pointer into the lines as a list.
fn wrong((line, member): (u64, &str), code: &'static str) -> FieldError {
    let about = match code {
        "account_exists" => "somebody has an account with this login, and keeps their password",
        "after_end" => "nothing comes after the line `end`",
        "duplicate" => "an earlier line has the same login",
        "future" => "not chosen yet",
        "incomplete" => "the line `end` tells of another number of lines: the file broke off",
        "no_argon2id" => "no PHC string of Argon2id, version 19, with salt and digest",
        "no_such_row" => "no row of the import becomes an account with this login",
        "too_dear" => "the parameters ask for more memory, passes or lanes than are granted",
        "too_many" => "more than 100,000 lines",
        _ => "not as the export writes it",
    };
    let member = if member.is_empty() { String::new() } else { format!("/data/{member}") };
    FieldError { pointer: format!("/{}{member}", line - 1), code, detail: format!("line {line}: {about}") }
}
