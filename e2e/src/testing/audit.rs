//! Who made which requests: the audit log of the API server, one line of JSON for each.

use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A request.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    user: User,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`.
    pub verb: String,
    #[serde(default)]
    object_ref: ObjectRef,
    #[serde(default)]
    response_status: ResponseStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct User {
    username: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ObjectRef {
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ResponseStatus {
    code: u16,
}

impl Request {
    /// Resource, with the subresource if any, such as `functions/status`.
    pub fn resource(&self) -> String {
        match self.object_ref.subresource.as_str() {
            "" => self.object_ref.resource.clone(),
            subresource => format!("{}/{subresource}", self.object_ref.resource),
        }
    }

    /// Name of the object.
    pub fn name(&self) -> &str {
        &self.object_ref.name
    }

    /// Status code of the answer.
    pub fn code(&self) -> u16 {
        self.response_status.code
    }

    fn is_write(&self) -> bool {
        let housekeeping = matches!(self.object_ref.resource.as_str(), "leases" | "events");
        !housekeeping && matches!(self.verb.as_str(), "create" | "update" | "patch" | "delete")
    }
}

/// Requests, narrowed down.
#[derive(Clone, Debug)]
pub struct Audit(Vec<Request>);

impl Audit {
    /// Reads all requests of a log.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn read(log: &Path) -> Result<Self> {
        let text = fs::read_to_string(log).with_context(|| format!("audit log {}", log.display()))?;
        // The last line may be half written. Questions about the API itself are about no object.
        let requests = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        Ok(Self(requests.filter(|request: &Request| !request.object_ref.resource.is_empty()).collect()))
    }

    /// Requests of one user.
    #[must_use]
    pub fn by(self, user: &str) -> Self {
        self.only(|r| r.user.username == user)
    }

    /// Requests of users whose name contains a word.
    #[must_use]
    pub fn by_any(self, word: &str) -> Self {
        self.only(|r| r.user.username.contains(word))
    }

    /// Requests in a namespace.
    #[must_use]
    pub fn within(self, namespace: &str) -> Self {
        self.only(|r| r.object_ref.namespace == namespace)
    }

    /// Writes, those of leases and events left out.
    #[must_use]
    pub fn writes(self) -> Self {
        self.only(Request::is_write)
    }

    /// Number of writes to one object that were carried out.
    pub fn writes_to(&self, resource: &str, name: &str) -> usize {
        let to =
            |r: &&Request| r.is_write() && r.code() < 300 && r.resource() == resource && r.name() == name;
        self.0.iter().filter(to).count()
    }

    /// Requests of which something is true.
    #[must_use]
    pub fn only(self, keep: impl Fn(&Request) -> bool) -> Self {
        Self(self.0.into_iter().filter(keep).collect())
    }

    /// The requests.
    pub fn requests(&self) -> &[Request] {
        &self.0
    }

    /// Numbers by verb and resource.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for request in &self.0 {
            *counts.entry(format!("{} {}", request.verb, request.resource())).or_default() += 1;
        }
        counts
    }
}
