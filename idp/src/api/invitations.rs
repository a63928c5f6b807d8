//! `/organizations/{organization}/invitations`: people who are invited, and those who have not come yet (R025, R058).

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use habilis_policies::attributes::Attribute;
use habilis_policies::authorization::Action;
use habilis_policies::calendar;
use habilis_policies::contact::{Email, Name};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::again;
use super::attributes::{PhoneNumber, birthdate, missing_problem};
use super::body::{Body, NoBody, fields};
use super::caller::{Acting, Caller, OnMember};
use super::members::{AffiliationName, MandateName, Member, RoleName, check_end, check_granted, show};
use super::offers::Offer;
use super::page::{self, Asked, Page, Paging};
use super::people_invitations::{LandingPage, landing};
use super::problem::{Answer, Code, Problem};
use super::rights::RightGiven;
use super::seats::seat_problem;
use super::write::{Write, Written};
use super::{Problems, instant};
use crate::account::invite::{self, Incomplete, Invitation, InviteRefusal};
use crate::account::offers::OfferRefusal;
use crate::account::{offers, signatories};
use crate::app::App;
use crate::db::members::{self, Terms};
use crate::db::membership_offers::NewOffer;
use crate::db::people::Person;
use crate::db::{account_links, audit, membership_offers, people};
use crate::web::routing::routes;
use crate::web::text::Locale;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(invitations)).routes(routes!(resend))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum LocaleName {
    Fr,
    En,
}

impl LocaleName {
    pub(super) fn locale(self) -> Locale {
        if self == Self::En { Locale::En } else { Locale::Fr }
    }
}

/// Somebody to invite. They get a one-time link; there is never an initial password (R025).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewMember {
    /// Where the link goes, and what they sign in with unless `login` says otherwise.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, max_length = 254)]
    email: Email,
    /// What they sign in with; the mail address when absent. One with an `@` is the mail address.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, max_length = 200)]
    login: Option<fields::Line>,
    /// Given name.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    given_name: Name,
    /// Family name.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    family_name: Name,
    /// Telephone number; needed where the organization asks for it (R004). One that begins with a single zero is French.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, max_length = 32)]
    phone_number: Option<PhoneNumber>,
    /// Day of birth; needed where the organization asks for it (R004).
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, format = Date)]
    birthdate: Option<Date>,
    /// The language of the mail; `fr` when absent.
    locale: Option<LocaleName>,
    /// `member` when absent.
    role: Option<RoleName>,
    /// `employee` when absent.
    affiliation: Option<AffiliationName>,
    /// Last day; externals need one (R056).
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, format = Date)]
    ends_on: Option<Date>,
    /// `invitation` when absent.
    mandate: Option<MandateName>,
    /// What they may do in portals, within what the organization may give.
    #[serde(default)]
    #[schema(max_items = 100)]
    rights: Vec<RightGiven>,
    /// The products they take a seat of, in an organization that ordered several; of the only one when absent.
    #[serde(default, deserialize_with = "fields::optional_list")]
    #[schema(value_type = Option<Vec<String>>, max_items = 20)]
    products: Option<Vec<fields::Line>>,
    /// Where the link leads once the account is open; to the account when absent. Who has an account lands nowhere: they are offered a
    /// membership.
    landing: Option<LandingPage>,
}

impl NewMember {
    /// What is said of them beyond the names, in the form it is kept in.
    fn attributes(&self, today: Date) -> Result<Vec<(Attribute, String)>, Problem> {
        let phone = self.phone_number.as_ref().map(|number| (Attribute::PhoneNumber, number.0.clone()));
        let born = self.birthdate.map(|day| birthdate(day, today)).transpose()?;
        Ok(phone.into_iter().chain(born.map(|day| (Attribute::Birthdate, day))).collect())
    }

    fn products(&self) -> Result<Option<Vec<String>>, Problem> {
        let Some(products) = &self.products else { return Ok(None) };
        if products.is_empty() || products.len() > 20 {
            return Err(Problem::field("/products", "out_of_range", "between one and twenty products"));
        }
        Ok(Some(products.iter().map(|product| product.0.clone()).collect()))
    }
}

