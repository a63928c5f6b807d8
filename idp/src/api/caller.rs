//! Who calls the management API, and whether they may: the one way from a token to an organization's data.
//!
//! [`Caller`] is taken out of a request by its access token. From it come [`Acting`] and [`OnMember`], which only exist when the
//! policy engine has said yes, and which hold what the handler needs to go on. A handler that forgot to ask lacks them.

use std::sync::OnceLock;

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use habilis_policies::acr::Level;
use habilis_policies::attributes::Asked;
use habilis_policies::authorization::{
    Action, Context, Decision, OrganizationStatus, Principal, PrincipalKind, Resource, Subject, Subscription,
};
use habilis_policies::calendar;
use jiff::Timestamp;
use serde_json::Value;

use super::problem::{Answer, Code, Problem, Stop};
use crate::account::attributes::asked_of_all;
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::clients::MANAGES_ALL;
use crate::db::members::{self, Member};
use crate::db::organizations::{self, Organization};
use crate::db::people::{self, Person};
use crate::db::{Tx, clients, grants};
use crate::oidc::resource::{self, Access, Challenge, Presented, StepUp};
use crate::outcome::Outcome;
use crate::web::Origin;

/// Who calls, as the token and the database say at this moment.
#[derive(Debug)]
pub struct Caller {
    /// Where the request comes from.
    pub origin: Origin,
    id: String,
    kind: PrincipalKind,
    client: String,
    operator: bool,
    privacy: bool,
    administers: Vec<String>,
    member_of: Vec<String>,
    step_up: bool,
    /// What the client calls a sign-in with two factors.
    strong: Option<String>,
    access: Access,
    /// Where leave was asked for.
    asked_in: OnceLock<AskedIn>,
}

/// An organization that leave was asked for in, as open as it was then.
#[derive(Debug)]
struct AskedIn {
    id: String,
    status: OrganizationStatus,
    subscription: Subscription,
}

/// Who calls, for what is read of the request afterwards.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// The person's id, or the client's.
    pub(super) id: String,
    /// The client that the call comes through.
    pub(super) client: String,
}

/// Leave to act in an organization.
#[derive(Debug)]
pub struct Acting {
    /// The organization as it was when leave was given.
    pub organization: Organization,
    /// What is asked of its people (R004).
    pub asked: Asked,
    /// The policy that gave leave.
    pub policy: String,
}

/// Leave to act on a member of an organization.
#[derive(Debug)]
pub struct OnMember {
    /// The organization as it was when leave was given.
    pub organization: Organization,
    /// What is asked of its people (R004).
    pub asked: Asked,
    /// The member as it was then.
    pub member: Member,
    /// The policy that gave leave.
    pub policy: String,
}

impl FromRequestParts<App> for Caller {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Stop> {
        let origin = Origin::from_request_parts(parts, app).await?;
        let path =
            parts.extensions.get::<OriginalUri>().map_or_else(|| parts.uri.path(), |OriginalUri(uri)| uri.path());
        let presented = Presented { headers: &parts.headers, method: parts.method.as_str(), path, in_form: None };
        let now = app.clock.now();
        let access = resource::open(app, presented, now).await??;
        let caller = match &access.grant {
            Some(_) => of_person(app, origin, access, now).await?,
            None => of_client(app, origin, access).await?,
        };
        if app.api_calls.admit(&caller.id) {
            parts.extensions.insert(Known { id: caller.id.clone(), client: caller.client.clone() });
            return Ok(caller);
        }
        let wait = HeaderValue::from_static("60");
        Err(Problem::bare(Code::RateLimited).with_header(header::RETRY_AFTER, wait).into())
    }
}

