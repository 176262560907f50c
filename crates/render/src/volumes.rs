//! Volumes of the pod and where the main container mounts them (behaviour reference 2.9).

use crate::Workload;
use crate::log4j;
use crate::names::volume_name;
use k8s_openapi::api::core::v1::{ConfigMapVolumeSource, KeyToPath, SecretVolumeSource, Volume, VolumeMount};

/// All volumes, each name once: two references to one key of one Secret share a volume.
pub(crate) fn volumes(workload: &Workload) -> Vec<Volume> {
    let mut volumes: Vec<Volume> = workload.pod.volumes.clone().unwrap_or_default();
    let own =
        workload.crypto_secrets.iter().map(|s| secret_volume(&s.secret, &s.key)).chain(log_volume(workload));
    for volume in own {
        if volumes.iter().all(|known| known.name != volume.name) {
            volumes.push(volume);
        }
    }
    volumes
}

/// The user's mounts, then ours.
pub(crate) fn mounts(workload: &Workload) -> Vec<VolumeMount> {
    let mut mounts = workload.volume_mounts.clone();
    let crypto = workload.crypto_secrets.iter().filter_map(|s| {
        let mount_path = s.mount_path.clone()?;
        Some(VolumeMount {
            name: secret_volume_name(&s.secret, &s.key),
            mount_path,
            ..VolumeMount::default()
        })
    });
    let log = workload.java.log.config_map.as_ref().map(|config_map| VolumeMount {
        name: log_volume_name(&config_map.name),
        mount_path: log4j::DIRECTORY.to_owned(),
        ..VolumeMount::default()
    });
    for mount in crypto.chain(log) {
        if !mounts.contains(&mount) {
            mounts.push(mount);
        }
    }
    mounts
}

fn secret_volume_name(secret: &str, key: &str) -> String {
    volume_name(&format!("{secret}-{key}"))
}

fn log_volume_name(config_map: &str) -> String {
    volume_name(&format!("{config_map}-java-log-conf"))
}

fn secret_volume(secret: &str, key: &str) -> Volume {
    Volume {
        name: secret_volume_name(secret, key),
        secret: Some(SecretVolumeSource {
            secret_name: Some(secret.to_owned()),
            items: Some(vec![KeyToPath {
                key: key.to_owned(),
                path: key.to_owned(),
                ..KeyToPath::default()
            }]),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    }
}

fn log_volume(workload: &Workload) -> Option<Volume> {
    let log = &workload.java.log;
    let config_map = log.config_map.as_ref()?;
    Some(Volume {
        name: log_volume_name(&config_map.name),
        config_map: Some(ConfigMapVolumeSource {
            name: config_map.name.clone(),
            items: Some(vec![KeyToPath {
                key: config_map.key.clone(),
                path: log.file().to_owned(),
                ..KeyToPath::default()
            }]),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    })
}
