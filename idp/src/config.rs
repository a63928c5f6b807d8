//! Configuration: the commented default file (embedded, it is the documentation), a file over it, the environment over both.
//!
//! The defaults name every key, so a key they do not name is unknown and refused, and a value of another type than the
//! default's is wrong. All problems are gathered and reported together.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use habilis_keys::password::Params;
use habilis_keys::secret::Secret;
use habilis_policies::passwords::{PasswordPolicy, Renewal};
use jiff::SignedDuration;
use serde::Deserialize;
use toml::{Table, Value};
use url::Url;

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

/// `[server]`
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is documented in habilis.toml")]
pub struct Server {
    pub issuer: String,
    pub listen: SocketAddr,
    #[serde(deserialize_with = "empty_is_none")]
    pub metrics_listen: Option<SocketAddr>,
    #[serde(deserialize_with = "empty_is_none")]
    pub tls_certificate_file: Option<PathBuf>,
    #[serde(deserialize_with = "empty_is_none")]
    pub tls_key_file: Option<PathBuf>,
    pub trusted_proxies: Vec<IpAddr>,
    pub body_limit_bytes: usize,
    pub request_timeout_seconds: u64,
    pub max_requests: usize,
}

/// `[database]`
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is documented in habilis.toml")]
pub struct Database {
    pub url: Secret<String>,
    pub connections: u32,
}

/// `[keys]`
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is documented in habilis.toml")]
pub struct Keys {
    pub master_key: Secret<String>,
    pub master_key_file: PathBuf,
    pub sign_for_days: u32,
    pub publish_ahead_hours: u32,
}

/// `[sign_in]`
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is documented in habilis.toml")]
pub struct SignIn {
    pub session_idle_minutes: u32,
    pub session_absolute_minutes: u32,
    pub failures_per_address_per_hour: u32,
    pub failures_per_network_per_hour: u32,
    pub interactions_per_address_per_minute: u32,
}

/// `[second_factor]`
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is documented in habilis.toml")]
pub struct SecondFactor {
    pub required_of: Vec<habilis_policies::second_factor::Role>,
    pub mail_removal_after_hours: u16,
    pub password_good_for_minutes: u16,
}

/// `[accounts]`
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is documented in habilis.toml")]
pub struct Accounts {
    pub invitation_days: u32,
    pub self_registration: bool,
    pub sign_ups_per_address_per_hour: u32,
    pub sign_ups_per_network_per_hour: u32,
    pub proof_of_work_bits: u8,
    pub unproven_delay_minutes: u32,
    pub unproven_per_address_per_hour: u32,
    pub unproven_per_hour: u32,
    pub sessions_per_person: u32,
    pub sessions_beyond: SessionsBeyond,
    pub sharing_networks: usize,
    pub sharing_window_minutes: u32,
    pub mandatory: Vec<habilis_policies::attributes::Attribute>,
}

/// `accounts.sessions_beyond`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionsBeyond {
    /// The session used longest ago ends.
    EndOldest,
    /// The new one is refused.
    RefuseNew,
}

/// `[passwords]`
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is documented in habilis.toml")]
pub struct Passwords {
    pub four_classes_min: u16,
    pub three_classes_min: u16,
    pub passphrase_words_min: u16,
    #[serde(deserialize_with = "empty_is_none")]
    pub leaked_file: Option<PathBuf>,
    pub strength_min: u8,
    pub history: u8,
    pub yearly_renewal: bool,
    #[serde(deserialize_with = "empty_is_none")]
    pub campaign_on: Option<MonthDay>,
    pub campaign_min_age_days: u16,
    pub grace_days: u16,
}

/// `[password_floor]`
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is documented in habilis.toml")]
pub struct PasswordFloor {
    pub four_classes_min: u16,
    pub three_classes_min: u16,
    pub passphrase_words_min: u16,
    pub strength_min: u8,
    pub history: u8,
    pub yearly_renewal: bool,
    pub grace_days: u16,
}

/// A day of every year, `MM-DD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonthDay {
    /// 1 to 12.
    pub month: i8,
    /// 1 to 28, so that every year has it.
    pub day: i8,
}

impl std::str::FromStr for MonthDay {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "a day is written MM-DD, from 01-01 to 12-28, and is no later than the 28th";
        let (month, day) = text.split_once('-').ok_or(wrong)?;
        let (month, day) = (month.parse().map_err(|_| wrong)?, day.parse().map_err(|_| wrong)?);
        if (1..=12).contains(&month) && (1..=28).contains(&day) { Ok(Self { month, day }) } else { Err(wrong) }
    }
}

