//! Who may do what through the management API: Cedar policies over the facts of a request.
//!
//! The policies are in `policies/authorization`, written to be read by people who do not program: `duties.cedar` says what each
//! role may do, `separation.cedar` what nobody may do whatever else they may, `circumstances.cedar` when what is permitted has to wait.
//! `matrix.txt` beside them is the whole table, written by hand and held against the policies by a test. An operator may add rules of
//! their own that forbid more ([`Engine::with_operator_rules`]); nothing can permit more.
//!
//! Everything fails closed: what no policy permits is refused, and so is everything when a policy cannot be evaluated.
//!
//! Requirements R014, R050–R055, R124.

mod action;
mod rules;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use cedar_policy::{
    Authorizer, Context as Circumstances, Entities, Entity, EntityId, EntityTypeName, EntityUid, Policy, PolicyId,
    PolicySet, Request, RestrictedExpression, Schema,
};

pub use action::{Action, SCOPES};
use rules::Author;
pub use rules::{EMBEDDED, Error, MAX_RULES, MAX_RULES_BYTES, Problem, SCHEMA, source};

/// What kind of principal asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrincipalKind {
    /// A person, signed in.
    Person,
    /// An API client.
    Client,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Principal<'a> {
    /// A person, or a program.
    pub kind: PrincipalKind,
    /// The person's id, or the client's.
    pub id: &'a str,
    /// Has the duty of an operator; for a client: is the operator's automation.
    pub operator: bool,
    /// Has the duty of a data protection officer. No client has.
    pub privacy: bool,
    /// Ids of the organizations they administer: active memberships only. For a client, the organizations it was made for.
    pub administers: &'a [&'a str],
    /// Ids of the organizations they are a member of: active memberships only.
    pub member_of: &'a [&'a str],
}

/// What the act is about. Leave out what it is not about; never what it is about.
#[derive(Debug, Clone, Copy, Default)]
pub struct Resource<'a> {
    /// The id of the organization whose affair it is.
    pub organization: Option<&'a str>,
    /// The person it is about. With an organization, a member of it: the caller found them there.
    pub subject: Option<Subject<'a>>,
}

/// The person an act is about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Their id.
    pub id: &'a str,
    /// They have the duty of an operator.
    pub operator: bool,
    /// They have the duty of a data protection officer.
    pub privacy: bool,
    /// They have the role of an administrator in the organization the act is about.
    pub administrator: bool,
}

/// The status of an organization, from the most open to the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OrganizationStatus {
    /// As usual.
    Active,
    /// Its administrators read and change nothing.
    Suspended,
    /// It is there for operators and the data protection officer only.
    Terminated,
}

/// How far the subscription of an organization opens its data to its administrators, members and programs, from the most open to the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subscription {
    /// As usual: a contract goes on, or there never was one.
    Open,
    /// Ended within thirty days, with an agreement: they read and export.
    Export,
    /// Ended: their data are closed to them.
    Over,
}

/// The circumstances. The default is the strictest: no recent sign-in, no permission, no status (which counts as terminated), no
/// subscription (which counts as over).
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// The person proved a few minutes ago, with a strong second factor, who they are (RFC 9470).
    pub step_up: bool,
    /// The status of the organization the act is about.
    pub organization_status: Option<OrganizationStatus>,
    /// How far the subscription of that organization opens its data.
    pub subscription: Option<Subscription>,
    /// The person who asked for what is being approved.
    pub requested_by: Option<&'a str>,
    /// The person holds the special permission to see identity documents (R124), which needs certificates (R176).
    pub identity_images: bool,
    /// The organization the act is about has no administrator who has opened their account (R054, Q23).
    pub vacant: bool,
}

/// The answer. Policies are named by their `@id`, for the audit and the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Permitted.
    Permit {
        /// The policy that permits; the first of them when there are several.
        policy: String,
    },
    /// Would be permitted to the same person after a strong sign-in (RFC 9470: `insufficient_user_authentication`).
    StepUp {
        /// The policy that asks for it.
        policy: String,
    },
    /// Refused.
    Refuse {
        /// The policy that forbids; none when nothing permits.
        policy: Option<String>,
        /// What went wrong while deciding, for the log: empty unless policies or facts are broken.
        errors: Vec<String>,
    },
}

