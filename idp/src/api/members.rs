//! `/organizations/{organization}/members`: an administrator's people (R050–R058).

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use habilis_policies::attributes::{Asked as AttributeNames, Attribute};
use habilis_policies::authorization::Action;
use habilis_policies::calendar;
use habilis_policies::contact::Name;
use habilis_policies::memberships::{self, EndProblem};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::attributes::{PhoneNumber, missing_problem, patched_attributes};
use super::body::{Body, NoBody, fields};
use super::caller::{Caller, OnMember};
use super::page::{self, Asked, Page};
use super::people::identity_status;
use super::precondition::{IfMatch, check_if_named, stale};
use super::problem::{Answer, Code, Problem};
use super::rights::RightGiven;
use super::seats::seat_problem;
use super::write::{Write, Written, found};
use super::{Problems, instant};
use crate::account::{attributes, membership, signatories};
use crate::app::App;
use crate::db::members::{self, Member as Row, Terms};
use crate::db::members_list::{self, MemberFilter, MemberRow};
use crate::db::people::{self, Profile};
use crate::db::{Conn, Tx, audit, portal_grants};
use crate::seats::{self, State as SeatState, Taking};
use crate::web::routing::routes;

/// How a mail address may stand, for lists.
pub(super) const ADDRESSES: &[&str] = &["proven", "unproven", "refused"];

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(read, update, remove))
        .routes(routes!(set_role))
        .routes(routes!(set_status))
}

/// A member of an organization.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Member {
    /// `usr_…`.
    pub(super) id: String,
    /// What they sign in with.
    pub(super) login: String,
    /// Mail address.
    pub(super) email: Option<String>,
    /// Whether it was proven.
    pub(super) email_verified: bool,
    /// Given name.
    pub(super) given_name: String,
    /// Family name.
    pub(super) family_name: String,
    /// `fr` or `en`.
    pub(super) locale: String,
    /// Of the account: `pending` (invited), `active`, `suspended`, `suspended_password`, `terminated` or `closed`.
    pub(super) account_status: String,
    /// Whether they set up a second factor: a passkey or an authenticator app.
    pub(super) second_factor: bool,
    /// In the organization: `administrator` or `member`.
    pub(super) role: String,
    /// In the organization: `active` or `suspended`.
    pub(super) status: String,
    /// `employee` or `external` (R056).
    pub(super) affiliation: String,
    /// Last day, ISO 8601; externals have one.
    pub(super) ends_on: Option<String>,
    /// `legal_representative`, `delegation` or `invitation` (R011).
    pub(super) mandate: Option<String>,
    /// What they may do in portals.
    pub(super) rights: Vec<RightGiven>,
    /// What is asked of them in this organization and their account does not say (R004), by the names of the claims.
    pub(super) missing_attributes: Vec<&'static str>,
    /// `settled`, or `to_be_verified`: what the account says became all of somebody else, and portals refuse it (R007).
    pub(super) identity_status: &'static str,
    /// RFC 3339.
    pub(super) joined_at: String,
}

/// The names of what `asked` asks and somebody of these names and claims does not say.
fn missing_names(asked: &AttributeNames, says: (&str, &str, &str)) -> Answer<Vec<&'static str>> {
    Ok(attributes::missing(asked, says)?.into_iter().map(Attribute::claim).collect())
}

impl Member {
    pub(super) fn new(row: Row, rights: Vec<members::Right>, asked: &AttributeNames) -> Answer<Self> {
        let says = (row.given_name.as_str(), row.family_name.as_str(), row.claims.as_str());
        Ok(Self {
            missing_attributes: missing_names(asked, says)?,
            id: row.person_id,
            login: row.login,
            email: row.email,
            email_verified: row.email_verified,
            given_name: row.given_name,
            family_name: row.family_name,
            locale: row.locale,
            account_status: row.account_status,
            second_factor: row.second_factors > 0,
            role: row.role,
            status: row.status,
            affiliation: row.affiliation,
            ends_on: row.ends_on,
            mandate: row.mandate,
            rights: rights.into_iter().map(RightGiven::from).collect(),
            identity_status: identity_status(row.identity_changed_at),
            joined_at: instant(row.created_at),
        })
    }

