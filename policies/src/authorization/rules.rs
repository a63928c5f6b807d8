//! Policies as text: reading them, holding them against the schema, and saying where each problem is.

use cedar_policy::{Effect, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use miette::Diagnostic;

/// What the policies may speak of.
pub const SCHEMA: &str = include_str!("../../authorization/schema.cedarschema");

/// The embedded policies, by file.
pub const EMBEDDED: [(&str, &str); 3] = [
    ("duties.cedar", include_str!("../../authorization/duties.cedar")),
    ("separation.cedar", include_str!("../../authorization/separation.cedar")),
    ("circumstances.cedar", include_str!("../../authorization/circumstances.cedar")),
];

/// Most bytes of an operator's own rules.
pub const MAX_RULES_BYTES: usize = 64 * 1024;
/// Most rules of an operator's own.
pub const MAX_RULES: usize = 100;
/// Longest id of a policy, in bytes: it goes into every audit line.
const MAX_ID_BYTES: usize = 64;

/// One thing that is wrong with a text of policies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The embedded file; none for the operator's own rules, whose file the caller knows.
    pub file: Option<&'static str>,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub text: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(file) = self.file {
            write!(f, "{file}:")?;
        }
        write!(f, "{}:{}: {}", self.line, self.column, self.text)
    }
}

/// Why an [`Engine`](super::Engine) could not be made: every problem, in the order of the text. One a line when displayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// At least one.
    pub problems: Vec<Problem>,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Whose policies a text holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Author {
    /// Ours, from this file.
    Embedded(&'static str),
    /// The operator's: they may forbid, never permit.
    Operator,
}

/// Reads the embedded schema.
pub(super) fn schema() -> Result<Schema, Error> {
    let text = Text { author: Author::Embedded("schema.cedarschema"), text: SCHEMA };
    match Schema::from_cedarschema_str(SCHEMA) {
        Ok((schema, warnings)) => {
            let problems: Vec<Problem> = warnings.map(|warning| text.problem(&warning)).collect();
            if problems.is_empty() { Ok(schema) } else { Err(Error { problems }) }
        }
        Err(error) => Err(Error { problems: text.problems(&error) }),
    }
}

/// Reads policies that are named by their `@id`, in the order of the text.
///
/// # Errors
/// Every problem: syntax, an id that is missing, malformed or in `taken`, a template, a name the schema does not know, a policy
/// that could never apply, and a permission when the operator is the author.
pub(super) fn read(schema: &Schema, author: Author, text: &str, taken: &[PolicyId]) -> Result<Vec<Policy>, Error> {
    let text = Text { author, text };
    if text.text.len() > MAX_RULES_BYTES {
        return Err(Error { problems: vec![text.at(0, format!("the rules are longer than {MAX_RULES_BYTES} bytes"))] });
    }
    let set: PolicySet = text.text.parse().map_err(|error| Error { problems: text.problems(&error) })?;
    let mut problems = Vec::new();
    if set.templates().next().is_some() {
        problems.push(text.at(0, "templates (?principal, ?resource) are not used here".to_owned()));
    }
    if set.num_of_policies() > MAX_RULES {
        problems.push(text.at(0, format!("there are more than {MAX_RULES} rules")));
    }
    // The parser numbers them: policy0, policy1, …
    let number = |policy: &Policy| policy.id().to_string().trim_start_matches("policy").parse::<usize>().unwrap_or(0);
    let mut policies: Vec<&Policy> = set.policies().collect();
    policies.sort_by_key(|policy| number(policy));

    let mut named: Vec<Policy> = Vec::new();
    for (index, policy) in policies.into_iter().enumerate() {
        let at = text.start_of(index);
        let id = policy.annotation("id").unwrap_or_default();
        let well_formed = !id.is_empty()
            && id.len() <= MAX_ID_BYTES
            && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !well_formed {
            problems.push(text.at(
                at,
                format!("give the rule a name with @id(\"…\"): lower-case letters, digits and hyphens, at most {MAX_ID_BYTES}"),
            ));
        }
        let id = PolicyId::new(id);
        if taken.contains(&id) || named.iter().any(|known| known.id() == &id) {
            problems.push(text.at(at, format!("another rule has the id \"{id}\"")));
        }
        if author == Author::Operator && policy.effect() == Effect::Permit {
            problems.push(text.at(at, "your own rules may only forbid; nothing is permitted from outside".to_owned()));
        }
        named.push(policy.new_id(id));
    }
    let checked = Validator::new(schema.clone()).validate(&set, ValidationMode::Strict);
    problems.extend(checked.validation_errors().map(|error| text.problem(error)));
    problems.extend(checked.validation_warnings().map(|warning| text.problem(warning)));
    if problems.is_empty() {
        return Ok(named);
    }
    problems.sort();
    problems.dedup();
    Err(Error { problems })
}

/// A text and where in it things are.
struct Text<'a> {
    author: Author,
    text: &'a str,
}

impl Text<'_> {
    fn at(&self, offset: usize, text: String) -> Problem {
        let file = match self.author {
            Author::Embedded(file) => Some(file),
            Author::Operator => None,
        };
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Problem { file, line, column, text }
    }

    fn problem(&self, found: &(impl Diagnostic + ?Sized)) -> Problem {
        let label = found.labels().and_then(|mut labels| labels.next());
        let offset = label.as_ref().map_or(0, miette::LabeledSpan::offset);
        let mut text = found.to_string();
        for more in
            [label.and_then(|label| label.label().map(str::to_owned)), found.help().map(|help| help.to_string())]
                .into_iter()
                .flatten()
        {
            text.push_str("; ");
            text.push_str(&more);
        }
        // One line a problem.
        self.at(offset, text.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// A problem and those it is told together with.
    fn problems(&self, found: &dyn Diagnostic) -> Vec<Problem> {
        let mut problems = vec![self.problem(found)];
        problems.extend(found.related().into_iter().flatten().map(|other| self.problem(other)));
        problems
    }

    /// Where the policy of this number begins.
    fn start_of(&self, index: usize) -> usize {
        let mut offset = 0;
        let mut seen = 0;
        for line in self.text.split_inclusive('\n') {
            if line.trim_start().starts_with("@id(") {
                if seen == index {
                    return offset;
                }
                seen += 1;
            }
            offset += line.len();
        }
        0
    }
}