async fn of_person(app: &App, origin: Origin, access: Access, now: Timestamp) -> Answer<Caller> {
    let Some(grant) = &access.grant else { return Err(Challenge::invalid_token().into()) };
    let mut reader = app.db.reader().await?;
    let person = people::find(&mut reader, &grant.person_id).await?.filter(Person::is_active);
    let Some(person) = person else { return Err(Challenge::invalid_token().into()) };
    let memberships = members::in_force(&mut reader, &person.id, &calendar::date_at(now).to_string()).await?;
    let (administers, member_of): (Vec<_>, Vec<_>) = memberships.into_iter().partition(|of| of.role == "administrator");
    let ids = |of: Vec<members::InForce>| of.into_iter().map(|of| of.organization_id).collect();
    let age = now.duration_since(grant.auth_time.into()).as_secs();
    let step_up = age <= i64::from(app.config.api.step_up_seconds) && Level::of(&grant.amr) == Level::TwoFactors;
    let client = app.client(&grant.client_id).await?;
    let strong = client.as_ref().and_then(|client| {
        let names = client.settings.acr.names();
        names.into_iter().find(|name| !client.settings.acr.reaches(name, Level::OneFactor)).map(str::to_owned)
    });
    Ok(Caller {
        origin,
        id: person.id,
        kind: PrincipalKind::Person,
        client: grant.client_id.clone(),
        operator: person.operator,
        privacy: person.privacy,
        administers: ids(administers),
        member_of: ids(member_of),
        step_up,
        strong,
        access,
        asked_in: OnceLock::new(),
    })
}

async fn of_client(app: &App, origin: Origin, access: Access) -> Answer<Caller> {
    // A token that an API key was exchanged for speaks for a centre at the operator's API, and manages nothing.
    if access.claims.contains_key("key") {
        return Err(Challenge::invalid_token().into());
    }
    let id = access.claim("client_id").to_owned();
    let manages = clients::manages(&mut app.db.reader().await?, &id).await?;
    let operator = manages.as_deref() == Some(MANAGES_ALL);
    let administers = manages.into_iter().filter(|_| !operator).collect();
    Ok(Caller {
        origin,
        client: id.clone(),
        id,
        kind: PrincipalKind::Client,
        operator,
        privacy: false,
        administers,
        member_of: Vec::new(),
        step_up: false,
        strong: None,
        access,
        asked_in: OnceLock::new(),
    })
}

impl Caller {
    /// The person's id, or the client's.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The client that the call comes through.
    pub fn client(&self) -> &str {
        &self.client
    }

    /// The session behind the call; none when there is none any more, or never was.
    pub fn session(&self) -> Option<&str> {
        self.access.grant.as_ref()?.session_id.as_deref()
    }

    /// The person who calls; none for a client that acts for itself.
    pub fn person(&self) -> Option<&str> {
        (self.kind == PrincipalKind::Person).then_some(self.id.as_str())
    }

    /// Staff of the operator, or its automation.
    pub fn is_operator(&self) -> bool {
        self.operator
    }

    /// Whether they are an operator or a data protection officer.
    pub fn is_staff(&self) -> bool {
        self.operator || self.privacy
    }

    /// Whether the caller may know of `person` in a list: the operator's staff are shown to each other and to nobody else.
    pub fn sees(&self, person: &str, (operator, privacy): (bool, bool)) -> bool {
        self.operator || self.privacy || person == self.id || !(operator || privacy)
    }

    /// The organizations that the caller administers.
    pub fn administers(&self) -> &[String] {
        &self.administers
    }

    /// Of the organizations that the caller administers, those where the act is permitted as things stand. What is refused is no line of the
    /// trail: nobody asked for it.
    ///
    /// # Errors
    /// A challenge or a fault.
    pub async fn administers_where(&self, app: &App, action: Action) -> Answer<Vec<String>> {
        let mut permitted = Vec::new();
        for id in &self.administers {
            let Some(organization) = organizations::find(&mut app.db.reader().await?, id).await? else { continue };
            let resource = Resource { organization: Some(&organization.id), subject: None };
            if self.decide(app, action, (&resource, &self.context(app, &organization).await?))?.is_ok() {
                permitted.push(organization.id);
            }
        }
        Ok(permitted)
    }

