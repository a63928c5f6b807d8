//! The policies against the matrix that was written by hand, and against what must hold whatever a request says.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::OnceLock;

use proptest::prelude::*;

use super::*;

const MATRIX: &str = include_str!("../../authorization/matrix.txt");
const HERE: &str = "org_here";
const ELSEWHERE: &str = "org_elsewhere";

/// The acts that only look, by hand: everything else changes something, and is refused in a suspended organization.
const LOOKS: [Action; 35] = [
    Action::ReadIncidents,
    Action::ReadPasswordRenewals,
    Action::ListOrganizations,
    Action::ReadOrganization,
    Action::ReadContacts,
    Action::ListMembers,
    Action::ReadMember,
    Action::ListInvitations,
    Action::ReadImport,
    Action::ExportMembers,
    Action::ExportUsage,
    Action::ExportPasswordHashes,
    Action::ReadSuccessions,
    Action::ReadDocumentRequests,
    Action::ReadRequestedDocument,
    Action::ReadActivity,
    Action::ReadAudit,
    Action::ReadNotices,
    Action::ReadEvents,
    Action::ReadWebhooks,
    Action::ReadJobs,
    Action::ReadSelf,
    Action::ListPeople,
    Action::ReadPerson,
    Action::ReadPortals,
    Action::ReadSigningKeys,
    Action::ReadDutyChanges,
    Action::ReadMeasures,
    Action::ReadApiKeys,
    Action::ReadOrders,
    Action::ReadSeats,
    Action::ReadEnrolments,
    Action::ReadGroups,
    Action::ReadConsents,
    Action::ReadIdentityImage,
];

/// The acts that need a strong sign-in of a person, by hand.
const SENSITIVE: [Action; 26] = [
    Action::SetOrganizationRules,
    Action::ResetMemberFactors,
    Action::ReissuePassword,
    Action::ResetPersonFactors,
    Action::SetOrganizationStatus,
    Action::SetMemberRole,
    Action::ExportMembers,
    Action::ExportUsage,
    Action::ExportPasswordHashes,
    Action::ImportPasswordHashes,
    Action::ApproveSuccession,
    Action::OverrideAdministrator,
    Action::ManageWebhooks,
    Action::ManageDuties,
    Action::DecideDutyChange,
    Action::WriteSignatory,
    Action::SetPersonStatus,
    Action::WritePortals,
    Action::SetPortalStatus,
    Action::ReadSigningKeys,
    Action::RotateSigningKeys,
    Action::IssueApiKey,
    Action::ChooseDataReturn,
    Action::KillSwitch,
    Action::ReadIdentityImage,
    Action::VerifyIdentity,
];

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::embedded().unwrap_or_else(|error| panic!("{error}")))
}

fn schema() -> &'static Schema {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    SCHEMA.get_or_init(|| rules::schema().unwrap_or_else(|error| panic!("{error}")))
}

fn groups(action: Action) -> BTreeSet<&'static str> {
    rules::groups(action.name()).unwrap_or_else(|| panic!("{action} has no line")).collect()
}

fn person(id: &'static str) -> Principal<'static> {
    let (kind, none) = (PrincipalKind::Person, [].as_slice());
    Principal { kind, id, operator: false, privacy: false, administers: none, member_of: none }
}

/// The columns of the matrix.
fn principals() -> Vec<(&'static str, Principal<'static>)> {
    let client = Principal { kind: PrincipalKind::Client, ..person("client") };
    let (here, elsewhere): (&'static [&'static str], &'static [&'static str]) = (&[HERE], &[ELSEWHERE]);
    vec![
        ("op", Principal { operator: true, ..person("usr_operator") }),
        ("dpo", Principal { privacy: true, ..person("usr_privacy") }),
        ("adm", Principal { administers: here, member_of: here, ..person("usr_administrator") }),
        ("adm'", Principal { administers: elsewhere, member_of: elsewhere, ..person("usr_administrator") }),
        ("mem", Principal { member_of: here, ..person("usr_member") }),
        ("mem'", Principal { member_of: elsewhere, ..person("usr_member") }),
        ("cli", Principal { administers: here, ..client }),
        ("cli'", Principal { administers: elsewhere, ..client }),
        ("aut", Principal { operator: true, ..client }),
        ("nob", person("usr_nobody")),
    ]
}

/// A line of the matrix.
struct Line<'a> {
    action: Action,
    place: &'a str,
    whom: &'a str,
    with: &'a str,
    cells: Vec<&'a str>,
}

fn lines() -> Vec<Line<'static>> {
    let rows = MATRIX.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    rows.map(|row| {
        let words: Vec<&str> = row.split_whitespace().collect();
        let [act, place, whom, with, cells @ ..] = words.as_slice() else { panic!("a short line: {row}") };
        let action = Action::ALL.iter().find(|action| action.name() == *act);
        let action = *action.unwrap_or_else(|| panic!("no act: {row}"));
        assert_eq!(cells.len(), principals().len(), "{row}");
        Line { action, place, whom, with, cells: cells.to_vec() }
    })
    .collect()
}

