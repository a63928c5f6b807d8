//! For which of their organizations somebody signs in at a portal: what is known of it, the page that asks, and the page that says
//! why a portal is not for them. The rule is in `policies::memberships`.
//!
//! The answer is kept for the session, so that it is asked once a portal, and offered first the next time. Requirements R008, R009.

use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use habilis_policies::admission::Closed;
use habilis_policies::identifiers::OrganizationKind;
use habilis_policies::memberships::{self, Interest, Question, Standing, TurnedAway};
use jiff::Timestamp;

use super::answer::RedirectError;
use super::claims::{ClaimsRequest, ORGANIZATION_SCOPE};
use super::client::Client;
use super::error::PageError;
use super::interaction::{self, Open, continue_path, login_path, proceed, stale, whole_path};
use super::organization_pages::{ChooseOrganization, NotForYou, OrganizationChoice, kind_words, kinds_words};
use super::par;
use super::request::Request;
use crate::account::seats_page;
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::interactions::{self, Interaction};
use crate::db::organizations::{self, Candidate};
use crate::db::sessions::Session;
use crate::db::{Conn, Tx, identities, organization_choices, people, seat_requests};
use crate::login::session;
use crate::outcome::Outcome;
use crate::seats::admission;
use crate::web::cookies::{Browser, Cookies};
use crate::web::params::Params;
use crate::web::text::Locale;
use crate::web::{Form, Origin, chrome, render, see_other};

/// Where a person says for which organization they sign in, or reads why the portal is not for them.
pub fn organization_path(id: &str) -> String {
    format!("/interaction/organization/{id}")
}

/// What a request says of organizations.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// What the portal wants to know.
    pub interest: Interest,
    /// The organization it names.
    pub named: Option<&'a str>,
    /// What the person answered to it.
    pub answered: Option<&'a str>,
    /// Whether the portal wants the person to choose again.
    pub choose_again: bool,
}

impl<'a> Said<'a> {
    /// What an authorization request says, and its person's answer to it.
    ///
    /// # Errors
    /// The `claims` parameter that was stored cannot be read.
    pub fn by(client: &Client, request: &'a Request, interaction: Option<&'a Interaction>) -> Outcome<Self> {
        let claims = request.claims.as_deref().map(ClaimsRequest::parse).transpose()?.unwrap_or_default();
        Ok(Self {
            interest: interest(client, &request.scope, &claims),
            named: request.organization.as_deref(),
            answered: interaction.and_then(|interaction| interaction.organization_id.as_deref()),
            choose_again: request.prompt.select_account,
        })
    }

    /// What a device says that asks for `scope`.
    pub fn by_device(client: &Client, scope: &str) -> Self {
        let interest = interest(client, scope, &ClaimsRequest::default());
        Self { interest, named: None, answered: None, choose_again: false }
    }
}

fn interest(client: &Client, scope: &str, claims: &ClaimsRequest) -> Interest {
    let asks = scope.split(' ').any(|token| token == ORGANIZATION_SCOPE) || claims.ask_organization();
    if asks && !client.settings.claims.is_minimal() { Interest::Identity } else { Interest::Nothing }
}

/// What is known of the organization of a sign-in.
#[derive(Debug, Clone)]
pub struct Found {
    /// What it means for the request.
    pub standing: Standing,
    /// The one it is for.
    pub chosen: Option<String>,
    /// Every organization of the person whose membership is in force; empty when the portal has nothing to do with them.
    all: Vec<Candidate>,
    /// Those to choose among, by id.
    offered: Vec<String>,
}

impl Found {
    /// The one the sign-in is for.
    pub fn chosen(&self) -> Option<&Candidate> {
        let id = self.chosen.as_ref()?;
        self.all.iter().find(|candidate| candidate.id == *id)
    }

    /// Whether there is anything to choose.
    pub fn has_choice(&self) -> bool {
        self.offered.len() > 1
    }

    /// Whether the person may choose `id`.
    pub fn offers(&self, id: &str) -> bool {
        self.offered.iter().any(|offered| offered == id)
    }
}

