//! The sections of the configuration, one type each: what they hold, and what in them makes no sense.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use habilis_keys::secret::Secret;
use jiff::SignedDuration;
use serde::Deserialize;
use url::Url;

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
    pub links_per_address_per_hour: u32,
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
    pub sharing_by: habilis_policies::sharing::By,
    pub sharing_networks: usize,
    pub sharing_window_minutes: u32,
    pub mandatory: Vec<habilis_policies::attributes::Attribute>,
    pub contract_required_of: Vec<habilis_policies::identifiers::OrganizationKind>,
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

/// `[orders]`
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "each field is documented in habilis.toml")]
pub struct Orders {
    pub self_service_trials: bool,
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
    pub(super) fn check(&self, refuse: &mut impl FnMut(bool, &str)) {
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
    pub(super) fn problems(&self) -> Vec<&'static str> {
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

impl SignIn {
    pub(super) fn check(&self, refuse: &mut impl FnMut(bool, &str)) {
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
        refuse(
            !(1..=10_000).contains(&self.links_per_address_per_hour),
            "sign_in.links_per_address_per_hour is between 1 and 10000",
        );
    }
}

impl Accounts {
    pub(super) fn check(&self, refuse: &mut impl FnMut(bool, &str)) {
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

/// Whether an address is on this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
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

fn empty_is_none<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: std::str::FromStr<Err: fmt::Display>,
{
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(serde::de::Error::custom) }
}