impl Decision {
    /// Whether it is a [`Decision::Permit`].
    pub fn is_permitted(&self) -> bool {
        matches!(self, Self::Permit { .. })
    }
}

/// The policies, ready to decide. Made once; decides without I/O and is shared by all requests.
#[derive(Debug)]
pub struct Engine {
    authorizer: Authorizer,
    policies: PolicySet,
    /// The order of the text: with several that decide, the first is named.
    order: HashMap<PolicyId, usize>,
    /// Every act, with its groups as parents.
    acts: HashMap<Action, Entity>,
    names: Names,
}

/// Names of the schema, read once.
#[derive(Debug)]
struct Names {
    action: EntityTypeName,
    person: EntityTypeName,
    client: EntityTypeName,
    organization: EntityTypeName,
    record: EntityUid,
    active: EntityUid,
    suspended: EntityUid,
    terminated: EntityUid,
    subscribed: EntityUid,
    exporting: EntityUid,
    over: EntityUid,
}

impl Engine {
    /// The policies of this version.
    ///
    /// # Errors
    /// They cannot be read: a defect, which a test finds.
    pub fn embedded() -> Result<Self, Error> {
        Self::new(embedded(rules::read)?)
    }

    /// The policies of this version and the operator's own rules, which can only forbid.
    ///
    /// # Errors
    /// Every problem of `text` with its position: syntax, a permission, an id that is missing or used, a name the schema does not
    /// know, a rule that could never apply, too much of it.
    pub fn with_operator_rules(text: &str) -> Result<Self, Error> {
        Self::with_rules(&rules::schema()?, text)
    }

    fn with_rules(schema: &Schema, text: &str) -> Result<Self, Error> {
        let mut policies = embedded(rules::read)?;
        let taken: Vec<PolicyId> = policies.iter().map(|policy| policy.id().clone()).collect();
        policies.extend(rules::read_checked(schema, Author::Operator, text, &taken)?);
        Self::new(policies)
    }

    /// Holds the embedded policies against the schema. A test does it for every build, so starting need not.
    ///
    /// # Errors
    /// Every problem of the embedded policies.
    pub fn check_embedded() -> Result<(), Error> {
        let schema = rules::schema()?;
        embedded(|author, text, taken| rules::read_checked(&schema, author, text, taken)).map(drop)
    }

    fn new(policies: Vec<Policy>) -> Result<Self, Error> {
        let broken = |error: String| Error {
            problems: vec![Problem { file: Some("schema.cedarschema"), line: 1, column: 1, text: error }],
        };
        let order = policies.iter().enumerate().map(|(index, policy)| (policy.id().clone(), index)).collect();
        let policies = PolicySet::from_policies(policies).map_err(|error| broken(error.to_string()))?;
        let names = Names::read().map_err(broken)?;
        let mut acts = HashMap::new();
        for action in Action::ALL {
            let Some(groups) = rules::groups(action.name()) else {
                return Err(broken(format!("the action {action} is missing")));
            };
            let uid = |name: &str| EntityUid::from_type_name_and_id(names.action.clone(), EntityId::new(name));
            acts.insert(*action, Entity::new_no_attrs(uid(action.name()), groups.map(uid).collect()));
        }
        Ok(Self { authorizer: Authorizer::new(), policies, order, acts, names })
    }

    /// The ids of all policies, in the order of the text, the operator's own last.
    pub fn ids(&self) -> Vec<&str> {
        let mut ids: Vec<(&usize, &str)> = self.order.iter().map(|(id, index)| (index, id.as_ref())).collect();
        ids.sort_unstable();
        ids.into_iter().map(|(_, id)| id).collect()
    }