/// Whom a line can be about, for this principal: staff are three kinds of people.
fn subjects<'a>(whom: &str, principal: &Principal<'a>) -> Vec<Option<Subject<'a>>> {
    let staff = |operator, privacy| Some(Subject { id: "usr_staff", operator, privacy, administrator: false });
    let other = |administrator| Some(Subject { id: "usr_other", operator: false, privacy: false, administrator });
    match whom {
        "-" => vec![None],
        "other" => vec![other(false)],
        "chief" => vec![other(true)],
        "staff" => vec![staff(true, false), staff(false, true), staff(true, true)],
        "self" => {
            let (operator, privacy) = (principal.operator, principal.privacy);
            let administrator = principal.administers.contains(&HERE);
            vec![Some(Subject { id: principal.id, operator, privacy, administrator })]
        }
        other => panic!("whom: {other}"),
    }
}

/// How an organization stands: its status, its subscription.
type At = (Option<OrganizationStatus>, Option<Subscription>);

/// What the engine says, as a cell of the matrix.
fn cell(engine: &Engine, line: &Line, principal: &Principal, (status, subscription): At) -> String {
    if line.whom == "self" && principal.kind == PrincipalKind::Client {
        return ".".to_owned();
    }
    let organization = (line.place == "here").then_some(HERE);
    let context = Context {
        step_up: false,
        organization_status: status.filter(|_| organization.is_some()),
        subscription: subscription.filter(|_| organization.is_some()),
        requested_by: match line.with {
            "asked" => Some("usr_asker"),
            "asked-self" => Some(principal.id),
            _ => None,
        },
        identity_images: line.with == "images",
        vacant: line.with == "vacant",
    };
    let answers: BTreeSet<&str> = subjects(line.whom, principal)
        .into_iter()
        .map(|subject| {
            let resource = Resource { organization, subject };
            let weak = engine.decide(principal, line.action, &resource, &context);
            let strong = engine.decide(principal, line.action, &resource, &Context { step_up: true, ..context });
            for decision in [&weak, &strong] {
                assert!(!matches!(decision, Decision::Refuse { errors, .. } if !errors.is_empty()), "{decision:?}");
            }
            match (weak, strong) {
                (Decision::Permit { .. }, Decision::Permit { .. }) => "y",
                (Decision::StepUp { policy }, Decision::Permit { .. })
                    if policy == if line.whom == "chief" { "step-up-administrator" } else { "step-up" } =>
                {
                    "s"
                }
                (Decision::Refuse { .. }, Decision::Refuse { .. }) => "-",
                _ => "?",
            }
        })
        .collect();
    answers.into_iter().collect::<Vec<_>>().join("/")
}

/// Compares every cell with `expected` and shows what differs, line by line.
fn compare(at: At, expected: impl Fn(&Line, &str, &str) -> String) {
    let engine = engine();
    let mut differences = String::new();
    for line in lines() {
        for (index, (column, principal)) in principals().iter().enumerate() {
            let (want, got) = (expected(&line, column, line.cells[index]), cell(engine, &line, principal, at));
            if want != got {
                let Line { action, place, whom, with, .. } = &line;
                writeln!(differences, "{action} {place} {whom} {with}, {column}: expected {want}, is {got}").unwrap();
            }
        }
    }
    assert!(differences.is_empty(), "standing at {at:?}:\n{differences}");
}

#[test]
fn the_embedded_policies_are_valid_and_every_one_has_its_comment() {
    if let Err(error) = Engine::check_embedded() {
        panic!("{error}");
    }
    for id in engine().ids() {
        let source = source(id).unwrap();
        assert!(source.starts_with("// ") && source.contains(&format!("@id(\"{id}\")")), "{source}");
        assert_eq!(source.matches("@id(").count(), 1, "{source}");
        assert!(source.ends_with(';'), "{source}");
    }
    assert_eq!(source("conjure"), None);
}

#[test]
fn the_schema_and_the_list_have_the_same_acts() {
    let schema = schema();
    let declared: BTreeSet<String> = schema
        .actions()
        .filter(|action| schema.principals_for_action(action).is_some_and(|mut kinds| kinds.next().is_some()))
        .map(|action| action.id().unescaped().to_owned())
        .collect();
    let listed: BTreeSet<String> = Action::ALL.iter().map(|action| action.name().to_owned()).collect();
    assert_eq!(declared, listed);
    assert_eq!(listed.len(), Action::ALL.len(), "no name twice");
}

#[test]
fn the_groups_of_an_act_are_those_that_cedar_reads() {
    let declared = schema().action_entities().unwrap();
    for (action, act) in &engine().acts {
        let uid = act.uid();
        let read: BTreeSet<&str> = declared.ancestors(&uid).unwrap().map(|group| group.id().unescaped()).collect();
        assert_eq!(groups(*action), read, "{action}");
    }
}

#[test]
fn every_act_looks_or_changes_and_the_sensitive_ones_are_those_that_were_decided() {
    for action in Action::ALL {
        let groups = groups(*action);
        assert_eq!(groups.contains("read"), LOOKS.contains(action), "{action}");
        assert_eq!(groups.contains("write"), !LOOKS.contains(action), "{action}");
        assert_eq!(groups.contains("sensitive"), SENSITIVE.contains(action), "{action}");
    }
}

