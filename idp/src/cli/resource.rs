//! `habilis resource`: the protected resources that access tokens can be issued for (RFC 8707).

use clap::Subcommand;
use habilis_policies::resources::is_resource;
use habilis_policies::scopes::Scope;

use super::{open_migrated, say};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::audit::{self, Event};
use crate::db::resources::{self, Resource};
use crate::db::{clients, is_unique_violation};
use crate::outcome::{Fault, Outcome};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a resource known, so that portals can ask for tokens that are good there and nowhere else.
    Add {
        /// Its address, which becomes the audience of its tokens: an absolute URI without fragment.
        uri: String,
        /// The scope tokens that mean something there, space separated.
        #[arg(long)]
        scope: String,
        /// `client_id` of the resource server, which may then introspect the tokens for this resource.
        #[arg(long, value_name = "CLIENT_ID")]
        server: Option<String>,
    },
    /// List the resources.
    List,
    /// Forget a resource: no further token is issued for it.
    Remove {
        /// Its address.
        uri: String,
    },
}

pub(super) async fn run(command: Command, config: Config) -> Outcome<()> {
    match command {
        Command::Add { uri, scope, server } => add(&config, Resource { uri, client_id: server, scopes: scope }).await,
        Command::List => list(&config).await,
        Command::Remove { uri } => remove(&config, &uri).await,
    }
}

async fn add(config: &Config, mut resource: Resource) -> Outcome<()> {
    if !is_resource(&resource.uri) || resource.uri == config.server.issuer {
        return Err(Fault::new(
            "a resource is an absolute URI without fragment, of at most 512 bytes, and not this server itself",
        ));
    }
    let scope = Scope::parse(&resource.scopes)?;
    if scope.is_empty() {
        return Err(Fault::new("--scope names at least one scope token"));
    }
    resource.scopes = scope.to_string();
    let now = Clock::System.now();
    let db = open_migrated(config).await?;
    let mut tx = db.begin().await?;
    if let Some(client) = &resource.client_id
        && clients::find(&mut tx, client).await?.is_none()
    {
        return Err(Fault::new(format!("there is no client {client}; create it first")));
    }
    match resources::insert(&mut tx, &resource, now).await {
        Err(error) if is_unique_violation(&error) => {
            return Err(Fault::new(format!("{} is known already; remove it first to change it", resource.uri)));
        }
        inserted => inserted?,
    }
    let event =
        Event::new("resource.added").by("cli").with("resource", resource.uri.clone()).with("scope", resource.scopes);
    audit::record(&mut tx, event, now).await?;
    tx.commit().await?;
    db.close().await;
    say(format_args!("{} is known", resource.uri));
    Ok(())
}

async fn list(config: &Config) -> Outcome<()> {
    const PAGE: u32 = 500;
    let db = open_migrated(config).await?;
    let mut reader = db.reader().await?;
    let mut after = String::new();
    loop {
        let page = resources::list(&mut reader, &after, PAGE).await?;
        for resource in &page {
            say(format_args!(
                "{}  {}  {}",
                resource.uri,
                resource.client_id.as_deref().unwrap_or("-"),
                resource.scopes
            ));
        }
        match page.last() {
            Some(last) if page.len() == PAGE as usize => after.clone_from(&last.uri),
            _ => break,
        }
    }
    drop(reader);
    db.close().await;
    Ok(())
}

async fn remove(config: &Config, uri: &str) -> Outcome<()> {
    let now = Clock::System.now();
    let db = open_migrated(config).await?;
    let mut tx = db.begin().await?;
    if !resources::delete(&mut tx, uri).await? {
        return Err(Fault::new(format!("there is no resource {uri}")));
    }
    audit::record(&mut tx, Event::new("resource.removed").by("cli").with("resource", uri), now).await?;
    tx.commit().await?;
    db.close().await;
    say(format_args!("{uri} is forgotten"));
    Ok(())
}