    /// Whether the token has the scope of an act; leave is to be asked for beside it.
    ///
    /// # Errors
    /// A challenge.
    pub fn holds(&self, action: Action) -> Answer<()> {
        Ok(self.access.needs_scope(action.scope())?)
    }

    /// Asks for leave to do something that concerns no organization.
    ///
    /// # Errors
    /// A challenge, a refusal or a fault.
    pub async fn may(&self, app: &App, action: Action) -> Answer<String> {
        let context = Context { step_up: self.step_up, ..Context::default() };
        self.ask(app, action, (&Resource { organization: None, subject: None }, &context)).await
    }

    /// Asks for leave to do something with one's own account.
    ///
    /// # Errors
    /// 404 for a client that acts for itself; a challenge, a refusal or a fault.
    pub async fn on_self(&self, app: &App, action: Action) -> Answer<String> {
        self.access.needs_scope(action.scope())?;
        if self.kind == PrincipalKind::Client {
            return Err(Problem::not_found().into());
        }
        let subject = Subject { id: &self.id, operator: self.operator, privacy: self.privacy, administrator: false };
        let context = Context { step_up: self.step_up, ..Context::default() };
        self.ask(app, action, (&Resource { organization: None, subject: Some(subject) }, &context)).await
    }

    /// Asks for a sign-in of the last `api.step_up_seconds`, by whatever factors: the account's pages ask for no more of what they change.
    ///
    /// # Errors
    /// A challenge.
    pub fn signed_in_lately(&self, app: &App, now: Timestamp) -> Answer<()> {
        let needed = StepUp { acr_values: &[], max_age: Some(app.config.api.step_up_seconds) };
        Ok(self.access.needs_sign_in(&needed, now)?)
    }

    /// Asks for leave to act in the organization `id`.
    ///
    /// # Errors
    /// 404 when there is none or the caller has nothing to do with it; a challenge, a refusal or a fault.
    pub async fn in_organization(&self, app: &App, action: Action, id: &str) -> Answer<Acting> {
        let organization = self.organization(app, action, id).await?;
        let resource = Resource { organization: Some(&organization.id), subject: None };
        let policy = self.ask(app, action, (&resource, &self.context(app, &organization).await?)).await?;
        Ok(Acting { asked: asked(app, &organization), organization, policy })
    }

    /// Asks for leave to act on somebody who is not a member of the organization `id` yet, and nobody of the operator's.
    ///
    /// # Errors
    /// As [`Self::in_organization`].
    pub async fn on_newcomer(&self, app: &App, action: Action, id: &str) -> Answer<Acting> {
        let organization = self.organization(app, action, id).await?;
        let subject = Subject { id: "newcomer", operator: false, privacy: false, administrator: false };
        let resource = Resource { organization: Some(&organization.id), subject: Some(subject) };
        let policy = self.ask(app, action, (&resource, &self.context(app, &organization).await?)).await?;
        Ok(Acting { asked: asked(app, &organization), organization, policy })
    }

    /// Asks for leave to do something that decides who administers the organization `id`, whichever of its administrators it is about.
    ///
    /// # Errors
    /// As [`Self::in_organization`].
    pub async fn upon_administrators(&self, app: &App, action: Action, id: &str) -> Answer<Acting> {
        let organization = self.organization(app, action, id).await?;
        let subject = Subject { id: "administrators", operator: false, privacy: false, administrator: true };
        let resource = Resource { organization: Some(&organization.id), subject: Some(subject) };
        let policy = self.ask(app, action, (&resource, &self.context(app, &organization).await?)).await?;
        Ok(Acting { asked: asked(app, &organization), organization, policy })
    }

    /// Asks for leave to act on the member `person` of the organization `id`.
    ///
    /// # Errors
    /// 404 when there is no such member, or the caller has nothing to do with the organization, or may not know of the person; a
    /// challenge, a refusal or a fault.
    pub async fn on_member(&self, app: &App, action: Action, (id, person): (&str, &str)) -> Answer<OnMember> {
        self.on_member_asked(app, action, (id, person), None).await
    }