/// Invite somebody. What the organization asks of its people and is not said is named (422); whoever has an account says it when they
/// accept.
#[utoipa::path(
    post, path = "/organizations/{organization}/members", tag = "members", request_body = NewMember,
    params(("organization" = String, Path, description = "`org_…`")),
    responses(
        (status = 201, description = "Invited; the link is on its way", body = Member),
        (status = 202, description = "The address has an account: a membership is offered, the person accepts or declines", body = Offer),
        Problems
    ),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn create(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    body: Body<NewMember>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::InviteMember, &organization).await?;
    let new = &body.value;
    let role = new.role.unwrap_or(RoleName::Member);
    if role == RoleName::Administrator {
        caller.on_newcomer(&app, Action::SetMemberRole, &organization).await?;
    }
    let organization = &acting.organization.id;
    let affiliation = new.affiliation.map_or("employee", AffiliationName::word);
    let today = calendar::date_at(app.clock.now());
    check_end(affiliation, new.ends_on, today)?;
    let attributes = new.attributes(today)?;
    let login = people::fold_login(new.login.as_ref().map_or(new.email.as_str(), |login| &login.0));
    if !new.email.may_have_login(&login) {
        let detail = "a login that reads as a mail address is the person's own";
        return Err(Problem::field("/login", "not_theirs", detail).into());
    }
    let products = new.products()?;
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    // The grant to the organization must not shrink meanwhile.
    members::lock(&mut write.tx, organization).await?;
    check_granted(&mut write.tx, organization, &new.rights).await?;
    let landing = landing(&mut write.tx, new.landing.as_ref()).await?;
    if let Some(person) = people::find_by_login(&mut write.tx, &login).await? {
        return offer(&app, write, (&caller, &acting), (&person, new, products.as_deref())).await;
    }
    let rights: Vec<_> = new.rights.iter().map(|right| (right.client_id.clone(), right.role.clone())).collect();
    let invitation = Invitation {
        login: &login,
        email: &new.email,
        names: (&new.given_name, &new.family_name),
        attributes: &attributes,
        incomplete: Incomplete::Refused,
        locale: new.locale.map_or(Locale::Fr, LocaleName::locale),
        organization: Some((organization, role.word())),
        rights: &rights,
        products: products.as_deref(),
        initial_of: None,
        operator: false,
        landing,
        by: caller.id(),
    };
    let ends_on = new.ends_on.map(|day| day.to_string());
    let mandate = new.mandate.unwrap_or(MandateName::Invitation).word();
    let terms = Terms { affiliation, ends_on: ends_on.as_deref(), mandate: Some(mandate) };
    let event = acting.event(&caller, "member.invited");
    let invited = match invite::admit(&mut write.tx, (&app).into(), (&invitation, &terms, event), write.now).await? {
        Ok(invited) => invited,
        Err(InviteRefusal::LoginTaken) => return Err(Problem::bare(Code::LoginTaken).into()),
        Err(InviteRefusal::Missing(missing)) => return Err(missing_problem(&missing).into()),
        Err(InviteRefusal::Seat(refusal)) => return Err(seat_problem(&refusal).into()),
        Err(refusal) => return Err(Problem::field("/rights", "invalid", refusal.to_string()).into()),
    };
    let (shown, version) = show(&mut write.tx, (organization, &invited.person), &acting.asked).await?;
    if role == RoleName::Administrator {
        signatories::administrator_changed(&mut write.tx, &app, (&acting.organization, &shown.id), write.now).await?;
    }
    let location = format!("/api/v1/organizations/{organization}/members/{}", invited.person);
    let answer = write.finish(Written::created(location, &shown)?.with_version(version)).await;
    app.mail_waiting.notify_one();
    answer
}

/// Offers a membership to somebody who has an account.
async fn offer(
    app: &App,
    mut write: Write,
    (caller, acting): (&Caller, &Acting),
    (person, new, products): (&Person, &NewMember, Option<&[String]>),
) -> Answer {
    // Who cannot sign in yet, or is nobody an administrator may know of, is a login that is taken.
    let open = matches!(person.status.as_str(), "active" | "suspended_password");
    if !open || !caller.sees(&person.id, (person.operator, person.privacy)) || caller.person() == Some(&person.id) {
        return Err(Problem::bare(Code::LoginTaken).into());
    }
    let organization = &acting.organization;
    let rights: Vec<_> = new.rights.iter().map(|right| format!("{} {}", right.client_id, right.role)).collect();
    let ends_on = new.ends_on.map(|day| day.to_string());
    let offered = NewOffer {
        id: "",
        organization: &organization.id,
        person: &person.id,
        email: new.email.as_str(),
        role: new.role.unwrap_or(RoleName::Member).word(),
        affiliation: new.affiliation.map_or("employee", AffiliationName::word),
        ends_on: ends_on.as_deref(),
        mandate: new.mandate.unwrap_or(MandateName::Invitation).word(),
        rights: &rights.join("\n"),
        by: caller.id(),
    };
    let asked = (person, organization, (offered, products, None));
    let made = offers::make(&mut write.tx, app.into(), asked, write.now).await?;
    let (id, mail) = match made {
        Ok(made) => made,
        Err(OfferRefusal::Seat(refusal)) => return Err(seat_problem(&refusal).into()),
        // Whether somebody else is behind the login is nobody's business.
        Err(OfferRefusal::NotTheirs) => return Err(Problem::bare(Code::LoginTaken).into()),
        Err(refusal) => return Err(Problem::new(Code::Conflict, refusal.to_string()).into()),
    };
    let event = acting.event(caller, "member.offered").about(&person.id).with("offer", id.clone()).with("mail", mail);
    audit::record(&mut write.tx, event, write.now).await?;
    let row = membership_offers::find(&mut write.tx, &organization.id, &id).await?;
    let Some(row) = row else { return Err(Problem::not_found().into()) };
    let location = format!("/api/v1/organizations/{}/offers", organization.id);
    let answer = write.finish(Written::accepted(location, &Offer::from(row))?).await;
    app.mail_waiting.notify_one();
    answer
}

