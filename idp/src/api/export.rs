//! `/organizations/{organization}/members.csv`: the members as a spreadsheet, which the import takes again (R058, R157, R210).

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use habilis_policies::attributes::{Asked as AttributeNames, Attribute};
use habilis_policies::authorization::Action;
use habilis_policies::csv_out::Sheet;
use habilis_policies::csv_people;
use jiff::civil::Date;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;

use super::Problems;
use super::caller::Caller;
use super::csv::{Pieces, table};
use super::members::{ADDRESSES, missing_filter};
use super::page::{self, Asked};
use super::problem::{Answer, Problem};
use crate::account::{attributes, signatories};
use crate::app::App;
use crate::db::cursor::{Cursor, MAX_LIMIT, Order};
use crate::db::members_list::{self, MemberFilter};
use crate::db::{audit, members, seats};
use crate::mail::organizations::SensitiveAct;
use crate::web::routing::routes;

/// Headers that the import knows, and two that it leaves out.
const HEADERS: [&str; 14] = [
    "Nom",
    "Prénom",
    "Courriel",
    "Identifiant",
    "Rôle",
    "Affiliation",
    "Mandat",
    "Date de fin",
    "Téléphone",
    "Date de naissance",
    "Produits",
    "Droits",
    "État du compte",
    "État de l’adhésion",
];

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(members))
}

/// Which members.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExportQuery {
    /// Beginnings of words of the name, the login or the mail address; accents and case do not matter, all must be found.
    #[param(max_length = 200)]
    q: Option<String>,
    /// Of the membership: `active` or `suspended`.
    status: Option<String>,
    /// `administrator` or `member`.
    role: Option<String>,
    /// `employee` or `external`.
    affiliation: Option<String>,
    /// `client_id` of a portal, with `right`.
    #[param(max_length = 256)]
    portal: Option<String>,
    /// A role in that portal.
    #[param(max_length = 64)]
    right: Option<String>,
    /// Whose last day is before this one.
    #[param(value_type = Option<String>, format = Date)]
    ends_before: Option<Date>,
    /// Whose account does not say this attribute, or with `any` one of those that are asked here (R004).
    #[param(max_length = 20)]
    missing: Option<String>,
    /// Whose mail address is `proven`, is there and `unproven`, or has `refused` a mail (R005).
    address: Option<String>,
}

/// Export the members of an organization as a spreadsheet.
#[utoipa::path(
    get, path = "/organizations/{organization}/members.csv", tag = "members",
    params(("organization" = String, Path, description = "`org_…`"), ExportQuery),
    responses(
        (status = 200, description = "Semicolons, UTF-8 with a byte order mark, no cell that is calculated", content_type = "text/csv", body = String),
        Problems
    ),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn members(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    Asked(query): Asked<ExportQuery>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ExportMembers, &organization).await?;
    let words = page::words(query.q.as_deref())?;
    let (order, _) = page::place((None, "joined"), None, &words)?;
    page::one_of("status", query.status.as_deref(), &["active", "suspended"])?;
    page::one_of("role", query.role.as_deref(), &["administrator", "member"])?;
    page::one_of("affiliation", query.affiliation.as_deref(), &["employee", "external"])?;
    page::one_of("address", query.address.as_deref(), ADDRESSES)?;
    let missing = missing_filter(query.missing.as_deref(), &acting.asked)?;
    let nul = |text: &Option<String>| text.as_deref().is_some_and(|text| text.contains('\0'));
    if query.portal.is_some() != query.right.is_some() || nul(&query.portal) || nul(&query.right) {
        return Err(Problem::parameter("right", "portal and right go together").into());
    }
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let event = acting.event(&caller, "members.exported").with("searched", !words.is_empty());
    let event = event.with("status", query.status.clone()).with("role", query.role.clone());
    let event = event.with("affiliation", query.affiliation.clone()).with("portal", query.portal.clone());
    let event = event.with("right", query.right.clone()).with("missing", query.missing.clone());
    let event = event.with("address", query.address.clone());
    audit::record(&mut tx, event, now).await?;
    let person = signatories::acted(&mut tx, &app.config, caller.id()).await?;
    let act = SensitiveAct::MembersExported { person };
    signatories::tell(&mut tx, &app, (&acting.organization, act), now).await?;
    tx.commit().await?;
    app.mail_waiting.notify_one();
    let (organization, asked) = (acting.organization.id, acting.asked);
    let ends_before = query.ends_before.map(|day| day.to_string());
    let export = Export { app, caller, organization, query, words, ends_before, missing, asked, order, after: None };
    Ok(table("membres.csv", HEADERS, export))
}