    /// Asks for leave to approve what `requested_by` asked for about the member `person` of the organization `id`.
    ///
    /// # Errors
    /// As [`Self::on_member`].
    pub async fn on_member_asked(
        &self,
        app: &App,
        action: Action,
        (id, person): (&str, &str),
        requested_by: Option<&str>,
    ) -> Answer<OnMember> {
        let (organization, member) = self.member(app, action, (id, person)).await?;
        let subject = subject(&member);
        let resource = Resource { organization: Some(&organization.id), subject: Some(subject) };
        let context = Context { requested_by, ..self.context(app, &organization).await? };
        let policy = self.ask(app, action, (&resource, &context)).await?;
        Ok(OnMember { asked: asked(app, &organization), organization, member, policy })
    }

    /// Asks for leave to act on a member in one of many acts. A refusal is not told to the trail yet: [`Self::record_refused`] tells of
    /// all of them together.
    ///
    /// # Errors
    /// As [`Self::on_member`].
    pub async fn on_member_of_many(
        &self,
        app: &App,
        action: Action,
        (id, person): (&str, &str),
    ) -> Answer<Result<OnMember, Refused>> {
        let (organization, member) = self.member(app, action, (id, person)).await?;
        let subject = subject(&member);
        let resource = Resource { organization: Some(&organization.id), subject: Some(subject) };
        let policy = match self.decide(app, action, (&resource, &self.context(app, &organization).await?))? {
            Ok(policy) => policy,
            Err(refused) => return Ok(Err(refused)),
        };
        Ok(Ok(OnMember { asked: asked(app, &organization), organization, member, policy }))
    }

    /// Tells the trail of what was refused in one request: a line for each act and policy, with how many times.
    ///
    /// # Errors
    /// A fault.
    pub async fn record_refused(&self, app: &App, refused: &[Refused]) -> Outcome<()> {
        let mut lines: Vec<(&Refused, usize, bool)> = Vec::new();
        for one in refused {
            let same = |line: &&mut (&Refused, usize, bool)| {
                (line.0.action, &line.0.policy, &line.0.organization) == (one.action, &one.policy, &one.organization)
            };
            match lines.iter_mut().find(same) {
                Some((first, times, alone)) => {
                    *times += 1;
                    *alone &= first.subject == one.subject;
                }
                None => lines.push((one, 1, true)),
            }
        }
        if lines.is_empty() {
            return Ok(());
        }
        let mut tx = app.db.begin().await?;
        for (refused, times, alone) in lines {
            let event = refused.event(self, refused.subject.as_deref().filter(|_| alone));
            let event = if times > 1 { event.with("times", times) } else { event };
            audit::record(&mut tx, event, app.clock.now()).await?;
        }
        Ok(tx.commit().await?)
    }

    /// The organization `id` and its member `person`, if the caller may know of the organization.
    async fn member(&self, app: &App, action: Action, (id, person): (&str, &str)) -> Answer<(Organization, Member)> {
        let organization = self.organization(app, action, id).await?;
        let found = members::find(&mut app.db.reader().await?, &organization.id, person).await?;
        let Some(member) = found else { return Err(Problem::not_found().into()) };
        Ok((organization, member))
    }

    /// Asks for leave to act on a person, wherever they belong; gives the person back.
    ///
    /// # Errors
    /// 404 when there is nobody, as `found` says, or the caller may not know of them; a challenge, a refusal or a fault.
    pub async fn on_person(&self, app: &App, action: Action, found: Answer<Person>) -> Answer<Person> {
        self.on_person_asked(app, action, found, None).await
    }

    /// Asks for leave to decide what `requested_by` asked for about a person; gives the person back.
    ///
    /// # Errors
    /// As [`Self::on_person`].
    pub async fn on_person_asked(
        &self,
        app: &App,
        action: Action,
        found: Answer<Person>,
        requested_by: Option<&str>,
    ) -> Answer<Person> {
        self.access.needs_scope(action.scope())?;
        if !self.operator && !self.privacy {
            return Err(Problem::not_found().into());
        }
        let person = found?;
        let (operator, privacy) = (person.operator, person.privacy);
        let subject = Subject { id: &person.id, operator, privacy, administrator: false };
        let context = Context { step_up: self.step_up, requested_by, ..Context::default() };
        self.ask(app, action, (&Resource { organization: None, subject: Some(subject) }, &context)).await?;
        Ok(person)
    }