/// Somebody who was invited and has not come yet.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PendingInvitation {
    /// `usr_…`: the member it is about.
    person: String,
    /// What they will sign in with.
    login: String,
    /// Where the link went.
    email: Option<String>,
    /// Given name.
    given_name: String,
    /// Family name.
    family_name: String,
    /// `administrator` or `member`.
    role: String,
    /// RFC 3339.
    invited_at: String,
    /// When the link stops working, RFC 3339; absent when none works: send it again.
    expires_at: Option<String>,
}

impl From<members::Pending> for PendingInvitation {
    fn from(row: members::Pending) -> Self {
        Self {
            person: row.person_id,
            login: row.login,
            email: row.email,
            given_name: row.given_name,
            family_name: row.family_name,
            role: row.role,
            invited_at: instant(row.created_at),
            expires_at: row.expires_at.map(instant),
        }
    }
}

/// List the invitations nobody has answered yet, the newest first. Withdraw one by removing the member.
#[utoipa::path(
    get, path = "/organizations/{organization}/invitations", tag = "members",
    params(("organization" = String, Path, description = "`org_…`"), Paging),
    responses((status = 200, description = "A page", body = Page<PendingInvitation>), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn invitations(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    Asked(paging): Asked<Paging>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ListInvitations, &organization).await?;
    let (limit, (at, id)) = (paging.limit()?, paging.before()?);
    let now = app.clock.now();
    let mut reader = app.db.reader().await?;
    let rows = members::pending(&mut reader, &acting.organization.id, (at, &id, limit + 1), now).await?;
    let cursor = |row: &members::Pending| page::cursor_before(row.created_at.milliseconds(), &row.person_id);
    let mut page = Page::of(rows, limit, cursor, |row| row);
    page.items.retain(|row| caller.sees(&row.person_id, (row.operator, row.privacy)));
    let items = page.items.into_iter().map(PendingInvitation::from).collect();
    Ok(Page { items, next: page.next }.into_response())
}

/// Send the invitation again; earlier links are void.
#[utoipa::path(
    post, path = "/organizations/{organization}/members/{person}/invitation", tag = "members",
    params(("organization" = String, Path, description = "`org_…`"), ("person" = String, Path, description = "`usr_…`")),
    responses((status = 200, description = "On its way", body = Member), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn resend(
    State(app): State<App>,
    caller: Caller,
    Path((organization, person)): Path<(String, String)>,
    request: NoBody,
) -> Answer {
    let on: OnMember = caller.on_member(&app, Action::ResendInvitation, (&organization, &person)).await?;
    let (organization, person) = (&on.organization.id, &on.member.person_id);
    let mut write = Write::begin(&app, &caller, &request.idempotency).await?;
    let Some(account) = people::find(&mut write.tx, person).await? else { return Err(Problem::not_found().into()) };
    people::lock(&mut write.tx, person).await?;
    not_too_soon(&mut write, person).await?;
    let sent = invite::invite_again(&mut write.tx, (&app).into(), &account, write.now).await?;
    let Some(mail) = sent.map_err(|refusal| seat_problem(&refusal))? else {
        return Err(Problem::new(Code::Conflict, "the account is open already: there is nothing to send").into());
    };
    let event = on.event(&caller, "account.invitation_resent").with("mail", mail);
    audit::record(&mut write.tx, event, write.now).await?;
    let (shown, version) = show(&mut write.tx, (organization, person), &on.asked).await?;
    let answer = write.finish(Written::changed(&shown)?.with_version(version)).await;
    app.mail_waiting.notify_one();
    answer
}

/// Refuses to send an invitation again that was sent a moment ago.
pub(super) async fn not_too_soon(write: &mut Write, person: &str) -> Answer<()> {
    let last = account_links::latest_made(&mut write.tx, person, account_links::Purpose::Activate).await?;
    Ok(again::not_too_soon(last, write.now)?)
}
