//! The report of an import, row by row: as pages and as a spreadsheet.

use axum::extract::{Path, State};
use axum::response::IntoResponse as _;
use habilis_policies::attributes::Attribute;
use habilis_policies::authorization::Action;
use habilis_policies::csv_out::Sheet;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::Problems;
use super::caller::Caller;
use super::csv::{Pieces, table};
use super::imports::found;
use super::invitations::LocaleName;
use super::page::{self, Asked, Page, Paging};
use super::problem::Answer;
use crate::app::App;
use crate::db::imports::{self, Row};
use crate::jobs::imports::Wrong;
use crate::web::routing::routes;
use crate::web::text::Locale;

/// What rows can be.
const STATES: &[&str] = &["ready", "invalid", "made", "offered", "refused"];
/// Rows of a piece of the report.
const PIECE: u32 = 1000;
/// What stands between line and word in a cursor.
const ROW: &str = "row";

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(rows)).routes(routes!(report))
}

/// A row of an import.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RowShown {
    /// Line of the file at which it begins; the header is line 1.
    line: i64,
    /// `ready`, `invalid`, `made`, `offered` or `refused`.
    state: String,
    /// Whether the person has an account: they are offered a membership instead of being invited.
    offer: bool,
    /// Who was invited, `usr_…`; who is asked is told when they accept.
    person: Option<String>,
    /// What is wrong.
    problems: Vec<RowProblem>,
}

/// What is wrong with a row.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RowProblem {
    /// Header of the column as it is written; null when the row as a whole is concerned.
    column: Option<String>,
    /// Stable word.
    code: String,
    /// For `duplicate`: the line that has the same login.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_line: Option<u64>,
    /// For `attribute_missing`: what is asked of people and was not said, by the name of its claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    attribute: Option<&'static str>,
}

impl RowShown {
    pub(super) fn new(row: Row) -> Answer<Self> {
        let wrong: Vec<Wrong> = serde_json::from_str(&row.problems)?;
        let problems = wrong.into_iter().map(|Wrong { column, code, first_line, attribute }| RowProblem {
            column,
            code,
            first_line,
            attribute: attribute.map(Attribute::claim),
        });
        Ok(Self {
            line: row.line,
            offer: row.offer || row.state == "offered",
            state: row.state,
            person: row.person_id,
            problems: problems.collect(),
        })
    }
}

/// Which rows.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RowQuery {
    /// `ready`, `invalid`, `made`, `offered` or `refused`.
    state: Option<String>,
    /// Rows at the most, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(max_length = 512)]
    cursor: Option<String>,
}

/// List the rows of an import in the order of the file. Of rows that are wrong the first ten thousand problems are told.
#[utoipa::path(
    get, path = "/organizations/{organization}/imports/{import}/rows", tag = "imports",
    params(
        ("organization" = String, Path, description = "`org_…`"), ("import" = String, Path, description = "`imp_…`"), RowQuery
    ),
    responses((status = 200, description = "A page", body = Page<RowShown>), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn rows(
    State(app): State<App>,
    caller: Caller,
    Path((organization, import)): Path<(String, String)>,
    Asked(query): Asked<RowQuery>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadImport, &organization).await?;
    let mut reader = app.db.reader().await?;
    let import = found(&mut reader, &acting.organization.id, &import).await?;
    let state = page::one_of("state", query.state.as_deref(), STATES)?;
    let paging = Paging::new(query.limit, query.cursor.clone());
    let (limit, (line, _)) = (paging.limit()?, paging.after()?);
    let rows = imports::rows(&mut reader, &import.id, (line, state, limit + 1)).await?;
    let page = Page::of(rows, limit, |row| page::cursor_before(row.line, ROW), |row| row);
    let items = page.items.into_iter().map(RowShown::new).collect::<Answer<_>>()?;
    Ok(Page { items, next: page.next }.into_response())
}

/// In which language.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ReportQuery {
    /// `fr` or `en`; `fr` when absent.
    #[param(inline)]
    language: Option<LocaleName>,
}

/// The report as a spreadsheet: every row that is wrong or was dealt with.
#[utoipa::path(
    get, path = "/organizations/{organization}/imports/{import}/report.csv", tag = "imports",
    params(
        ("organization" = String, Path, description = "`org_…`"), ("import" = String, Path, description = "`imp_…`"), ReportQuery
    ),
    responses(
        (status = 200, description = "Semicolons, UTF-8 with a byte order mark, no cell that is calculated", content_type = "text/csv", body = String),
        Problems
    ),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn report(
    State(app): State<App>,
    caller: Caller,
    Path((organization, import)): Path<(String, String)>,
    Asked(query): Asked<ReportQuery>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadImport, &organization).await?;
    let import = found(&mut app.db.reader().await?, &acting.organization.id, &import).await?.id;
    let locale = query.language.map_or(Locale::Fr, LocaleName::locale);
    let headers = match locale {
        Locale::Fr => ["Ligne", "État", "Colonne", "Code", "Explication", "Compte"],
        Locale::En => ["Line", "State", "Column", "Code", "Explanation", "Account"],
    };
    Ok(table("report.csv", headers, Report { app, caller, import, locale, line: -1 }))
}