#[test]
fn a_scope_to_read_is_never_enough_to_change_something() {
    let mut used = BTreeSet::new();
    for action in Action::ALL {
        assert!(SCOPES.contains(&action.scope()), "{action}");
        assert!(action.scope().rsplit('.').next() != Some("read") || LOOKS.contains(action), "{action}");
        used.insert(action.scope());
    }
    assert_eq!(used.into_iter().collect::<Vec<_>>(), SCOPES);
}

#[test]
fn the_policies_say_what_the_matrix_says() {
    compare((Some(OrganizationStatus::Active), Some(Subscription::Open)), |_, _, cell| cell.to_owned());
}

#[test]
fn in_a_suspended_organization_its_own_read_and_change_nothing() {
    compare((Some(OrganizationStatus::Suspended), Some(Subscription::Open)), |line, column, cell| {
        // It was suspended for not having answered, perhaps: so it can. And credentials are misused there as elsewhere.
        let open = [Action::AnswerDocumentRequest, Action::ReportIncident].contains(&line.action);
        let changes = line.place == "here" && !LOOKS.contains(&line.action) && !open;
        let bound = !["op", "dpo", "aut"].contains(&column);
        if changes && bound && cell != "." { "-".to_owned() } else { cell.to_owned() }
    });
}

#[test]
fn a_terminated_organization_is_there_for_the_operator_and_the_data_protection_officer_only() {
    for status in [Some(OrganizationStatus::Terminated), None] {
        compare((status, Some(Subscription::Open)), |line, column, cell| {
            let bound = line.place == "here" && !["op", "dpo", "aut"].contains(&column);
            if bound && cell != "." { "-".to_owned() } else { cell.to_owned() }
        });
    }
}

/// What the people and programs of an organization still do when its subscription is over, by hand, and whether it is open to them while
/// they export. Their own membership besides.
const WHEN_OVER: [Action; 7] = [
    Action::ReadOrganization,
    Action::ReadOrders,
    Action::ReadNotices,
    Action::ReadDocumentRequests,
    Action::AnswerDocumentRequest,
    Action::ReportIncident,
    Action::ChooseDataReturn,
];

#[test]
fn data_are_closed_to_the_organization_when_its_subscription_is_over() {
    for subscription in [Some(Subscription::Over), None] {
        compare((Some(OrganizationStatus::Active), subscription), |line, column, cell| {
            let own = line.action == Action::ReadMember && line.whom == "self";
            let closed = line.place == "here" && !WHEN_OVER.contains(&line.action) && !own;
            let bound = !["op", "dpo", "aut"].contains(&column);
            if closed && bound && cell != "." { "-".to_owned() } else { cell.to_owned() }
        });
    }
}

#[test]
fn an_organization_that_exports_after_the_end_reads_and_changes_nothing() {
    compare((Some(OrganizationStatus::Active), Some(Subscription::Export)), |line, column, cell| {
        let changes = line.place == "here" && !LOOKS.contains(&line.action) && !WHEN_OVER.contains(&line.action);
        let bound = !["op", "dpo", "aut"].contains(&column);
        if changes && bound && cell != "." { "-".to_owned() } else { cell.to_owned() }
    });
}

#[test]
fn what_the_end_of_a_subscription_closes_row_by_row() {
    let engine = engine();
    let asking = |column: &str| principals().into_iter().find(|(name, _)| *name == column).unwrap().1;
    let here = Resource { organization: Some(HERE), subject: None };
    let (other, own) = (about("usr_other"), about("usr_member"));
    let table = [
        // act, who, about what; open, export, over
        (Action::ListMembers, "adm", here, [true, true, false]),
        (Action::ListMembers, "cli", here, [true, true, false]),
        (Action::ReadMember, "adm", other, [true, true, false]),
        (Action::ReadMember, "mem", own, [true, true, true]),
        (Action::ExportMembers, "adm", here, [true, true, false]),
        (Action::ExportMembers, "cli", here, [true, true, false]),
        (Action::ExportPasswordHashes, "adm", here, [true, true, false]),
        (Action::ImportPasswordHashes, "op", here, [true, true, true]),
        (Action::ReadAudit, "adm", here, [true, true, false]),
        (Action::ReadEvents, "cli", here, [true, true, false]),
        (Action::ReadRequestedDocument, "adm", here, [true, true, false]),
        (Action::InviteMember, "adm", here, [true, false, false]),
        (Action::UpdateMember, "cli", other, [true, false, false]),
        (Action::IssueApiKey, "adm", here, [true, false, false]),
        (Action::KillSwitch, "adm", here, [true, false, false]),
        (Action::ReadOrganization, "adm", here, [true, true, true]),
        (Action::ReadOrders, "cli", here, [true, true, true]),
        (Action::ReadNotices, "adm", here, [true, true, true]),
        (Action::ReadDocumentRequests, "adm", here, [true, true, true]),
        (Action::AnswerDocumentRequest, "adm", here, [true, true, true]),
        (Action::ChooseDataReturn, "adm", here, [true, true, true]),
        (Action::ListMembers, "op", here, [true, true, true]),
        (Action::InviteMember, "aut", here, [true, true, true]),
        (Action::ListMembers, "dpo", here, [true, true, true]),
        (Action::ReadConsents, "dpo", other, [true, true, true]),
        (Action::AnswerDataRequest, "dpo", other, [true, true, true]),
    ];
    let states = [Subscription::Open, Subscription::Export, Subscription::Over];
    for (action, column, resource, expected) in table {
        let permitted = states.map(|subscription| {
            let context = Context { subscription: Some(subscription), ..generous() };
            engine.decide(&asking(column), action, &resource, &context).is_permitted()
        });
        assert_eq!(permitted, expected, "{action} {column}");
    }
}