    /// Decides whether `principal` may do `action` to `resource`.
    ///
    /// On [`Decision::Refuse`] the caller asks [`Engine::knows`] whether to answer 403 or 404.
    pub fn decide(&self, principal: &Principal, action: Action, resource: &Resource, context: &Context) -> Decision {
        match self.evaluate(principal, action, resource, context) {
            Err(errors) => Decision::Refuse { policy: None, errors },
            Ok(Answer::Permitted(policy)) => Decision::Permit { policy },
            Ok(Answer::Refused(policy)) if context.step_up || principal.kind == PrincipalKind::Client => {
                Decision::Refuse { policy, errors: Vec::new() }
            }
            Ok(Answer::Refused(policy)) => {
                match self.evaluate(principal, action, resource, &Context { step_up: true, ..*context }) {
                    Err(errors) => Decision::Refuse { policy, errors },
                    Ok(Answer::Refused(stronger)) => Decision::Refuse { policy: stronger, errors: Vec::new() },
                    Ok(Answer::Permitted(permit)) => Decision::StepUp { policy: policy.unwrap_or(permit) },
                }
            }
        }
    }

    /// Whether `principal` may know that `resource` exists: when not, a refusal is answered 404 and not 403.
    ///
    /// What one may not read does not exist: the question is [`Action::ReadMember`] for a person in an organization,
    /// [`Action::ReadOrganization`] for an organization, [`Action::ReadPerson`] for another person. The installation as a whole and
    /// oneself are known to everybody. So other organizations answer 404 to an administrator (R050), and so do operators and
    /// data protection officers among their members; a member is told 404 about everything of an organization but their own
    /// membership.
    pub fn knows(&self, principal: &Principal, resource: &Resource, context: &Context) -> bool {
        let look = match (resource.organization, resource.subject) {
            (None, None) => return true,
            (Some(_), None) => Action::ReadOrganization,
            (Some(_), Some(_)) => Action::ReadMember,
            (None, Some(subject)) if principal.kind == PrincipalKind::Person && subject.id == principal.id => {
                return true;
            }
            (None, Some(_)) => Action::ReadPerson,
        };
        matches!(self.decide(principal, look, resource, context), Decision::Permit { .. } | Decision::StepUp { .. })
    }

    fn evaluate(
        &self,
        principal: &Principal,
        action: Action,
        resource: &Resource,
        context: &Context,
    ) -> Result<Answer, Vec<String>> {
        let (request, entities) = self.ask(principal, action, resource, context).map_err(|error| vec![error])?;
        let response = self.authorizer.is_authorized(&request, &self.policies, &entities);
        // Cedar skips a policy that fails, a forbid too: nothing it says then can be relied upon.
        let errors: Vec<String> = response.diagnostics().errors().map(ToString::to_string).collect();
        if !errors.is_empty() {
            return Err(errors);
        }
        let first = response.diagnostics().reason().min_by_key(|id| self.order.get(*id)).map(ToString::to_string);
        match (response.decision(), first) {
            (cedar_policy::Decision::Allow, Some(policy)) => Ok(Answer::Permitted(policy)),
            (cedar_policy::Decision::Allow, None) => Err(vec!["permitted by no policy".to_owned()]),
            (cedar_policy::Decision::Deny, policy) => Ok(Answer::Refused(policy)),
        }
    }

    /// The request as Cedar takes it.
    fn ask(
        &self,
        principal: &Principal,
        action: Action,
        resource: &Resource,
        context: &Context,
    ) -> Result<(Request, Entities), String> {
        let asker = self.names.principal(principal)?;
        let record = self.names.record(resource)?;
        let act = self.acts.get(&action).ok_or("the act has no entity")?;
        let circumstances = self.names.circumstances(context)?;
        // That the facts fit the schema follows from their types and is tested; holding every request against it costs more
        // than the decision.
        let request = Request::new(asker.uid(), act.uid(), record.uid(), circumstances, None)
            .map_err(|error| error.to_string())?;
        let entities =
            Entities::from_entities([act.clone(), asker, record], None).map_err(|error| error.to_string())?;
        Ok((request, entities))
    }
}

/// All files of embedded policies, in order, read by `read`.
fn embedded(read: impl Fn(Author, &str, &[PolicyId]) -> Result<Vec<Policy>, Error>) -> Result<Vec<Policy>, Error> {
    let mut policies: Vec<Policy> = Vec::new();
    let mut problems = Vec::new();
    for (file, text) in EMBEDDED {
        let taken: Vec<PolicyId> = policies.iter().map(|policy| policy.id().clone()).collect();
        match read(Author::Embedded(file), text, &taken) {
            Ok(more) => policies.extend(more),
            Err(error) => problems.extend(error.problems),
        }
    }
    if problems.is_empty() { Ok(policies) } else { Err(Error { problems }) }
}