    /// What the audit trail keeps: names and addresses are with the person, who may have them erased, not in the trail.
    pub(super) fn traced(&self) -> Value {
        json!({
            "role": self.role, "status": self.status, "affiliation": self.affiliation, "ends_on": self.ends_on,
            "mandate": self.mandate, "rights": self.rights, "account_status": self.account_status,
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RoleName {
    Administrator,
    Member,
}

impl RoleName {
    pub(super) fn word(self) -> &'static str {
        if self == Self::Administrator { "administrator" } else { "member" }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum AffiliationName {
    Employee,
    External,
}

impl AffiliationName {
    pub(super) fn word(self) -> &'static str {
        if self == Self::External { "external" } else { "employee" }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum MandateName {
    LegalRepresentative,
    Delegation,
    Invitation,
}

impl MandateName {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::LegalRepresentative => "legal_representative",
            Self::Delegation => "delegation",
            Self::Invitation => "invitation",
        }
    }
}

impl Member {
    /// Whether they have these roles in a portal, sorted and each once, and no other.
    pub(super) fn has_exactly(&self, client: &str, roles: &[String]) -> bool {
        let mut has: Vec<_> =
            self.rights.iter().filter(|right| right.client_id == client).map(|right| &right.role).collect();
        has.sort_unstable();
        has.into_iter().eq(roles)
    }
}

/// What is changed of a member: what is absent stays, null takes away (RFC 7396).
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MemberPatch {
    /// Given name, while the account was not opened yet.
    #[serde(default, deserialize_with = "fields::kept")]
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    given_name: Option<Name>,
    /// Family name, while the account was not opened yet.
    #[serde(default, deserialize_with = "fields::kept")]
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    family_name: Option<Name>,
    /// Telephone number, while the account was not opened yet; it cannot be taken away where it is asked (R004).
    #[serde(default, deserialize_with = "fields::patched")]
    #[schema(value_type = Option<String>, max_length = 32)]
    phone_number: fields::Patched<PhoneNumber>,
    /// Day of birth; the same.
    #[serde(default, deserialize_with = "fields::patched")]
    #[schema(value_type = Option<String>, format = Date)]
    birthdate: fields::Patched<Date>,
    /// `employee` or `external`.
    #[serde(default, deserialize_with = "fields::kept_value")]
    #[schema(value_type = AffiliationName)]
    affiliation: Option<AffiliationName>,
    /// Last day; externals need one (R056).
    #[serde(default, deserialize_with = "fields::patched")]
    #[schema(value_type = Option<String>, format = Date)]
    ends_on: fields::Patched<Date>,
    /// On what basis they act for the organization (R011); null for none: then tokens tell no role of theirs in it.
    #[serde(default, deserialize_with = "fields::patched")]
    #[schema(value_type = Option<MandateName>)]
    mandate: fields::Patched<MandateName>,
}

impl fields::FromText for MandateName {
    fn from_text(text: &str) -> Result<Self, String> {
        serde_json::from_value(text.into())
            .map_err(|_| "one of legal_representative, delegation, invitation".to_owned())
    }
}

impl MemberPatch {
    /// What is to be said of them beyond the names, in the form it is kept in; none takes it away.
    fn attributes(&self, today: Date) -> Result<Vec<(Attribute, Option<String>)>, Problem> {
        patched_attributes((&self.phone_number, &self.birthdate), today)
    }

    /// Sets the last day and leaves the rest.
    pub(super) fn ending(ends_on: Option<Date>) -> Self {
        Self { ends_on: ends_on.map_or(fields::Patched::Removed, fields::Patched::Set), ..Self::default() }
    }
}

/// The role a member is to have.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RoleChange {
    /// `administrator` or `member`.
    role: RoleName,
    /// Why, for the audit trail.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    reason: Option<fields::Paragraph>,
}

/// The status a membership is to have.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MembershipStatusChange {
    /// `active` or `suspended`.
    status: MembershipStatus,
    /// Why, for the audit trail.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 2000)]
    reason: fields::Paragraph,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum MembershipStatus {
    Active,
    Suspended,
}

/// Rules about externals and last days (R056).
pub(super) fn check_end(affiliation: &str, ends_on: Option<Date>, today: Date) -> Result<(), Problem> {
    memberships::check_end(affiliation, ends_on, today).map_err(|problem| {
        let code = match problem {
            EndProblem::Missing => "missing",
            EndProblem::Past => "past",
            EndProblem::TooFar => "too_far",
        };
        Problem::field("/ends_on", code, problem.to_string())
    })
}

/// The member as a caller sees it now.
pub(super) async fn show(
    c: &mut impl Conn,
    (organization, person): (&str, &str),
    asked: &AttributeNames,
) -> Answer<(Member, i64)> {
    let row = members::find(c, organization, person).await?;
    let Some(row) = row else { return Err(Problem::not_found().into()) };
    let rights = members::rights(c, organization, person).await?;
    let version = row.version;
    Ok((Member::new(row, rights, asked)?, version))
}

/// Which members.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MemberQuery {
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
    /// `name`, `-name`, `joined` or `-joined`; by name when absent. A search has an order of its own.
    sort: Option<String>,
    /// Rows at the most, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(max_length = 2048)]
    cursor: Option<String>,
}

/// A member in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MemberListed {
    /// `usr_…`.
    id: String,
    /// What they sign in with.
    login: String,
    /// Mail address.
    email: Option<String>,
    /// Given name.
    given_name: String,
    /// Family name.
    family_name: String,
    /// Of the account.
    account_status: String,
    /// `settled` or `to_be_verified`.
    identity_status: &'static str,
    /// `administrator` or `member`.
    role: String,
    /// `active` or `suspended`.
    status: String,
    /// `employee` or `external`.
    affiliation: String,
    /// Last day.
    ends_on: Option<String>,
    /// RFC 3339.
    joined_at: String,
    /// RFC 3339; absent for somebody who never did as a member.
    signed_in_at: Option<String>,
    /// What is asked of them in this organization and their account does not say.
    missing_attributes: Vec<&'static str>,
}

/// The attributes of which one is missing.
pub(super) fn missing_filter(wanted: Option<&str>, asked: &AttributeNames) -> Result<Option<String>, Problem> {
    match wanted {
        None => Ok(None),
        Some("any") => Ok(Some(asked.names().join(" "))),
        Some(name) => match Attribute::named(name) {
            Some(attribute) => Ok(Some(attribute.claim().to_owned())),
            None => Err(Problem::parameter("missing", "any, given_name, family_name, phone_number or birthdate")),
        },
    }
}

impl MemberListed {
    pub(super) fn new(row: MemberRow, asked: &AttributeNames) -> Answer<Self> {
        let says = (row.given_name.as_str(), row.family_name.as_str(), row.claims.as_str());
        Ok(Self {
            missing_attributes: missing_names(asked, says)?,
            id: row.id,
            login: row.login,
            email: row.email,
            given_name: row.given_name,
            family_name: row.family_name,
            account_status: row.account_status,
            identity_status: identity_status(row.identity_changed_at),
            role: row.role,
            status: row.status,
            affiliation: row.affiliation,
            ends_on: row.ends_on,
            joined_at: instant(row.joined_at),
            signed_in_at: row.signed_in_at.map(instant),
        })
    }
}

/// List or search the members of an organization.
#[utoipa::path(
    get, path = "/organizations/{organization}/members", tag = "members",
    params(("organization" = String, Path, description = "`org_…`"), MemberQuery),
    responses((status = 200, description = "A page", body = Page<MemberListed>), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    Asked(query): Asked<MemberQuery>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ListMembers, &organization).await?;
    let words = page::words(query.q.as_deref())?;
    let (order, after) = page::place((query.sort.as_deref(), "joined"), query.cursor.as_deref(), &words)?;
    let right = match (query.portal.as_deref(), query.right.as_deref()) {
        (None, None) => None,
        (Some(portal), Some(right)) if !portal.contains('\0') && !right.contains('\0') => Some((portal, right)),
        _ => return Err(Problem::parameter("right", "portal and right go together").into()),
    };
    let ends_before = query.ends_before.map(|day| day.to_string());
    let missing = missing_filter(query.missing.as_deref(), &acting.asked)?;
    let filter = MemberFilter {
        words: &words,
        status: page::one_of("status", query.status.as_deref(), &["active", "suspended"])?,
        role: page::one_of("role", query.role.as_deref(), &["administrator", "member"])?,
        affiliation: page::one_of("affiliation", query.affiliation.as_deref(), &["employee", "external"])?,
        right,
        ends_before: ends_before.as_deref(),
        missing: missing.as_deref(),
        address: page::one_of("address", query.address.as_deref(), ADDRESSES)?,
    };
    let limit = page::limit(query.limit)?;
    let mut reader = app.db.reader().await?;
    let mut found = members_list::list(&mut reader, (&acting.organization.id, &filter), (order, after), limit).await?;
    found.rows.retain(|row| caller.sees(&row.id, (row.operator, row.privacy)));
    let shown = found.rows.into_iter().map(|row| MemberListed::new(row, &acting.asked)).collect::<Answer<_>>()?;
    Ok(Page { items: shown, next: found.next.map(|next| next.encode()) }.into_response())
}