/// `[password_hash]`
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is documented in habilis.toml")]
pub struct PasswordHash {
    pub memory_kib: u32,
    pub iterations: u32,
    pub parallelism: u32,
    pub parallel: usize,
    pub queue: usize,
}

/// `[tokens]`
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is documented in habilis.toml")]
pub struct Tokens {
    pub access_token_seconds: u32,
    pub id_token_seconds: u32,
    pub refresh_token_days: u32,
}

/// `[registration]`
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is documented in habilis.toml")]
pub struct Registration {
    pub open: bool,
    pub clients_per_address_per_minute: u32,
}

/// `[legacy]`
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is documented in habilis.toml")]
pub struct Legacy {
    pub response_types: bool,
    pub at_registration: bool,
}

/// `[device]`
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is documented in habilis.toml")]
pub struct Device {
    pub code_minutes: u32,
    pub interval_seconds: u32,
    pub wrong_codes_per_address_per_hour: u32,
}

/// `[api]`
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is documented in habilis.toml")]
pub struct Api {
    pub requests_per_minute: u32,
    pub step_up_seconds: u32,
}

/// `[imports]`
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is documented in habilis.toml")]
pub struct Imports {
    pub keep_days: u16,
}

/// `[reviews]`
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is documented in habilis.toml")]
pub struct Reviews {
    pub every_months: u8,
    pub due_days: u16,
}

/// `[api_keys]`
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is documented in habilis.toml")]
pub struct ApiKeys {
    pub environment: String,
    pub scopes: Vec<String>,
    pub vendor_required: bool,
    pub software_required: bool,
    pub unknown_per_network_per_minute: u32,
}

impl ApiKeys {
    fn check(&self, refuse: &mut impl FnMut(bool, &str)) {
        refuse(
            !habilis_keys::api_key::is_environment(&self.environment),
            "api_keys.environment is 1 to 8 lower-case letters and digits",
        );
        refuse(
            self.scopes.len() > 64 || !self.scopes.iter().all(|scope| habilis_policies::api_keys::is_for_keys(scope)),
            "api_keys.scopes are at most 64 scope tokens, none of them of this server itself",
        );
        refuse(self.unknown_per_network_per_minute == 0, "api_keys.unknown_per_network_per_minute is at least 1");
    }
}

/// `[events]`
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is documented in habilis.toml")]
pub struct Events {
    pub keep_days: u16,
}

impl Events {
    /// How long events can be read.
    pub fn keep(&self) -> SignedDuration {
        SignedDuration::from_hours(24 * i64::from(self.keep_days))
    }
}

/// `[fetch]`
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is documented in habilis.toml")]
pub struct Fetch {
    pub allow_private_addresses: bool,
    pub request_uris: bool,
    #[serde(deserialize_with = "empty_is_none")]
    pub extra_roots_file: Option<PathBuf>,
}

/// `[mail]`
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is documented in habilis.toml")]
pub struct Mail {
    pub transport: MailTransport,
    pub folder: PathBuf,
    pub smtp_url: Secret<String>,
    pub from: String,
    #[serde(deserialize_with = "empty_is_none")]
    pub dpo: Option<String>,
}

impl Mail {
    /// What is wrong with the section.
    fn problems(&self) -> Vec<&'static str> {
        let mut problems = Vec::new();
        if self.from.parse::<lettre::message::Mailbox>().is_err() {
            problems.push("mail.from is not a mail address such as \"Habilis <ne-pas-repondre@example.fr>\"");
        }
        let url = self.smtp_url.expose();
        let required = url.starts_with("smtp://") && url.contains("tls=required");
        let encrypted = required || url.starts_with("smtps://");
        if self.transport == MailTransport::Smtp && !encrypted && !is_loopback_smtp(url) {
            problems.push(
                "mail.smtp_url is smtps://… or smtp://…?tls=required; a mail is never sent in clear beyond this machine",
            );
        }
        problems
    }
}

/// `mail.transport`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTransport {
    /// A mail server.
    Smtp,
    /// A folder of `.eml` files.
    Folder,
    /// Nowhere: the outbox keeps what was sent.
    Memory,
}

/// `[pages]`
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is documented in habilis.toml")]
pub struct Pages {
    pub name: String,
    #[serde(deserialize_with = "empty_is_none")]
    pub help_url: Option<Url>,
    #[serde(deserialize_with = "empty_is_none")]
    pub privacy_url: Option<Url>,
    #[serde(deserialize_with = "empty_is_none")]
    pub legal_url: Option<Url>,
}