#[test]
fn the_matrix_asks_about_every_act_and_every_kind_of_person_it_can_be_about() {
    let lines = lines();
    for action in Action::ALL {
        let about: BTreeSet<&str> = lines.iter().filter(|line| line.action == *action).map(|line| line.whom).collect();
        assert!(!about.is_empty(), "{action} is not in the matrix");
        let upon_person = groups(*action).contains("upon_person");
        assert!(!upon_person || ["other", "self", "staff"].iter().all(|whom| about.contains(whom)), "{action}");
    }
}

#[test]
fn the_table_of_the_documentation_says_what_the_matrix_says() {
    let documentation = include_str!("../../../idp/docs/authorization.md");
    let columns: Vec<&str> = principals().into_iter().map(|(name, _)| name).collect();
    let lines = lines();
    let word = |action: Action, role: &str| {
        let column = columns.iter().position(|column| *column == role).unwrap();
        let says = |wanted: &[&str], cell: &[&str]| {
            let mut about = lines.iter().filter(|line| line.action == action && wanted.contains(&line.whom));
            about.any(|line| cell.contains(&line.cells[column]))
        };
        if says(&["-", "other"], &["y"]) {
            "yes"
        } else if says(&["-", "other"], &["s"]) {
            "strong"
        } else if says(&["self"], &["y", "s"]) {
            "own"
        } else {
            "\u{2013}"
        }
    };
    for action in Action::ALL {
        let begin = format!("| `{action}` | ");
        let mut rows = documentation.lines().filter(|line| line.starts_with(&begin));
        let row = rows.next().unwrap_or_else(|| panic!("{action} is not in the documentation"));
        assert_eq!(rows.next(), None, "{action} is told once");
        let told: Vec<&str> = row.trim_matches('|').split('|').skip(2).map(str::trim).collect();
        let expected: Vec<&str> =
            ["op", "aut", "adm", "cli", "mem", "dpo"].into_iter().map(|role| word(*action, role)).collect();
        assert_eq!(told, expected, "{row}");
    }
    for id in engine().ids().into_iter().filter(|id| {
        let effect = engine().policies.policy(&PolicyId::new(id)).map(Policy::effect);
        effect == Some(cedar_policy::Effect::Forbid)
    }) {
        assert!(documentation.contains(&format!("`{id}`")), "{id} is not told");
    }
}

#[test]
fn the_rules_in_the_documentation_are_good() {
    let documentation = include_str!("../../../idp/docs/authorization.md");
    let (_, text) = documentation.split_once("```cedar\n").unwrap();
    let (rules, _) = text.split_once("```").unwrap();
    assert!(with_rules(rules).unwrap_or_else(|error| panic!("{error}")).ids().contains(&"litigation"));
}

#[test]
fn an_act_about_a_person_is_refused_to_everybody_while_the_person_is_not_named() {
    let engine = engine();
    for action in Action::ALL.iter().filter(|action| groups(**action).contains("upon_person")) {
        for (column, principal) in principals() {
            for organization in [None, Some(HERE)] {
                let resource = Resource { organization, subject: None };
                let decision = engine.decide(&principal, *action, &resource, &generous());
                let Decision::Refuse { policy, errors } = decision else { panic!("{action} {column}: {decision:?}") };
                assert_eq!((policy.as_deref(), errors.len()), (Some("person-unnamed"), 0), "{action} {column}");
            }
        }
    }
}

/// Circumstances in which nothing has to wait.
fn generous() -> Context<'static> {
    Context {
        step_up: true,
        organization_status: Some(OrganizationStatus::Active),
        subscription: Some(Subscription::Open),
        requested_by: Some("usr_asker"),
        identity_images: true,
        vacant: true,
    }
}

fn about(id: &str) -> Resource<'_> {
    Resource {
        organization: Some(HERE),
        subject: Some(Subject { id, operator: false, privacy: false, administrator: false }),
    }
}

