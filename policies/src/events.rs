//! The public catalogue of events: what of the audit trail others are told, under which name, and how much of it.
//!
//! Everything that is told is made from a line of the audit trail by the table here, so no way of changing something can forget
//! to tell of it. No name, no mail address, no reason in words: who needs them asks the API with the id (R027, R161).

use serde_json::{Map, Value};

/// The type of what is sent to test a webhook.
pub const TEST: &str = "webhook.test";

/// The types, and what each says.
pub const CATALOGUE: &[(&str, &str)] = &[
    ("account.invited", "An account waits for its person; `role` is theirs in the organization."),
    ("account.created", "An account was opened without an invitation."),
    ("account.activated", "The person opened their account."),
    ("account.suspended", "The account cannot sign in; `reason` is a word."),
    ("account.reactivated", "The account can sign in again."),
    ("account.erased", "The account was closed for good, and what it said of its person removed."),
    ("account.terminated", "The operator ended the account for good."),
    (
        "account.profile_changed",
        "The person changed their profile, or lost a login that is another's address; `changed` names the fields.",
    ),
    ("account.email_changed", "The mail address changed, or a change was taken back."),
    ("account.email_bounced", "The mail address takes no mail."),
    (
        "account.identity_changed",
        "What the account says became all of somebody else: portals refuse it until the identity is verified.",
    ),
    ("account.identity_settled", "They do so no more: the identity was verified (`method`), or the change taken back."),
    ("account.compromise_reported", "The person reported a compromise: every session ended."),
    ("account.second_factors_removed", "Every second factor was taken away."),
    ("account.duties_changed", "Duties for the operator changed. For the operator alone."),
    ("account.duties_change_requested", "A change of duties waits for a second operator. For the operator alone."),
    ("membership.created", "Somebody became a member."),
    ("membership.updated", "Affiliation, last day, mandate or names of a member changed."),
    ("membership.role_changed", "A member became an administrator, or an administrator a member."),
    ("membership.suspended", "The membership gives no access for now."),
    ("membership.reinstated", "The membership gives access again."),
    ("membership.ended", "The last day of a membership has passed: it gives no access any more."),
    ("membership.removed", "Somebody is no member any more."),
    ("rights.changed", "What a member may do in a portal changed."),
    ("organization.created", "There is a new organization."),
    ("organization.updated", "Identity of the organization; `changed` names the fields."),
    ("organization.suspended", "The organization's people have no access for now."),
    ("organization.reinstated", "The organization is active again."),
    ("organization.terminated", "The organization has left."),
    ("organization.access_closed", "Kill switch: every session, token and key of the organization ended."),
    (
        "organization.rights_changed",
        "What the organization may give in a portal changed; what it lost, its members lost.",
    ),
    ("organization.rules_changed", "Its rules about passwords, second factors or requests for seats changed."),
    ("contact.created", "A contact was added to the register."),
    ("contact.updated", "A contact of the register changed."),
    ("contact.removed", "A contact was taken from the register."),
    ("order.changed", "Something happened to an order; `standing` says how it stands."),
    ("trial.changed", "A trial began, was extended or was ended."),
    ("seat.assigned", "A member was given a seat of `product`. Who joins with one is told by `membership.created`."),
    ("seat.released", "A seat of `product` was taken back. Who leaves is told by `membership.removed`."),
    ("seat.requested", "A member asks for a seat of `product`; `seat_request` has what was asked."),
    ("seat.request_granted", "The request `seat_request` was granted: `seat.assigned` tells of the seat."),
    ("seat.request_declined", "The request `seat_request` was declined."),
    ("seat.request_withdrawn", "The request `seat_request` was taken back."),
    ("seat.request_expired", "Nobody answered the request `seat_request` within thirty days."),
    ("seat.transferred", "A seat of `product` was handed from one member to another."),
    ("group.changed", "A group of members was made, changed or removed; `name` and `size_limit` of it."),
    ("group.joined", "A member came into the group `group`."),
    (
        "group.left",
        "A member was taken out of the group `group`. Who leaves the organization leaves its groups untold.",
    ),
    ("enrolment.changed", "Something happened to an enrolment; `status` says how it stands."),
    ("portal.suspended", "Nobody can sign in to `portal` for now, and what it holds is refused."),
    ("portal.reinstated", "People can sign in to `portal` again."),
    ("portal.terminated", "`portal` was closed for good."),
    ("webhook.disabled", "A webhook was switched off: its receiver is gone or was silent for too long."),
];

