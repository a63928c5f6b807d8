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
/// Deepest nesting of brackets in a text of rules: each costs stack where it is read.
const MAX_DEPTH: usize = 24;
/// Longest rule, for the same reason: a chain of conditions nests without brackets.
const MAX_RULE_BYTES: usize = 4096;
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

/// The groups that the schema puts an act in.
///
/// Read from its line, because starting then need not read the whole schema, which takes ten times as long as the policies; a
/// test holds this against Cedar's own reading.
pub(super) fn groups(act: &str) -> Option<impl Iterator<Item = &'static str>> {
    SCHEMA.lines().find_map(|line| {
        let (groups, _) = line.strip_prefix("action ")?.strip_prefix(act)?.strip_prefix(" in [")?.split_once(']')?;
        Some(groups.split(", "))
    })
}

/// The text of an embedded policy with the comment above it.
pub fn source(id: &str) -> Option<&'static str> {
    let name = format!("@id(\"{id}\")");
    EMBEDDED.iter().find_map(|(_, text)| {
        let at = text.find(&name)?;
        // A blank line parts policies.
        let begin = text[..at].rfind("\n\n").map_or(0, |blank| blank + 2);
        let end = text[at..].find(";\n").map_or(text.len(), |end| at + end + 1);
        text.get(begin..end)
    })
}

/// Reads policies, in the order of the text; each is named by its `@id`.
///
/// # Errors
/// Every problem: syntax, an id that is missing, malformed or in `taken`, a template, and a permission when the operator is the
/// author.
pub(super) fn read(author: Author, text: &str, taken: &[PolicyId]) -> Result<Vec<Policy>, Error> {
    let (_, named, problems) = parse(&Text { author, text }, taken)?;
    if problems.is_empty() { Ok(named) } else { Err(Error { problems }) }
}

/// The same, and holds the policies against the schema.
///
/// # Errors
/// As [`read`]; then names and attributes the schema does not know, types that do not fit, and a policy that could never apply,
/// because whoever wrote it relies on it.
pub(super) fn read_checked(
    schema: &Schema,
    author: Author,
    text: &str,
    taken: &[PolicyId],
) -> Result<Vec<Policy>, Error> {
    let text = Text { author, text };
    let (set, named, mut problems) = parse(&text, taken)?;
    let checked = Validator::new(schema.clone()).validate(&set, ValidationMode::Strict);
    let mut wrong: Vec<&PolicyId> = Vec::new();
    let mut found: Vec<Problem> = Vec::new();
    for error in checked.validation_errors() {
        wrong.push(error.policy_id());
        found.push(text.problem(error));
    }
    // What follows from an error is not worth telling.
    for warning in checked.validation_warnings().filter(|warning| !wrong.contains(&warning.policy_id())) {
        found.push(text.problem(warning));
    }
    // The validator tells a problem once for every act and kind of principal.
    found.sort();
    found.dedup_by_key(|problem| (problem.line, problem.column));
    problems.extend(found);
    problems.sort();
    if problems.is_empty() { Ok(named) } else { Err(Error { problems }) }
}

/// The policies as the parser numbers them, the same by their `@id`, and what is wrong so far.
fn parse(text: &Text, taken: &[PolicyId]) -> Result<(PolicySet, Vec<Policy>, Vec<Problem>), Error> {
    let one = |problem| Error { problems: vec![problem] };
    let starts = text.statements().map_err(one)?;
    let set: PolicySet = text.text.parse().map_err(|error| Error { problems: text.problems(&error) })?;
    let mut problems = Vec::new();
    if set.templates().next().is_some() {
        problems.push(text.at(0, "templates (?principal, ?resource) are not used here".to_owned()));
    }
    // policy0, policy1, …
    let number = |policy: &Policy| {
        let digits = policy.id().to_string();
        digits.strip_prefix("policy").and_then(|digits| digits.parse::<usize>().ok()).unwrap_or(usize::MAX)
    };
    let mut policies: Vec<&Policy> = set.policies().collect();
    policies.sort_by_key(|policy| number(policy));
    let mut named: Vec<Policy> = Vec::new();
    for policy in policies {
        let at = starts.get(number(policy)).copied().unwrap_or_default();
        let id = policy.annotation("id").unwrap_or_default();
        let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if id.is_empty() || id.len() > MAX_ID_BYTES || !id.bytes().all(letters) {
            let wanted = "lower-case letters, digits and hyphens, at most";
            problems.push(text.at(at, format!("give the rule a name with @id(\"…\"): {wanted} {MAX_ID_BYTES}")));
        }
        let id = PolicyId::new(id);
        if taken.contains(&id) || named.iter().any(|known| known.id() == &id) {
            problems.push(text.at(at, format!("another rule has the id \"{id}\"")));
        }
        if text.author == Author::Operator && policy.effect() == Effect::Permit {
            problems.push(text.at(at, "rules of your own forbid; they cannot permit".to_owned()));
        }
        named.push(policy.new_id(id));
    }
    Ok((set, named, problems))
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
        // The number the parser gave the policy says nothing to its author.
        let text =
            text.strip_prefix("for policy `").and_then(|text| text.split_once("`, ")).map_or(&*text, |(_, rest)| rest);
        // One line a problem.
        self.at(offset, text.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// Where each policy begins.
    ///
    /// # Errors
    /// Too long, too many, or nested deeper than the stack of whoever reads them should bear. The parser stops at a wrong
    /// character; here it only has to be counted.
    fn statements(&self) -> Result<Vec<usize>, Problem> {
        if self.text.len() > MAX_RULES_BYTES {
            return Err(self.at(0, format!("the rules are longer than {MAX_RULES_BYTES} bytes")));
        }
        let mut starts = Vec::new();
        let mut depth = 0_usize;
        let mut inside = false;
        let mut bytes = self.text.bytes().enumerate().peekable();
        while let Some((offset, byte)) = bytes.next() {
            let comment = byte == b'/' && bytes.peek().is_some_and(|(_, next)| *next == b'/');
            if comment {
                bytes.by_ref().take_while(|(_, byte)| *byte != b'\n').for_each(drop);
                continue;
            }
            if !inside && !byte.is_ascii_whitespace() {
                (inside, depth) = (true, 0);
                starts.push(offset);
            }
            match byte {
                b'"' => {
                    let mut escaped = false;
                    bytes
                        .by_ref()
                        .take_while(|(_, byte)| {
                            let ends = *byte == b'"' && !escaped;
                            escaped = *byte == b'\\' && !escaped;
                            !ends
                        })
                        .for_each(drop);
                }
                b'(' | b'[' | b'{' => depth += 1,
                b')' | b']' | b'}' => depth = depth.saturating_sub(1),
                b';' => inside = false,
                _ => {}
            }
            let began = starts.last().copied().unwrap_or_default();
            if depth > MAX_DEPTH {
                return Err(self.at(offset, format!("brackets are nested deeper than {MAX_DEPTH}")));
            }
            if inside && offset - began > MAX_RULE_BYTES {
                return Err(self.at(began, format!("the rule is longer than {MAX_RULE_BYTES} bytes")));
            }
            if starts.len() > MAX_RULES {
                return Err(self.at(offset, format!("there are more than {MAX_RULES} rules")));
            }
        }
        Ok(starts)
    }

    /// A problem and those it is told together with.
    fn problems(&self, found: &dyn Diagnostic) -> Vec<Problem> {
        let mut problems = vec![self.problem(found)];
        problems.extend(found.related().into_iter().flatten().map(|other| self.problem(other)));
        problems
    }
}
