//! Configuration: the commented default file (embedded, it is the documentation), a file over it, the environment over both.
//!
//! The defaults name every key, so a key they do not name is unknown and refused, and a value of another type than the
//! default's is wrong. All problems are gathered and reported together.

mod layers;
mod sections;

use std::fmt;
use std::path::Path;

use habilis_keys::password::Params;
use habilis_policies::passwords::{PasswordPolicy, Renewal};
use jiff::SignedDuration;
use serde::Deserialize;
use toml::{Table, Value};
use url::Url;

use layers::{defaults, overlay, overlay_variable, read_secret_files};
use sections::is_loopback;
pub use sections::*;

/// The default configuration, commented.
pub const DEFAULTS: &str = include_str!("habilis.toml");

const ENVIRONMENT_PREFIX: &str = "HABILIS__";

/// The whole configuration, checked.
#[derive(Debug, Deserialize)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[database]`
    pub database: Database,
    /// `[keys]`
    pub keys: Keys,
    /// `[sign_in]`
    pub sign_in: SignIn,
    /// `[second_factor]`
    pub second_factor: SecondFactor,
    /// `[accounts]`
    pub accounts: Accounts,
    /// `[passwords]`
    pub passwords: Passwords,
    /// `[password_floor]`
    pub password_floor: PasswordFloor,
    /// `[password_hash]`
    pub password_hash: PasswordHash,
    /// `[tokens]`
    pub tokens: Tokens,
    /// `[registration]`
    pub registration: Registration,
    /// `[legacy]`
    pub legacy: Legacy,
    /// `[device]`
    pub device: Device,
    /// `[api]`
    pub api: Api,
    /// `[imports]`
    pub imports: Imports,
    /// `[orders]`
    pub orders: Orders,
    /// `[reviews]`
    pub reviews: Reviews,
    /// `[api_keys]`
    pub api_keys: ApiKeys,
    /// `[events]`
    pub events: Events,
    /// `[fetch]`
    pub fetch: Fetch,
    /// `[mail]`
    pub mail: Mail,
    /// `[pages]`
    pub pages: Pages,
    /// `[console]`
    pub console: Console,
    /// `[authorization]`
    pub authorization: Authorization,
    /// `[log]`
    pub log: Log,
}

/// Every problem of a configuration, one a line.
#[derive(Debug, PartialEq, Eq)]
pub struct Problems(Vec<String>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the configuration has {} problem(s):", self.0.len())?;
        self.0.iter().try_for_each(|problem| writeln!(f, "  - {problem}"))
    }
}

impl std::error::Error for Problems {}

