//! `idp/docs/conformance.md` names the journey behind every line of the plans; here it is held to its word.

use std::collections::BTreeSet;
use std::path::Path;

/// Modules that are not to be tested, and why: the words a row without a journey must hold.
const WITHOUT: [&str; 2] = ["skipped", "not built"];

/// Whether `path` (`module::name`, or `crate::module::name` of a unit test) is a test.
fn exists(path: &str) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let segments: Vec<_> = path.split("::").collect();
    let Some((name, modules)) = segments.split_last() else { return false };
    let file = match modules.first() {
        Some(&("keys" | "policies" | "idp")) => root.join(modules[0]).join("src").join(modules[1..].join("/")),
        _ => root.join("integration-tests/tests/it").join(modules.join("/")),
    };
    let source = [file.with_extension("rs"), file.join("mod.rs")]
        .into_iter()
        .find_map(|file| std::fs::read_to_string(file).ok());
    source.is_some_and(|source| source.contains(&format!("fn {name}(")))
}

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("idp/docs/conformance.md");
    std::fs::read_to_string(path).unwrap()
}

/// The names in backquotes that are paths.
fn references(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2).filter(|name| name.contains("::"))
}

#[test]
fn every_test_that_the_page_names_exists() {
    let page = page();
    let named: BTreeSet<_> = references(&page).collect();
    assert!(named.len() > 150, "{}", named.len());
    let missing: Vec<_> = named.into_iter().filter(|path| !exists(path)).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn every_module_of_the_page_has_a_test_or_says_why_not() {
    for row in
        page().lines().filter(|line| line.starts_with('|') && !line.starts_with("|-") && !line.starts_with("| module"))
    {
        let reasoned = WITHOUT.iter().any(|word| row.contains(word));
        assert!(reasoned || references(row).count() > 0, "{row}");
    }
}
