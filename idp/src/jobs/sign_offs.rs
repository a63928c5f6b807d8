//! A review of many members is carried out some members a transaction, and signed off in the last (R057): signed means carried out.

use jiff::Timestamp;
use tokio::time::Instant;

use super::work::Job;
use crate::account::evidence::{self, Signature};
use crate::account::review::{self, Signing};
use crate::app::App;
use crate::db::reviews::{self, Review};
use crate::db::{TURN, Tx, audit, members};
use crate::outcome::Outcome;

/// Kind of the job.
pub(crate) const SIGN_OFF: &str = "review_sign_off";
/// Members in one transaction at most; fewer when they take longer than a [`TURN`].
const BATCH: u32 = 20;

/// Carries out what is left: after a crash the next worker goes on behind the last commit. What cannot be carried out any more gives the
/// review back to be decided again; what was carried out by then stays so.
///
/// # Errors
/// The database or a template failed.
pub(super) async fn run(app: &App, job: &Job) -> Outcome<()> {
    let (organization, id) = (job.taken.organization_id.as_str(), job.taken.subject.as_str());
    let mut reader = app.db.reader().await?;
    let total = reviews::count_to_carry_out(&mut reader, id).await?;
    drop(reader);
    let mut done = 0;
    loop {
        let now = app.clock.now();
        let mut tx = app.db.begin().await?;
        let begun = Instant::now();
        if !job.advance(&mut tx, (done, total), now).await? {
            return Ok(());
        }
        members::lock(&mut tx, organization).await?;
        let found = reviews::find(&mut tx, organization, id).await?.filter(|review| review.status == "open");
        let Some((signing, review)) = found.and_then(|review| Some((review.signing.clone()?, review))) else {
            job.finish(&mut tx, "done", now).await?;
            return Ok(tx.commit().await?);
        };
        let signing: Signing = serde_json::from_str(&signing)?;
        let left = reviews::left(&mut tx, (organization, id), BATCH).await?;
        if left.is_empty() {
            return sign(job, tx, (&review, &signing), now).await;
        }
        for (person, decision) in &left {
            done += 1;
            let Some(member) = members::find(&mut tx, organization, person).await? else { continue };
            let event = |name| signing.event(name, organization);
            let what = (&member, decision.as_str(), signing.by.as_str());
            if !review::carry_out((&mut tx, app), (id, organization), what, event, now).await? {
                return stop(job, tx, (&review, &signing, person), now).await;
            }
            if begun.elapsed() > TURN {
                break;
            }
        }
        if job.advance(&mut tx, (done, total), now).await? {
            tx.commit().await?;
            app.mail_waiting.notify_one();
        }
    }
}

async fn sign(job: &Job, mut tx: Tx, (review, signing): (&Review, &Signing), now: Timestamp) -> Outcome<()> {
    let organization = review.organization_id.as_str();
    let signature = Signature { by: &signing.by, at: now, statement: &signing.statement };
    let sha256 = evidence::digest(&mut tx, (review, &signature)).await?;
    let signed = (signing.by.as_str(), signing.statement.as_str(), sha256.as_str());
    reviews::sign(&mut tx, (organization, &review.id), signed, now).await?;
    let event = signing.event("review.signed_off", organization).with("review", review.id.clone());
    audit::record(&mut tx, event.with("sha256", sha256), now).await?;
    if job.finish(&mut tx, "done", now).await? {
        tx.commit().await?;
    }
    Ok(())
}

/// The organization would be without an administrator: somebody left meanwhile who was to stay.
async fn stop(
    job: &Job,
    mut tx: Tx,
    (review, signing, person): (&Review, &Signing, &str),
    now: Timestamp,
) -> Outcome<()> {
    let organization = review.organization_id.as_str();
    reviews::stop_signing(&mut tx, (organization, &review.id), (person, "last_administrator")).await?;
    let event = signing.event("review.sign_off_stopped", organization).about(person);
    let event = event.with("review", review.id.clone()).with("reason", "last_administrator");
    audit::record(&mut tx, event, now).await?;
    if job.finish(&mut tx, "failed", now).await? {
        tx.commit().await?;
    }
    Ok(())
}