/// What an administrator gives is within what the operator granted the organization.
pub(super) async fn check_granted(tx: &mut Tx, organization: &str, rights: &[RightGiven]) -> Answer<()> {
    if rights.len() > 100 {
        return Err(Problem::field("/rights", "too_many", "at most 100 rights").into());
    }
    let granted = portal_grants::list(tx, organization).await?;
    for (index, right) in rights.iter().enumerate() {
        if !granted.iter().any(|one| one.client_id == right.client_id && one.role == right.role) {
            let detail = "the operator has not granted this to the organization";
            return Err(Problem::field(&format!("/rights/{index}"), "not_granted", detail).into());
        }
    }
    Ok(())
}

/// Read a member.
#[utoipa::path(
    get, path = "/organizations/{organization}/members/{person}", tag = "members",
    params(("organization" = String, Path, description = "`org_…`"), ("person" = String, Path, description = "`usr_…`")),
    responses((status = 200, description = "Found", body = Member), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn read(State(app): State<App>, caller: Caller, Path((organization, person)): Path<(String, String)>) -> Answer {
    let on = caller.on_member(&app, Action::ReadMember, (&organization, &person)).await?;
    let mut reader = app.db.reader().await?;
    let (shown, version) = show(&mut reader, (&on.organization.id, &on.member.person_id), &on.asked).await?;
    found(&shown, version)
}

/// Change a member.
#[utoipa::path(
    patch, path = "/organizations/{organization}/members/{person}", tag = "members", request_body = MemberPatch,
    params(
        ("organization" = String, Path, description = "`org_…`"), ("person" = String, Path, description = "`usr_…`"),
        ("If-Match" = String, Header, description = "`ETag` that was read")
    ),
    responses((status = 200, description = "As it is now", body = Member), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn update(
    State(app): State<App>,
    caller: Caller,
    Path((organization, person)): Path<(String, String)>,
    if_match: IfMatch,
    body: Body<MemberPatch>,
) -> Answer {
    let on = caller.on_member(&app, Action::UpdateMember, (&organization, &person)).await?;
    if on.member.role == "administrator" && body.value.ends_on != fields::Patched::Kept {
        // Until when somebody administers is who administers.
        caller.on_member(&app, Action::SetMemberRole, (&organization, &person)).await?;
    }
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let (before, version) = show(&mut write.tx, (&on.organization.id, &on.member.person_id), &on.asked).await?;
    if_match.check(version)?;
    let (after, version) = change(&mut write, &caller, &on, (&body.value, before, version)).await?;
    write.finish(Written::changed(&after)?.with_version(version)).await
}

/// Changes a member that is at `version`. A refusal leaves nothing written.
pub(super) async fn change(
    write: &mut Write,
    caller: &Caller,
    on: &OnMember,
    (patch, before, version): (&MemberPatch, Member, i64),
) -> Answer<(Member, i64)> {
    let (organization, person) = (&on.organization.id, &on.member.person_id);
    same_role(on, &before)?;
    let said = patch.attributes(calendar::date_at(write.now))?;
    if before.account_status != "pending" {
        // Who opened the account answers for what it says; a mistake is theirs to correct (R007).
        let first =
            [(Attribute::GivenName, patch.given_name.is_some()), (Attribute::FamilyName, patch.family_name.is_some())];
        let names = first.into_iter().filter(|(_, changed)| *changed).map(|(attribute, _)| attribute);
        if let Some(attribute) = names.chain(said.iter().map(|(attribute, _)| *attribute)).next() {
            let pointer = format!("/{}", attribute.claim());
            return Err(Problem::field(&pointer, "not_yours", "the person corrects their own account").into());
        }
    }
    let taken: Vec<_> = said.iter().filter(|(_, value)| value.is_none()).map(|(attribute, _)| *attribute).collect();
    let taken: Vec<_> = taken.into_iter().filter(|attribute| on.asked.includes(*attribute)).collect();
    if !taken.is_empty() {
        return Err(missing_problem(&taken).into());
    }
    let affiliation = match patch.affiliation {
        Some(affiliation) => affiliation.word(),
        None => &before.affiliation,
    };
    let old: Option<Date> = before.ends_on.as_deref().and_then(|day| day.parse().ok());
    let ends_on = patch.ends_on.over(old, |day| *day);
    if patch.ends_on != fields::Patched::Kept || patch.affiliation.is_some() {
        check_end(affiliation, ends_on, calendar::date_at(write.now))?;
    }
    if before.role == "administrator"
        && let Some(day) = ends_on.filter(|_| patch.ends_on != fields::Patched::Kept)
    {
        // The day after, somebody else still administers.
        members::lock(&mut write.tx, organization).await?;
        needs_another(write, (organization, person), calendar::add_days(day, 1)).await?;
    }
    let ends_on = ends_on.map(|day| day.to_string());
    let mandate = patch.mandate.over(before.mandate.as_deref(), |mandate| mandate.word());
    let terms = Terms { affiliation, ends_on: ends_on.as_deref(), mandate };
    let given = patch.given_name.as_ref().map_or(before.given_name.as_str(), Name::as_str);
    let family = patch.family_name.as_ref().map_or(before.family_name.as_str(), Name::as_str);
    let had = (before.affiliation.as_str(), before.ends_on.as_deref(), before.mandate.as_deref());
    let renamed = (given, family) != (before.given_name.as_str(), before.family_name.as_str());
    if !renamed && said.is_empty() && (terms.affiliation, terms.ends_on, terms.mandate) == had {
        return Ok((before, version));
    }
    if !members::update(&mut write.tx, (organization, person, version), &terms, write.now).await? {
        return Err(stale(version).into());
    }
    if renamed {
        members::set_names(&mut write.tx, person, (given, family, &before.locale), write.now).await?;
    }
    if !said.is_empty() {
        people::lock(&mut write.tx, person).await?;
        let Some(mut account) = people::find(&mut write.tx, person).await? else {
            return Err(Problem::not_found().into());
        };
        for (attribute, value) in &said {
            attributes::put(&mut account, *attribute, value.clone())?;
        }
        let names = (account.given_name.as_str(), account.family_name.as_str());
        let profile = Profile { names, locale: &account.locale, claims: &account.claims };
        people::set_profile(&mut write.tx, person, &profile, write.now).await?;
    }
    let (after, version) = show(&mut write.tx, (organization, person), &on.asked).await?;
    let event = on.event(caller, "member.updated").with("renamed", renamed);
    let said: Vec<&str> = said.iter().map(|(attribute, _)| attribute.claim()).collect();
    let event = if said.is_empty() { event } else { event.with("said", said) };
    let event = event.changed(before.traced(), after.traced());
    audit::record(&mut write.tx, event, write.now).await?;
    Ok((after, version))
}

/// Make a member an administrator, or an administrator a member.
#[utoipa::path(
    put, path = "/organizations/{organization}/members/{person}/role", tag = "members", request_body = RoleChange,
    params(
        ("organization" = String, Path, description = "`org_…`"), ("person" = String, Path, description = "`usr_…`"),
        ("If-Match" = Option<String>, Header, description = "`ETag` that was read; may be left out")
    ),
    responses((status = 200, description = "As it is now", body = Member), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn set_role(
    State(app): State<App>,
    caller: Caller,
    Path((organization, person)): Path<(String, String)>,
    if_match: Option<IfMatch>,
    body: Body<RoleChange>,
) -> Answer {
    let on = caller.on_member(&app, Action::SetMemberRole, (&organization, &person)).await?;
    let (organization, person) = (&on.organization.id, &on.member.person_id);
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    members::lock(&mut write.tx, organization).await?;
    let (before, version) = show(&mut write.tx, (organization, person), &on.asked).await?;
    check_if_named(if_match.as_ref(), version)?;
    let to = body.value.role.word();
    if before.role == to {
        return write.finish(Written::changed(&before)?.with_version(version)).await;
    }
    if to == "member" {
        let today = calendar::date_at(write.now);
        needs_another(&mut write, (organization, person), today).await?;
    }
    members::set_role(&mut write.tx, (organization, person), (&before.role, to), write.now).await?;
    let (after, version) = show(&mut write.tx, (organization, person), &on.asked).await?;
    let mut event = on.event(&caller, "member.role_changed").changed(before.traced(), after.traced());
    if let Some(reason) = &body.value.reason {
        event = event.with("reason", reason.0.clone());
    }
    audit::record(&mut write.tx, event, write.now).await?;
    signatories::administrator_changed(&mut write.tx, &app, (&on.organization, person), write.now).await?;
    let answer = write.finish(Written::changed(&after)?.with_version(version)).await;
    app.mail_waiting.notify_one();
    answer
}

/// Leave was given for a member or for an administrator, who is asked more of: who became the other meanwhile needs another leave.
fn same_role(on: &OnMember, now: &Member) -> Result<(), Problem> {
    if now.role == on.member.role {
        return Ok(());
    }
    Err(Problem::new(Code::Conflict, "the member's role has changed meanwhile"))
}

/// An organization that has an administrator keeps one, on `day` too, without this person (R053). The organization is locked.
async fn needs_another(write: &mut Write, (organization, person): (&str, &str), day: Date) -> Answer<()> {
    let another = membership::another_administers(&mut write.tx, (organization, person), day, write.now).await?;
    if another {
        return Ok(());
    }
    let successions = format!("/api/v1/organizations/{organization}/successions");
    Err(Problem::bare(Code::LastAdministrator).with("successions", successions).into())
}

/// Suspend or reinstate a membership. The person's account stays theirs.
#[utoipa::path(
    put, path = "/organizations/{organization}/members/{person}/status", tag = "members", request_body = MembershipStatusChange,
    params(
        ("organization" = String, Path, description = "`org_…`"), ("person" = String, Path, description = "`usr_…`"),
        ("If-Match" = Option<String>, Header, description = "`ETag` that was read; may be left out")
    ),
    responses((status = 200, description = "As it is now", body = Member), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn set_status(
    State(app): State<App>,
    caller: Caller,
    Path((organization, person)): Path<(String, String)>,
    if_match: Option<IfMatch>,
    body: Body<MembershipStatusChange>,
) -> Answer {
    let suspends = body.value.status == MembershipStatus::Suspended;
    let (action, to) =
        if suspends { (Action::SuspendMember, "suspended") } else { (Action::ReinstateMember, "active") };
    let on = caller.on_member(&app, action, (&organization, &person)).await?;
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    still(&mut write, &on, if_match.as_ref()).await?;
    let (after, version) = change_status((&mut write, &app), &caller, &on, (to, &body.value.reason.0)).await?;
    let answer = write.finish(Written::changed(&after)?.with_version(version)).await;
    app.mail_waiting.notify_one();
    answer
}

/// The member is at the version that was named, if one was. The organization is locked for it.
pub(super) async fn still(write: &mut Write, on: &OnMember, named: Option<&IfMatch>) -> Answer<()> {
    if named.is_none() {
        return Ok(());
    }
    members::lock(&mut write.tx, &on.organization.id).await?;
    let member = members::find(&mut write.tx, &on.organization.id, &on.member.person_id).await?;
    let Some(member) = member else { return Err(Problem::not_found().into()) };
    Ok(check_if_named(named, member.version)?)
}

/// Suspends (`suspended`) or reinstates (`active`) a membership. A refusal leaves nothing written.
pub(super) async fn change_status(
    (write, app): (&mut Write, &App),
    caller: &Caller,
    on: &OnMember,
    (to, reason): (&str, &str),
) -> Answer<(Member, i64)> {
    let (organization, person) = (&on.organization.id, &on.member.person_id);
    members::lock(&mut write.tx, organization).await?;
    let (before, version) = show(&mut write.tx, (organization, person), &on.asked).await?;
    same_role(on, &before)?;
    if before.status == to {
        return Ok((before, version));
    }
    if to == "suspended" {
        let today = calendar::date_at(write.now);
        needs_another(write, (organization, person), today).await?;
        membership::suspend(&mut write.tx, app, (organization, &on.member), write.now).await?;
    } else {
        // Who handed their seat over meanwhile takes one again.
        let state = if before.account_status == "pending" { SeatState::Held } else { SeatState::Assigned };
        let seat = Taking::again((organization, person), state, "reinstated").by(caller.id());
        if let Err(refusal) = seats::take(&mut write.tx, app.into(), &seat, write.now).await? {
            return Err(seat_problem(&refusal).into());
        }
        membership::reinstate(&mut write.tx, app, (organization, &on.member), write.now).await?;
    }
    let (after, version) = show(&mut write.tx, (organization, person), &on.asked).await?;
    let event = on.event(caller, "member.status_changed").with("reason", reason);
    audit::record(&mut write.tx, event.changed(before.traced(), after.traced()), write.now).await?;
    Ok((after, version))
}

/// Remove a member, or withdraw an invitation (R052).
#[utoipa::path(
    delete, path = "/organizations/{organization}/members/{person}", tag = "members",
    params(
        ("organization" = String, Path, description = "`org_…`"), ("person" = String, Path, description = "`usr_…`"),
        ("If-Match" = Option<String>, Header, description = "`ETag` that was read; may be left out")
    ),
    responses((status = 204, description = "Removed"), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn remove(
    State(app): State<App>,
    caller: Caller,
    Path((organization, person)): Path<(String, String)>,
    if_match: Option<IfMatch>,
    request: NoBody,
) -> Answer {
    let on = caller.on_member(&app, Action::RemoveMember, (&organization, &person)).await?;
    let mut write = Write::begin(&app, &caller, &request.idempotency).await?;
    still(&mut write, &on, if_match.as_ref()).await?;
    end_membership(&mut write, &app, &caller, &on).await?;
    let answer = write.finish(Written::nothing()).await;
    app.mail_waiting.notify_one();
    answer
}

/// Removes a member, or withdraws an invitation. A refusal leaves nothing written.
pub(super) async fn end_membership(write: &mut Write, app: &App, caller: &Caller, on: &OnMember) -> Answer<()> {
    let (organization, person) = (&on.organization.id, &on.member.person_id);
    members::lock(&mut write.tx, organization).await?;
    let (before, _) = show(&mut write.tx, (organization, person), &on.asked).await?;
    same_role(on, &before)?;
    let today = calendar::date_at(write.now);
    needs_another(write, (organization, person), today).await?;
    let withdrawn = membership::remove(&mut write.tx, app, (organization, &on.member, caller.id()), write.now).await?;
    let mut event = on.event(caller, "member.removed").changed(before.traced(), Value::Null);
    if withdrawn {
        event = event.with("withdrawn", true);
    }
    audit::record(&mut write.tx, event, write.now).await?;
    Ok(())
}
