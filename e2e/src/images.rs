//! Images without a Docker engine: archives in the layout of the Open Container Initiative, made from files.
//!
//! | image | made of | archive below `.cache/images` |
//! |---|---|---|
//! | [`PAUSE_IMAGE`] | Debian's static busybox | `pause.tar` |
//! | [`PULSAR_IMAGE`] | Debian with a JRE, Pulsar's server distribution and a connector from Maven | `pulsar-VERSION.tar` |
//! | [`FULL_IMAGE`] | the same with Python, further connectors and programs of the matrix | `pulsar-all-VERSION.tar` |
//! | [`SYSTEMS_IMAGE`] | Debian's PostgreSQL, Redis and RabbitMQ, and Kafka from Maven, for connectors of the matrix | `systems.tar` |
//! | [`CONTROLLERS_IMAGE`] | the four static binaries and nothing else | `function-mesh.tar` |
//!
//! Each archive holds one image under its full name, in the layout of OCI and in that of `docker save` at once:
//! `ctr images import`, `kind load image-archive`, `docker load`, `podman load` and `skopeo` all know it by that name.
//!
//! An image is built again when its inputs change; otherwise nothing is done. Every step writes next to its result and renames at
//! the end, so that it can be interrupted at any time and started again.

mod cached;
mod controllers;
mod full;
mod import;
mod oci;
mod pulsar;
mod sandbox;
mod systems;
mod tags;

pub use controllers::{BINARIES, Earlier, controllers, controllers_for, earlier};
pub use full::full;
pub use import::{import, name};
pub use oci::Archive;
pub(crate) use oci::{pack_entries, sha256};
pub use pulsar::{artifact, pulsar};
pub use sandbox::pause;
pub use systems::{KAFKA_BROKER, POSTGRESQL, RABBITMQ, REDIS, System, systems};
pub use tags::{
    CONTROLLERS_IMAGE, DEFAULT_IMAGES, FULL_IMAGE, PAUSE_IMAGE, PULSAR_IMAGE, PULSAR_VERSION, SYSTEMS_IMAGE,
};

use anyhow::Result;

/// An image that can be built here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// [`PAUSE_IMAGE`]
    Pause,
    /// [`PULSAR_IMAGE`]
    Pulsar,
    /// [`FULL_IMAGE`]
    Full,
    /// [`SYSTEMS_IMAGE`]
    Systems,
    /// [`CONTROLLERS_IMAGE`]
    Controllers,
}

impl Kind {
    /// All of them, the quickest first.
    pub const ALL: [Self; 5] = [Self::Pause, Self::Pulsar, Self::Full, Self::Systems, Self::Controllers];
}

/// Builds an image unless it exists and was built from the same inputs.
///
/// # Errors
/// When something needed is missing or a step fails; the message says what to do.
pub fn ensure(kind: Kind) -> Result<Archive> {
    match kind {
        Kind::Pause => pause(),
        Kind::Pulsar => pulsar(),
        Kind::Full => full(),
        Kind::Systems => systems(),
        Kind::Controllers => controllers(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_of_the_image_is_the_version() {
        for image in [PULSAR_IMAGE, FULL_IMAGE] {
            assert!(image.ends_with(&format!(":{PULSAR_VERSION}")), "{image}");
        }
    }
}