    /// The organization `id`, if the caller may know of it.
    async fn organization(&self, app: &App, action: Action, id: &str) -> Answer<Organization> {
        self.access.needs_scope(action.scope())?;
        let related =
            self.operator || self.privacy || self.administers.iter().chain(&self.member_of).any(|it| it == id);
        if !related || id.contains('\0') {
            return Err(Problem::not_found().into());
        }
        let found = organizations::find(&mut app.db.reader().await?, id).await?.ok_or_else(Problem::not_found)?;
        // Of several in one request all are the same.
        let (status, subscription) = (status(&found), found.subscription(app.clock.now()));
        let _ = self.asked_in.set(AskedIn { id: found.id.clone(), status, subscription });
        Ok(found)
    }

    /// Reads again, in the transaction of a write, what leave was given to; gives why there is none any more. Whoever takes an
    /// administrator's rights away, or a program's, holds the organization: so does this, hence a write is before that or does not happen.
    ///
    /// # Errors
    /// A fault.
    pub async fn lost(&self, tx: &mut Tx, now: Timestamp) -> Outcome<Option<Problem>> {
        let administers = |id: &str| self.administers.iter().any(|it| it == id);
        let asked_in = self.asked_in.get().filter(|one| administers(&one.id) || self.member_of.contains(&one.id));
        if let Some(one) = asked_in.filter(|one| administers(&one.id)) {
            members::lock(tx, &one.id).await?;
        }
        if self.kind == PrincipalKind::Client {
            if self.is_closed(tx).await? {
                return Ok(Some(Problem::bare(Code::Forbidden)));
            }
            return match asked_in {
                Some(one) => one.narrowed(tx, now).await,
                None => Ok(None),
            };
        }
        if self.grant_is_over(tx, now).await? {
            let challenge = self.access.over().into_response();
            let problem = Problem::bare(Code::InvalidToken);
            let fields = challenge.headers().get_all(header::WWW_AUTHENTICATE).iter().cloned();
            return Ok(Some(
                fields.fold(problem, |problem, value| problem.with_header(header::WWW_AUTHENTICATE, value)),
            ));
        }
        let person = people::find(tx, &self.id).await?.filter(Person::is_active);
        let staff = |person: &Person| (person.operator || !self.operator) && (person.privacy || !self.privacy);
        if !person.as_ref().is_some_and(staff) {
            return Ok(Some(Problem::bare(Code::Forbidden)));
        }
        let Some(one) = asked_in else { return Ok(None) };
        let found = members::in_force(tx, &self.id, &calendar::date_at(now).to_string()).await?;
        let role = found.into_iter().find(|of| of.organization_id == one.id).map(|of| of.role);
        let lost = match role.as_deref() {
            None => Some(Problem::not_found()),
            Some(role) if role != "administrator" && administers(&one.id) => Some(Problem::bare(Code::Forbidden)),
            Some(_) => None,
        };
        // The operator's staff, or the data protection officer, may go on without.
        if lost.is_some() && !self.operator && !self.privacy {
            return Ok(lost);
        }
        if self.operator { Ok(None) } else { one.narrowed(tx, now).await }
    }

    /// Whether the client that calls was closed since the token was looked at, or manages for others by now.
    async fn is_closed(&self, tx: &mut Tx) -> Outcome<bool> {
        let found = clients::find_managed(tx, &self.id).await?.filter(|found| found.row.status == "active");
        let Some(found) = found else { return Ok(true) };
        let issued = self.access.claims.get("iat").and_then(Value::as_i64);
        let issued = issued.and_then(|at| Timestamp::from_second(at).ok());
        // What was issued before a suspension stays dead, also when the client is open again.
        if issued.is_none_or(|at| at <= found.row.access_ended_at.into()) {
            return Ok(true);
        }
        Ok(match found.manages.as_deref() {
            Some(MANAGES_ALL) => !self.operator,
            Some(one) => self.operator || !self.administers.iter().any(|it| it == one),
            None => self.operator || !self.administers.is_empty(),
        })
    }

