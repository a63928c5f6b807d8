//! How the configuration comes together: the embedded defaults, a file over them, environment variables over both, and secrets from
//! files of their own.

use toml::{Table, Value};

use super::DEFAULTS;

#[expect(clippy::expect_used, reason = "the embedded defaults are read in a test")]
pub(super) fn defaults() -> Table {
    DEFAULTS.parse().expect("habilis.toml is well-formed")
}

pub(super) fn overlay(table: &mut Table, given: Table, problems: &mut Vec<String>) {
    for (section, values) in given {
        let (Some(Value::Table(known)), Value::Table(values)) = (table.get_mut(&section), values) else {
            problems.push(format!("unknown section or key: {section}"));
            continue;
        };
        for (key, value) in values {
            match known.get_mut(&key) {
                None => problems.push(format!("unknown key: {section}.{key}")),
                Some(default) if !default.same_type(&value) => {
                    problems.push(format!("{section}.{key} must be {}", type_name(default)));
                }
                Some(default) => *default = value,
            }
        }
    }
}

pub(super) fn overlay_variable(table: &mut Table, (name, path): (&str, &str), text: &str, problems: &mut Vec<String>) {
    let lower = path.to_ascii_lowercase();
    let known = lower.split_once("__").and_then(|(section, key)| table.get_mut(section)?.as_table_mut()?.get_mut(key));
    let Some(default) = known else {
        problems.push(format!("unknown key: environment variable {name}"));
        return;
    };
    let value = match default {
        Value::String(_) => Some(Value::String(text.to_owned())),
        Value::Integer(_) => text.parse().ok().map(Value::Integer),
        Value::Boolean(_) => text.parse().ok().map(Value::Boolean),
        Value::Array(_) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Some(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
        }
        _ => None,
    };
    match value {
        Some(value) => *default = value,
        None => problems.push(format!("environment variable {name} must be {}", type_name(default))),
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text in quotes",
        Value::Integer(_) => "a whole number",
        Value::Boolean(_) => "true or false",
        Value::Array(_) => "a list",
        _ => "a section",
    }
}

/// `url_file` gives `url`, and so on. The master key's file is read later, with its permissions.
pub(super) fn read_secret_files(table: &mut Table, problems: &mut Vec<String>) {
    for (section, key) in [("database", "url"), ("mail", "smtp_url"), ("console", "client_secret")] {
        let Some(values) = table.get_mut(section).and_then(Value::as_table_mut) else { continue };
        let Some(Value::String(file)) = values.remove(&format!("{key}_file")) else { continue };
        if file.is_empty() {
            continue;
        }
        match std::fs::read_to_string(&file) {
            Ok(secret) => {
                values.insert(key.to_owned(), Value::String(secret.trim_end().to_owned()));
            }
            Err(error) => problems.push(format!("{section}.{key}_file {file}: {error}")),
        }
    }
}
