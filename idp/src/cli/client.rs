//! `habilis client`: register and look at client applications.

use std::path::PathBuf;

use clap::Subcommand;
use habilis_keys::secret::Secret;
use habilis_policies::acr::{Name, Vocabulary};
use habilis_policies::identifiers::OrganizationKind;
use habilis_policies::profiles::SecurityProfile;
use habilis_policies::scopes::Scope;
use habilis_policies::second_factor::Rule;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{master_key, open_migrated, say};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::audit::{self, Event};
use crate::db::clients::MANAGES_ALL;
use crate::db::{clients, is_unique_violation, organizations, products};
use crate::fetch::Fetcher;
use crate::oidc::claims::ClaimsProfile;
use crate::oidc::client::{Metadata, Registration, Settings, check_for_operator};
use crate::oidc::initial_access::{InitialAccess, Terms};
use crate::oidc::subject::verify_sector;
use crate::outcome::{Fault, Outcome};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Register a client from a JSON file of registration metadata (RFC 7591 names; `client_id` and `client_secret` may be
    /// chosen in it). The secret is printed once.
    Create {
        /// The file; `-` reads standard input.
        file: PathBuf,
        /// Security profile: `oidc`, `fapi2_security`, `fapi2_message_signing` or `legacy`.
        #[arg(long, default_value = "oidc", value_parser = profile)]
        profile: SecurityProfile,
        /// One of the operator's own portals: people are not asked for consent.
        #[arg(long)]
        first_party: bool,
        /// A resource server: introspection tells it of every access token, whoever it was issued to.
        #[arg(long)]
        resource_server: bool,
        /// What the client calls a level of sign-in, weakest first: `eidas1=one_factor`, `eidas1-mfa=two_factors` (the
        /// default). May be given several times.
        #[arg(long, value_name = "NAME=LEVEL", value_parser = acr)]
        acr: Vec<Name>,
        /// Its people need a second factor, whatever others ask.
        #[arg(long)]
        require_second_factor: bool,
        /// For whom it manages through the management API when it acts for itself: `operator`, or an organization's id.
        #[arg(long, value_name = "operator|org_…")]
        manages: Option<String>,
        #[command(flatten)]
        reach: Reach,
    },
    /// Change the operator's settings of a client. What is not named stays. A server that runs goes by them within four seconds.
    Update {
        /// `client_id`.
        client_id: String,
        #[command(flatten)]
        reach: Reach,
        /// Open it to everybody again, people without organization included.
        #[arg(long, conflicts_with = "organization_kinds")]
        any_organization: bool,
        /// The whole scope it may ask for, those of APIs included that it cannot give itself by registration: "a b".
        #[arg(long, value_name = "SCOPE")]
        scope: Option<String>,
    },
    /// Make an initial access token for client registration (RFC 7591 §3). It is printed once. Needs the master key, not the
    /// database, so it works while the server runs.
    InitialAccessToken {
        /// How many clients it registers.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
        uses: u32,
        /// How many days it is good for.
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=90))]
        days: u32,
    },
    /// List the clients.
    List,
    /// Show a client's metadata.
    Show {
        /// `client_id`.
        client_id: String,
    },
}

/// For whom a client is, and what it may learn.
#[derive(Debug, clap::Args)]
pub(super) struct Reach {
    /// Open to people of such organizations alone: `company`, `training_body`, `cfa`, `partner` or `individual`. May be given
    /// several times; not given, everybody may come.
    #[arg(long = "organization-kind", value_name = "KIND", value_parser = kind)]
    organization_kinds: Vec<OrganizationKind>,
    /// What it may learn about people: `standard`, what its scopes ask for, or `minimal`, names and mail address alone.
    #[arg(long, value_name = "PROFILE", value_parser = claims)]
    claims: Option<ClaimsProfile>,
    /// `false` for a service that works without sign-in: it can never send anybody to one.
    #[arg(long, value_name = "BOOLEAN")]
    auth_required: Option<bool>,
    /// `true` for the software of a vendor that works with API keys of apprenticeship centres.
    #[arg(long, value_name = "BOOLEAN")]
    api_keys: Option<bool>,
    /// The product it belongs to: people need a seat of it. `none` for no product.
    #[arg(long, value_name = "PRODUCT|none")]
    product: Option<String>,
    /// `true` for a portal whose people need an enrolment.
    #[arg(long, value_name = "BOOLEAN")]
    enrolment: Option<bool>,
}

impl Reach {
    fn is_empty(&self) -> bool {
        self.organization_kinds.is_empty()
            && self.claims.is_none()
            && self.auth_required.is_none()
            && self.api_keys.is_none()
            && self.product.is_none()
            && self.enrolment.is_none()
    }

