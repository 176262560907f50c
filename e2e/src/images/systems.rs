//! The image of the systems that connectors of the matrix talk to: Debian's PostgreSQL, Redis and RabbitMQ, and Kafka from Maven. A
//! pod runs one of them; its data is lost with the pod, and everyone may do everything with it.

use super::oci::{Archive, Recipe, build, pack};
use super::pulsar::{BEFORE, bootstrap};
use super::tags::SYSTEMS_IMAGE;
use crate::paths;
use crate::shell::{command, progress, run};
use crate::tools::present;
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

const PACKAGES: &str = "postgresql,redis-server,rabbitmq-server,openjdk-17-jre-headless";
/// Copies the dependencies of a project.
const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
/// Settings of the only node of a Kafka cluster, which is known as `kafka`.
const KAFKA: &str = "\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://localhost:9093
advertised.listeners=PLAINTEXT://kafka:9092
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=/tmp/kafka
num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
";

/// A system of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct System {
    /// Name of its pod and of its Service.
    pub name: &'static str,
    /// Port of its protocol.
    pub port: u16,
    /// Starts it.
    pub start: &'static str,
    /// Succeeds once it answers.
    pub ready: &'static str,
}

/// PostgreSQL, which refuses to run as root.
pub const POSTGRESQL: System = System {
    name: "database",
    port: 5432,
    start: "install -d -o postgres /tmp/data && cat > /tmp/start <<'END'\n\
            initdb --auth=trust --pgdata=/tmp/data && echo 'host all all all trust' >> /tmp/data/pg_hba.conf\n\
            exec postgres -D /tmp/data -c listen_addresses='*' -c unix_socket_directories=/tmp\n\
            END\n\
            exec setpriv --reuid postgres --regid postgres --clear-groups sh -e /tmp/start",
    ready: "psql -c 'select 1'",
};
/// Redis.
pub const REDIS: System = System {
    name: "redis",
    port: 6379,
    start: "exec redis-server --bind 0.0.0.0 --protected-mode no --save '' --dir /tmp",
    ready: "redis-cli ping",
};
/// RabbitMQ, whose user `guest` may connect from elsewhere.
pub const RABBITMQ: System = System {
    name: "rabbitmq",
    port: 5672,
    start: "export RABBITMQ_NODENAME=rabbit@localhost RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-rabbit loopback_users []' \
            && exec rabbitmq-server",
    ready: "exec 3<>/dev/tcp/localhost/5672",
};
/// Kafka without ZooKeeper.
pub const KAFKA_BROKER: System = System {
    name: "kafka",
    port: 9092,
    start: "java -cp '/kafka/*' kafka.tools.StorageTool format -t AAAAAAAAAAAAAAAAAAAAAA -c /kafka/server.properties && \
            exec java -Xmx256m -cp '/kafka/*' kafka.Kafka /kafka/server.properties",
    ready: "exec 3<>/dev/tcp/localhost/9092",
};

/// The image.
///
/// # Errors
/// When it cannot be built.
pub fn systems() -> Result<Archive> {
    let recipe = Recipe {
        file: "systems.tar",
        reference: SYSTEMS_IMAGE,
        inputs: format!(
            "{PACKAGES}\n{KAFKA}\n{}\n{}",
            fs::read_to_string(project()).context("the project of Kafka")?,
            include_str!("pulsar.rs")
        ),
        config: json!({
            "User": "0:0",
            "Env": [
                "PATH=/usr/lib/postgresql/15/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "LANG=C.UTF-8",
                "PGHOST=/tmp",
                "PGUSER=postgres",
            ],
        }),
        compress: false,
    };
    build(&recipe, |work| {
        let layer = work.join("systems.tar");
        bootstrap(&layer, PACKAGES, &[format!("--essential-hook={BEFORE}")])?;
        Ok(vec![layer, kafka(work)?])
    })
}

fn project() -> PathBuf {
    paths::root().join("e2e/images/kafka/pom.xml")
}

/// The layer with Kafka.
fn kafka(work: &Path) -> Result<PathBuf> {
    if !present("mvn") {
        bail!("missing: install maven; Kafka is downloaded with it");
    }
    progress("downloading Kafka");
    let root = work.join("kafka");
    let folder = root.join("kafka");
    let to = format!("-DoutputDirectory={}", folder.display());
    // A wrong checksum is an error, not a warning.
    let mut maven = command("mvn", ["-B", "-q", "--strict-checksums", COPY, &to, "--file"]);
    run(maven.arg(project())).context("downloading Kafka")?;
    fs::write(folder.join("server.properties"), KAFKA)?;
    let layer = work.join("kafka.tar");
    pack(&root, &layer, "0", "0")?;
    Ok(layer)
}
