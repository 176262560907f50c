//! Volumes of the pod and where its containers mount them.

use crate::environment::Environment;
use crate::instance::pulsar_connection::Messaging;
use crate::instance::runtime::Runtime;
use crate::instance::{log4j, package, python_log, token_renewal};
use crate::resource::names::volume_name;
use crate::workload::Workload;
use functionmesh_api::runtime::RuntimeLogConfigRef;
use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, EmptyDirVolumeSource, KeyToPath, SecretVolumeSource, Volume, VolumeMount,
};

/// Name of the volume with the log files.
const LOG_VOLUME: &str = "filebeat-logs";
/// Where the log files are.
const LOG_DIRECTORY: &str = "/pulsar/logs/functions";
/// Name of the volume that the init container downloads to.
pub(crate) const DOWNLOADER_VOLUME: &str = "downloader-volume";

/// The volumes of a pod, and what each of the operator's containers mounts besides the user's own.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Storage {
    pub(crate) volumes: Vec<Volume>,
    logs: Vec<VolumeMount>,
    authentication: Vec<VolumeMount>,
    runtime_credentials: Vec<VolumeMount>,
    package_credentials: Vec<VolumeMount>,
    keys: Vec<VolumeMount>,
    log_configuration: Vec<VolumeMount>,
    package: Vec<VolumeMount>,
}

impl Storage {
    /// Collects the volumes and mounts that the workload needs.
    pub(crate) fn of(workload: &Workload, environment: &Environment) -> Self {
        let mut storage =
            Self { volumes: workload.pod.volumes.clone().unwrap_or_default(), ..Self::default() };
        if workload.log.sidecar {
            storage.add(empty_dir(LOG_VOLUME));
            storage.logs.push(mount(LOG_VOLUME, LOG_DIRECTORY));
        }
        storage.runtime_credentials = storage.credentials(&workload.pulsar);
        if let Some(secret) = token_renewal::secret(workload) {
            // Optional: without the key the pod starts and the instance reports the error.
            let name = storage.secret(secret, token_renewal::KEY, Some(true));
            storage.authentication.push(mount(&name, token_renewal::DIRECTORY));
        }
        for secret in &workload.crypto_secrets {
            let name = storage.secret(&secret.secret, &secret.key, None);
            storage.keys.extend(secret.mount_path.as_ref().map(|path| mount(&name, path)));
        }
        storage.add_log_configuration(workload);
        if let Some(packages) = &workload.package_service {
            storage.package_credentials = storage.credentials(packages);
        }
        if environment.init_containers && workload.package.location.is_some() {
            storage.add(empty_dir(DOWNLOADER_VOLUME));
            let (path, sub_path) = workload.package.mount();
            storage.package.push(VolumeMount { sub_path, ..mount(DOWNLOADER_VOLUME, &path) });
        }
        storage
    }

    /// Mounts of the main container: the user's, then ours.
    pub(crate) fn main_mounts(&self, workload: &Workload) -> Vec<VolumeMount> {
        with_own(
            workload,
            [
                &self.logs,
                &self.authentication,
                &self.runtime_credentials,
                &self.keys,
                &self.log_configuration,
                &self.package_credentials,
                &self.package,
            ],
        )
    }

    /// Mounts of the sidecar that sends the log.
    pub(crate) fn sidecar_mounts(&self, workload: &Workload) -> Vec<VolumeMount> {
        with_own(workload, [&self.logs, &self.runtime_credentials])
    }

    /// Mounts of the cleanup container, which downloads nothing.
    pub(crate) fn cleanup_mounts(&self, workload: &Workload) -> Vec<VolumeMount> {
        with_own(workload, [&self.logs, &self.runtime_credentials, &self.keys, &self.log_configuration])
    }

    /// Mounts of the init container that downloads: the volume to download to, the credentials of the service that
    /// packages are downloaded from (unless it is a web server), then the user's.
    pub(crate) fn downloader_mounts(&self, workload: &Workload) -> Vec<VolumeMount> {
        let mut mounts = vec![mount(DOWNLOADER_VOLUME, package::DOWNLOADS)];
        let credentials = if workload.package_service.is_some() {
            &self.package_credentials
        } else {
            &self.runtime_credentials
        };
        if !workload.package.is_from_web() {
            mounts.extend(credentials.iter().cloned());
        }
        // The operator's mounts take precedence here: the download needs them.
        for mount in &workload.volume_mounts {
            if mounts.iter().all(|known| known.mount_path != mount.mount_path) {
                mounts.push(mount.clone());
            }
        }
        mounts
    }

