//! TLS in the binary, for those who run no reverse proxy: TLS 1.3, and TLS 1.2 with ECDHE and AES-GCM alone (FAPI 2.0 §5.2.2,
//! BCP 195). Certificates are read again when their files change or on SIGHUP, without a restart.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum_server::tls_rustls::RustlsConfig;
use rustls::crypto::ring::cipher_suite;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, SupportedCipherSuite};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::Server;
use crate::outcome::{Fault, Outcome};

/// Best first. `ChaCha20` only in TLS 1.3: the FAPI profiles do not list it for 1.2.
const SUITES: [SupportedCipherSuite; 7] = [
    cipher_suite::TLS13_AES_256_GCM_SHA384,
    cipher_suite::TLS13_AES_128_GCM_SHA256,
    cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
];
/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Longest certificate or key file read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// Where certificate and key are, in PEM.
#[derive(Debug, Clone)]
pub struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// What tells one state of the files from another.
type Stamp = [Option<(SystemTime, u64)>; 2];

impl Files {
    /// The files named in the configuration; none when the server speaks plain HTTP.
    pub fn of(server: &Server) -> Option<Self> {
        let certificate = server.tls_certificate_file.clone()?;
        Some(Self { certificate, key: server.tls_key_file.clone()? })
    }

    /// Reads both files.
    ///
    /// # Errors
    /// A file cannot be read, holds no certificate or key, or the two do not belong together: said with the file's name.
    pub fn read(&self) -> Outcome<Arc<ServerConfig>> {
        let failed =
            |file: &Path, problem: &dyn std::fmt::Display| Fault::new(format!("{}: {problem}", file.display()));
        let certificate = read(&self.certificate).map_err(|error| failed(&self.certificate, &error))?;
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&certificate)
            .collect::<Result<_, _>>()
            .map_err(|error| failed(&self.certificate, &error))?;
        if chain.is_empty() {
            return Err(failed(&self.certificate, &"no certificate in PEM"));
        }
        let key = read(&self.key).map_err(|error| failed(&self.key, &error))?;
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| failed(&self.key, &error))?;
        let provider = CryptoProvider { cipher_suites: SUITES.to_vec(), ..ring::default_provider() };
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| failed(&self.certificate, &error))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.ignore_client_order = true;
        Ok(Arc::new(config))
    }

    fn stamp(&self) -> Stamp {
        [&self.certificate, &self.key].map(|file| {
            let metadata = std::fs::metadata(file).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        })
    }
}

fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    if std::fs::metadata(file)?.len() > MAX_BYTES {
        return Err(std::io::Error::other("larger than a certificate or a key"));
    }
    std::fs::read(file)
}

/// Reads the files for the first time, and from then on whenever they change; files that cannot be used are logged, and the ones
/// before them go on serving.
///
/// # Errors
/// The files cannot be used now.
pub fn watch(files: Files) -> Outcome<RustlsConfig> {
    let mut stamp = files.stamp();
    let current = RustlsConfig::from_config(files.read()?);
    let mut hang_up = signal(SignalKind::hangup())?;
    let watched = current.clone();
    tokio::spawn(async move {
        loop {
            let told = tokio::time::timeout(LOOK_EVERY, hang_up.recv()).await.is_ok();
            // Two small files on the local disk, every few seconds.
            let found = files.stamp();
            if !told && found == stamp {
                continue;
            }
            stamp = found;
            match files.read() {
                Ok(config) => {
                    watched.reload_from_config(config);
                    tracing::info!(event = "tls_reloaded");
                }
                Err(fault) => tracing::error!(event = "tls_not_reloaded", cause = ?fault),
            }
        }
    });
    Ok(current)
}
