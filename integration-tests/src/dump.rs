//! What somebody reads who gets hold of the database of a server under test.

use std::process::Command;

use crate::{Engine, TestServer};

/// Everything in the database as it lies there, while the server runs.
#[derive(Debug)]
pub struct Dump(Vec<u8>);

impl Dump {
    /// Takes a dump: the files of `SQLite`, or what `pg_dump` writes.
    pub fn of(server: &TestServer) -> Self {
        match server.engine {
            Engine::Sqlite => {
                let files = ["habilis.db", "habilis.db-wal"].map(|name| server.data().join(name));
                Self(files.iter().flat_map(|file| std::fs::read(file).unwrap_or_default()).collect())
            }
            Engine::Postgres => {
                let dumped = Command::new("pg_dump")
                    .args(["--data-only", "--dbname", &server.database_url()])
                    .output()
                    .expect("pg_dump is installed with PostgreSQL");
                assert!(dumped.status.success(), "pg_dump: {}", String::from_utf8_lossy(&dumped.stderr));
                Self(dumped.stdout)
            }
        }
    }

    /// Whether a text stands in it, in clear or as the hexadecimal digits of a binary column.
    pub fn holds(&self, text: &str) -> bool {
        let hex = hex(text.as_bytes());
        [text, &hex].iter().any(|text| self.0.windows(text.len()).any(|window| window == text.as_bytes()))
    }
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).expect("four bits"));
        }
    }
    text
}