    /// Adds a volume and returns its name. A volume with the same name and content is shared. If the content differs,
    /// the new volume gets another name: names are truncated and sanitized, so they may collide.
    fn add(&mut self, mut volume: Volume) -> String {
        let wanted = volume.name.clone();
        for attempt in 2.. {
            match self.volumes.iter().find(|known| known.name == volume.name) {
                None => break,
                Some(known) if *known == volume => return volume.name,
                Some(_) => {
                    let suffix = format!("-{attempt}");
                    let kept = wanted.get(..63 - suffix.len()).unwrap_or(&wanted);
                    volume.name = format!("{kept}{suffix}");
                }
            }
        }
        let name = volume.name.clone();
        self.volumes.push(volume);
        name
    }

    /// Adds a volume with one key of a Secret.
    fn secret(&mut self, secret: &str, key: &str, optional: Option<bool>) -> String {
        self.add(Volume {
            name: volume_name(&format!("{secret}-{key}")),
            secret: Some(SecretVolumeSource {
                secret_name: Some(secret.to_owned()),
                items: Some(vec![item(key, key)]),
                optional,
                ..SecretVolumeSource::default()
            }),
            ..Volume::default()
        })
    }

    /// Adds certificate and key file of a service; returns their mounts.
    fn credentials(&mut self, service: &Messaging) -> Vec<VolumeMount> {
        let side = service.side;
        [(service.certificate(), side.tls_directory()), (service.oauth2_key(), side.oauth2_directory())]
            .into_iter()
            .filter_map(|(reference, directory)| {
                let (secret, key) = reference?;
                Some(mount(&self.secret(secret, key, None), directory))
            })
            .collect()
    }

    fn add_log_configuration(&mut self, workload: &Workload) {
        let (java, python) = match &workload.runtime {
            Runtime::Java(java) => (
                java.log.config_map.as_ref().map(|c| (c, java.log.file())),
                workload.python_log_config.as_ref(),
            ),
            Runtime::Python(python) => (None, python.log.config_map.as_ref()),
            Runtime::Go(_) | Runtime::Generic(_) => (None, None),
        };
        if let Some((config_map, file)) = java {
            self.log_config_map(config_map, "java", file, log4j::DIRECTORY);
        }
        if let Some(config_map) = python {
            self.log_config_map(config_map, "python", python_log::LOG_FILE, python_log::LOG_DIRECTORY);
        }
    }

    fn log_config_map(
        &mut self,
        reference: &RuntimeLogConfigRef,
        language: &str,
        file: &str,
        directory: &str,
    ) {
        let name = self.add(Volume {
            name: volume_name(&format!("{}-{language}-log-conf", reference.name)),
            config_map: Some(ConfigMapVolumeSource {
                name: reference.name.clone(),
                items: Some(vec![item(&reference.key, file)]),
                ..ConfigMapVolumeSource::default()
            }),
            ..Volume::default()
        });
        self.log_configuration.push(mount(&name, directory));
    }
}

/// The user's mounts, then the operator's. The API server requires unique paths, so a mount of the user replaces one of
/// the operator at the same path.
fn with_own<const N: usize>(workload: &Workload, own: [&Vec<VolumeMount>; N]) -> Vec<VolumeMount> {
    let mut mounts = workload.volume_mounts.clone();
    for mount in own.into_iter().flatten() {
        if mounts.iter().all(|known| known.mount_path != mount.mount_path) {
            mounts.push(mount.clone());
        }
    }
    mounts
}

fn mount(name: &str, path: &str) -> VolumeMount {
    VolumeMount { name: name.to_owned(), mount_path: path.to_owned(), ..VolumeMount::default() }
}

fn item(key: &str, path: &str) -> KeyToPath {
    KeyToPath { key: key.to_owned(), path: path.to_owned(), ..KeyToPath::default() }
}

fn empty_dir(name: &str) -> Volume {
    Volume { name: name.to_owned(), empty_dir: Some(EmptyDirVolumeSource::default()), ..Volume::default() }
}
