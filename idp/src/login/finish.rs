//! The end of every sign-in, whatever the method: the session opens, and the person goes on to where they were going.

use axum::response::Response;
use habilis_keys::secret::Secret;
use habilis_policies::acr::{self, Level, Sufficiency};
use habilis_policies::authorize::Next;
use habilis_policies::calendar;
use habilis_policies::second_factor::{self, Rule, Standing};
use jiff::{SignedDuration, Timestamp};

use super::local::Place;
use super::pages::LoginProblem;
use super::password::Verified;
use super::session::{self, Authenticated};
use super::{rules, second};
use crate::account::{completion, sharing};
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::second_factors::{self, Found};
use crate::db::sessions::{self, Session};
use crate::db::sign_in_steps::{self, NewStep, Step};
use crate::db::{Tx, browsers, device_requests, interactions, people};
use crate::mail::{self, letters::NewSignIn};
use crate::oidc::interaction::{self, Open, login_path, proceed, whole_path};
use crate::oidc::issue::STRONGEST;
use crate::outcome::Outcome;
use crate::web::cookies::{self, Browser, Cookies};
use crate::web::{Origin, see_other};

/// How long the second step may take before the password is asked again.
const STEP: SignedDuration = SignedDuration::from_mins(30);
/// How recent a sign-in has to be for a change of how one signs in.
pub const FRESH: SignedDuration = SignedDuration::from_mins(15);

/// Where a sign-in leads.
#[derive(Debug)]
pub enum Way {
    /// To a portal whose request waits.
    Request(Box<Open>),
    /// To a page of ours.
    Place(Place),
    /// To the address that an invitation leads to.
    Landing(String),
}

impl Way {
    /// Where to begin again.
    pub fn login_path(&self) -> String {
        match self {
            Self::Request(open) => login_path(&open.interaction.id),
            Self::Place(place) => place.login_path(),
            Self::Landing(_) => Place::Account.login_path(),
        }
    }

    /// Where somebody who is signed in begins from the beginning.
    pub fn whole_path(&self) -> String {
        match self {
            Self::Request(open) => whole_path(&open.interaction.id),
            Self::Place(place) => place.whole_path(),
            Self::Landing(_) => Place::Account.whole_path(),
        }
    }

    /// Where somebody goes on who has signed in and was shown something in between.
    pub fn next_path(&self) -> String {
        match self {
            Self::Request(open) => interaction::continue_path(&open.interaction.id),
            Self::Place(place) => place.path().to_owned(),
            Self::Landing(address) => address.clone(),
        }
    }

    /// The way of a sign-in that waited; none when its request is over.
    ///
    /// # Errors
    /// The database failed.
    pub async fn of(app: &App, cookies: &Cookies, step: &Step, now: Timestamp) -> Outcome<Option<Self>> {
        if let Some(address) = &step.leads_to {
            return Ok(Some(Self::Landing(address.clone())));
        }
        let Some(id) = &step.interaction_id else { return Ok(Some(Self::Place(Place::of(Some(&step.place))))) };
        let open = interaction::open(app, cookies, id, now).await?;
        Ok(open.map(|open| Self::Request(Box::new(open))))
    }

    /// What the portal at the end of this way asks.
    pub(crate) async fn portal(&self, app: &App, browser: &Browser, now: Timestamp) -> Outcome<Rule> {
        let client = match self {
            Self::Request(open) => {
                let (vocabulary, wanted) = (&open.client.settings.acr, &open.request.acr);
                let reached = acr::suffices(vocabulary, wanted, (Level::OneFactor, STRONGEST));
                if reached == Sufficiency::TooWeak {
                    return Ok(Rule::Required);
                }
                Some(open.client.clone())
            }
            Self::Place(Place::Device) => {
                let typed = device_requests::find_typed(&mut app.db.reader().await?, &browser.digest(), now).await?;
                match typed {
                    Some(typed) => app.client(&typed.client_id).await?,
                    None => None,
                }
            }
            Self::Place(_) | Self::Landing(_) => None,
        };
        Ok(client.map(|client| client.settings.second_factor).unwrap_or_default())
    }
}

