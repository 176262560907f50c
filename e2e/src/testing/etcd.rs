//! Counts writes in etcd. A request that changes nothing does not count.

use crate::testing::http::request;
use anyhow::{Context, Result};
use k8s_openapi::ByteString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The storage of an API server.
#[derive(Clone, Copy, Debug)]
pub struct Etcd {
    port: u16,
}

/// Number of writes of each object since its creation, by name.
pub(crate) type Versions = BTreeMap<String, Version>;

/// The writes of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// The write that created it; different after a deletion and recreation.
    pub created: u64,
    /// Number of writes since, the creation included.
    pub writes: u64,
}

#[derive(Serialize)]
struct Range {
    key: ByteString,
    #[serde(rename = "range_end")]
    end: ByteString,
    keys_only: bool,
}

#[derive(Deserialize)]
struct Answer {
    header: Header,
    #[serde(default)]
    kvs: Vec<KeyValue>,
}

#[derive(Deserialize)]
struct Header {
    revision: String,
}

/// Numbers are strings in etcd's JSON.
#[derive(Deserialize)]
struct KeyValue {
    key: ByteString,
    #[serde(default)]
    value: ByteString,
    create_revision: String,
    version: String,
}

impl Etcd {
    /// The etcd that listens on a port of this machine.
    pub fn at(port: u16) -> Self {
        Self { port }
    }

    /// The writes of all objects of a resource, such as `functions`, in a namespace.
    ///
    /// # Errors
    /// When etcd does not answer.
    pub fn versions(self, resource: &str, namespace: &str) -> Result<Versions> {
        let folder = match resource {
            "services" => "services/specs".to_owned(),
            "functions" | "sources" | "sinks" | "functionmeshes" | "backendconfigs" => {
                format!("compute.functionmesh.io/{resource}")
            }
            core => core.to_owned(),
        };
        let prefix = format!("/registry/{folder}/{namespace}/");
        // The first key after all keys with the prefix: `0` follows `/`.
        let end = format!("/registry/{folder}/{namespace}0");
        let answer = self.range(&Range { key: bytes(&prefix), end: bytes(&end), keys_only: true })?;
        let version = |found: KeyValue| -> Result<_> {
            let key = String::from_utf8(found.key.0).context("a key of etcd")?;
            let name = key.strip_prefix(&prefix).unwrap_or(&key).to_owned();
            Ok((name, Version { created: found.create_revision.parse()?, writes: found.version.parse()? }))
        };
        answer.kvs.into_iter().map(version).collect()
    }

    /// Changes an object as it is stored, without the API server: as an earlier release or another schema stored it.
    ///
    /// # Errors
    /// When it does not exist, or etcd does not answer.
    pub fn rewrite(
        self,
        plural: &str,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) -> Result<()> {
        let key = bytes(&format!("/registry/compute.functionmesh.io/{plural}/{namespace}/{name}"));
        // No range end: a single key.
        let answer = self.range(&Range { key: key.clone(), end: bytes(""), keys_only: false })?;
        let stored =
            answer.kvs.into_iter().next().with_context(|| format!("{plural} {name} is not stored"))?;
        let mut object: Value = serde_json::from_slice(&stored.value.0).context("stored object")?;
        change(&mut object);
        let value = bytes(&object.to_string());
        self.ask("/v3/kv/put", &json!({"key": key, "value": value})).map(drop)
    }

    /// Compacts all revisions so far: a watch that resumes from an earlier one gets 410 Gone.
    ///
    /// # Errors
    /// When etcd does not answer.
    pub fn compact(self) -> Result<()> {
        let nothing = Range { key: bytes("nothing"), end: bytes("nothing"), keys_only: true };
        let revision = self.range(&nothing)?.header.revision;
        self.ask("/v3/kv/compaction", &json!({"revision": revision, "physical": true}))?;
        self.ask("/v3/maintenance/defragment", &json!({})).map(drop)
    }

    /// Makes it refuse writes because its space is used up, or accept them again.
    ///
    /// # Errors
    /// When etcd does not answer.
    pub fn full(self, full: bool) -> Result<()> {
        let action = if full { "ACTIVATE" } else { "DEACTIVATE" };
        self.ask("/v3/maintenance/alarm", &json!({"action": action, "alarm": "NOSPACE"})).map(drop)
    }

    fn range(self, range: &Range) -> Result<Answer> {
        let answer = self.ask("/v3/kv/range", &serde_json::to_value(range)?)?;
        serde_json::from_str(&answer).context("answer of etcd")
    }

    fn ask(self, path: &str, body: &Value) -> Result<String> {
        request(self.port, "POST", path, &body.to_string()).context("etcd does not answer")
    }
}

/// Number of writes between two reads. A deleted object has none.
pub(crate) fn writes_between(before: &Versions, after: &Versions) -> u64 {
    let writes = |(name, now): (&String, &Version)| match before.get(name) {
        Some(then) if then.created == now.created => now.writes.saturating_sub(then.writes),
        _ => now.writes,
    };
    after.iter().map(writes).sum()
}

fn bytes(text: &str) -> ByteString {
    ByteString(text.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_are_counted_by_object() {
        let look = |all: &[(&str, u64, u64)]| -> Versions {
            let version =
                |&(name, created, writes): &(&str, u64, u64)| (name.to_owned(), Version { created, writes });
            all.iter().map(version).collect()
        };
        let before = look(&[("a", 1, 1), ("b", 2, 3), ("gone", 3, 9)]);
        assert_eq!(writes_between(&before, &look(&[("a", 1, 1), ("b", 2, 3)])), 0);
        assert_eq!(writes_between(&before, &look(&[("a", 1, 2), ("b", 2, 3), ("new", 9, 2)])), 3);
        assert_eq!(writes_between(&before, &look(&[("b", 10, 1)])), 1, "made again");
    }
}