    fn over(self, mut settings: Settings) -> Settings {
        if !self.organization_kinds.is_empty() {
            settings.organization_kinds = self.organization_kinds;
            settings.organization_kinds.sort_unstable();
            settings.organization_kinds.dedup();
        }
        settings.claims = self.claims.unwrap_or(settings.claims);
        settings.auth_required = self.auth_required.unwrap_or(settings.auth_required);
        settings.api_keys = self.api_keys.unwrap_or(settings.api_keys);
        settings.enrolment = self.enrolment.unwrap_or(settings.enrolment);
        if let Some(product) = self.product {
            settings.product = Some(product).filter(|product| product != "none");
        }
        settings
    }
}

fn kind(name: &str) -> Result<OrganizationKind, String> {
    OrganizationKind::parse(name).ok_or_else(|| {
        let names: Vec<_> = OrganizationKind::ALL.into_iter().map(OrganizationKind::name).collect();
        format!("one of {}", names.join(", "))
    })
}

fn claims(name: &str) -> Result<ClaimsProfile, String> {
    serde_json::from_value(Value::String(name.to_owned())).map_err(|_| "standard or minimal".to_owned())
}

fn profile(name: &str) -> Result<SecurityProfile, String> {
    serde_json::from_value(Value::String(name.to_owned()))
        .map_err(|_| "one of oidc, fapi2_security, fapi2_message_signing, legacy".to_owned())
}

fn acr(text: &str) -> Result<Name, String> {
    let (acr, level) = text.rsplit_once('=').ok_or("NAME=LEVEL")?;
    if acr.is_empty() || acr.len() > 256 || !acr.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"') {
        return Err("the name is a short text without spaces".to_owned());
    }
    let level = serde_json::from_value(Value::String(level.to_owned()))
        .map_err(|_| "the level is one_factor or two_factors".to_owned())?;
    Ok(Name { acr: acr.to_owned(), level })
}

pub(super) async fn run(command: Command, config: Config) -> Outcome<()> {
    match command {
        Command::Create { file, profile, first_party, resource_server, acr, require_second_factor, manages, reach } => {
            let acr = if acr.is_empty() { Vocabulary::default() } else { acr.into_iter().collect() };
            let second_factor = if require_second_factor { Rule::Required } else { Rule::Optional };
            let settings =
                Settings { profile, first_party, resource_server, acr, second_factor, ..Settings::default() };
            create(&config, &file, (&reach.over(settings), manages.as_deref())).await
        }
        Command::Update { client_id, reach, any_organization, scope } => {
            if reach.is_empty() && !any_organization && scope.is_none() {
                return Err(Fault::new("nothing to change was named; see `habilis client update --help`"));
            }
            let change = |mut settings: Settings| {
                if any_organization {
                    settings.organization_kinds.clear();
                }
                reach.over(settings)
            };
            update(&config, (&client_id, scope), change).await
        }
        Command::InitialAccessToken { uses, days } => initial_access_token(&config, uses, days),
        Command::List => list(&config).await,
        Command::Show { client_id } => show(&config, &client_id).await,
    }
}

async fn create(
    config: &Config,
    file: &std::path::Path,
    (settings, manages): (&Settings, Option<&str>),
) -> Outcome<()> {
    let text = if file.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin())?
    } else {
        std::fs::read_to_string(file).map_err(|error| Fault::new(format!("{}: {error}", file.display())))?
    };
    let mut json: Value =
        serde_json::from_str(&text).map_err(|error| Fault::new(format!("{}: {error}", file.display())))?;
    let mut chosen = |name: &str| match json.as_object_mut().and_then(|members| members.remove(name)) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let now = Clock::System.now();
    let id = chosen("client_id").unwrap_or_else(|| habilis_keys::random::id("cli", now));
    let secret = chosen("client_secret").map(Secret::new);
    if id.is_empty() || id.len() > 256 || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Fault::new("client_id is between 1 and 256 visible ASCII characters"));
    }
    if secret.as_ref().is_some_and(|secret| secret.expose().len() < 32) {
        return Err(Fault::new("client_secret has at least 32 characters; leave it out to have one made"));
    }
    let metadata: Metadata = serde_json::from_value(json).map_err(|error| Fault::new(format!("metadata: {error}")))?;
    let fetcher = Fetcher::new(&config.fetch)?;
    if let Err(problems) = check_for_operator(config, &fetcher, (&metadata, settings)) {
        let lines: Vec<_> =
            problems.iter().map(|problem| format!("\n  - {}: {}", problem.error, problem.description)).collect();
        return Err(Fault::new(format!("the metadata cannot be registered:{}", lines.concat())));
    }
    if let Err(problem) = verify_sector(&fetcher, &metadata).await {
        return Err(Fault::new(format!("the metadata cannot be registered: {}", problem.description)));
    }
    let mut registration = Registration::new(id, &metadata, settings, secret)?;
    if metadata.token_endpoint_auth_method == "client_secret_jwt" {
        registration.keep_secret(&master_key(&config.keys)?);
    }
    let db = open_migrated(config).await?;
    let mut tx = db.begin().await?;
    match clients::insert(&mut tx, &registration.row, now).await {
        Err(error) if is_unique_violation(&error) => {
            return Err(Fault::new(format!("a client {} exists already; nothing was changed", registration.row.id)));
        }
        inserted => inserted?,
    }
    if let Some(manages) = manages {
        if manages != MANAGES_ALL && !organizations::exists(&mut tx, manages).await? {
            return Err(Fault::new(format!("--manages is `operator` or an organization's id; there is no {manages}")));
        }
        clients::set_manages(&mut tx, &registration.row.id, Some(manages)).await?;
    }
    let event = Event::new("client.created").by("cli").at_client(&registration.row.id);
    audit::record(&mut tx, event, now).await?;
    tx.commit().await?;
    db.close().await;
    let mut shown = serde_json::to_value(&metadata)?;
    shown["client_id"] = json!(registration.row.id);
    if let Some(secret) = &registration.secret {
        shown["client_secret"] = json!(secret.expose());
    }
    say(serde_json::to_string_pretty(&shown)?);
    Ok(())
}