/// Finds for which organization the person of `session` signs in at `client`; for none while the identity of the person is to be verified.
///
/// # Errors
/// The database failed.
pub async fn find(
    c: &mut impl Conn,
    (client, session): (&Client, &Session),
    said: &Said<'_>,
    now: Timestamp,
) -> Outcome<Found> {
    let admitted = &client.settings.organization_kinds[..];
    let mut found = Found { standing: Standing::Settled, chosen: None, all: Vec::new(), offered: Vec::new() };
    if identities::waits(c, &session.person_id).await? {
        found.standing = Standing::TurnedAway(TurnedAway::IdentityToVerify);
        return Ok(found);
    }
    let access = client.settings.access();
    if said.interest == Interest::Nothing && admitted.is_empty() && said.named.is_none() && !access.is_metered() {
        return Ok(found);
    }
    let held = admission::held(c, client, (&session.person_id, &session.id, None), now).await?;
    found.all = organizations::candidates(c, (&session.person_id, &client.id), now).await?;
    let earlier = match found.all.len() {
        0 | 1 => None,
        _ => organization_choices::of_session(c, &session.id, &client.id).await?,
    };
    let candidates: Vec<_> = found.all.iter().map(|one| seen(one, held.admits(client, &one.id, now).err())).collect();
    let question = Question {
        interest: said.interest,
        admitted,
        named: said.named,
        answered: said.answered,
        earlier: earlier.as_deref(),
        choose_again: said.choose_again,
        metered: access.is_metered().then_some(if access.seat { Closed::NoSeat } else { Closed::NotEnrolled }),
    };
    let choice = memberships::choose(&candidates, &question);
    found.standing = choice.standing();
    if let memberships::Choice::Of(id) = choice {
        found.chosen = Some(id.to_owned());
    }
    found.offered =
        memberships::offered(&candidates, admitted).iter().map(|candidate| candidate.id.to_owned()).collect();
    Ok(found)
}

fn seen(candidate: &Candidate, closed: Option<Closed>) -> memberships::Candidate<'_> {
    memberships::Candidate {
        id: &candidate.id,
        kind: OrganizationKind::parse(&candidate.kind),
        has_rights: candidate.has_rights,
        closed,
    }
}

/// What the client is told when the portal is not for the person. The first word is stable.
pub fn turned_away(reason: TurnedAway) -> RedirectError {
    RedirectError::new(
        "access_denied",
        match reason {
            TurnedAway::KindNotAdmitted => {
                "organization_kind_not_admitted: the person has no organization of a kind that this client admits"
            }
            TurnedAway::NotAMember => "organization_not_a_member: the person does not belong to that organization",
            TurnedAway::NoAccess(Closed::NoSeat) => "seat_missing: the person holds no seat of the product",
            TurnedAway::NoAccess(Closed::NotOpen { .. }) => "subscription_closed: no order opens the product now",
            TurnedAway::NoAccess(Closed::OpensLater { .. }) => {
                "subscription_not_open_yet: an order opens the product later"
            }
            TurnedAway::NoAccess(Closed::AllConnected) => {
                "connections_in_use: as many people are connected as were ordered"
            }
            TurnedAway::NoAccess(Closed::NotEnrolled) => {
                "enrolment_missing: the person is not enrolled, or something is missing"
            }
            TurnedAway::NoAccess(Closed::NotBegun { .. }) => "enrolment_not_begun: the access begins later",
            TurnedAway::NoAccess(Closed::EnrolmentOver { .. }) => "enrolment_over: the access has ended",
            TurnedAway::IdentityToVerify => "identity_to_verify: the operator has to verify who the person is",
        },
    )
}

/// Notes what the person answered at a portal, for this session and to be offered first the next time. The caller commits.
///
/// # Errors
/// The database failed.
pub async fn remember(
    tx: &mut Tx,
    (client, session, origin): (&Client, &Session, &Origin),
    organization: &str,
    now: Timestamp,
) -> Outcome<()> {
    let person = &session.person_id;
    organization_choices::remember(tx, (person, &session.id), (&client.id, organization), now).await?;
    let event = Event::new("organization.chosen")
        .by(person)
        .about(person)
        .at_client(&client.id)
        .from(origin)
        .with("organization", organization);
    Ok(audit::record(tx, event, now).await?)
}

/// What both pages are about.
pub struct Scene<'a> {
    /// The portal.
    pub client: &'a Client,
    /// Whose organizations.
    pub session: &'a Session,
    /// The browser they are in.
    pub browser: &'a Browser,
    /// Where the answer is posted.
    pub action: String,
    /// Where somebody else signs in instead.
    pub not_you_href: String,
    /// The language.
    pub locale: Locale,
}

impl Scene<'_> {
    /// The page that asks, or says why the portal is not for the person.
    ///
    /// # Errors
    /// The database or a template failed.
    pub async fn show(self, app: &App, found: &Found) -> Outcome {
        let locale = self.locale;
        let chrome = chrome(app, locale, &self.action);
        let csrf = self.browser.csrf(app);
        let client = self.client.card_in(locale);
        let mut reader = app.db.reader().await?;
        let person = people::find(&mut reader, &self.session.person_id).await?;
        let person = person.map(|person| format!("{} {}", person.given_name, person.family_name)).unwrap_or_default();
        if let Standing::TurnedAway(reason) = found.standing {
            let ask_href = match (reason, &self.client.settings.product) {
                (TurnedAway::NoAccess(Closed::NoSeat), Some(product)) => {
                    let askable =
                        seat_requests::askable(&mut reader, &self.session.person_id, Some(product), app.clock.now());
                    (!askable.await?.is_empty()).then(|| seats_page::asking_for(product))
                }
                _ => None,
            };
            let page = NotForYou {
                ask_href,
                chrome,
                csrf,
                client,
                person,
                reason,
                admitted: self
                    .client
                    .settings
                    .organization_kinds
                    .iter()
                    .map(|kind| kinds_words(*kind, locale))
                    .collect(),
                own: found.all.iter().map(|own| choice(own, None, locale)).collect(),
                contact: self.client.contact().map(str::to_owned),
                action: self.action,
                not_you_href: self.not_you_href,
            };
            return render(StatusCode::FORBIDDEN, &page);
        }
        let last = match &found.chosen {
            Some(chosen) => Some(chosen.clone()),
            None => organization_choices::last(&mut reader, &self.session.person_id, &self.client.id).await?,
        };
        let mut choices: Vec<_> = found
            .all
            .iter()
            .filter(|own| found.offers(&own.id))
            .map(|own| choice(own, last.as_deref(), locale))
            .collect();
        choices.sort_by(|a, b| b.is_last.cmp(&a.is_last).then_with(|| a.name.cmp(&b.name)));
        let page = ChooseOrganization {
            chrome,
            csrf,
            client,
            person,
            choices,
            action: self.action,
            not_you_href: self.not_you_href,
        };
        render(StatusCode::OK, &page)
    }
}