/// `[console]`
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is documented in habilis.toml")]
pub struct Console {
    pub client_id: String,
    pub client_secret: Secret<String>,
}

/// `[authorization]`
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is documented in habilis.toml")]
pub struct Authorization {
    #[serde(deserialize_with = "empty_is_none")]
    pub rules_file: Option<PathBuf>,
}

/// `[log]`
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is documented in habilis.toml")]
pub struct Log {
    pub format: LogFormat,
    pub filter: String,
}

/// `log.format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
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
            networks: self.accounts.sharing_networks,
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

impl SignIn {
    fn check(&self, refuse: &mut impl FnMut(bool, &str)) {
        refuse(
            !(1..=self.session_absolute_minutes).contains(&self.session_idle_minutes),
            "sign_in.session_idle_minutes is at least 1 and at most session_absolute_minutes",
        );
        refuse(
            !(1..=44640).contains(&self.session_absolute_minutes),
            "sign_in.session_absolute_minutes is between 1 and 44640 (a month)",
        );
        refuse(self.failures_per_address_per_hour == 0, "sign_in.failures_per_address_per_hour is at least 1");
        refuse(
            self.interactions_per_address_per_minute == 0,
            "sign_in.interactions_per_address_per_minute is at least 1",
        );
        refuse(self.failures_per_network_per_hour == 0, "sign_in.failures_per_network_per_hour is at least 1");
    }
}

impl Accounts {
    fn check(&self, refuse: &mut impl FnMut(bool, &str)) {
        refuse(!(1..=30).contains(&self.invitation_days), "accounts.invitation_days is between 1 and 30");
        refuse(
            [self.sign_ups_per_address_per_hour, self.sign_ups_per_network_per_hour].contains(&0),
            "accounts.sign_ups_per_address_per_hour and sign_ups_per_network_per_hour are at least 1",
        );
        refuse(!(8..=24).contains(&self.proof_of_work_bits), "accounts.proof_of_work_bits is between 8 and 24");
        refuse(
            !(1..=1440).contains(&self.unproven_delay_minutes),
            "accounts.unproven_delay_minutes is between 1 and 1440 (a day)",
        );
        refuse(
            self.unproven_per_address_per_hour > self.sign_ups_per_address_per_hour,
            "accounts.unproven_per_address_per_hour is at most sign_ups_per_address_per_hour",
        );
        refuse(self.unproven_per_hour > 10_000, "accounts.unproven_per_hour is at most 10000");
        refuse(self.sessions_per_person > 100, "accounts.sessions_per_person is at most 100; 0 means no limit");
        refuse(
            self.sharing_networks == 1 || self.sharing_networks > 20,
            "accounts.sharing_networks is between 2 and 20, or 0 for never",
        );
        refuse(
            !(1..=1440).contains(&self.sharing_window_minutes),
            "accounts.sharing_window_minutes is between 1 and 1440 (a day)",
        );
    }

    /// How many sessions a person has at the same time, and what happens beyond.
    pub fn session_limit(&self) -> (u32, habilis_policies::sessions::Beyond) {
        let beyond = match self.sessions_beyond {
            SessionsBeyond::EndOldest => habilis_policies::sessions::Beyond::EndOldest,
            SessionsBeyond::RefuseNew => habilis_policies::sessions::Beyond::RefuseNew,
        };
        (self.sessions_per_person, beyond)
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn is_loopback_smtp(url: &str) -> bool {
    // `smtp:` is no special scheme to the URL parser, so its host would stay a mere name.
    Url::parse(&url.replacen("smtp://", "http://", 1)).is_ok_and(|url| is_loopback(&url))
}

#[expect(clippy::expect_used, reason = "the embedded defaults are read in a test")]
fn defaults() -> Table {
    DEFAULTS.parse().expect("habilis.toml is well-formed")
}

fn overlay(table: &mut Table, given: Table, problems: &mut Vec<String>) {
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

fn overlay_variable(table: &mut Table, (name, path): (&str, &str), text: &str, problems: &mut Vec<String>) {
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
fn read_secret_files(table: &mut Table, problems: &mut Vec<String>) {
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

fn empty_is_none<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: std::str::FromStr<Err: fmt::Display>,
{
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(serde::de::Error::custom) }
}

#[cfg(test)]
mod tests {
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
            ("sharing_window_minutes = 0", "sharing_window_minutes"),
            ("mandatory = [\"blood_type\"]", "blood_type"),
        ] {
            let problems = load(&format!("[accounts]\n{setting}"), &[]).unwrap_err().to_string();
            assert!(problems.contains(word), "{setting}: {problems}");
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
