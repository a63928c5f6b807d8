//! Nothing outlives a test run: processes die and folders go, even when the run is killed.
//!
//! Statics are not dropped at the end of a process and a killed one drops nothing. So a shell reads from a pipe the folder
//! of everything that was started; when the pipe closes, because this process is gone, it kills every process that was
//! started on such a folder and removes the folder.

use std::io::Write as _;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Every process we start has its folder on its command line, and the folder's name is random.
const REAPER: &str = r#"
    trap '' INT TERM HUP
    folders=
    while read -r folder; do folders="$folders $folder"; done
    for folder in $folders; do
        for entry in $(grep -lsF -- "$folder" /proc/[0-9]*/cmdline); do
            pid=${entry#/proc/}
            kill -s KILL "${pid%/cmdline}"
        done
    done
    sleep 0.2
    rm -rf -- $folders"#;

/// Makes a temporary folder. It goes at the end of the test process, with every process that has it on its command line.
pub(crate) fn folder() -> std::path::PathBuf {
    let folder = tempfile::Builder::new().prefix("habilis-it-").tempdir().expect("a temporary folder").keep();
    at_exit(&folder);
    folder
}

fn at_exit(folder: &Path) {
    static PIPE: OnceLock<Mutex<ChildStdin>> = OnceLock::new();
    #[expect(clippy::zombie_processes, reason = "the reaper outlives this process on purpose")]
    let pipe = PIPE.get_or_init(|| {
        let mut reaper = Command::new("sh")
            .args(["-c", REAPER])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        Mutex::new(reaper.stdin.take().expect("its input is a pipe"))
    });
    let mut pipe = pipe.lock().unwrap_or_else(PoisonError::into_inner);
    writeln!(pipe, "{}", folder.display()).expect("the reaper listens");
}

/// Sends a signal by name.
pub(crate) fn send_signal(name: &str, pid: u32) {
    // The shell has `kill` built in; a `kill` program is not part of every system.
    let sent = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &pid.to_string()]).status();
    assert!(sent.expect("a shell").success(), "signal {name} to {pid}");
}
