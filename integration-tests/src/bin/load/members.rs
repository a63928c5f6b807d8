//! What looking at the members of one organization needs: who they are.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::StatusCode;

use super::manager::{Manager, text};
use super::{Connection, Failure, Scenario, Target, form};

/// Pages that are read for names and ids before the clock runs.
const PAGES: usize = 20;

/// Some of the members of an organization, and how to ask for them.
#[derive(Clone, Default)]
pub(super) struct Members {
    authorization: String,
    organization: String,
    /// Members on a page.
    limit: usize,
    ids: Arc<Vec<String>>,
    /// The beginnings of names, three letters and more.
    words: Arc<Vec<String>>,
    cursors: Arc<Vec<String>>,
    asked: Arc<AtomicUsize>,
}

impl Members {
    /// Reads the first pages of the members of `organization`, of which `limit` will be shown at a time. Searched for will be what at
    /// least `found` of those read are called, so that organizations of unlike size can be asked for as many.
    pub(super) async fn prepare(
        target: &Target,
        organization: &str,
        (limit, found): (usize, usize),
    ) -> Result<Self, Failure> {
        let manager = Manager::new(target, "habilis.members.read").await?;
        let (mut ids, mut words, mut cursors) = (Vec::new(), Vec::new(), vec![String::new()]);
        let mut called: HashMap<String, usize> = HashMap::new();
        for _ in 0..PAGES {
            let cursor = cursors.last().cloned().unwrap_or_default();
            let page = manager.get(&format!("/organizations/{organization}/members?limit=200{cursor}")).await?;
            for member in page["items"].as_array().into_iter().flatten() {
                ids.push(text(member, "id")?.to_owned());
                let begin = |name: &str, letters| -> String {
                    name.chars().take(letters).filter(|letter| letter.is_alphabetic()).collect()
                };
                let names = [text(member, "family_name")?, text(member, "given_name")?];
                words.extend(names.map(|name| begin(name, 3 + ids.len() % 3)));
                // Somebody who is called the same twice is one.
                let beginnings: BTreeSet<_> =
                    names.iter().flat_map(|name| [3, 4, 5].map(|letters| begin(name, letters))).collect();
                for beginning in beginnings {
                    *called.entry(beginning).or_default() += 1;
                }
            }
            let Some(next) = page["next"].as_str() else { break };
            cursors.push(format!("&cursor={next}"));
        }
        if ids.is_empty() {
            return Err(format!("{organization} has no members"));
        }
        words.retain(|word| called.get(word).is_some_and(|count| *count >= found));
        if words.is_empty() {
            return Err(format!("of the members that were read no {found} begin alike"));
        }
        Ok(Self {
            authorization: manager.authorization(),
            organization: organization.to_owned(),
            limit,
            ids: Arc::new(ids),
            words: Arc::new(words),
            cursors: Arc::new(cursors),
            asked: Arc::default(),
        })
    }

    /// Lists, searches or opens, each time another.
    pub(super) async fn look(&self, scenario: Scenario, connection: &mut Connection) -> Result<(), Failure> {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        // A stride that is prime to any number of them met here, so that neighbours do not follow each other.
        let one = |all: &[String]| all[number.wrapping_mul(7919) % all.len()].clone();
        let path = format!("/api/v1/organizations/{}/members", self.organization);
        let path = match scenario {
            Scenario::MembersSearch => {
                format!("{path}?limit={}&{}", self.limit, form(&[("q", &one(&self.words))]))
            }
            Scenario::MemberOpen => format!("{path}/{}", one(&self.ids)),
            _ => format!("{path}?limit={}{}", self.limit, one(&self.cursors)),
        };
        let reply = connection.get(&path, Some(&self.authorization)).await?;
        reply.expect_status(StatusCode::OK).map(drop)
    }
}