/// An export on its way.
struct Export {
    app: App,
    caller: Caller,
    organization: String,
    query: ExportQuery,
    words: Vec<String>,
    ends_before: Option<String>,
    missing: Option<String>,
    asked: AttributeNames,
    order: Order,
    after: Option<Cursor>,
}

impl Pieces for Export {
    fn by(&self) -> (&App, &Caller) {
        (&self.app, &self.caller)
    }

    async fn next(&mut self, sheet: &mut Sheet) -> Answer<bool> {
        let filter = MemberFilter {
            words: &self.words,
            status: self.query.status.as_deref(),
            role: self.query.role.as_deref(),
            affiliation: self.query.affiliation.as_deref(),
            right: self.query.portal.as_deref().zip(self.query.right.as_deref()),
            ends_before: self.ends_before.as_deref(),
            missing: self.missing.as_deref(),
            address: self.query.address.as_deref(),
        };
        let place = (self.order, self.after.take());
        let mut reader = self.app.db.reader().await?;
        let found = members_list::list(&mut reader, (&self.organization, &filter), place, MAX_LIMIT).await?;
        let people: Vec<&str> = found.rows.iter().map(|row| row.id.as_str()).collect();
        let mut rights: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (person, client, role) in members::rights_of_many(&mut reader, &self.organization, &people).await? {
            rights.entry(person).or_default().push(csv_people::right(&client, &role));
        }
        let mut products: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (person, product) in seats::of_many(&mut reader, &self.organization, &people).await? {
            products.entry(person).or_default().push(product);
        }
        drop(reader);
        for row in found.rows.iter().filter(|row| self.caller.sees(&row.id, (row.operator, row.privacy))) {
            let ends_on = row.ends_on.as_deref().map(french_date).unwrap_or_default();
            // Nobody is told more of their people than their organization asks.
            let said = |attribute| {
                let told =
                    if self.asked.includes(attribute) { attributes::claimed(&row.claims, attribute) } else { None };
                told.unwrap_or_default()
            };
            let phone = said(Attribute::PhoneNumber);
            let birthdate = french_date(&said(Attribute::Birthdate));
            let list = |of: &BTreeMap<String, Vec<String>>| of.get(&row.id).map(|items| items.join(", "));
            let products = list(&products).unwrap_or_default();
            let rights = list(&rights).unwrap_or_default();
            sheet.row([
                row.family_name.as_str(),
                &row.given_name,
                row.email.as_deref().unwrap_or_default(),
                &row.login,
                if row.role == "administrator" { "Administrateur" } else { "Membre" },
                if row.affiliation == "external" { "Externe" } else { "Salarié" },
                csv_people::Mandate::of(row.mandate.as_deref()).cell(),
                &ends_on,
                &phone,
                &birthdate,
                &products,
                &rights,
                account_words(&row.account_status),
                if row.status == "active" { "Active" } else { "Suspendue" },
            ]);
        }
        self.after = found.next;
        Ok(self.after.is_some())
    }
}

/// Where an account stands, in the words of the other columns.
fn account_words(status: &str) -> &'static str {
    match status {
        "pending" => "Invitation envoyée",
        "active" => "Ouvert",
        "suspended" => "Suspendu",
        "terminated" => "Résilié",
        "suspended_password" => "Suspendu, mot de passe expiré",
        _ => "Fermé",
    }
}

/// `2026-12-31` as `31/12/2026`.
pub(super) fn french_date(day: &str) -> String {
    day.split('-').rev().collect::<Vec<_>>().join("/")
}
