//! People who belong to no organization, and links that are sent again whoever somebody belongs to: the operator's, as on the command line
//! (R025). Where an invited person lands, here and in an organization.

use axum::extract::{Path, State};
use habilis_policies::authorization::Action;
use habilis_policies::contact::{Email, Name};
use serde::Deserialize;
use url::Url;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::Problems;
use super::body::{Body, NoBody, fields};
use super::caller::Caller;
use super::invitations::{LocaleName, not_too_soon};
use super::people::{Person, somebody};
use super::problem::{Answer, Code, Problem};
use super::seats::seat_problem;
use super::write::{Write, Written};
use crate::account::invite::{self, Incomplete, Invitation, InviteRefusal};
use crate::account::landing::Landing;
use crate::app::App;
use crate::db::{Conn, audit, members, people};
use crate::web::routing::routes;
use crate::web::text::Locale;

/// Longest address of a page, in bytes.
const MAX_ADDRESS: usize = 2000;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(resend))
}

/// The whole address of a page of a portal.
#[derive(Debug)]
pub(super) struct PageAddress(String);

impl fields::FromText for PageAddress {
    fn from_text(text: &str) -> Result<Self, String> {
        // What a lenient parser would take out is not taken in.
        let plain = text.len() <= MAX_ADDRESS && !text.contains(|c: char| c.is_control() || c.is_whitespace());
        let whole = Url::parse(text).is_ok_and(|url| url.origin().is_tuple());
        if plain && whole {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("the whole address of a page, of at most {MAX_ADDRESS} characters"))
        }
    }
}

/// Where an invited person goes once their account is open.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LandingPage {
    /// The portal.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    client_id: fields::Line,
    /// A page of it: its origin is that of a redirect URI or of `initiate_login_uri`.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    target: Option<PageAddress>,
}

/// Where the link of an invitation leads.
///
/// # Errors
/// There is no such portal, or the page is not one of its.
pub(super) async fn landing(c: &mut impl Conn, asked: Option<&LandingPage>) -> Answer<Landing> {
    let Some(asked) = asked else { return Ok(Landing::default()) };
    let client = Some(asked.client_id.0.clone());
    let target = asked.target.as_ref().map(|page| page.0.clone());
    let landing = Landing { client, target, ..Landing::default() };
    let Some(refusal) = invite::landing_refusal(c, &landing).await? else { return Ok(landing) };
    let pointer = if refusal == InviteRefusal::TargetElsewhere { "/landing/target" } else { "/landing/client_id" };
    Err(Problem::field(pointer, "invalid", refusal.to_string()).into())
}

/// Somebody to invite who belongs to no organization. They get a one-time link; there is never an initial password (R025).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPerson {
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
    /// The language of the mail; `fr` when absent.
    locale: Option<LocaleName>,
    /// Where the link leads once the account is open; to the account when absent.
    landing: Option<LandingPage>,
}

/// Invite somebody who belongs to no organization. What the installation asks of everybody beside the names is asked by the link (R004). Who is
/// to belong to one is invited there: `POST /organizations/{organization}/members`.
#[utoipa::path(
    post, path = "/people", tag = "people", request_body = NewPerson,
    responses((status = 201, description = "Invited; the link is on its way", body = Person), Problems),
    security(("oauth2" = ["habilis.people.write"]))
)]
async fn create(State(app): State<App>, caller: Caller, body: Body<NewPerson>) -> Answer {
    let policy = caller.may(&app, Action::InvitePerson).await?;
    let new = &body.value;
    let login = people::fold_login(new.login.as_ref().map_or(new.email.as_str(), |login| &login.0));
    if !new.email.may_have_login(&login) {
        let detail = "a login that reads as a mail address is the person's own";
        return Err(Problem::field("/login", "not_theirs", detail).into());
    }
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let invitation = Invitation {
        login: &login,
        email: &new.email,
        names: (&new.given_name, &new.family_name),
        attributes: &[],
        incomplete: Incomplete::AskedLater,
        locale: new.locale.map_or(Locale::Fr, LocaleName::locale),
        organization: None,
        rights: &[],
        products: None,
        initial_of: None,
        operator: false,
        landing: landing(&mut write.tx, new.landing.as_ref()).await?,
        by: caller.id(),
    };
    let invited = match invite::invite(&mut write.tx, (&app).into(), &invitation, write.now).await? {
        Ok(invited) => invited,
        Err(InviteRefusal::LoginTaken) => return Err(Problem::bare(Code::LoginTaken).into()),
        Err(refusal) => return Err(Problem::new(Code::Conflict, refusal.to_string()).into()),
    };
    let event = caller.event("person.invited").about(&invited.person).with("policy", policy).with("mail", invited.mail);
    audit::record(&mut write.tx, event, write.now).await?;
    let person = somebody(&mut write.tx, &invited.person).await?;
    let (location, version) = (format!("/api/v1/people/{}", person.id), person.version);
    let answer = write.finish(Written::created(location, &Person::from(person))?.with_version(version)).await;
    app.mail_waiting.notify_one();
    answer
}

/// Send an invitation again, to somebody of no organization or of any; earlier links are void. Where the invitation had lapsed they take their
/// seats again.
#[utoipa::path(
    post, path = "/people/{person}/invitation", tag = "people",
    params(("person" = String, Path, description = "`usr_…`")),
    responses((status = 200, description = "On its way", body = Person), Problems),
    security(("oauth2" = ["habilis.people.write"]))
)]
async fn resend(State(app): State<App>, caller: Caller, Path(person): Path<String>, request: NoBody) -> Answer {
    let person = somebody(&mut app.db.reader().await?, &person).await;
    let person = caller.on_person(&app, Action::InvitePerson, person).await?;
    let mut write = Write::begin(&app, &caller, &request.idempotency).await?;
    members::lock_all(&mut write.tx, &person.id).await?;
    people::lock(&mut write.tx, &person.id).await?;
    not_too_soon(&mut write, &person.id).await?;
    let person = somebody(&mut write.tx, &person.id).await?;
    let sent = invite::invite_again(&mut write.tx, (&app).into(), &person, write.now).await?;
    let Some(mail) = sent.map_err(|refusal| seat_problem(&refusal))? else {
        return Err(Problem::new(Code::Conflict, "no invitation waits: there is nothing to send").into());
    };
    let event = caller.event("account.invited_again").about(&person.id).with("mail", mail);
    audit::record(&mut write.tx, event, write.now).await?;
    let version = person.version;
    let answer = write.finish(Written::changed(&Person::from(person))?.with_version(version)).await;
    app.mail_waiting.notify_one();
    answer
}
