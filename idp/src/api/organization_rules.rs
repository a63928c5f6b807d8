//! `/organizations/{organization}/rules`: what an organization asks of its people's passwords and second factors, within the
//! operator's floor (R040), and what becomes of their requests for seats (R059).

use axum::extract::{Path, State};
use habilis_policies::authorization::Action;
use habilis_policies::passwords::{PasswordPolicy, PolicyRefusal, Renewal};
use habilis_policies::seat_requests::Rule;
use serde::de::Deserializer;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::Problems;
use super::body::{Body, fields, fields::Patched};
use super::caller::{Acting, Caller};
use super::precondition::IfMatch;
use super::problem::{Answer, FieldError, Problem};
use super::write::{Write, Written, found};
use crate::account::signatories;
use crate::app::App;
use crate::config::Config;
use crate::db::{Conn, audit, members, organizations};
use crate::login::rules;
use crate::mail::organizations::SensitiveAct;
use crate::web::routing::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(read, update))
}

/// A rule for passwords.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PasswordRule {
    /// Shortest password with lower case, upper case, digits and special characters.
    four_classes_min: u16,
    /// Shortest password with lower case, upper case and digits.
    three_classes_min: u16,
    /// Fewest words of a passphrase.
    passphrase_words_min: u16,
    /// Lowest guessability score accepted, 0 to 4.
    strength_min: u8,
    /// How many previous passwords may not come back.
    history: u8,
    /// `yearly` or `off`.
    renewal: YearlyRenewal,
    /// Days an expired password may wait before the account is suspended.
    grace_days: u16,
}