    /// Asks whether there still is what leave was given to, before a further piece of a long answer is read: a slow reader does not decide
    /// how long a right lasts. The trail is told of who lost it.
    ///
    /// # Errors
    /// What was lost, or a fault.
    pub async fn goes_on(&self, app: &App) -> Answer<()> {
        let now = app.clock.now();
        let mut tx = app.db.begin().await?;
        let Some(lost) = self.lost(&mut tx, now).await? else { return Ok(()) };
        drop(tx);
        self.record_lost(app, now).await?;
        Err(lost.into())
    }

    /// Whether the grant behind the token ended since the token was looked at, by a report of its person or a kill switch. Whoever
    /// reports holds the person: so does this, hence the report comes first, or finds what was written.
    async fn grant_is_over(&self, tx: &mut Tx, now: Timestamp) -> Outcome<bool> {
        let Some(grant) = &self.access.grant else { return Ok(true) };
        people::lock(tx, &self.id).await?;
        if people::must_renew(tx, &self.id).await? {
            return Ok(true);
        }
        let found = grants::find(tx, &grant.id, now).await?;
        Ok(found.is_none_or(|found| found.is_revoked()))
    }

    /// Records that leave was taken away between the asking and the write.
    ///
    /// # Errors
    /// A fault.
    pub async fn record_lost(&self, app: &App, now: Timestamp) -> Outcome<()> {
        let mut event = self.event("authorization.refused").with("reason", "taken_away_meanwhile");
        if let Some(one) = self.asked_in.get() {
            event = event.in_organization(&one.id);
        }
        let mut tx = app.db.begin().await?;
        audit::record(&mut tx, event, now).await?;
        Ok(tx.commit().await?)
    }

    async fn context<'a>(&self, app: &App, organization: &Organization) -> Answer<Context<'a>> {
        let organization_status = Some(status(organization));
        let subscription = Some(organization.subscription(app.clock.now()));
        // The operator alone is asked for it.
        let vacant = self.operator && members::is_vacant(&mut app.db.reader().await?, &organization.id).await?;
        Ok(Context { step_up: self.step_up, organization_status, subscription, vacant, ..Context::default() })
    }

    async fn ask(&self, app: &App, action: Action, about: (&Resource<'_>, &Context<'_>)) -> Answer<String> {
        match self.decide(app, action, about)? {
            Ok(policy) => Ok(policy),
            Err(refused) => {
                self.record_refused(app, std::slice::from_ref(&refused)).await?;
                Err(refused.problem.into())
            }
        }
    }

    /// What the policy engine says, without a word to the trail.
    fn decide(
        &self,
        app: &App,
        action: Action,
        (resource, context): (&Resource<'_>, &Context<'_>),
    ) -> Answer<Result<String, Refused>> {
        self.access.needs_scope(action.scope())?;
        let (administers, member_of) = (texts(&self.administers), texts(&self.member_of));
        let principal = Principal {
            kind: self.kind,
            id: &self.id,
            operator: self.operator,
            privacy: self.privacy,
            administers: &administers,
            member_of: &member_of,
        };
        let policy = match app.authorization.decide(&principal, action, resource, context) {
            Decision::Permit { policy } => return Ok(Ok(policy)),
            Decision::StepUp { .. } => {
                let acr_values: Vec<&str> = self.strong.as_deref().into_iter().collect();
                let needed = StepUp { acr_values: &acr_values, max_age: Some(app.config.api.step_up_seconds) };
                return Err(self.access.step_up(&needed).into());
            }
            Decision::Refuse { policy, errors } => {
                if !errors.is_empty() {
                    tracing::error!(event = "authorization_failed", action = action.name(), ?errors);
                }
                policy
            }
        };
        // Who is told that the subscription is over knows what there was before.
        let open = Context { subscription: Some(Subscription::Open), ..*context };
        let hidden = !app.authorization.knows(&principal, resource, &open);
        let inactive =
            !self.operator && context.organization_status.is_some_and(|status| status != OrganizationStatus::Active);
        let code = match policy.as_deref() {
            _ if inactive => Code::OrganizationNotActive,
            Some("subscription-over" | "subscription-export") => Code::SubscriptionOver,
            _ => Code::Forbidden,
        };
        let problem = match &policy {
            _ if hidden => Problem::not_found(),
            Some(policy) => Problem::bare(code).with("policy", policy.clone()),
            None => Problem::bare(code),
        };
        Ok(Err(Refused {
            action,
            policy,
            subject: resource.subject.as_ref().map(|subject| subject.id.to_owned()),
            organization: resource.organization.map(str::to_owned),
            problem,
        }))
    }

