//! How long a spreadsheet of many people takes, from the upload to the last letter written, in both modes; and what somebody
//! notices who writes in another organization meanwhile.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::manager::{Manager, text};
use super::{Failure, Target};

/// How often another organization's write is tried while an import runs.
const BETWEEN_WRITES: Duration = Duration::from_millis(100);
/// How often is asked how far it is.
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);
/// After this an import has failed.
const PATIENCE: Duration = Duration::from_mins(45);

/// What others noticed: writes done, writes told to come back, and the longest wait.
#[derive(Default)]
struct Noticed {
    done: usize,
    refused: usize,
    longest: Duration,
}

/// Imports `rows` people in each of `modes`, and prints rows per second.
pub(super) async fn measure(target: &Target, rows: usize, modes: &[&str]) -> Result<(), Failure> {
    let manager =
        Manager::new(target, "habilis.organizations.write habilis.members.write habilis.members.read").await?;
    let now = manager.demo("/demo/clock").await;
    let now: jiff::Timestamp = text(&now, "now")?.parse().map_err(|error| format!("{now}: {error}"))?;
    for mode in modes {
        let run = format!("charge-{}-{}", now.as_millisecond(), mode.replace('_', "-"));
        let organization = |name: String| json!({ "kind": "company", "name": name });
        let made = manager.post("/organizations", &organization(run.clone())).await?;
        let imports = format!("/organizations/{}/imports", text(&made, "id")?);
        let other = manager.post("/organizations", &organization(format!("{run}-voisine"))).await?;
        let other = format!("/organizations/{}/members", text(&other, "id")?);
        let began = Instant::now();
        let import = manager.send("POST", &imports, ("text/csv", file(&run, rows))).await?;
        let path = format!("{imports}/{}", text(&import, "id")?);
        let uploaded = began.elapsed();
        let (checked, noticed) = (Instant::now(), Noticed::default());
        let (import, noticed) = wait(&manager, (&path, "checking"), (&other, &run), noticed).await?;
        if import["rows"]["ready"] != rows {
            return Err(format!("not every row is ready: {import}"));
        }
        report(&format!("{mode}, checked"), rows, checked.elapsed(), &noticed);
        let applied = Instant::now();
        let asked = json!({ "mode": mode, "people_informed": true });
        manager.post(&format!("{path}/apply"), &asked).await?;
        let (import, noticed) = wait(&manager, (&path, "applying"), (&other, &run), Noticed::default()).await?;
        if import["rows"]["made"] != rows {
            return Err(format!("not everybody was made: {import}"));
        }
        report(&format!("{mode}, applied"), rows, applied.elapsed(), &noticed);
        println!("{:<28} {:>8.1} s for the upload", "", uploaded.as_secs_f64());
    }
    Ok(())
}

/// Waits until the import is in another state; writes elsewhere meanwhile.
async fn wait(
    manager: &Manager,
    (path, state): (&str, &str),
    (elsewhere, run): (&str, &str),
    mut noticed: Noticed,
) -> Result<(Value, Noticed), Failure> {
    let began = Instant::now();
    let looks = async {
        while began.elapsed() < PATIENCE {
            let import = manager.get(path).await?;
            if import["state"] != state {
                return Ok(import);
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        Err(format!("still {state} after {} s", PATIENCE.as_secs()))
    };
    let writes = async {
        for number in 0.. {
            let email = format!("{run}-{state}-{number}@voisine.example");
            let body = json!({ "email": email, "given_name": "Anne", "family_name": "Prévost" });
            let asked = Instant::now();
            match manager.post(elsewhere, &body).await {
                Ok(_) => noticed.done += 1,
                Err(refusal) if refusal.starts_with("503") => noticed.refused += 1,
                Err(failure) => return failure,
            }
            noticed.longest = noticed.longest.max(asked.elapsed());
            tokio::time::sleep(BETWEEN_WRITES).await;
        }
        "no number is left".to_owned()
    };
    let import = tokio::select! {
        import = looks => import?,
        failure = writes => return Err(failure),
    };
    Ok((import, noticed))
}

fn file(run: &str, rows: usize) -> String {
    let mut text = "Nom;Prénom;Courriel\r\n".to_owned();
    for number in 0..rows {
        // Writing into a string does not fail.
        let _ = write!(text, "Kervadec;Maëlys;{run}-{number}@import.example\r\n");
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn report(what: &str, rows: usize, elapsed: Duration, noticed: &Noticed) {
    println!(
        "{what:<28} {rows:>8} rows {:>8.0} per s; writes elsewhere: {} done, {} refused with 503, longest {:.2} s",
        rows as f64 / elapsed.as_secs_f64(),
        noticed.done,
        noticed.refused,
        noticed.longest.as_secs_f64(),
    );
}