impl From<&PasswordPolicy> for PasswordRule {
    fn from(rule: &PasswordPolicy) -> Self {
        Self {
            four_classes_min: rule.four_classes_min,
            three_classes_min: rule.three_classes_min,
            passphrase_words_min: rule.passphrase_words_min,
            strength_min: rule.strength_min,
            history: rule.history,
            renewal: if rule.renewal == Renewal::Yearly { YearlyRenewal::Yearly } else { YearlyRenewal::Off },
            grace_days: rule.grace_days,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum YearlyRenewal {
    Yearly,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum SecondFactorName {
    Optional,
    Required,
}

impl SecondFactorName {
    fn word(self) -> &'static str {
        if self == Self::Required { "required" } else { "optional" }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum SeatRequestsName {
    Approval,
    Automatic,
    Off,
}

impl From<SeatRequestsName> for Rule {
    fn from(name: SeatRequestsName) -> Self {
        match name {
            SeatRequestsName::Approval => Self::Approval,
            SeatRequestsName::Automatic => Self::Automatic,
            SeatRequestsName::Off => Self::Off,
        }
    }
}

/// What an organization asks of its people.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OrganizationRules {
    /// `optional` or `required`; roles and portals may require one besides.
    second_factor: String,
    /// What becomes of a member's request for a seat: `approval`, an administrator decides; `automatic`, it is granted while one is left;
    /// `off`, nobody can ask.
    seat_requests: &'static str,
    /// Its own rule for passwords; absent when the operator's is in force.
    password: Option<PasswordRule>,
    /// The rule its members follow, who may have to follow a stricter one of another organization.
    password_in_force: PasswordRule,
    /// What no organization may go below.
    password_floor: PasswordRule,
}

/// What is changed of the rules: what is absent stays, null takes away (RFC 7396).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OrganizationRulesPatch {
    /// `optional` or `required`.
    #[serde(default, deserialize_with = "fields::kept_value")]
    #[schema(value_type = SecondFactorName)]
    second_factor: Option<SecondFactorName>,
    /// `approval`, `automatic` or `off`. With `automatic` the organization agrees beforehand to what its members ask for.
    #[serde(default, deserialize_with = "fields::kept_value")]
    #[schema(value_type = SeatRequestsName)]
    seat_requests: Option<SeatRequestsName>,
    /// Its own rule for passwords; null takes it back, and the operator's is in force.
    #[serde(default, deserialize_with = "patched")]
    #[schema(value_type = Option<PasswordRulePatch>)]
    password: Patched<PasswordRulePatch>,
}

/// What is changed of a rule for passwords: what is absent or null stays as it is in force.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordRulePatch {
    /// Shortest password with lower case, upper case, digits and special characters.
    four_classes_min: Option<u16>,
    /// Shortest password with lower case, upper case and digits.
    three_classes_min: Option<u16>,
    /// Fewest words of a passphrase.
    passphrase_words_min: Option<u16>,
    /// Lowest guessability score accepted, 0 to 4.
    strength_min: Option<u8>,
    /// How many previous passwords may not come back.
    history: Option<u8>,
    /// `yearly` or `off`.
    renewal: Option<YearlyRenewal>,
    /// Days an expired password may wait before the account is suspended.
    grace_days: Option<u16>,
}

fn patched<'de, D: Deserializer<'de>>(reader: D) -> Result<Patched<PasswordRulePatch>, D::Error> {
    let patch = Option::<PasswordRulePatch>::deserialize(reader)?;
    Ok(patch.map_or(Patched::Removed, Patched::Set))
}

impl PasswordRulePatch {
    fn over(&self, rule: &PasswordPolicy) -> PasswordPolicy {
        PasswordPolicy {
            four_classes_min: self.four_classes_min.unwrap_or(rule.four_classes_min),
            three_classes_min: self.three_classes_min.unwrap_or(rule.three_classes_min),
            passphrase_words_min: self.passphrase_words_min.unwrap_or(rule.passphrase_words_min),
            strength_min: self.strength_min.unwrap_or(rule.strength_min),
            history: self.history.unwrap_or(rule.history),
            renewal: self.renewal.map_or(rule.renewal, |name| match name {
                YearlyRenewal::Yearly => Renewal::Yearly,
                YearlyRenewal::Off => Renewal::Off,
            }),
            grace_days: self.grace_days.unwrap_or(rule.grace_days),
        }
    }
}

/// Every reason against a rule, each at the member it is about.
fn refused(refusals: &[PolicyRefusal]) -> Problem {
    use PolicyRefusal as R;
    let error = |refusal: &PolicyRefusal| {
        let (member, code) = match refusal {
            R::FourClassesTooShort { .. } => ("/password/four_classes_min", "below_floor"),
            R::ThreeClassesTooShort { .. } => ("/password/three_classes_min", "below_floor"),
            R::PassphraseTooShort { .. } => ("/password/passphrase_words_min", "below_floor"),
            R::StrengthTooLow { .. } => ("/password/strength_min", "below_floor"),
            R::HistoryTooShort { .. } => ("/password/history", "below_floor"),
            R::HistoryTooLong => ("/password/history", "too_many"),
            R::RenewalRequired => ("/password/renewal", "below_floor"),
            R::GraceTooLong { .. } => ("/password/grace_days", "below_floor"),
            R::Unattainable => ("/password", "unattainable"),
        };
        FieldError { pointer: member.to_owned(), code, detail: refusal.to_string() }
    };
    Problem::fields(refusals.iter().map(error).collect())
}

/// The rules as they are now, with the version of the organization.
async fn show(c: &mut impl Conn, config: &Config, organization: &str) -> Answer<(OrganizationRules, i64)> {
    let row = organizations::find(c, organization).await?;
    let Some(row) = row else { return Err(Problem::not_found().into()) };
    let own = rules::of_organization(c, organization).await?;
    let (operator, floor) = (config.password_policy(), config.password_floor());
    let shown = OrganizationRules {
        seat_requests: row.seat_requests().name(),
        second_factor: row.second_factor,
        password: own.as_ref().map(PasswordRule::from),
        password_in_force: (&PasswordPolicy::effective(own.as_ref(), &operator, &floor)).into(),
        password_floor: (&floor).into(),
    };
    Ok((shown, row.version))
}

/// Read what an organization asks of its people's passwords and second factors, and what becomes of their requests for seats.
#[utoipa::path(
    get, path = "/organizations/{organization}/rules", tag = "organizations",
    params(("organization" = String, Path, description = "`org_…`")),
    responses((status = 200, description = "As they are", body = OrganizationRules), Problems),
    security(("oauth2" = ["habilis.organizations.read"]))
)]
async fn read(State(app): State<App>, caller: Caller, Path(organization): Path<String>) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadOrganization, &organization).await?;
    let (shown, version) = show(&mut app.db.reader().await?, &app.config, &acting.organization.id).await?;
    found(&shown, version)
}

/// Change them. A rule for passwords that is weaker than the operator's floor is refused (R040); `ETag` is that of the organization. The
/// signatories are told.
#[utoipa::path(
    patch, path = "/organizations/{organization}/rules", tag = "organizations", request_body = OrganizationRulesPatch,
    params(("organization" = String, Path, description = "`org_…`"), ("If-Match" = String, Header, description = "`ETag` that was read")),
    responses((status = 200, description = "As they are now", body = OrganizationRules), Problems),
    security(("oauth2" = ["habilis.organizations.write"]))
)]
async fn update(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    if_match: IfMatch,
    body: Body<OrganizationRulesPatch>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::SetOrganizationRules, &organization).await?;
    if body.value.seat_requests.is_some() {
        // What members ask for is billed: the operator does not agree to it for the organization.
        caller.in_organization(&app, Action::DecideSeatRequest, &organization).await?;
    }
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    members::lock(&mut write.tx, &acting.organization.id).await?;
    let (_, version) = show(&mut write.tx, &app.config, &acting.organization.id).await?;
    if_match.check(version)?;
    let person = signatories::acted(&mut write.tx, &app.config, caller.id()).await?;
    if change(&mut write, &app, (&caller, &acting), &body.value).await? {
        let act = SensitiveAct::RulesChanged { person: person.clone() };
        signatories::tell(&mut write.tx, &app, (&acting.organization, act), write.now).await?;
    }
    if let Some(rule) = body.value.seat_requests.map(Rule::from)
        && set_seat_requests(&mut write, (&caller, &acting), rule).await?
    {
        let act = SensitiveAct::SeatRequestsChanged { person, rule };
        signatories::tell(&mut write.tx, &app, (&acting.organization, act), write.now).await?;
    }
    let (after, version) = show(&mut write.tx, &app.config, &acting.organization.id).await?;
    let answer = write.finish(Written::changed(&after)?.with_version(version)).await;
    app.mail_waiting.notify_one();
    answer
}

