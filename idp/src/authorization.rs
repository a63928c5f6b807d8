//! The engine that decides about the management API, with the operator's own rules when there are any.
//!
//! The policies are those of `habilis_policies::authorization`; here is only the file of rules that `[authorization]` names.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use habilis_policies::authorization::{Engine, MAX_RULES_BYTES};

/// Makes the engine; `rules_file` holds rules of the operator's own, which can only forbid.
///
/// # Errors
/// Every problem, one a line: `file:line:column: what is wrong`, or that the file cannot be read.
pub fn engine(rules_file: Option<&Path>) -> Result<Engine, Vec<String>> {
    let Some(file) = rules_file else {
        return Engine::embedded().map_err(|error| error.problems.iter().map(ToString::to_string).collect());
    };
    let shown = file.display();
    let text = read(file).map_err(|error| vec![format!("{shown}: {error}")])?;
    Engine::with_operator_rules(&text)
        .map_err(|error| error.problems.iter().map(|problem| format!("{shown}:{problem}")).collect())
}

/// Reads no more than rules may have: whatever the path is, it does not fill the memory.
fn read(file: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let most = u64::try_from(MAX_RULES_BYTES).unwrap_or(u64::MAX) + 1;
    File::open(file)?.take(most).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: impl AsRef<[u8]>) -> Result<Engine, Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rules.cedar");
        std::fs::write(&file, text).unwrap();
        engine(Some(&file))
    }

    #[test]
    fn rules_are_read_with_the_policies_of_this_version() {
        let ours = engine(None).unwrap().ids().len();
        let more = with("@id(\"closed\")\nforbid (principal, action in Action::\"write\", resource);").unwrap();
        assert_eq!(more.ids().len(), ours + 1);
        assert_eq!(more.ids().last(), Some(&"closed"));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let absent = engine(Some(Path::new("/nowhere/rules.cedar"))).map(drop).unwrap_err();
        assert!(absent.len() == 1 && absent[0].starts_with("/nowhere/rules.cedar: "), "{absent:?}");
        assert!(engine(Some(Path::new("/"))).is_err(), "a folder");
        assert!(with([0xff, 0xfe]).is_err(), "no UTF-8");
        let endless = engine(Some(Path::new("/dev/zero"))).map(drop).unwrap_err();
        assert!(endless[0].contains("longer than"), "{endless:?}");
    }

    #[test]
    fn every_problem_has_its_file_line_and_column() {
        let problems = with("@id(\"a\")\npermit (principal, action, resource);\nforbid (principal, action, resource);")
            .map(drop)
            .unwrap_err();
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].contains("rules.cedar:1:1: "), "{problems:?}");
        assert!(problems[1].contains("rules.cedar:3:1: "), "{problems:?}");
    }
}