async fn update(
    config: &Config,
    (id, scope): (&str, Option<String>),
    change: impl FnOnce(Settings) -> Settings,
) -> Outcome<()> {
    let now = Clock::System.now();
    let db = open_migrated(config).await?;
    let mut tx = db.begin().await?;
    let row = clients::find(&mut tx, id).await?.ok_or_else(|| Fault::new(format!("there is no client {id}")))?;
    let settings = change(serde_json::from_str(&row.settings)?);
    let mut metadata: Metadata = serde_json::from_str(&row.metadata)?;
    if let Err(problem) = settings.check(&metadata) {
        return Err(Fault::new(format!("nothing was changed: {}", problem.description)));
    }
    // A portal of a product that is not there would let nobody in.
    if let Some(product) = &settings.product
        && products::find(&mut tx, product).await?.is_none()
    {
        return Err(Fault::new(format!("nothing was changed: there is no product {product}")));
    }
    let stored = serde_json::to_string(&settings)?;
    clients::set_settings(&mut tx, id, &stored, now).await?;
    let mut event =
        Event::new("client.changed").by("cli").at_client(id).with("before", row.settings).with("after", stored);
    if let Some(scope) = scope {
        if Scope::parse(&scope).is_err() {
            return Err(Fault::new("nothing was changed: the scope is malformed"));
        }
        event = event.with("scope", scope.clone());
        metadata.scope = Some(scope);
        clients::replace_metadata(&mut tx, id, &serde_json::to_string(&metadata)?, now).await?;
    }
    audit::record(&mut tx, event, now).await?;
    tx.commit().await?;
    db.close().await;
    drop(db);
    show(config, id).await
}

fn initial_access_token(config: &Config, uses: u32, days: u32) -> Outcome<()> {
    let expires_at = Clock::System.now().saturating_add(SignedDuration::from_hours(24 * i64::from(days)))?;
    let made = InitialAccess::new(&master_key(&config.keys)?).make(Terms { uses, expires_at });
    say(made.expose());
    Ok(())
}

async fn list(config: &Config) -> Outcome<()> {
    const PAGE: u32 = 500;
    let db = open_migrated(config).await?;
    let mut reader = db.reader().await?;
    let mut after = String::new();
    loop {
        let page = clients::list(&mut reader, &after, PAGE).await?;
        for row in &page {
            let metadata: Metadata = serde_json::from_str(&row.metadata)?;
            say(format_args!(
                "{}  {}  {}  {}",
                row.id,
                row.status,
                metadata.token_endpoint_auth_method,
                metadata.client_name.unwrap_or_default()
            ));
        }
        match page.last() {
            Some(last) if page.len() == PAGE as usize => after.clone_from(&last.id),
            _ => break,
        }
    }
    drop(reader);
    db.close().await;
    Ok(())
}

async fn show(config: &Config, id: &str) -> Outcome<()> {
    let db = open_migrated(config).await?;
    let row = clients::find(&mut db.reader().await?, id).await?;
    db.close().await;
    let row = row.ok_or_else(|| Fault::new(format!("there is no client {id}")))?;
    let mut shown: Value = serde_json::from_str(&row.metadata)?;
    shown["client_id"] = json!(row.id);
    shown["status"] = json!(row.status);
    let settings: Settings = serde_json::from_str(&row.settings)?;
    shown["settings"] = serde_json::to_value(&settings)?;
    say(serde_json::to_string_pretty(&shown)?);
    Ok(())
}