#[test]
fn who_holds_two_duties_keeps_the_prohibitions_of_both() {
    let engine = engine();
    let all = Principal {
        operator: true,
        privacy: true,
        administers: &[HERE],
        member_of: &[HERE],
        ..person("usr_everything")
    };
    let other = about("usr_other");
    for action in [
        Action::SetMemberRole,
        Action::GiveRight,
        Action::ManageDuties,
        Action::ReadApiKeys,
        Action::RevokeApiKey,
        Action::ReadIdentityImage,
        Action::ImportMembers,
    ] {
        let decision = engine.decide(&all, action, &other, &generous());
        assert_eq!(
            decision,
            Decision::Refuse { policy: Some("privacy-supervises".to_owned()), errors: vec![] },
            "{action}"
        );
    }
    for action in [Action::ReadConsents, Action::UpdateOrganization, Action::SuspendMember, Action::ReadPerson] {
        assert!(engine.decide(&all, action, &other, &generous()).is_permitted(), "{action}");
    }
    let own = Resource {
        organization: Some(HERE),
        subject: Some(Subject { id: "usr_everything", operator: true, privacy: true, administrator: true }),
    };
    assert!(!engine.decide(&all, Action::SuspendMember, &own, &generous()).is_permitted());
}

#[test]
fn a_data_protection_officer_who_administers_an_organization_supervises_it_when_terminated_and_no_more() {
    let engine = engine();
    let both = Principal { privacy: true, administers: &[HERE], member_of: &[HERE], ..person("usr_both") };
    let ended = Context { organization_status: Some(OrganizationStatus::Terminated), ..generous() };
    let organization = Resource { organization: Some(HERE), subject: None };
    assert!(engine.decide(&both, Action::ReadAudit, &organization, &ended).is_permitted());
    assert!(!engine.decide(&both, Action::WriteContacts, &organization, &ended).is_permitted());
    // Nor are operators within their reach, whom as the data protection officer they read.
    let operator = Resource {
        subject: Some(Subject { id: "usr_staff", operator: true, privacy: false, administrator: false }),
        ..organization
    };
    assert!(engine.decide(&both, Action::ReadMember, &operator, &generous()).is_permitted());
    assert!(!engine.decide(&both, Action::RemoveMember, &operator, &generous()).is_permitted());
}

#[test]
fn a_client_named_like_a_person_is_not_that_person() {
    let engine = engine();
    let client = Principal { kind: PrincipalKind::Client, administers: &[HERE], ..person("usr_administrator") };
    assert!(engine.decide(&client, Action::GiveRight, &about("usr_administrator"), &generous()).is_permitted());
    let own = Resource { organization: None, ..about("usr_administrator") };
    assert!(!engine.decide(&client, Action::ReadSelf, &own, &generous()).is_permitted());
    // Nor does a duty of people make a client more than it is.
    let disguised = Principal { privacy: true, ..client };
    assert!(!engine.decide(&disguised, Action::ReadConsents, &about("usr_other"), &generous()).is_permitted());
    assert!(!engine.decide(&disguised, Action::ReadSelf, &own, &generous()).is_permitted());
}

#[test]
fn the_deciding_policy_is_named() {
    let engine = engine();
    let asking = |column: &str| principals().into_iter().find(|(name, _)| *name == column).unwrap().1;
    let refusal = |policy: Option<&str>| Decision::Refuse { policy: policy.map(str::to_owned), errors: vec![] };
    let permit = |policy: &str| Decision::Permit { policy: policy.to_owned() };
    let (weak, organization) = (Context { step_up: false, ..generous() }, Resource { subject: None, ..about("") });
    let suspended = Context { organization_status: Some(OrganizationStatus::Suspended), ..weak };
    let terminated = Context { organization_status: Some(OrganizationStatus::Terminated), ..weak };
    let over = Context { subscription: Some(Subscription::Over), ..weak };
    let exporting = Context { subscription: Some(Subscription::Export), ..weak };
    let asked_self = Context { requested_by: Some("usr_operator"), ..generous() };
    let own = about("usr_administrator");
    let governed = Context { vacant: false, ..generous() };
    let other = Subject { id: "usr_other", operator: false, privacy: false, administrator: true };
    let chief = Resource { subject: Some(other), ..about("") };
    for (column, action, resource, context, expected) in [
        ("adm", Action::GiveRight, about("usr_other"), weak, permit("administrator")),
        ("cli", Action::GiveRight, about("usr_other"), weak, permit("organization-client")),
        ("op", Action::GiveRight, about("usr_other"), weak, permit("operator")),
        ("aut", Action::GiveRight, about("usr_other"), weak, permit("operator-client")),
        ("mem", Action::ReadMember, about("usr_member"), weak, permit("member")),
        ("dpo", Action::ReadConsents, about("usr_other"), weak, permit("privacy")),
        ("adm'", Action::GiveRight, about("usr_other"), weak, refusal(None)),
        ("adm", Action::GiveRight, own, weak, refusal(Some("own-rights"))),
        // Even a strong sign-in would not help, so none is asked for.
        ("adm", Action::SetMemberRole, own, weak, refusal(Some("own-rights"))),
        ("adm'", Action::KillSwitch, organization, weak, refusal(None)),
        ("adm", Action::KillSwitch, organization, weak, Decision::StepUp { policy: "step-up".to_owned() }),
        ("adm", Action::KillSwitch, organization, suspended, refusal(Some("organization-suspended"))),
        ("adm", Action::ListMembers, organization, suspended, permit("administrator")),
        ("adm", Action::ListMembers, organization, terminated, refusal(Some("organization-terminated"))),
        ("adm", Action::ListMembers, organization, over, refusal(Some("subscription-over"))),
        // Nor would a strong sign-in help here.
        ("adm", Action::ExportMembers, organization, over, refusal(Some("subscription-over"))),
        ("adm", Action::ExportMembers, organization, exporting, Decision::StepUp { policy: "step-up".to_owned() }),
        ("cli", Action::InviteMember, organization, exporting, refusal(Some("subscription-export"))),
        ("op", Action::OverrideAdministrator, about("usr_other"), asked_self, refusal(Some("four-eyes-override"))),
        ("op", Action::DecideDutyChange, about("usr_other"), asked_self, refusal(Some("four-eyes-duties"))),
        ("aut", Action::DecideDutyChange, about("usr_other"), generous(), refusal(Some("people-decide"))),
        ("aut", Action::ManageDuties, about("usr_other"), weak, refusal(Some("people-decide"))),
        ("adm", Action::ExportPasswordHashes, organization, weak, Decision::StepUp { policy: "step-up".to_owned() }),
        ("adm", Action::ExportPasswordHashes, organization, over, refusal(Some("subscription-over"))),
        ("cli", Action::ExportPasswordHashes, organization, generous(), refusal(Some("client-alone"))),
        ("aut", Action::ImportPasswordHashes, organization, generous(), refusal(Some("people-decide"))),
        ("op", Action::SetMemberRole, about("usr_other"), governed, refusal(Some("organization-appoints"))),
        ("aut", Action::RemoveMember, chief, governed, refusal(Some("organization-appoints"))),
        ("aut", Action::RemoveMember, about("usr_other"), governed, permit("operator-client")),
        ("aut", Action::RequestSuccession, about("usr_other"), governed, refusal(Some("organization-appoints"))),
    ] {
        let principal = asking(column);
        assert_eq!(engine.decide(&principal, action, &resource, &context), expected, "{column} {action}");
    }
}