/// Writes what differs, and says whether anything did. The organization is locked.
async fn change(
    write: &mut Write,
    app: &App,
    (caller, acting): (&Caller, &Acting),
    patch: &OrganizationRulesPatch,
) -> Answer<bool> {
    let id = &acting.organization.id;
    let (operator, floor) = (app.config.password_policy(), app.config.password_floor());
    let old = rules::of_organization(&mut write.tx, id).await?;
    let new = match &patch.password {
        Patched::Kept => old,
        Patched::Removed => None,
        Patched::Set(patch) => Some(patch.over(&PasswordPolicy::effective(old.as_ref(), &operator, &floor))),
    };
    let mut changed = false;
    if new != old {
        if let Some(Err(refusals)) = new.as_ref().map(|rule| rule.admit(&floor)) {
            return Err(refused(&refusals).into());
        }
        let stored = new.as_ref().map(serde_json::to_string).transpose()?;
        organizations::set_password_policy(&mut write.tx, id, stored.as_deref()).await?;
        let event = acting.event(caller, "organization.password_policy_set").about(id);
        let event = event.changed(serde_json::to_value(old)?, serde_json::to_value(new)?);
        audit::record(&mut write.tx, event, write.now).await?;
        changed = true;
    }
    let Some(before) = organizations::find(&mut write.tx, id).await? else { return Err(Problem::not_found().into()) };
    if let Some(rule) = patch.second_factor.map(SecondFactorName::word).filter(|rule| before.second_factor != *rule) {
        organizations::set_second_factor(&mut write.tx, id, rule).await?;
        let event = acting.event(caller, "organization.second_factor_set").about(id);
        let event = event.changed(json!(before.second_factor), json!(rule));
        audit::record(&mut write.tx, event, write.now).await?;
        changed = true;
    }
    Ok(changed)
}

/// Says what becomes of requests for seats, and whether that is something else. The organization is locked.
async fn set_seat_requests(write: &mut Write, (caller, acting): (&Caller, &Acting), rule: Rule) -> Answer<bool> {
    let id = &acting.organization.id;
    let before = organizations::find(&mut write.tx, id).await?.map(|row| row.seat_requests());
    let Some(before) = before.filter(|before| *before != rule) else { return Ok(false) };
    organizations::set_seat_requests(&mut write.tx, id, rule).await?;
    let event = acting.event(caller, "organization.seat_requests_set").about(id);
    let event = event.changed(json!(before.name()), json!(rule.name()));
    audit::record(&mut write.tx, event, write.now).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_member_that_is_too_weak() {
        let weak = PasswordPolicy { strength_min: 0, history: 25, renewal: Renewal::Off, ..PasswordPolicy::DEFAULT };
        let floor = PasswordPolicy { renewal: Renewal::Yearly, ..PasswordPolicy::CNIL_FLOOR };
        let document = refused(&weak.admit(&floor).unwrap_err()).document();
        let errors = document["errors"].as_array().unwrap();
        let named: Vec<_> = errors.iter().map(|error| (error["pointer"].as_str(), error["code"].as_str())).collect();
        for (pointer, code) in [
            ("/password/strength_min", "below_floor"),
            ("/password/history", "too_many"),
            ("/password/renewal", "below_floor"),
        ] {
            assert!(named.contains(&(Some(pointer), Some(code))), "{document}");
        }
        assert_eq!(named.len(), 3, "{document}");
    }

    #[test]
    fn what_a_patch_does_not_name_stays_as_it_is_in_force() {
        let patch: PasswordRulePatch = serde_json::from_value(json!({ "history": 9, "renewal": "off" })).unwrap();
        let changed = patch.over(&PasswordPolicy::DEFAULT);
        assert_eq!(changed, PasswordPolicy { history: 9, renewal: Renewal::Off, ..PasswordPolicy::DEFAULT });
    }
}
