//! A PostgreSQL database of its own for each server under test, on the throwaway cluster that `integration-tests/run`
//! starts and names in `HABILIS_TEST_POSTGRES`.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use url::Url;

/// Creates an empty database and returns the URL to give to the server.
///
/// The name holds the process id, a number of its own and a counter, so that several test binaries may share one cluster. The server
/// that is started on it drops it at its end; what no [`crate::TestServer`] had goes away with the cluster.
pub fn create() -> String {
    // `template0` has no sessions, so databases may be created side by side.
    create_like("template0")
}

/// Creates a copy of the database at `url`, to which nobody is connected, and returns the URL to give to the server.
pub fn copy(url: &str) -> String {
    let url = Url::parse(url).expect("a URL of ours");
    create_like(url.path().trim_start_matches('/'))
}

/// Drops the database at `url` with whoever is still connected to it: otherwise some two hundred of them would wait for the end of a
/// run, each of them twenty megabytes.
pub(crate) fn drop_it(url: &str) {
    let url = Url::parse(url).expect("a URL of ours");
    let name = url.path().trim_start_matches('/');
    let dropped = tell(&cluster(), &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
    // A test that fails says why itself.
    assert!(dropped.status.success() || std::thread::panicking(), "psql: {}", String::from_utf8_lossy(&dropped.stderr));
}

/// Runs a statement on the database at `url`.
pub(crate) fn execute(url: &str, statement: &str) {
    let done = tell(url, statement);
    assert!(done.status.success(), "psql: {}", String::from_utf8_lossy(&done.stderr));
}

fn cluster() -> String {
    let Ok(cluster) = std::env::var("HABILIS_TEST_POSTGRES") else {
        panic!("HABILIS_TEST_POSTGRES is not set: run integration-tests/run, which starts a throwaway PostgreSQL");
    };
    cluster
}

fn tell(cluster: &str, statement: &str) -> Output {
    Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--set", "VERBOSITY=terse", "--dbname"])
        .arg(cluster)
        .args(["--command", statement])
        .output()
        .expect("psql is not installed: run integration-tests/run, which installs what is missing")
}

fn create_like(template: &str) -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    static RUN: OnceLock<u64> = OnceLock::new();
    let cluster = cluster();
    // A process of the same number may have left its own behind, on a cluster that outlives the run.
    let run = RUN.get_or_init(|| RandomState::new().build_hasher().finish());
    let name = format!("it_{}_{run:x}_{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
    let created = tell(&cluster, &format!("CREATE DATABASE {name} TEMPLATE {template}"));
    assert!(created.status.success(), "psql: {}", String::from_utf8_lossy(&created.stderr));
    let mut url = Url::parse(&cluster).expect("HABILIS_TEST_POSTGRES is a postgres:// URL");
    url.set_path(&name);
    url.into()
}