/// A report on its way.
struct Report {
    app: App,
    caller: Caller,
    import: String,
    locale: Locale,
    line: i64,
}

impl Pieces for Report {
    fn by(&self) -> (&App, &Caller) {
        (&self.app, &self.caller)
    }

    async fn next(&mut self, sheet: &mut Sheet) -> Answer<bool> {
        let mut reader = self.app.db.reader().await?;
        let rows = imports::rows(&mut reader, &self.import, (self.line, None, PIECE)).await?;
        drop(reader);
        for row in rows {
            self.line = row.line;
            let row = RowShown::new(row)?;
            let (line, person) = (row.line.to_string(), row.person.as_deref().unwrap_or_default());
            let state = state_words(&row, self.locale);
            if row.problems.is_empty() {
                sheet.row([line.as_str(), &state, "", "", "", person]);
            }
            for wrong in &row.problems {
                let text = explain(wrong, self.locale);
                sheet.row([&line, &state, wrong.column.as_deref().unwrap_or_default(), &wrong.code, &text, person]);
            }
        }
        let mut reader = self.app.db.reader().await?;
        Ok(!imports::rows(&mut reader, &self.import, (self.line, None, 1)).await?.is_empty())
    }
}

/// What became of a row, for people.
fn state_words(row: &RowShown, locale: Locale) -> String {
    locale.text(match row.state.as_str() {
        "ready" if row.offer => "import-state-offer",
        "offered" => "import-state-offered",
        "ready" => "import-state-ready",
        "made" => "import-state-made",
        "refused" => "import-state-refused",
        _ => "import-state-invalid",
    })
}

/// What is wrong, for people.
fn explain(wrong: &RowProblem, locale: Locale) -> String {
    let key = match wrong.code.as_str() {
        "missing" => "import-wrong-missing",
        "name" => "import-wrong-name",
        "email" => "import-wrong-email",
        "login" => "import-wrong-login",
        "login_address" => "import-wrong-login-address",
        "role" => "import-wrong-role",
        "affiliation" => "import-wrong-affiliation",
        "date" => "import-wrong-date",
        "phone" => "import-wrong-phone",
        "end_missing" => "import-wrong-end-missing",
        "too_long" => "import-wrong-too-long",
        "extra_cells" => "import-wrong-extra-cells",
        "duplicate" => {
            let line = wrong.first_line.unwrap_or_default().to_string();
            return locale.text_with("import-wrong-duplicate", &[("line", &line)]);
        }
        "attribute_missing" => match wrong.attribute.and_then(Attribute::named) {
            Some(Attribute::Birthdate) => "import-wrong-birthdate-missing",
            Some(Attribute::PhoneNumber) => "import-wrong-phone-number-missing",
            _ => "import-wrong-missing",
        },
        "past" => "import-wrong-past",
        "too_far" => "import-wrong-too-far",
        "already_member" => "import-wrong-already-member",
        "login_taken" => "import-wrong-login-taken",
        "organization_not_active" => "import-wrong-organization-not-active",
        "author_barred" => "import-wrong-author-barred",
        "access_closed" => "import-wrong-access-closed",
        "not_granted" => "import-wrong-not-granted",
        "seat_limit_reached" => "import-wrong-seat-limit-reached",
        "product_unnamed" => "import-wrong-product-unnamed",
        "unknown_product" => "import-wrong-unknown-product",
        "products" => "import-wrong-products",
        "rights" => "import-wrong-rights",
        "already_offered" => "import-wrong-already-offered",
        // A word of a newer version.
        other => return other.to_owned(),
    };
    locale.text(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_explained_in_every_language() {
        let codes = [
            "missing",
            "name",
            "email",
            "login",
            "login_address",
            "role",
            "affiliation",
            "date",
            "phone",
            "end_missing",
            "too_long",
            "extra_cells",
            "duplicate",
            "attribute_missing",
            "past",
            "too_far",
            "already_member",
            "login_taken",
            "organization_not_active",
            "author_barred",
            "access_closed",
            "not_granted",
            "seat_limit_reached",
            "product_unnamed",
            "unknown_product",
            "products",
            "rights",
            "already_offered",
        ];
        for locale in Locale::ALL {
            for code in codes {
                let wrong = RowProblem {
                    column: None,
                    code: code.to_owned(),
                    first_line: Some(7),
                    attribute: Some("birthdate"),
                };
                let text = explain(&wrong, locale);
                assert!(text != code && !text.contains('⟦'), "{code}: {text}");
                assert_eq!(text.contains('7'), code == "duplicate", "{text}");
            }
        }
    }
}
