//! The image with a database for connectors of the matrix: Debian's PostgreSQL.

use super::oci::{Archive, Recipe, build};
use super::pulsar::bootstrap;
use super::tags::POSTGRES_IMAGE;
use anyhow::Result;
use serde_json::json;

/// Runs a PostgreSQL whose data is lost with the pod. Everyone may do everything with it.
const START: &str = "export PATH=$PATH:/usr/lib/postgresql/15/bin && initdb --auth=trust --pgdata=/tmp/data && \
                     echo 'host all all all trust' >> /tmp/data/pg_hba.conf && \
                     exec postgres -D /tmp/data -c listen_addresses='*' -c unix_socket_directories=/tmp";

/// PostgreSQL.
///
/// # Errors
/// When it cannot be built.
pub fn postgres() -> Result<Archive> {
    let recipe = Recipe {
        file: "postgresql-15.tar",
        reference: POSTGRES_IMAGE,
        inputs: format!("{}\n{}", include_str!("postgres.rs"), include_str!("pulsar.rs")),
        config: json!({
            "User": "postgres",
            "Cmd": ["sh", "-c", START],
            "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "PGHOST=/tmp"],
        }),
        compress: false,
    };
    build(&recipe, |work| {
        let layer = work.join("postgres.tar");
        bootstrap(&layer, "postgresql", &[])?;
        Ok(vec![layer])
    })
}