#[test]
fn what_one_may_not_read_does_not_exist() {
    let engine = engine();
    let staff = Some(Subject { id: "usr_staff", operator: false, privacy: true, administrator: false });
    let organization = Resource { organization: Some(HERE), subject: None };
    let context = Context { step_up: false, ..generous() };
    for (column, principal) in principals() {
        let knows = |resource: Resource| engine.knows(&principal, &resource, &context);
        let anywhere = Resource { organization: None, ..about("usr_other") };
        let own = Resource { organization: None, ..about(principal.id) };
        assert!(knows(Resource::default()), "{column}");
        assert_eq!(knows(organization), ["op", "dpo", "adm", "cli", "aut"].contains(&column), "{column}");
        assert_eq!(knows(about("usr_other")), ["op", "dpo", "adm", "cli", "aut"].contains(&column), "{column}");
        assert_eq!(
            knows(Resource { subject: staff, ..organization }),
            ["op", "dpo", "aut"].contains(&column),
            "{column}"
        );
        assert_eq!(knows(anywhere), ["op", "dpo", "aut"].contains(&column), "{column}");
        if principal.kind == PrincipalKind::Person {
            assert!(knows(own), "{column}");
            let member = ["op", "dpo", "adm", "mem"].contains(&column);
            assert_eq!(knows(about(principal.id)), member, "{column}");
        }
    }
}

fn with_rules(text: &str) -> Result<Engine, Error> {
    Engine::with_rules(schema(), text)
}