fn choice(own: &Candidate, last: Option<&str>, locale: Locale) -> OrganizationChoice {
    OrganizationChoice {
        id: own.id.clone(),
        name: own.name.clone(),
        kind: kind_words(&own.kind, locale),
        siret: own.siret.clone().unwrap_or_default(),
        is_last: last == Some(&own.id),
    }
}

/// Shows the question, or why the portal is not for the person; goes on when there is nothing to ask.
///
/// # Errors
/// The database or a template failed.
pub async fn ask(
    State(app): State<App>,
    origin: Origin,
    cookies: Cookies,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let now = app.clock.now();
    let Some(open) = interaction::open(&app, &cookies, &id, now).await? else { return stale(&app, &origin) };
    let Some(session) = session::load(&app, &cookies, now).await? else { return Ok(see_other(&login_path(&id))) };
    let said = Said::by(&open.client, &open.request, Some(&open.interaction))?;
    let found = find(&mut app.db.reader().await?, (&open.client, &session), &said, now).await?;
    if found.standing == Standing::Settled {
        return Ok(see_other(&continue_path(&id)));
    }
    let query = Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let locale = origin.locale(query.get("ui_locales").or(open.request.ui_locales.as_deref()));
    let scene = Scene {
        client: &open.client,
        session: &session,
        browser: &open.browser,
        action: organization_path(&id),
        not_you_href: whole_path(&id),
        locale,
    };
    scene.show(&app, &found).await
}

/// Takes the answer.
///
/// # Errors
/// The database or a template failed.
pub async fn answer(
    State(app): State<App>,
    origin: Origin,
    cookies: Cookies,
    Path(id): Path<String>,
    Form(form): Form,
) -> Outcome {
    let now = app.clock.now();
    let mut params = match form {
        Ok(params) => params,
        Err(error) => return PageError::unreadable(&error).show(&app, &origin, None),
    };
    let Some(mut open) = interaction::open(&app, &cookies, &id, now).await? else { return stale(&app, &origin) };
    let Some(session) = session::load(&app, &cookies, now).await? else { return Ok(see_other(&login_path(&id))) };
    if !open.browser.sent(&app, params.take("csrf").as_deref()) {
        return Ok(see_other(&organization_path(&id)));
    }
    let said = Said::by(&open.client, &open.request, Some(&open.interaction))?;
    let found = find(&mut app.db.reader().await?, (&open.client, &session), &said, now).await?;
    let chosen = params.take("organization").filter(|id| found.offers(id));
    match (found.standing, chosen) {
        _ if params.get("action") == Some("cancel") => refuse(&app, &open, found.standing, now).await,
        // What is not offered, not to this person or not any more, is not taken.
        (Standing::TurnedAway(_), _) | (_, None) => Ok(see_other(&organization_path(&id))),
        (_, Some(chosen)) => {
            let mut tx = app.db.begin().await?;
            if !session::still_open(&mut tx, &session, now).await? {
                return Ok(see_other(&login_path(&id)));
            }
            interactions::chose(&mut tx, &id, &chosen).await?;
            remember(&mut tx, (&open.client, &session, &origin), &chosen, now).await?;
            open.interaction.organization_id = Some(chosen);
            let response = proceed(&mut tx, &app, (&open, &session), now).await?;
            tx.commit().await?;
            Ok(response)
        }
    }
}

/// Goes back to the portal without a sign-in, with the reason when there is one.
async fn refuse(app: &App, open: &Open, standing: Standing, now: Timestamp) -> Outcome<Response> {
    let Standing::TurnedAway(reason) = standing else { return interaction::deny(app, open, now).await };
    let mut tx = app.db.begin().await?;
    interactions::finish(&mut tx, &open.interaction.id, now).await?;
    let first = par::answer(&mut tx, &open.request, now).await?;
    tx.commit().await?;
    if !first {
        return Ok(see_other(&login_path(&open.interaction.id)));
    }
    open.request.return_to.error(app, &turned_away(reason), now)
}