/// What the policies say.
enum Answer {
    /// By this one.
    Permitted(String),
    /// By this one, or because nothing permits.
    Refused(Option<String>),
}

fn uid_in(kind: &str, id: &str) -> Result<EntityUid, String> {
    let kind: EntityTypeName = kind.parse().map_err(|_| format!("{kind} is no name of a type"))?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

fn flag(name: &str, value: bool) -> (String, RestrictedExpression) {
    (name.to_owned(), RestrictedExpression::new_bool(value))
}

impl Names {
    fn read() -> Result<Self, String> {
        let kind = |name: &str| name.parse::<EntityTypeName>().map_err(|error| error.to_string());
        Ok(Self {
            action: kind("Action")?,
            person: kind("Person")?,
            client: kind("Client")?,
            organization: kind("Organization")?,
            record: uid_in("Record", "it")?,
            active: uid_in("Status", "active")?,
            suspended: uid_in("Status", "suspended")?,
            terminated: uid_in("Status", "terminated")?,
            subscribed: uid_in("Subscription", "open")?,
            exporting: uid_in("Subscription", "export")?,
            over: uid_in("Subscription", "over")?,
        })
    }

    fn organization(&self, id: &str) -> RestrictedExpression {
        let uid = EntityUid::from_type_name_and_id(self.organization.clone(), EntityId::new(id));
        RestrictedExpression::new_entity_uid(uid)
    }

    fn organizations(&self, ids: &[&str]) -> RestrictedExpression {
        RestrictedExpression::new_set(ids.iter().map(|id| self.organization(id)))
    }

    fn principal(&self, principal: &Principal) -> Result<Entity, String> {
        let mut attributes = HashMap::from([
            flag("operator", principal.operator),
            ("administers".to_owned(), self.organizations(principal.administers)),
        ]);
        let kind = match principal.kind {
            PrincipalKind::Client => &self.client,
            PrincipalKind::Person => {
                attributes.extend([
                    ("id".to_owned(), text(principal.id)),
                    flag("privacy", principal.privacy),
                    ("member_of".to_owned(), self.organizations(principal.member_of)),
                ]);
                &self.person
            }
        };
        let uid = EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(principal.id));
        Entity::new(uid, attributes, HashSet::new()).map_err(|error| error.to_string())
    }

    fn record(&self, resource: &Resource) -> Result<Entity, String> {
        let mut attributes = HashMap::new();
        if let Some(id) = resource.organization {
            attributes.insert("organization".to_owned(), self.organization(id));
        }
        if let Some(subject) = resource.subject {
            let fields = [
                ("id".to_owned(), text(subject.id)),
                flag("operator", subject.operator),
                flag("privacy", subject.privacy),
                flag("administrator", subject.administrator),
            ];
            let subject = RestrictedExpression::new_record(fields).map_err(|error| error.to_string())?;
            attributes.insert("subject".to_owned(), subject);
        }
        Entity::new(self.record.clone(), attributes, HashSet::new()).map_err(|error| error.to_string())
    }

    fn circumstances(&self, context: &Context) -> Result<Circumstances, String> {
        let mut pairs = vec![
            flag("step_up", context.step_up),
            flag("identity_images", context.identity_images),
            flag("vacant", context.vacant),
        ];
        if let Some(status) = context.organization_status {
            let status = match status {
                OrganizationStatus::Active => &self.active,
                OrganizationStatus::Suspended => &self.suspended,
                OrganizationStatus::Terminated => &self.terminated,
            };
            pairs.push(("organization_status".to_owned(), RestrictedExpression::new_entity_uid(status.clone())));
        }
        if let Some(subscription) = context.subscription {
            let subscription = match subscription {
                Subscription::Open => &self.subscribed,
                Subscription::Export => &self.exporting,
                Subscription::Over => &self.over,
            };
            pairs.push(("subscription".to_owned(), RestrictedExpression::new_entity_uid(subscription.clone())));
        }
        if let Some(person) = context.requested_by {
            pairs.push(("requested_by".to_owned(), text(person)));
        }
        Circumstances::from_pairs(pairs).map_err(|error| error.to_string())
    }
}