    /// An audit event by this caller.
    pub fn event(&self, name: &'static str) -> Event {
        Event::new(name).by(&self.id).at_client(&self.client).from(&self.origin)
    }
}

/// What the policy engine refused, and what the caller is told of it.
#[derive(Debug)]
pub struct Refused {
    /// What the caller is told.
    pub problem: Problem,
    action: Action,
    policy: Option<String>,
    subject: Option<String>,
    organization: Option<String>,
}

impl Refused {
    /// The line of the trail, about `subject` when that is one person.
    fn event(&self, caller: &Caller, subject: Option<&str>) -> Event {
        let mut event = caller.event("authorization.refused").with("action", self.action.name());
        if let Some(policy) = &self.policy {
            event = event.with("policy", policy.clone());
        }
        if let Some(subject) = subject {
            event = event.about(subject);
        }
        if let Some(organization) = &self.organization {
            event = event.in_organization(organization);
        }
        event
    }
}

impl AskedIn {
    /// Why there is no leave any more where an organization is less open than it was.
    async fn narrowed(&self, tx: &mut Tx, now: Timestamp) -> Outcome<Option<Problem>> {
        let found = organizations::find(tx, &self.id).await?;
        let (status, subscription) = match &found {
            Some(organization) => (status(organization), organization.subscription(now)),
            None => (OrganizationStatus::Terminated, Subscription::Over),
        };
        if status > self.status {
            return Ok(Some(Problem::bare(Code::OrganizationNotActive)));
        }
        Ok((subscription > self.subscription).then(|| Problem::bare(Code::SubscriptionOver)))
    }
}

/// The status of an organization, as the policies see it. One this program does not know counts as terminated.
fn status(organization: &Organization) -> OrganizationStatus {
    match organization.status.as_str() {
        "active" => OrganizationStatus::Active,
        "suspended" => OrganizationStatus::Suspended,
        _ => OrganizationStatus::Terminated,
    }
}

/// A member, as the policies see whom an act is about.
fn subject(member: &Member) -> Subject<'_> {
    let (operator, privacy) = (member.operator, member.privacy);
    Subject { id: &member.person_id, operator, privacy, administrator: member.role == "administrator" }
}

/// What is asked of the people of an organization.
fn asked(app: &App, organization: &Organization) -> Asked {
    Asked::stored(&organization.mandatory_attributes).and(&asked_of_all(&app.config))
}

impl Acting {
    /// An audit event by `caller` in this organization.
    pub fn event(&self, caller: &Caller, name: &'static str) -> Event {
        caller.event(name).in_organization(&self.organization.id).with("policy", self.policy.clone())
    }
}

impl OnMember {
    /// An audit event by `caller` about this member.
    pub fn event(&self, caller: &Caller, name: &'static str) -> Event {
        caller
            .event(name)
            .in_organization(&self.organization.id)
            .about(&self.member.person_id)
            .with("policy", self.policy.clone())
    }
}

fn texts(ids: &[String]) -> Vec<&str> {
    ids.iter().map(String::as_str).collect()
}
