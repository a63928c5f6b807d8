//! What the administrators of an organization read of its audit trail: that the operator acted, not who of its staff, from where, nor why in
//! words that are for the operator alone. `GET …/measures` tells them as much.
//!
//! Requirements R036, R085, R161.

use serde_json::Value;

/// The word in the place of whoever acted for the operator.
pub const OPERATOR: &str = "operator";

/// Who acts on the operator's command line.
const COMMAND_LINE: &str = "cli";
/// Measures are the operator's, whoever their line says imposed them.
const MEASURES: [&str; 7] = [
    "measure.formal_notice",
    "measure.met",
    "measure.presented",
    "order.reinstated",
    "order.suspended",
    "order.terminated",
    "organization.status_changed",
];

/// A line of the trail, as far as it tells of who acted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Dotted name.
    pub event: String,
    /// Who acted: a person, a client, a word.
    pub actor: Option<String>,
    /// Whom or what it concerns.
    pub subject: Option<String>,
    /// The application used.
    pub client_id: Option<String>,
    /// Address the request came from.
    pub address: Option<String>,
    /// Further facts, an object.
    pub detail: Value,
}

/// The line as the organization it happened in reads it; `by_operator` says whether who acted was of the operator's staff, or its automation.
pub fn for_organization(mut line: Line, by_operator: bool) -> Line {
    let by_operator = by_operator || line.actor.as_deref() == Some(COMMAND_LINE);
    let of_operator = by_operator || MEASURES.contains(&line.event.as_str());
    if let Some(detail) = line.detail.as_object_mut().filter(|_| of_operator) {
        detail.remove("reason");
        if let Some(asked) = detail.get_mut("requested_by") {
            *asked = OPERATOR.into();
        }
    }
    if !by_operator {
        return line;
    }
    // Software of the operator's is its own application.
    line.client_id = line.client_id.filter(|client| line.actor.as_ref() != Some(client));
    if line.subject.is_some() && line.subject == line.actor {
        line.subject = Some(OPERATOR.to_owned());
    }
    Line { actor: Some(OPERATOR.to_owned()), address: None, ..line }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(event: &str, actor: &str, detail: Value) -> Line {
        Line {
            event: event.to_owned(),
            actor: Some(actor.to_owned()),
            subject: Some("usr_member".to_owned()),
            client_id: Some("console".to_owned()),
            address: Some("203.0.113.7".to_owned()),
            detail,
        }
    }

    #[test]
    fn an_organization_reads_that_the_operator_acted_and_neither_who_nor_from_where_nor_why() {
        let said = json!({ "reason": "fraude signalée", "breach": "Faux documents.", "policy": "operator" });
        let told = json!({ "breach": "Faux documents.", "policy": "operator" });
        let anonymous = |event: &str, detail: &Value| Line {
            actor: Some(OPERATOR.to_owned()),
            address: None,
            ..line(event, "", detail.clone())
        };
        let own = |event: &str| line(event, "usr_1", said.clone());
        let table = [
            // Whoever acts for the operator, whatever they do.
            (own("member.status_changed"), true, anonymous("member.status_changed", &told)),
            (own("organization.status_changed"), true, anonymous("organization.status_changed", &told)),
            (line("member.removed", "cli", said.clone()), false, anonymous("member.removed", &told)),
            // Their own people and programs are named, with what they said.
            (own("member.status_changed"), false, own("member.status_changed")),
            (own("organization.kill_switch"), false, own("organization.kill_switch")),
            // A measure was the operator's, also when nobody knows any more that who imposed it was of its staff.
            (own("order.suspended"), false, line("order.suspended", "usr_1", told.clone())),
            (own("measure.formal_notice"), false, line("measure.formal_notice", "usr_1", told.clone())),
        ];
        for (line, by_operator, expected) in table {
            assert_eq!(for_organization(line.clone(), by_operator), expected, "{line:?} {by_operator}");
        }
    }

    #[test]
    fn nothing_else_of_the_line_says_who_of_the_operator_acted() {
        let asked = json!({ "requested_by": "usr_2", "sha256": "ab" });
        let done = Line { client_id: Some("usr_1".to_owned()), ..line("override.done", "usr_1", asked) };
        let read = for_organization(Line { subject: Some("usr_1".to_owned()), ..done }, true);
        assert_eq!((read.client_id, read.subject.as_deref()), (None, Some(OPERATOR)));
        assert_eq!(read.detail, json!({ "requested_by": OPERATOR, "sha256": "ab" }));
        let nobody = Line { actor: None, subject: None, ..line("order.reached", "", Value::Null) };
        assert_eq!(for_organization(nobody.clone(), false), nobody);
    }
}
