//! `habilis resource`: the protected resources that access tokens can be issued for (RFC 8707).

use clap::Subcommand;

use super::{open_migrated, say};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::audit::Event;
use crate::db::resources as rows;
use crate::outcome::{Fault, Outcome};
use crate::resources::{self, Refused, Terms};

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
        Command::Add { uri, scope, server } => {
            add(&config, &uri, Terms { scope: &scope, server: server.as_deref() }).await
        }
        Command::List => list(&config).await,
        Command::Remove { uri } => remove(&config, &uri).await,
    }
}

async fn add(config: &Config, uri: &str, terms: Terms<'_>) -> Outcome<()> {
    let now = Clock::System.now();
    let db = open_migrated(config).await?;
    let mut tx = db.begin().await?;
    let event = Event::new("resource.added").by("cli");
    let added = resources::add(&mut tx, (uri, &config.server.issuer), (terms, event), now).await?;
    added.map_err(|refused| match refused {
        Refused::Taken(_) => Fault::new(format!("{refused}; remove it first to change it")),
        _ => Fault::new(refused.to_string()),
    })?;
    tx.commit().await?;
    db.close().await;
    say(format_args!("{uri} is known"));
    Ok(())
}

async fn list(config: &Config) -> Outcome<()> {
    const PAGE: u32 = 500;
    let db = open_migrated(config).await?;
    let mut reader = db.reader().await?;
    let (mut at, mut id) = (-1, String::new());
    loop {
        let page = rows::list(&mut reader, (at, &id, PAGE)).await?;
        for resource in &page {
            say(format_args!(
                "{}  {}  {}",
                resource.uri,
                resource.client_id.as_deref().unwrap_or("-"),
                resource.scopes
            ));
        }
        match page.last() {
            Some(last) if page.len() == PAGE as usize => (at, id) = (last.created_at.milliseconds(), last.id.clone()),
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
    let unknown = || Fault::new(format!("there is no resource {uri}"));
    let resource = rows::find(&mut tx, uri).await?.ok_or_else(unknown)?;
    let event = Event::new("resource.removed").by("cli");
    resources::remove(&mut tx, &resource, event, now).await?.map_err(|_| unknown())?;
    tx.commit().await?;
    db.close().await;
    say(format_args!("{uri} is forgotten"));
    Ok(())
}