impl Config {
    /// Reads `file` (when given) over the defaults and the environment variables over both.
    ///
    /// # Errors
    /// [`Problems`]: unreadable file, unknown keys, wrong types, values that make no sense together.
    pub fn load(file: Option<&Path>, environment: impl Iterator<Item = (String, String)>) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let mut table = defaults();
        if let Some(file) = file {
            match std::fs::read_to_string(file) {
                Err(error) => problems.push(format!("{}: {error}", file.display())),
                Ok(text) => match text.parse::<Table>() {
                    Err(error) => problems.push(format!("{}: {error}", file.display())),
                    Ok(given) => overlay(&mut table, given, &mut problems),
                },
            }
        }
        for (name, value) in environment {
            if let Some(path) = name.strip_prefix(ENVIRONMENT_PREFIX) {
                overlay_variable(&mut table, (&name, path), &value, &mut problems);
            }
        }
        read_secret_files(&mut table, &mut problems);
        // Typed reading stops at its first error, so it only runs on what is well-formed so far.
        if !problems.is_empty() {
            return Err(Problems(problems));
        }
        let config: Self = Value::Table(table)
            .try_into()
            .map_err(|error: toml::de::Error| Problems(vec![error.to_string().trim().replace('\n', " ")]))?;
        config.check(&mut problems);
        if problems.is_empty() { Ok(config) } else { Err(Problems(problems)) }
    }

    fn check_issuer(&self, problems: &mut Vec<String>) {
        let mut refuse = |wrong: bool, problem: &str| {
            if wrong {
                problems.push(problem.to_owned());
            }
        };
        match Url::parse(&self.server.issuer) {
            Err(_) => refuse(true, "server.issuer is not a URL"),
            Ok(issuer) => {
                refuse(
                    issuer.scheme() != "https" && !self.is_loopback_http(),
                    "server.issuer must be https (http only on the loopback interface, for development)",
                );
                refuse(
                    issuer.query().is_some() || issuer.fragment().is_some() || self.server.issuer.ends_with('/'),
                    "server.issuer has no query, no fragment and no trailing slash",
                );
                refuse(
                    !matches!(issuer.path(), "" | "/"),
                    "server.issuer has no path; give the provider a host name of its own",
                );
            }
        }
    }

    fn check(&self, problems: &mut Vec<String>) {
        self.check_issuer(problems);
        let mut refuse = |wrong: bool, problem: &str| {
            if wrong {
                problems.push(problem.to_owned());
            }
        };
        refuse(
            self.server.tls_certificate_file.is_some() != self.server.tls_key_file.is_some(),
            "server.tls_certificate_file and server.tls_key_file are given together or not at all",
        );
        let url = self.database.url.expose();
        refuse(
            !["sqlite://", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)),
            "database.url must begin with sqlite:// or postgres://",
        );
        refuse(!(1..=200).contains(&self.database.connections), "database.connections is between 1 and 200");
        refuse(!(1..=1825).contains(&self.keys.sign_for_days), "keys.sign_for_days is between 1 and 1825");
        refuse(!(1..=720).contains(&self.keys.publish_ahead_hours), "keys.publish_ahead_hours is between 1 and 720");
        self.sign_in.check(&mut refuse);
        self.accounts.check(&mut refuse);
        self.api_keys.check(&mut refuse);
        refuse(
            self.registration.clients_per_address_per_minute == 0,
            "registration.clients_per_address_per_minute is at least 1",
        );
        refuse(self.api.requests_per_minute == 0, "api.requests_per_minute is at least 1");
        refuse(
            !(60..=86_400).contains(&self.api.step_up_seconds),
            "api.step_up_seconds is between 60 and 86400 (a day)",
        );
        refuse(!(1..=90).contains(&self.imports.keep_days), "imports.keep_days is between 1 and 90");
        refuse(self.reviews.every_months > 60, "reviews.every_months is at most 60");
        refuse(!(1..=365).contains(&self.reviews.due_days), "reviews.due_days is between 1 and 365");
        refuse(!(7..=365).contains(&self.events.keep_days), "events.keep_days is between 7 and 365");
        self.problems_of_flows().into_iter().for_each(|(wrong, text)| refuse(wrong, text));
        refuse(!(1..=100_000).contains(&self.server.max_requests), "server.max_requests is between 1 and 100000");
        let floor = self.password_floor();
        for (section, rule, least) in
            [("password_floor", &floor, &PasswordPolicy::CNIL_FLOOR), ("passwords", &self.password_policy(), &floor)]
        {
            for refusal in rule.admit(least).err().unwrap_or_default() {
                refuse(true, &format!("{section}: {refusal}"));
            }
        }
        refuse(
            self.second_factor.password_good_for_minutes > 1440,
            "second_factor.password_good_for_minutes is at most 1440 (a day); 0: the password is always asked again",
        );
        refuse(
            self.second_factor.mail_removal_after_hours > 336,
            "second_factor.mail_removal_after_hours is at most 336 (two weeks); 0: never",
        );
        refuse(self.passwords.campaign_min_age_days > 365, "passwords.campaign_min_age_days is at most 365");
        let hash = &self.password_hash;
        if let Err(error) = Params::new(hash.memory_kib, hash.iterations, hash.parallelism) {
            refuse(true, &format!("password_hash: {error}"));
        }
        refuse(hash.parallel > 256, "password_hash.parallel is at most 256");
        refuse(!(1..=10_000).contains(&hash.queue), "password_hash.queue is between 1 and 10000");
        refuse(
            !(60..=3600).contains(&self.tokens.access_token_seconds),
            "tokens.access_token_seconds is between 60 and 3600",
        );
        refuse(!(60..=3600).contains(&self.tokens.id_token_seconds), "tokens.id_token_seconds is between 60 and 3600");
        refuse(!(1..=366).contains(&self.tokens.refresh_token_days), "tokens.refresh_token_days is between 1 and 366");
        refuse(
            !(1024..=16_777_216).contains(&self.server.body_limit_bytes),
            "server.body_limit_bytes is between 1024 and 16777216",
        );
        refuse(
            !(1..=300).contains(&self.server.request_timeout_seconds),
            "server.request_timeout_seconds is between 1 and 300",
        );
        refuse(
            self.mail.from.parse::<lettre::message::Mailbox>().is_err(),
            "mail.from is not a mail address such as \"Habilis <ne-pas-repondre@example.fr>\"",
        );
        refuse(
            self.mail.dpo.as_deref().is_some_and(|address| address.parse::<lettre::Address>().is_err()),
            "mail.dpo is not a mail address",
        );
        refuse(
            !self.console.client_id.is_empty() && self.console.client_secret.expose().is_empty(),
            "console.client_id needs console.client_secret or console.client_secret_file",
        );
        problems.extend(self.mail.problems().into_iter().map(str::to_owned));
        if let Some(file) = &self.authorization.rules_file
            && let Err(wrong) = crate::authorization::engine(Some(file))
        {
            problems.extend(wrong.into_iter().map(|problem| format!("authorization.rules_file {problem}")));
        }
    }

    /// Whether the issuer is plain http on this machine: development and demonstration.
    pub fn is_loopback_http(&self) -> bool {
        Url::parse(&self.server.issuer).is_ok_and(|issuer| issuer.scheme() == "http" && is_loopback(&issuer))
    }

    /// What may be wrong with `[legacy]` and `[device]`.
    fn problems_of_flows(&self) -> [(bool, &'static str); 4] {
        let Device { code_minutes, interval_seconds, wrong_codes_per_address_per_hour } = &self.device;
        [
            (
                self.legacy.at_registration && !self.legacy.response_types,
                "legacy.at_registration needs legacy.response_types",
            ),
            (!(1..=60).contains(code_minutes), "device.code_minutes is between 1 and 60"),
            (!(1..=60).contains(interval_seconds), "device.interval_seconds is between 1 and 60"),
            (
                !(1..=10_000).contains(wrong_codes_per_address_per_hour),
                "device.wrong_codes_per_address_per_hour is between 1 and 10000",
            ),
        ]
    }

    /// The operator's rule for passwords: that of everybody whose organization states none.
    pub fn password_policy(&self) -> PasswordPolicy {
        let set = &self.passwords;
        PasswordPolicy {
            four_classes_min: set.four_classes_min,
            three_classes_min: set.three_classes_min,
            passphrase_words_min: set.passphrase_words_min,
            strength_min: set.strength_min,
            history: set.history,
            renewal: if set.yearly_renewal { Renewal::Yearly } else { Renewal::Off },
            grace_days: set.grace_days,
        }
    }

    /// The least an organization's rule may ask (R040).
    pub fn password_floor(&self) -> PasswordPolicy {
        let set = &self.password_floor;
        PasswordPolicy {
            four_classes_min: set.four_classes_min,
            three_classes_min: set.three_classes_min,
            passphrase_words_min: set.passphrase_words_min,
            strength_min: set.strength_min,
            history: set.history,
            renewal: if set.yearly_renewal { Renewal::Yearly } else { Renewal::Off },
            grace_days: set.grace_days,
        }
    }

    /// Argon2id parameters; they were checked when the configuration was read.
    pub fn hash_params(&self) -> Params {
        let hash = &self.password_hash;
        Params::new(hash.memory_kib, hash.iterations, hash.parallelism).unwrap_or_default()
    }

    /// How many failed sign-ins strangers have in an hour.
    pub fn sign_in_limits(&self) -> habilis_policies::login::Limits {
        habilis_policies::login::Limits {
            per_address: self.sign_in.failures_per_address_per_hour,
            per_network: self.sign_in.failures_per_network_per_hour,
        }
    }

    /// When simultaneous use is worth telling.
    pub fn sharing_rule(&self) -> habilis_policies::sharing::Rule {
        habilis_policies::sharing::Rule {
            by: self.accounts.sharing_by,
            least: self.accounts.sharing_networks,
            window: SignedDuration::from_mins(i64::from(self.accounts.sharing_window_minutes)),
        }
    }

    /// Limits of a sign-in session.
    pub fn session_limits(&self) -> habilis_policies::sessions::Limits {
        habilis_policies::sessions::Limits {
            idle: SignedDuration::from_mins(i64::from(self.sign_in.session_idle_minutes)),
            absolute: SignedDuration::from_mins(i64::from(self.sign_in.session_absolute_minutes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn load(file: &str, variables: &[(&str, &str)]) -> Result<Config, Problems> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("habilis.toml");
        std::fs::write(&path, file).unwrap();
        Config::load(Some(&path), variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn the_defaults_are_well_formed_and_valid() {
        let config = load("", &[]).unwrap();
        assert_eq!(config.database.url.expose(), "sqlite://habilis.db");
        assert_eq!(config.hash_params(), Params::default());
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
        let config = load(
            "[tokens]\naccess_token_seconds = 120\nid_token_seconds = 90",
            &[("HABILIS__TOKENS__ID_TOKEN_SECONDS", "80"), ("HABILIS__SERVER__TRUSTED_PROXIES", "10.0.0.1, ::1")],
        )
        .unwrap();
        assert_eq!((config.tokens.access_token_seconds, config.tokens.id_token_seconds), (120, 80));
        assert_eq!(config.server.trusted_proxies.len(), 2);
    }

    #[test]
    fn all_problems_are_reported_at_once() {
        let problems = load(
            "[server]\nisuer = \"x\"\nlisten = 8080\n[nowhere]\na = 1",
            &[("HABILIS__TOKENS__ID_TOKEN_SECONDS", "soon"), ("HABILIS__LOG__LEVEL", "info"), ("PATH", "/bin")],
        )
        .unwrap_err()
        .to_string();
        for part in [
            "5 problem",
            "server.isuer",
            "server.listen must be a text",
            "nowhere",
            "ID_TOKEN_SECONDS must be a whole number",
            "HABILIS__LOG__LEVEL",
        ] {
            assert!(problems.contains(part), "{part} in {problems}");
        }
    }

    #[test]
    fn values_that_make_no_sense_are_refused_together() {
        let problems = load(
            "[server]\nissuer = \"http://idp.example/\"\n[tokens]\nid_token_seconds = 5\n[mail]\ntransport = \"smtp\"\nsmtp_url = \"smtp://mail.example\"\n[password_hash]\nmemory_kib = 1",
            &[],
        )
        .unwrap_err()
        .to_string();
        for part in ["issuer must be https", "no trailing slash", "id_token_seconds", "smtp_url", "password_hash"] {
            assert!(problems.contains(part), "{part} in {problems}");
        }
    }

    #[test]
    fn the_default_rule_for_passwords_is_that_of_the_policies_and_the_default_floor_is_that_of_the_cnil() {
        let config = load("", &[]).unwrap();
        assert_eq!(config.password_policy(), PasswordPolicy::DEFAULT);
        assert_eq!(config.password_floor(), PasswordPolicy::CNIL_FLOOR);
    }

    #[test]
    fn neither_the_floor_nor_the_rule_for_passwords_may_be_weaker_than_what_is_below_it() {
        let problems = load(
            "[passwords]\nhistory = 2\nyearly_renewal = false\n[password_floor]\nfour_classes_min = 8\nhistory = 3\nyearly_renewal = true",
            &[],
        )
        .unwrap_err()
        .to_string();
        for part in [
            "password_floor: four-class passwords need at least 12",
            "passwords: at least the last 3",
            "passwords: yearly renewal is required",
        ] {
            assert!(problems.contains(part), "{part} in {problems}");
        }
    }

    #[test]
    fn limits_of_accounts_stay_within_reason() {
        let accounts = load("", &[]).unwrap().accounts;
        assert!(!accounts.self_registration, "off unless the operator turns it on");
        for (setting, word) in [
            ("invitation_days = 0", "invitation_days"),
            ("invitation_days = 31", "invitation_days"),
            ("sign_ups_per_address_per_hour = 0", "sign_ups_per_address_per_hour"),
            ("proof_of_work_bits = 7", "proof_of_work_bits"),
            ("proof_of_work_bits = 25", "proof_of_work_bits"),
            ("unproven_delay_minutes = 0", "unproven_delay_minutes"),
            ("unproven_per_address_per_hour = 6", "unproven_per_address_per_hour"),
            ("sessions_per_person = 101", "sessions_per_person"),
            ("sessions_beyond = \"shrug\"", "shrug"),
            ("sharing_networks = 1", "sharing_networks"),
            ("sharing_by = \"people\"", "people"),
            ("sharing_window_minutes = 0", "sharing_window_minutes"),
            ("mandatory = [\"blood_type\"]", "blood_type"),
            ("contract_required_of = [\"club\"]", "club"),
        ] {
            let problems = load(&format!("[accounts]\n{setting}"), &[]).unwrap_err().to_string();
            assert!(problems.contains(word), "{setting}: {problems}");
        }
    }

    #[test]
    fn links_of_one_address_are_bounded() {
        assert_eq!(load("", &[]).unwrap().sign_in.links_per_address_per_hour, 30);
        for count in ["0", "10001"] {
            let set = format!("[sign_in]\nlinks_per_address_per_hour = {count}");
            let problems = load(&set, &[]).unwrap_err().to_string();
            assert!(problems.contains("sign_in.links_per_address_per_hour"), "{problems}");
        }
    }

    #[test]
    fn a_certificate_comes_with_its_key() {
        let config = load("", &[]).unwrap();
        assert_eq!(config.server.tls_certificate_file, None);
        let problems = load("[server]\ntls_certificate_file = \"a.pem\"", &[]).unwrap_err().to_string();
        assert!(problems.contains("tls_key_file"), "{problems}");
        let config = load("[server]\ntls_certificate_file = \"a.pem\"\ntls_key_file = \"b.pem\"", &[]).unwrap();
        assert_eq!(config.server.tls_key_file.unwrap(), PathBuf::from("b.pem"));
    }

    #[test]
    fn the_console_is_off_until_it_has_a_client_with_its_secret() {
        assert_eq!(load("", &[]).unwrap().console.client_id, "");
        let problems = load("[console]\nclient_id = \"console\"", &[]).unwrap_err().to_string();
        assert!(problems.contains("console.client_secret"), "{problems}");
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "a secret\n").unwrap();
        let file =
            format!("[console]\nclient_id = \"console\"\nclient_secret_file = {:?}", secret.display().to_string());
        assert_eq!(load(&file, &[]).unwrap().console.client_secret.expose(), "a secret");
    }

    #[test]
    fn rules_of_the_operators_own_are_read_with_the_configuration() {
        assert_eq!(load("", &[]).unwrap().authorization.rules_file, None);
        let folder = tempfile::tempdir().unwrap();
        let rules = folder.path().join("rules.cedar");
        std::fs::write(&rules, "@id(\"a\")\npermit (principal, action, resource);").unwrap();
        let file =
            format!("[authorization]\nrules_file = {:?}\n[tokens]\nid_token_seconds = 5", rules.display().to_string());
        let problems = load(&file, &[]).unwrap_err().to_string();
        assert!(problems.contains("authorization.rules_file") && problems.contains("rules.cedar:1:1: "), "{problems}");
        assert!(problems.contains("id_token_seconds"), "all problems at once: {problems}");
        std::fs::write(&rules, "@id(\"a\")\nforbid (principal, action, resource);").unwrap();
        let file = format!("[authorization]\nrules_file = {:?}", rules.display().to_string());
        assert_eq!(load(&file, &[]).unwrap().authorization.rules_file, Some(rules));
    }

    #[test]
    fn a_secret_can_come_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("url");
        std::fs::write(&secret, "postgres://habilis@db/habilis\n").unwrap();
        let config = load(&format!("[database]\nurl_file = {:?}", secret.display().to_string()), &[]).unwrap();
        assert_eq!(config.database.url.expose(), "postgres://habilis@db/habilis");
        assert!(load("[database]\nurl_file = \"/nowhere/at/all\"", &[]).unwrap_err().to_string().contains("url_file"));
    }
}