/// Lines of the audit trail about accounts, members and organizations that are nobody else's affair.
pub const UNTOLD: &[&str] = &[
    "account.email_change_asked",
    "account.invitation_resent",
    "account.invitation_lapsed",
    "account.invited_again",
    "account.link_handed_over",
    "account.password_hash_exported",
    "account.sharing_suspected",
    "enrolment.link_sent",
    "enrolment.notice_sent",
    "incident.handled",
    "incident.reported",
    "member.declined",
    "member.end_reminder_sent",
    "member.offer_lapsed",
    "member.offer_withdrawn",
    "member.offered",
    "order.notice_sent",
    "organization.chosen",
    "organization.data_return_agreed",
    "organization.data_return_chosen",
    "organization.data_return_due",
    "organization.exported",
    "organization.password_hashes_exported",
    "organization.purge_stopped",
    "organization.purged",
    "person.duties_change_expired",
    "person.duties_change_refused",
    "person.duties_change_withdrawn",
    "person.invited",
    "seat.lapsed",
    "trial.notice_sent",
];

/// Families of the audit trail of which every line is either told or in [`UNTOLD`].
pub const FAMILIES: [&str; 15] = [
    "account",
    "contact",
    "enrolment",
    "group",
    "incident",
    "member",
    "membership",
    "operator",
    "order",
    "organization",
    "person",
    "portal",
    "right",
    "seat",
    "trial",
];

/// What others are told of a line of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The type.
    pub kind: &'static str,
    /// Further facts.
    pub data: Map<String, Value>,
}

