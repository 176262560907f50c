//! Names and versions of the images.

/// Version of Pulsar.
pub const PULSAR_VERSION: &str = "4.0.6";
/// Image with the broker, the Java instance, the examples and the data generator. It has the name of the official image, in whose
/// place it stands on test clusters: the samples are applied as they are.
pub const PULSAR_IMAGE: &str = "docker.io/apachepulsar/pulsar-all:4.0.6";
/// The same with Python, further connectors and the programs of the matrix.
pub const FULL_IMAGE: &str = "docker.io/local/pulsar-all:4.0.6";
/// Names of the images that the operators choose where nothing else is configured; [`FULL_IMAGE`] stands in their place on clusters
/// where recorded objects of the Go operator run.
pub const DEFAULT_IMAGES: [&str; 4] = [
    "docker.io/streamnative/pulsar-functions-java-runner:2.10.0.0-rc10",
    "docker.io/streamnative/pulsar-functions-python-runner:2.10.0.0-rc10",
    "docker.io/streamnative/pulsar-functions-go-runner:2.10.0.0-rc10",
    "docker.io/streamnative/pulsar-all:2.10.0.0-rc10",
];
/// Image with the four controllers, as the chart names it.
pub const CONTROLLERS_IMAGE: &str = concat!("docker.io/local/function-mesh:", env!("CARGO_PKG_VERSION"));
/// Image that keeps a pod's namespaces; also a small shell for tests.
pub const PAUSE_IMAGE: &str = "docker.io/local/pause:1";
/// PostgreSQL, Redis, RabbitMQ and Kafka, for connectors of the matrix.
pub const SYSTEMS_IMAGE: &str = "docker.io/local/systems:1";