/// The text that `rules` is refused with.
fn problems(rules: &str) -> String {
    match with_rules(rules) {
        Ok(_) => panic!("accepted: {rules}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn an_operator_forbids_more_and_the_rule_is_named() {
    let rules = r#"
// Our automation exports nobody.
@id("no-automated-export")
forbid (principal is Client, action == Action::"export_members", resource);

@id("strong-imports")
forbid (principal is Person, action == Action::"import_members", resource) unless { context.step_up };

@id("one-is-audited")
forbid (principal, action in Action::"write", resource)
when { resource has organization && resource.organization == Organization::"org_here" };
"#;
    let engine = with_rules(rules).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(engine.ids().len(), self::engine().ids().len() + 3);
    assert_eq!(&engine.ids()[engine.ids().len() - 3..], ["no-automated-export", "strong-imports", "one-is-audited"]);
    let find = |column: &str| principals().into_iter().find(|(name, _)| *name == column).unwrap().1;
    let here = Resource { organization: Some(HERE), subject: None };
    let elsewhere = Resource { organization: Some(ELSEWHERE), subject: None };
    let weak = Context { step_up: false, ..generous() };
    let refusal = |policy: &str| Decision::Refuse { policy: Some(policy.to_owned()), errors: vec![] };
    assert_eq!(engine.decide(&find("cli"), Action::ExportMembers, &here, &weak), refusal("no-automated-export"));
    assert_eq!(engine.decide(&find("op"), Action::GrantPortal, &here, &generous()), refusal("one-is-audited"));
    assert!(engine.decide(&find("op"), Action::GrantPortal, &elsewhere, &generous()).is_permitted());
    // A rule of one's own may ask for a strong sign-in as well.
    assert_eq!(
        engine.decide(&find("adm'"), Action::ImportMembers, &elsewhere, &weak),
        Decision::StepUp { policy: "strong-imports".to_owned() }
    );
    assert!(engine.decide(&find("adm'"), Action::ImportMembers, &elsewhere, &generous()).is_permitted());
}

#[test]
fn no_rules_are_good_rules() {
    for text in ["", "\n", "// Nothing yet.\n"] {
        assert_eq!(Engine::with_operator_rules(text).unwrap().ids(), engine().ids());
    }
}

#[test]
fn rules_that_permit_or_that_nobody_could_mean_are_refused_with_their_place() {
    let forbid = |condition: &str| format!("@id(\"a\")\nforbid (principal, action, resource)\nwhen {{ {condition} }};");
    let cases = [
        ("@id(\"a\")\npermit (principal, action, resource);".to_owned(), "1:1: rules of your own forbid"),
        ("forbid (principal, action, resource);".to_owned(), "1:1: give the rule a name"),
        ("@id(\"A b\")\nforbid (principal, action, resource);".to_owned(), "1:1: give the rule a name"),
        ("\n\n@id(\"step-up\")\nforbid (principal, action, resource);".to_owned(), "3:1: another rule has the id"),
        (forbid("context.colour == 1"), "3:8: "),
        (forbid("principal.administers"), "3:8: "),
        (forbid("context.organization_status == Status::\"asleep\""), "3:"),
        (forbid("resource.subject.operator"), "3:8: "),
        (forbid("principal.privacy"), "3:8: "),
        ("@id(\"a\")\nforbid (principal, action == Action::\"conjure\", resource);".to_owned(), "2:"),
        ("@id(\"a\")\nforbid (principal is Robot, action, resource);".to_owned(), "2:"),
        (
            "@id(\"a\")\nforbid (principal == Person::\"x\", action, resource) when { false };".to_owned(),
            "1:1: policy is impossible",
        ),
        ("@id(\"a\")\nforbid (principal == ?principal, action, resource);".to_owned(), "templates"),
        ("@id(\"a\")\nforbid (principal, action, resource)\nwhen { context.step_up".to_owned(), "3:"),
        ("forbid".to_owned(), "1:"),
        ("é".to_owned(), "1:"),
    ];
    for (text, expected) in cases {
        let problems = problems(&text);
        assert!(problems.contains(expected), "{text}\n{expected}\n{problems}");
        assert!(problems.lines().all(|line| line.split(':').count() >= 3), "{problems}");
    }
}

#[test]
fn every_problem_is_told_at_once_in_the_order_of_the_text() {
    let text = r#"@id("one")
permit (principal, action, resource);

@id("one")
forbid (principal, action, resource) when { context.colour == 1 };

forbid (principal, action == Action::"conjure", resource);
"#;
    let problems = problems(text);
    let places: Vec<&str> = problems.lines().filter_map(|line| line.split(':').next()).collect();
    assert!(places.is_sorted() && problems.lines().count() == 5, "{problems}");
    for part in [
        "1:1: rules of your own",
        "4:1: another rule has the id \"one\"",
        "5:45: attribute `colour`",
        "7:1: give the rule a name",
        "7:30: unrecognized action",
    ] {
        assert!(problems.contains(part), "{part}\n{problems}");
    }
}

#[test]
fn rules_are_bounded() {
    let many = |count: usize| {
        (0..count).fold(String::new(), |text, n| {
            text + &format!("@id(\"r{n}\")\nforbid (principal == Person::\"usr_{n}\", action, resource);\n")
        })
    };
    assert!(with_rules(&many(MAX_RULES)).is_ok());
    assert!(problems(&many(MAX_RULES + 1)).contains("more than 100 rules"));
    assert!(problems(&format!("//{}", "x".repeat(MAX_RULES_BYTES))).contains("65536 bytes"));
    let nested = |open: &str, close: &str, depth: usize| {
        let condition = format!("{}true{}", open.repeat(depth), close.repeat(depth));
        format!("@id(\"a\")\nforbid (principal, action, resource) when {{ {condition} }};")
    };
    assert!(with_rules(&nested("(", ")", 23)).is_ok());
    assert!(
        problems(&nested("(", ")", 24)).starts_with("2:68: brackets are nested"),
        "{}",
        problems(&nested("(", ")", 24))
    );
    // What nests without brackets is bounded by its length, and a thread's usual stack holds it.
    for (open, close) in [
        ("true && ", ""),
        ("true || ", ""),
        ("!", ""),
        ("if true then ", " else false"),
        ("-", ""),
        ("", ".a"),
        ("1+", ""),
    ] {
        let _ = with_rules(&nested(open, close, 3_900 / (open.len() + close.len())));
        assert!(problems(&nested(open, close, 5_000)).contains("longer than"), "{open}");
    }
}

#[test]
fn a_policy_that_cannot_be_evaluated_refuses_everything_and_says_so() {
    // Past the validator, as a defect of ours would be: the sum overflows whenever the rule is looked at.
    let text = "@id(\"overflow\") forbid (principal, action, resource) when { 9223372036854775807 + 1 == 0 };";
    let engine = with_rules(text).unwrap_or_else(|error| panic!("{error}"));
    let operator = principals()[0].1;
    let resource = Resource { organization: Some(HERE), subject: None };
    let decision = engine.decide(&operator, Action::ReadOrganization, &resource, &generous());
    let Decision::Refuse { policy: None, errors } = decision else { panic!("{decision:?}") };
    assert!(errors.len() == 1 && errors[0].contains("overflow"), "{errors:?}");
    assert!(!engine.knows(&operator, &resource, &generous()));
}

fn status() -> impl Strategy<Value = Option<OrganizationStatus>> {
    proptest::sample::select(vec![
        None,
        Some(OrganizationStatus::Active),
        Some(OrganizationStatus::Suspended),
        Some(OrganizationStatus::Terminated),
    ])
}

fn subscription() -> impl Strategy<Value = Option<Subscription>> {
    proptest::sample::select(vec![None, Some(Subscription::Open), Some(Subscription::Export), Some(Subscription::Over)])
}

proptest! {
    #[test]
    fn nobody_without_a_relation_to_an_organization_is_ever_permitted_there(
        act in 0..Action::ALL.len(),
        client in any::<bool>(),
        id in "[a-z_\"\\\\é ]{0,8}",
        others in proptest::collection::vec("org_[a-z\"*]{0,6}", 0..4),
        (own, named) in (any::<bool>(), any::<bool>()),
        flags in any::<[bool; 4]>(),
        status in status(),
        subscription in subscription(),
    ) {
        let engine = engine();
        let elsewhere: Vec<&str> = others.iter().map(String::as_str).filter(|id| *id != HERE).collect();
        let [step_up, identity_images, operator, privacy] = flags;
        let principal = Principal {
            kind: if client { PrincipalKind::Client } else { PrincipalKind::Person },
            id: &id,
            operator: false,
            privacy: false,
            administers: &elsewhere,
            member_of: &elsewhere,
        };
        let subject = named.then(|| Subject { id: if own { &id } else { "usr_other" }, operator, privacy, administrator: step_up });
        let resource = Resource { organization: Some(HERE), subject };
        let requested_by = own.then_some("usr_asker");
        let context = Context { step_up, organization_status: status, subscription, requested_by, identity_images, vacant: own };
        let decision = engine.decide(&principal, Action::ALL[act], &resource, &context);
        let refused = matches!(&decision, Decision::Refuse { errors, .. } if errors.is_empty());
        prop_assert!(refused, "{decision:?}");
        prop_assert!(!engine.knows(&principal, &resource, &context));
    }

    #[test]
    fn rules_of_any_text_are_read_or_refused_without_falling_over(text in "[a-z@()\"{}=:;,. \n!&|é?]{0,200}") {
        let _ = rules::read_checked(schema(), Author::Operator, &text, &[]);
    }

    #[test]
    fn the_facts_always_fit_the_schema(
        act in 0..Action::ALL.len(),
        client in any::<bool>(),
        flags in any::<[bool; 8]>(),
        status in status(),
        subscription in subscription(),
    ) {
        let engine = engine();
        let [operator, privacy, administers, member, organization, subject, asked, own] = flags;
        let principal = Principal {
            kind: if client { PrincipalKind::Client } else { PrincipalKind::Person },
            id: "usr_a",
            operator,
            privacy,
            administers: if administers { &[HERE] } else { &[] },
            member_of: if member { &[HERE, ELSEWHERE] } else { &[] },
        };
        let resource = Resource {
            organization: organization.then_some(HERE),
            subject: subject.then_some(Subject { id: if own { "usr_a" } else { "usr_b" }, operator: asked, privacy: own, administrator: administers }),
        };
        let requested_by = asked.then_some("usr_c");
        let context = Context { step_up: false, organization_status: status, subscription, requested_by, identity_images: own, vacant: member };
        // Against the schema, which a decision does not spend time on.
        let (request, _) = engine.ask(&principal, Action::ALL[act], &resource, &context).unwrap();
        let entities = [engine.names.principal(&principal).unwrap(), engine.names.record(&resource).unwrap()];
        prop_assert!(Entities::from_entities(entities, Some(schema())).is_ok());
        prop_assert!(Request::new(
            request.principal().unwrap().clone(),
            request.action().unwrap().clone(),
            request.resource().unwrap().clone(),
            request.context().unwrap().clone(),
            Some(schema()),
        ).is_ok());
        let decision = engine.decide(&principal, Action::ALL[act], &resource, &context);
        prop_assert!(!matches!(&decision, Decision::Refuse { errors, .. } if !errors.is_empty()), "{decision:?}");
    }
}

#[test]
fn what_is_less_open_comes_later() {
    let statuses = [OrganizationStatus::Active, OrganizationStatus::Suspended, OrganizationStatus::Terminated];
    assert!(statuses.is_sorted_by(|open, narrow| open < narrow));
    let subscriptions = [Subscription::Open, Subscription::Export, Subscription::Over];
    assert!(subscriptions.is_sorted_by(|open, narrow| open < narrow));
}
