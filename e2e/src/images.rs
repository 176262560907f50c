//! Images without a Docker engine: OCI archives made with umoci from files.
//!
//! Each archive holds one image under its full name, so that `ctr images import`, `kind load image-archive` and
//! `docker load` (25 or newer) all know it by that name.

mod controllers;
mod oci;
mod pulsar;
mod sandbox;

pub use controllers::controllers;
pub use oci::Archive;
pub use pulsar::pulsar;
pub use sandbox::pause;

/// Version of Pulsar.
pub const PULSAR_VERSION: &str = "4.0.6";
/// Image with the broker, the Java instance, the examples and the data generator.
pub const PULSAR_IMAGE: &str = "docker.io/local/pulsar:4.0.6";
/// Image with the four controllers.
pub const CONTROLLERS_IMAGE: &str = "docker.io/local/function-mesh:dev";
