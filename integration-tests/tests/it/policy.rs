//! `habilis policy`: what decides about the management API, to read and to check, and rules of the operator's own.

use std::path::Path;

use habilis_integration_tests::server::run_in;
use tempfile::TempDir;

const FORBIDS: &str = "// Nobody exports the members of this organization.\n@id(\"no-export\")\nforbid (principal, action == \
                       Action::\"export_members\", resource)\nwhen { resource has organization && resource.organization \
                       == Organization::\"org_a\" };\n";
/// Wrong in four ways, on lines 1, 5 and 8.
const WRONG: &str = "@id(\"one\")
permit (principal, action, resource);

// Not an attribute, and the id is taken.
@id(\"step-up\") forbid (principal, action, resource)
when { true };

forbid (principal is Person, action, resource) when { principal.shoe_size == 43 };
";

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

#[tokio::test]
async fn the_policies_are_printed_with_their_comments_all_or_one() {
    let folder = folder();
    let all = run_in(folder.path(), &["policy", "show"], &[]).await.printed();
    for part in ["duties.cedar", "separation.cedar", "circumstances.cedar", "@id(\"own-rights\")", "// Nobody changes"]
    {
        assert!(all.contains(part), "{part}: {all}");
    }
    let one = run_in(folder.path(), &["policy", "show", "own-rights"], &[]).await.printed();
    assert!(one.starts_with("// Nobody changes") && one.trim_end().ends_with(';'), "{one}");
    assert_eq!(one.matches("@id(").count(), 1, "{one}");
    let schema = run_in(folder.path(), &["policy", "show", "--schema"], &[]).await.printed();
    assert!(schema.contains("action give_right in ["), "{schema}");
    run_in(folder.path(), &["policy", "show", "conjure"], &[]).await.assert_refused(&["conjure", "own-rights"]);
}

#[tokio::test]
async fn the_policies_of_this_version_pass_their_check_without_a_file() {
    let folder = folder();
    let checked = run_in(folder.path(), &["policy", "check"], &[]).await.printed();
    assert!(checked.contains("policies of this version: valid") && checked.lines().count() == 1, "{checked}");
}

#[tokio::test]
async fn rules_of_ones_own_are_checked_with_every_problem_and_its_place() {
    let folder = folder();
    write(folder.path(), "good.cedar", FORBIDS);
    let checked = run_in(folder.path(), &["policy", "check", "good.cedar"], &[]).await.printed();
    assert!(checked.contains("1 rule(s) in good.cedar: valid"), "{checked}");
    write(folder.path(), "wrong.cedar", WRONG);
    run_in(folder.path(), &["policy", "check", "wrong.cedar"], &[]).await.assert_refused(&[
        "4 problem(s) in wrong.cedar",
        "wrong.cedar:1:1: rules of your own forbid",
        "wrong.cedar:5:1: another rule has the id \"step-up\"",
        "wrong.cedar:8:1: give the rule a name",
        "wrong.cedar:8:55: ",
        "shoe_size",
    ]);
    write(folder.path(), "torn.cedar", "@id(\"a\")\nforbid (principal, action,\n");
    run_in(folder.path(), &["policy", "check", "torn.cedar"], &[]).await.assert_refused(&["torn.cedar:"]);
    run_in(folder.path(), &["policy", "check", "absent.cedar"], &[]).await.assert_refused(&["absent.cedar"]);
}

#[tokio::test]
async fn rules_named_in_the_configuration_are_checked_with_it_and_stop_the_start() {
    let folder = folder();
    write(folder.path(), "rules.cedar", WRONG);
    run_in(folder.path(), &["keys", "init"], &[]).await.printed();
    let environment =
        [("HABILIS__AUTHORIZATION__RULES_FILE", "rules.cedar"), ("HABILIS__TOKENS__ID_TOKEN_SECONDS", "5")];
    for command in [&["config", "check"][..], &["serve"], &["policy", "check"]] {
        run_in(folder.path(), command, &environment).await.assert_refused(&[
            "authorization.rules_file rules.cedar:1:1: ",
            "authorization.rules_file rules.cedar:8:55: ",
            "id_token_seconds",
        ]);
    }
    write(folder.path(), "rules.cedar", FORBIDS);
    let environment = &environment[..1];
    run_in(folder.path(), &["config", "check"], environment).await.printed();
    let checked = run_in(folder.path(), &["policy", "check"], environment).await.printed();
    assert!(checked.contains("1 rule(s) in rules.cedar: valid"), "{checked}");
}