/// What is asked of somebody on the way to a portal that asks `portal`.
pub fn asked(app: &App, found: &Found, portal: Rule) -> Rule {
    let standing = Standing {
        operator: found.operator,
        privacy: found.privacy,
        administrator: found.administrator,
        organization: if found.organization_requires { Rule::Required } else { Rule::Optional },
    };
    second_factor::asked(&app.config.second_factor.required_of, &standing, portal)
}

/// Who has proven themselves, and how.
#[derive(Debug, Clone, Copy)]
pub struct Proven<'a> {
    /// Whom.
    pub person: &'a str,
    /// RFC 8176 values, space separated.
    pub amr: &'a str,
    /// When the password was given, if the second factor was added to a session; none for a whole sign-in.
    pub since: Option<Timestamp>,
}

/// The browser somebody signs in with.
#[derive(Debug)]
pub struct Arrival<'a> {
    /// Where it is.
    pub origin: &'a Origin,
    /// Its name.
    pub browser: &'a Browser,
    /// The session it has already.
    pub old: Option<Session>,
}

/// Goes on after a right password: to the second step of somebody who has or must have one, else to the end.
///
/// # Errors
/// The database or a template failed.
pub(super) async fn after_password(
    app: &App,
    (way, arrival): (Way, Arrival<'_>),
    verified: &Verified,
    now: Timestamp,
) -> Outcome<Result<Response, LoginProblem>> {
    let person = &verified.person;
    let portal = way.portal(app, arrival.browser, now).await?;
    let mut tx = app.db.begin().await?;
    people::lock(&mut tx, person).await?;
    if !verified.holds(&mut tx).await? {
        let event = Event::new("sign_in.refused").about(person).from(arrival.origin).with("method", "password");
        audit::record(&mut tx, event.with("reason", "changed_meanwhile"), now).await?;
        tx.commit().await?;
        return Ok(Err(LoginProblem::Refused));
    }
    verified.settle(&mut tx).await?;
    if !has_room(&mut tx, app, (person, &arrival), now).await? {
        tx.commit().await?;
        return Ok(Err(LoginProblem::NoRoom));
    }
    if let Some(next) = second_step(&mut tx, app, (&way, &arrival, person), (portal, now)).await? {
        tx.commit().await?;
        return Ok(Ok(next));
    }
    finish(tx, app, (way, arrival, Proven { person, amr: "pwd", since: None }), now).await
}

/// Notes that `person`, who has proven their password, has a second step to take, and says where; none when there is none to
/// take, `portal` being what the portal asks. The step ends with the password it rests on. The caller holds the lock on the person,
/// and commits.
///
/// # Errors
/// The database failed.
pub(crate) async fn second_step(
    tx: &mut Tx,
    app: &App,
    (way, arrival, person): (&Way, &Arrival<'_>, &str),
    (portal, now): (Rule, Timestamp),
) -> Outcome<Option<Response>> {
    let found = second_factors::find(tx, person, now).await?;
    if !found.any() && asked(app, &found, portal) != Rule::Required {
        return Ok(None);
    }
    let id = habilis_keys::random::id("step", now);
    let until = now.saturating_add(STEP)?;
    let (interaction, place, leads_to) = match way {
        Way::Request(open) => (Some(open.interaction.id.as_str()), "", None),
        Way::Place(place) => (None, place.name(), None),
        Way::Landing(address) => (None, Place::Account.name(), Some(address.as_str())),
    };
    let step = NewStep {
        id: &id,
        browser_digest: &arrival.browser.digest(),
        person,
        interaction,
        place,
        session: None,
        leads_to,
        expires_at: password_end(tx, app, person, now).await?.map_or(until, |end| end.min(until)),
    };
    sign_in_steps::insert(tx, &step, now).await?;
    Ok(Some(see_other(&second::path(&id))))
}

/// When the password of `person` expires, if it does.
async fn password_end(tx: &mut Tx, app: &App, person: &str, now: Timestamp) -> Outcome<Option<Timestamp>> {
    let changed_at = people::find_credentials_of(tx, person).await?.and_then(|found| found.changed_at);
    let Some(changed_at) = changed_at else { return Ok(None) };
    let rule = rules::of_person(tx, &app.config, person, now).await?;
    Ok(rules::expires_on(&app.config, &rule, changed_at.into()).map(|(date, _)| calendar::midnight(date)))
}

/// How long after a sign-in a second factor may be added to it. Setting up the first one takes a sign-in as recent as the
/// security page asks for.
pub fn good_for(app: &App, found: &Found) -> SignedDuration {
    let good_for = SignedDuration::from_mins(i64::from(app.config.second_factor.password_good_for_minutes));
    if found.any() { good_for } else { good_for.min(FRESH) }
}

/// Leads somebody who is signed in, and of whom this request asks the second factor alone, to it; none when the whole sign-in is
/// asked, or the network left too many requests behind.
///
/// # Errors
/// The database failed.
pub(super) async fn step_up(
    app: &App,
    (open, session, origin): (&Open, &Session, &Origin),
    now: Timestamp,
) -> Outcome<Option<Response>> {
    let facts = (&open.client, &open.request, Some(session), Some(&open.interaction));
    let verdict = interaction::next(app, &mut app.db.reader().await?, facts, now).await?;
    if verdict.next != Next::StepUp || !app.begun.admit(&origin.network()) {
        return Ok(None);
    }
    let id = habilis_keys::random::id("step", now);
    let step = NewStep {
        id: &id,
        browser_digest: &open.browser.digest(),
        person: &session.person_id,
        interaction: Some(&open.interaction.id),
        place: "",
        session: Some(&session.id),
        leads_to: None,
        expires_at: now.saturating_add(STEP)?,
    };
    let mut tx = app.db.begin().await?;
    sign_in_steps::insert(&mut tx, &step, now).await?;
    tx.commit().await?;
    Ok(Some(see_other(&second::path(&id))))
}

/// Leads somebody who is signed in, and lacks the second factor alone for a page of ours, to it; none when it is the time of the
/// sign-in that is missing, or the network left too many requests behind. The same rule as for a portal's request, see [`step_up`].
///
/// # Errors
/// The database failed.
pub(super) async fn step_up_to(
    app: &App,
    (place, session, browser, origin): (Place, &Session, &Browser, &Origin),
    now: Timestamp,
) -> Outcome<Option<Response>> {
    if Level::of(&session.amr) == Level::TwoFactors {
        return Ok(None);
    }
    let found = second_factors::find(&mut app.db.reader().await?, &session.person_id, now).await?;
    let portal = Way::Place(place).portal(app, browser, now).await?;
    if !found.any() && asked(app, &found, portal) != Rule::Required {
        return Ok(None);
    }
    // The pages of the account ask for a recent sign-in beside it: one that is too old would be asked for right after.
    let good_for = match place {
        Place::Device => good_for(app, &found),
        _ => good_for(app, &found).min(FRESH),
    };
    if now.duration_since(session.auth_time.into()) >= good_for || !app.begun.admit(&origin.network()) {
        return Ok(None);
    }
    let id = habilis_keys::random::id("step", now);
    let step = NewStep {
        id: &id,
        browser_digest: &browser.digest(),
        person: &session.person_id,
        interaction: None,
        place: place.name(),
        session: Some(&session.id),
        leads_to: None,
        expires_at: now.saturating_add(STEP)?,
    };
    let mut tx = app.db.begin().await?;
    sign_in_steps::insert(&mut tx, &step, now).await?;
    tx.commit().await?;
    Ok(Some(see_other(&second::path(&id))))
}

/// Whether the person may have one session more; a refusal is written into the trail. The caller commits.
///
/// # Errors
/// The database failed.
pub async fn has_room(
    tx: &mut Tx,
    app: &App,
    (person, arrival): (&str, &Arrival<'_>),
    now: Timestamp,
) -> Outcome<bool> {
    let room = session::has_room(tx, app, (person, arrival.old.as_ref()), now).await?;
    if !room {
        audit::record(tx, Event::new("session.no_room").about(person).from(arrival.origin), now).await?;
    }
    Ok(room)
}

/// Opens the session, commits, and leads on; refused when the person has as many sessions as the policy allows. The caller holds the
/// lock on the person: whoever ends all their sessions does too, and so ends this one or comes first.
///
/// # Errors
/// The database or a template failed.
pub async fn finish(
    mut tx: Tx,
    app: &App,
    (mut way, arrival, proven): (Way, Arrival<'_>, Proven<'_>),
    now: Timestamp,
) -> Outcome<Result<Response, LoginProblem>> {
    // A measure, a kill switch or a report may have come between two steps or since the password was compared, and a passkey is no renewed
    // password (R033, R083).
    let known = people::at_sign_in(&mut tx, proven.person, now).await?;
    if !known.may_sign_in() {
        tx.commit().await?;
        return Ok(Err(LoginProblem::Refused));
    }
    if !has_room(&mut tx, app, (proven.person, &arrival), now).await? {
        tx.commit().await?;
        return Ok(Err(LoginProblem::NoRoom));
    }
    let browser = arrival.browser;
    // What is asked by now is asked after a whole sign-in, not of somebody in the middle of something.
    let incomplete = match proven.since {
        None => completion::on_the_way(&mut tx, app, (&way, proven.person, known), now).await?,
        Some(_) => None,
    };
    let (session, cookie) = open(&mut tx, app, (&mut way, arrival, proven), now).await?;
    let mut response = match (incomplete, &way) {
        (Some(path), _) => see_other(&path),
        (None, Way::Request(open)) => proceed(&mut tx, app, (open, &session), now).await?,
        (None, way) => see_other(&way.next_path()),
    };
    tx.commit().await?;
    accepted(app);
    // A device that signs in again has been used again.
    sharing::look(app, proven.person, now).await?;
    cookies::set_session(app, &mut response, &cookie);
    cookies::set_browser(app, &mut response, browser);
    Ok(Ok(response))
}

/// Counts a sign-in and wakes the mail; called after the commit.
pub fn accepted(app: &App) {
    app.mail_waiting.notify_one();
    metrics::counter!("habilis_sign_ins_total", "outcome" => "accepted").increment(1);
}

/// Opens the session, notes the sign-in for the request that waits, tells of a new browser by mail. The caller commits.
///
/// # Errors
/// The database or a template failed.
pub async fn open(
    tx: &mut Tx,
    app: &App,
    (way, arrival, proven): (&mut Way, Arrival<'_>, Proven<'_>),
    now: Timestamp,
) -> Outcome<(Session, Secret<String>)> {
    let Arrival { origin, browser, old } = arrival;
    let authenticated = Authenticated { person: proven.person, amr: proven.amr, since: proven.since };
    let (session, cookie) = session::start(tx, app, (authenticated, old, origin), now).await?;
    let browser = browser.digest();
    sessions::set_browser(tx, &session.id, &browser).await?;
    if browsers::seen(tx, proven.person, &browser, now).await? {
        mail::write(tx, app, (proven.person, &NewSignIn::from(origin, now)), now).await?;
    }
    let name = if proven.since.is_some() { "session.stepped_up" } else { "session.started" };
    let mut event = Event::new(name)
        .by(proven.person)
        .about(proven.person)
        .from(origin)
        .with("session", session.id.clone())
        .with("amr", proven.amr);
    if let Way::Request(open) = way {
        interactions::authenticated(tx, &open.interaction.id, now).await?;
        open.interaction.authenticated_at = Some(now.into());
        event = event.at_client(&open.client.id);
    }
    audit::record(tx, event, now).await?;
    Ok((session, cookie))
}

/// Methods of `amr` and `more`, each once.
pub fn with_methods(amr: &str, more: &str) -> String {
    let mut methods: Vec<&str> = Vec::new();
    for method in amr.split(' ').chain(more.split(' ')).filter(|method| !method.is_empty()) {
        if !methods.contains(&method) {
            methods.push(method);
        }
    }
    methods.join(" ")
}

#[cfg(test)]
mod tests {
    use super::with_methods;

    #[test]
    fn methods_are_named_once() {
        assert_eq!(with_methods("pwd", "otp mfa"), "pwd otp mfa");
        assert_eq!(with_methods("pwd otp mfa", "pop hwk user mfa"), "pwd otp mfa pop hwk user");
        assert_eq!(with_methods("", "otp"), "otp");
    }
}
