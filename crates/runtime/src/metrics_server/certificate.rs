//! A certificate and its key in files that are renewed while the process runs, as in a mounted Secret of type kubernetes.io/tls.

use anyhow::{Context, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tracing::{info, warn};

/// Interval at which the files are looked at. Connections come at the pace of Prometheus.
const INTERVAL: Duration = Duration::from_secs(1);

/// See the module.
pub(crate) struct Certificate {
    folder: PathBuf,
    current: Mutex<Current>,
}

struct Current {
    files: Files,
    config: Arc<ServerConfig>,
    looked: Instant,
    /// The files were unusable when last looked at, and that was reported.
    failing: bool,
}

#[derive(PartialEq, Eq)]
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Files {
    fn read(folder: &Path) -> anyhow::Result<Self> {
        let read = |name: &str| {
            let path = folder.join(name);
            fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        Ok(Self { certificate: read("tls.crt")?, key: read("tls.key")? })
    }

    fn config(&self, folder: &Path) -> anyhow::Result<Arc<ServerConfig>> {
        let named = |name: &str| folder.join(name).display().to_string();
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<_, _>>()
            .with_context(|| named("tls.crt"))?;
        if chain.is_empty() {
            bail!("{} has no certificate in PEM", named("tls.crt"));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key).with_context(|| named("tls.key"))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .with_context(|| format!("{} and its key", named("tls.crt")))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

impl Certificate {
    /// Reads the files `tls.crt` and `tls.key` of a folder.
    ///
    /// # Errors
    /// If one of them is missing or is not what it should be.
    pub(crate) fn read(folder: &Path) -> anyhow::Result<Self> {
        let files = Files::read(folder).with_context(|| {
            format!(
                "certificate of the metrics: --secure-metrics-cert-dir={} needs the files tls.crt and tls.key",
                folder.display()
            )
        })?;
        let config = files.config(folder).context("certificate of the metrics")?;
        let current = Current { files, config, looked: Instant::now(), failing: false };
        Ok(Self { folder: folder.to_owned(), current: Mutex::new(current) })
    }

    /// The configuration for a new connection: with the certificate that is in the files now, or the last usable one.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.looked.elapsed() >= INTERVAL {
            current.looked = Instant::now();
            self.renew(&mut current);
        }
        current.config.clone()
    }

    fn renew(&self, current: &mut Current) {
        let read = Files::read(&self.folder).and_then(|files| {
            let config = if files == current.files { None } else { Some(files.config(&self.folder)?) };
            Ok((files, config))
        });
        match read {
            Ok((files, Some(config))) => {
                info!("the certificate of the metrics was renewed");
                (current.files, current.config, current.failing) = (files, config, false);
            }
            Ok((_, None)) => current.failing = false,
            Err(error) if !current.failing => {
                warn!(
                    error = format!("{error:#}"),
                    "the certificate of the metrics cannot be renewed; the old one is used"
                );
                current.failing = true;
            }
            Err(_) => {}
        }
    }
}