/// Under which type a line is told.
enum Kind {
    One(&'static str),
    /// By the status after it.
    ByStatus(&'static [(&'static str, &'static str)]),
}

/// How much of before and after is told.
enum Change {
    Nothing,
    /// Both, where they are words or lists of words.
    Words,
    /// These members.
    Members(&'static [&'static str]),
    /// The rights in the portal of the line.
    Rights,
    /// Only the names of what differs.
    Names,
}

/// The line, its type, facts that are told as they are, and how much of the change.
type Source = (&'static str, Kind, &'static [&'static str], Change);

const MEMBERSHIP: &[&str] = &["role", "status", "affiliation", "ends_on", "mandate", "rights", "account_status"];
const ORDER: &[&str] = &["product", "seats", "standing", "closed", "final_day"];
const TRIAL: &[&str] = &["product", "seats", "state", "closes_at", "ended"];
const GROUP: &[&str] = &["name", "size_limit", "starts_from"];
const SEAT_REQUEST: &[&str] = &["product", "seat_request"];
const ENROLMENT: &[&str] = &["portal", "status", "not_before", "not_after"];
const MEMBER_STATUS: &[(&str, &str)] = &[("suspended", "membership.suspended"), ("active", "membership.reinstated")];
const PERSON_STATUS: &[(&str, &str)] = &[
    ("suspended", "account.suspended"),
    ("active", "account.reactivated"),
    ("suspended_password", "account.reactivated"),
    ("pending", "account.reactivated"),
    ("terminated", "account.terminated"),
];
const ORGANIZATION_STATUS: &[(&str, &str)] = &[
    ("suspended", "organization.suspended"),
    ("active", "organization.reinstated"),
    ("terminated", "organization.terminated"),
];
const PORTAL_STATUS: &[(&str, &str)] =
    &[("suspended", "portal.suspended"), ("active", "portal.reinstated"), ("terminated", "portal.terminated")];

const SOURCES: &[Source] = &[
    ("account.invited", Kind::One("account.invited"), &["role"], Change::Nothing),
    ("account.created", Kind::One("account.created"), &[], Change::Nothing),
    ("operator.created", Kind::One("account.created"), &[], Change::Nothing),
    ("account.activated", Kind::One("account.activated"), &[], Change::Nothing),
    ("account.suspended", Kind::One("account.suspended"), &["reason"], Change::Nothing),
    ("account.reactivated", Kind::One("account.reactivated"), &[], Change::Nothing),
    ("account.erased", Kind::One("account.erased"), &["reason"], Change::Nothing),
    ("account.profile_changed", Kind::One("account.profile_changed"), &["changed"], Change::Nothing),
    ("account.email_changed", Kind::One("account.email_changed"), &["login_changed"], Change::Nothing),
    ("account.login_yielded", Kind::One("account.profile_changed"), &["changed"], Change::Nothing),
    ("account.email_restored", Kind::One("account.email_changed"), &[], Change::Nothing),
    ("account.identity_changed", Kind::One("account.identity_changed"), &[], Change::Nothing),
    ("account.identity_restored", Kind::One("account.identity_settled"), &[], Change::Nothing),
    ("account.identity_verified", Kind::One("account.identity_settled"), &["method"], Change::Nothing),
    ("mail.bounced", Kind::One("account.email_bounced"), &[], Change::Nothing),
    ("account.compromise_reported", Kind::One("account.compromise_reported"), &[], Change::Nothing),
    ("second_factors.reset", Kind::One("account.second_factors_removed"), &[], Change::Nothing),
    ("second_factors.removed_by_mail", Kind::One("account.second_factors_removed"), &[], Change::Nothing),
    ("person.status_changed", Kind::ByStatus(PERSON_STATUS), &[], Change::Words),
    (
        "person.duties_change_requested",
        Kind::One("account.duties_change_requested"),
        &["duty_change"],
        Change::Members(&["operator", "privacy"]),
    ),
    ("person.duties_changed", Kind::One("account.duties_changed"), &[], Change::Members(&["operator", "privacy"])),
    ("member.invited", Kind::One("membership.created"), &[], Change::Members(MEMBERSHIP)),
    ("member.joined", Kind::One("membership.created"), &[], Change::Members(MEMBERSHIP)),
    ("member.updated", Kind::One("membership.updated"), &["renamed"], Change::Members(MEMBERSHIP)),
    ("member.role_changed", Kind::One("membership.role_changed"), &[], Change::Members(&["role"])),
    ("member.status_changed", Kind::ByStatus(MEMBER_STATUS), &[], Change::Members(&["status"])),
    ("member.ended", Kind::One("membership.ended"), &["administrators_left"], Change::Members(MEMBERSHIP)),
    ("member.removed", Kind::One("membership.removed"), &["withdrawn"], Change::Members(MEMBERSHIP)),
    ("member.rights_changed", Kind::One("rights.changed"), &["portal"], Change::Rights),
    ("organization.created", Kind::One("organization.created"), &[], Change::Members(&["kind", "status"])),
    ("organization.updated", Kind::One("organization.updated"), &[], Change::Names),
    ("organization.status_changed", Kind::ByStatus(ORGANIZATION_STATUS), &[], Change::Words),
    (
        "organization.kill_switch",
        Kind::One("organization.access_closed"),
        &["people", "sessions", "grants", "api_keys", "invitations", "offers", "imports", "successions"],
        Change::Nothing,
    ),
    ("portal.granted", Kind::One("organization.rights_changed"), &["portal", "rights_withdrawn"], Change::Words),
    ("organization.password_policy_set", Kind::One("organization.rules_changed"), &[], Change::Nothing),
    ("organization.seat_requests_set", Kind::One("organization.rules_changed"), &[], Change::Nothing),
    ("organization.second_factor_set", Kind::One("organization.rules_changed"), &[], Change::Nothing),
    ("client.status_changed", Kind::ByStatus(PORTAL_STATUS), &["portal"], Change::Words),
    ("contact.created", Kind::One("contact.created"), &["contact"], Change::Members(&["duty"])),
    ("contact.updated", Kind::One("contact.updated"), &["contact"], Change::Members(&["duty"])),
    ("contact.removed", Kind::One("contact.removed"), &["contact"], Change::Members(&["duty"])),
    ("order.recorded", Kind::One("order.changed"), &[], Change::Members(ORDER)),
    ("order.acknowledged", Kind::One("order.changed"), &[], Change::Members(ORDER)),
    ("order.signed", Kind::One("order.changed"), &[], Change::Members(ORDER)),
    ("order.informed", Kind::One("order.changed"), &[], Change::Members(ORDER)),
    ("order.paid", Kind::One("order.changed"), &[], Change::Members(ORDER)),
    ("order.unpaid", Kind::One("order.changed"), &[], Change::Members(ORDER)),
    ("order.non_renewal", Kind::One("order.changed"), &[], Change::Members(ORDER)),
    ("order.terminated", Kind::One("order.changed"), &[], Change::Members(ORDER)),
    ("order.suspended", Kind::One("order.changed"), &[], Change::Members(ORDER)),
    ("order.reinstated", Kind::One("order.changed"), &[], Change::Members(ORDER)),
    ("order.reached", Kind::One("order.changed"), &["moment"], Change::Members(ORDER)),
    ("trial.started", Kind::One("trial.changed"), &[], Change::Members(TRIAL)),
    ("trial.changed", Kind::One("trial.changed"), &[], Change::Members(TRIAL)),
    ("trial.ended", Kind::One("trial.changed"), &[], Change::Members(TRIAL)),
    ("seat.assigned", Kind::One("seat.assigned"), &["product"], Change::Nothing),
    ("seat.released", Kind::One("seat.released"), &["product"], Change::Nothing),
    ("seat.requested", Kind::One("seat.requested"), SEAT_REQUEST, Change::Nothing),
    ("seat.request_granted", Kind::One("seat.request_granted"), SEAT_REQUEST, Change::Nothing),
    ("seat.request_declined", Kind::One("seat.request_declined"), SEAT_REQUEST, Change::Nothing),
    ("seat.request_withdrawn", Kind::One("seat.request_withdrawn"), SEAT_REQUEST, Change::Nothing),
    ("seat.request_expired", Kind::One("seat.request_expired"), SEAT_REQUEST, Change::Nothing),
    ("seat.transferred", Kind::One("seat.transferred"), &["product"], Change::Members(&["person"])),
    ("group.created", Kind::One("group.changed"), &[], Change::Members(GROUP)),
    ("group.updated", Kind::One("group.changed"), &[], Change::Members(GROUP)),
    ("group.removed", Kind::One("group.changed"), &[], Change::Members(GROUP)),
    ("group.joined", Kind::One("group.joined"), &["group"], Change::Nothing),
    ("group.left", Kind::One("group.left"), &["group"], Change::Nothing),
    ("enrolment.recorded", Kind::One("enrolment.changed"), &["enrolment"], Change::Members(ENROLMENT)),
    ("enrolment.changed", Kind::One("enrolment.changed"), &["enrolment"], Change::Members(ENROLMENT)),
    ("enrolment.opened", Kind::One("enrolment.changed"), &["enrolment"], Change::Members(ENROLMENT)),
    ("webhook.disabled", Kind::One("webhook.disabled"), &["webhook", "reason"], Change::Nothing),
];

/// Types that no organization is told of, also when the person is not of the operator's staff yet, or any more.
const OPERATOR_ALONE: [&str; 2] = ["account.duties_changed", "account.duties_change_requested"];

/// Whether events of this type are the operator's alone, whomever they concern.
pub fn is_for_operator_alone(kind: &str) -> bool {
    OPERATOR_ALONE.contains(&kind)
}

/// Whether lines of this name were thought of: told, or said to be nobody else's affair.
pub fn is_considered(audit: &str) -> bool {
    let family = audit.split('.').next().unwrap_or_default();
    !FAMILIES.contains(&family) || UNTOLD.contains(&audit) || SOURCES.iter().any(|(name, ..)| *name == audit)
}

/// What others are told of the line `audit` with these facts, if anything.
pub fn tell(audit: &str, detail: &Map<String, Value>) -> Option<Told> {
    let (_, kind, facts, change) = SOURCES.iter().find(|(name, ..)| *name == audit)?;
    let (before, after) = (detail.get("before").unwrap_or(&Value::Null), detail.get("after").unwrap_or(&Value::Null));
    let kind = match kind {
        Kind::One(kind) => kind,
        Kind::ByStatus(kinds) => {
            let status = after.get("status").unwrap_or(after).as_str()?;
            kinds.iter().find(|(of, _)| *of == status).map(|(_, kind)| kind)?
        }
    };
    let mut data: Map<String, Value> =
        facts.iter().filter_map(|fact| Some(((*fact).to_owned(), detail.get(*fact)?.clone()))).collect();
    let mut both = |told: &dyn Fn(&Value) -> Option<Value>| {
        for (name, value) in [("before", before), ("after", after)] {
            data.extend(told(value).map(|value| (name.to_owned(), value)));
        }
    };
    match change {
        Change::Nothing => {}
        Change::Words => both(&|value| (value.is_string() || value.is_array()).then(|| value.clone())),
        Change::Members(names) => both(&|value| members(value, names)),
        Change::Rights => {
            let portal = detail.get("portal").cloned().unwrap_or_default();
            both(&|value| Some(roles(value, &portal)));
        }
        Change::Names => {
            data.insert("changed".to_owned(), differing(before, after).into());
        }
    }
    Some(Told { kind, data })
}

fn members(value: &Value, names: &[&str]) -> Option<Value> {
    let value = value.as_object()?;
    Some(names.iter().filter_map(|name| Some(((*name).to_owned(), value.get(*name)?.clone()))).collect())
}

/// The roles that a member had or has in `portal`.
fn roles(member: &Value, portal: &Value) -> Value {
    let rights = member["rights"].as_array().into_iter().flatten();
    rights.filter(|right| right["client_id"] == *portal).map(|right| right["role"].clone()).collect()
}

fn differing(before: &Value, after: &Value) -> Vec<String> {
    let names = after.as_object().into_iter().flat_map(Map::keys);
    names.filter(|name| before[*name] != after[*name] && *name != "updated_at").cloned().collect()
}

/// Which types a receiver wants: `*`, a family such as `account.*`, or types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection(Vec<String>);

impl Selection {
    /// Reads what was asked for; one without a word in it is everything.
    ///
    /// # Errors
    /// The place of the first that is in no catalogue.
    pub fn parse(asked: &[String]) -> Result<Self, usize> {
        match asked.iter().position(|one| !CATALOGUE.iter().any(|(kind, _)| matches(one, kind))) {
            Some(wrong) => Err(wrong),
            None => Ok(Self(asked.to_vec())),
        }
    }

    /// Whether `kind` is wanted.
    pub fn wants(&self, kind: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|one| matches(one, kind))
    }

    /// The types that are wanted.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        CATALOGUE.iter().map(|(kind, _)| *kind).filter(|kind| self.wants(kind))
    }
}

fn matches(asked: &str, kind: &str) -> bool {
    let family = || asked.strip_suffix(".*").is_some_and(|family| kind.split('.').next() == Some(family));
    asked == "*" || asked == kind || family()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(audit: &str, detail: Value) -> Option<(&'static str, Value)> {
        let Value::Object(detail) = detail else { unreachable!() };
        tell(audit, &detail).map(|told| (told.kind, Value::Object(told.data)))
    }

    #[test]
    fn every_line_that_is_told_has_a_type_of_the_catalogue_and_every_type_is_told() {
        let mut kinds = Vec::new();
        for (_, kind, ..) in SOURCES {
            match kind {
                Kind::One(kind) => kinds.push(*kind),
                Kind::ByStatus(of) => kinds.extend(of.iter().map(|(_, kind)| *kind)),
            }
        }
        for kind in &kinds {
            assert!(CATALOGUE.iter().any(|(name, _)| name == kind), "{kind}");
        }
        for (name, _) in CATALOGUE {
            assert!(kinds.contains(name), "{name}");
        }
    }

    #[test]
    fn a_change_of_a_membership_is_told_without_names_addresses_and_reasons() {
        let before = json!({ "role": "member", "status": "active", "email": "a@b.example", "family_name": "Roux" });
        let after = json!({ "role": "administrator", "status": "active", "email": "a@b.example" });
        let detail = json!({ "before": before, "after": after, "reason": "départ de Zoé", "policy": "operator" });
        let expected = json!({ "before": { "role": "member" }, "after": { "role": "administrator" } });
        assert_eq!(told("member.role_changed", detail), Some(("membership.role_changed", expected)));
    }

    #[test]
    fn a_status_has_a_type_of_its_own_in_both_ways_it_is_written() {
        let cases = [
            ("member.status_changed", json!({ "status": "suspended" }), Some("membership.suspended")),
            ("member.status_changed", json!({ "status": "active" }), Some("membership.reinstated")),
            ("organization.status_changed", json!("terminated"), Some("organization.terminated")),
            ("organization.status_changed", json!("active"), Some("organization.reinstated")),
            ("organization.status_changed", json!("unheard-of"), None),
            ("person.status_changed", json!("terminated"), Some("account.terminated")),
            ("client.status_changed", json!("suspended"), Some("portal.suspended")),
            ("client.status_changed", json!("active"), Some("portal.reinstated")),
            ("client.status_changed", json!("terminated"), Some("portal.terminated")),
        ];
        for (audit, after, kind) in cases {
            assert_eq!(told(audit, json!({ "after": after })).map(|told| told.0), kind, "{audit} {after}");
        }
    }

    #[test]
    fn rights_are_those_of_the_portal_and_an_organization_names_what_changed() {
        let rights = |roles: &[&str]| {
            let mine = roles.iter().map(|role| json!({ "client_id": "lms", "role": role }));
            json!({ "rights": mine.chain([json!({ "client_id": "crm", "role": "x" })]).collect::<Value>() })
        };
        let detail = json!({ "portal": "lms", "before": rights(&[]), "after": rights(&["tutor"]) });
        let expected = json!({ "portal": "lms", "before": [], "after": ["tutor"] });
        assert_eq!(told("member.rights_changed", detail), Some(("rights.changed", expected)));
        let (before, after) = (json!({ "name": "A", "siret": "1" }), json!({ "name": "B", "siret": "1" }));
        let found = told("organization.updated", json!({ "before": before, "after": after }));
        assert_eq!(found, Some(("organization.updated", json!({ "changed": ["name"] }))));
    }

    #[test]
    fn what_concerns_nobody_else_is_not_told() {
        for audit in ["session.started", "password.changed", "account.invited_again", "authorization.refused"] {
            assert_eq!(told(audit, json!({})), None, "{audit}");
            assert!(is_considered(audit), "{audit}");
        }
        assert!(!is_considered("account.something_new") && !is_considered("member.something_new"));
    }

    #[test]
    fn who_works_for_the_operator_is_the_operator_s_affair() {
        for (kind, about) in CATALOGUE {
            assert_eq!(is_for_operator_alone(kind), about.ends_with("For the operator alone."), "{kind}");
        }
    }

    #[test]
    fn a_selection_takes_types_families_and_everything() {
        let parse = |asked: &[&str]| Selection::parse(&asked.iter().map(ToString::to_string).collect::<Vec<_>>());
        let some = parse(&["account.*", "rights.changed"]).unwrap();
        for (kind, wanted) in [("account.activated", true), ("rights.changed", true), ("membership.removed", false)] {
            assert_eq!(some.wants(kind), wanted, "{kind}");
        }
        assert!(parse(&["*"]).unwrap().wants("membership.removed") && parse(&[]).unwrap().wants("contact.created"));
        for (wrong, at) in [(&["account"][..], 0), (&["*", "nothing.*"], 1), (&[""], 0), (&["acc*"], 0)] {
            assert_eq!(parse(wrong), Err(at), "{wrong:?}");
        }
        assert_eq!(parse(&["rights.*"]).unwrap().kinds().collect::<Vec<_>>(), ["rights.changed"]);
    }
}
