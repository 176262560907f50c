//! The requests of each user: the audit log of the API server, one line of JSON each.

use anyhow::{Context, Result};
use k8s_openapi::jiff::Timestamp;
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

/// A request.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    user: User,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`.
    pub verb: String,
    #[serde(default, rename = "requestURI")]
    uri: String,
    #[serde(default)]
    object_ref: ObjectRef,
    #[serde(default)]
    response_status: ResponseStatus,
    #[serde(default, rename = "auditID")]
    id: String,
    #[serde(default)]
    stage: String,
    #[serde(default, rename = "requestReceivedTimestamp")]
    received: String,
    #[serde(default, rename = "stageTimestamp")]
    answered: String,
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

    /// Verb and resource, such as `patch functions/status`.
    pub fn what(&self) -> String {
        format!("{} {}", self.verb, self.resource())
    }

    /// The user who sent it.
    pub fn user(&self) -> &str {
        &self.user.username
    }

    /// Name of the object.
    pub fn name(&self) -> &str {
        &self.object_ref.name
    }

    /// Whether it is a server-side apply with force, which other patches cannot have.
    pub fn is_forced(&self) -> bool {
        self.uri.contains("force=true")
    }

    /// Whether nothing of it is persisted.
    pub fn is_dry_run(&self) -> bool {
        self.uri.contains("dryRun=All")
    }

    /// Whether it is a watch that begins with all objects (KEP-3157).
    pub fn is_streaming_list(&self) -> bool {
        self.uri.contains("sendInitialEvents=true")
    }

    /// The requested duration of a watch, in seconds.
    pub fn lasts(&self) -> Option<u32> {
        let (_, rest) = self.uri.split_once("timeoutSeconds=")?;
        rest.split('&').next()?.parse().ok()
    }

    /// Status code of the response.
    pub fn code(&self) -> u16 {
        self.response_status.code
    }

    /// When the API server received it, as a string that sorts by time.
    pub fn received(&self) -> &str {
        &self.received
    }

    /// When the response was sent, in the same form.
    pub fn answered(&self) -> &str {
        &self.answered
    }

    /// Whether it is a status write that conflicted with another client's change of the object and is retried: their number
    /// depends on timing.
    fn is_outrun(&self) -> bool {
        self.object_ref.subresource == "status" && self.code() == 409
    }

    /// Whether it changes something; leases and Events do not count.
    pub fn is_write(&self) -> bool {
        let housekeeping = matches!(self.object_ref.resource.as_str(), "leases" | "events");
        !housekeeping && matches!(self.verb.as_str(), "create" | "update" | "patch" | "delete")
    }
}

/// A point of time in an audit log. See [`crate::testing::TestEnv::mark`].
#[derive(Clone, Debug, Default)]
pub struct Mark {
    /// Size of the log before the mark, in bytes.
    pub(crate) offset: u64,
    /// Requests received later than this are newer.
    pub(crate) received: String,
}

/// A filtered list of requests.
#[derive(Clone, Debug)]
pub struct Audit(Vec<Request>);

impl Audit {
    /// Reads all requests of a log.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn read(log: &Path) -> Result<Self> {
        Self::since(log, &Mark::default())
    }

    /// Reads the requests that the API server received after a mark.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn since(log: &Path, mark: &Mark) -> Result<Self> {
        let mut file = File::open(log).with_context(|| format!("audit log {}", log.display()))?;
        file.seek(SeekFrom::Start(mark.offset))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        Ok(Self::parse(&String::from_utf8_lossy(&text), &mark.received))
    }

    fn parse(text: &str, after: &str) -> Self {
        // The last line may be incomplete. Discovery requests concern no object.
        let requests = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(|r: &Request| !r.object_ref.resource.is_empty() && r.received() > after);
        // Each request is logged when it is received, a watch when it begins, and everything when it ends. Requests without an
        // end count too: their effect may be visible long before the response is logged.
        let (mut known, mut pending) = (HashSet::new(), Vec::new());
        let mut requests: Vec<Request> = requests
            .filter_map(|request| match (request.stage.as_str(), request.verb.as_str()) {
                ("RequestReceived", "watch") => None,
                ("RequestReceived", _) => {
                    pending.push(request);
                    None
                }
                _ => known.insert(request.id.clone()).then_some(request),
            })
            .collect();
        requests.extend(pending.into_iter().filter(|request| !known.contains(&request.id)));
        Self(requests)
    }

    /// The same with streaming lists as lists: how objects are listed does not change their number.
    #[must_use]
    pub fn with_lists(mut self) -> Self {
        for request in self.0.iter_mut().filter(|request| request.is_streaming_list()) {
            "list".clone_into(&mut request.verb);
        }
        self
    }

    /// Requests of one user.
    #[must_use]
    pub fn by(self, user: &str) -> Self {
        self.only(|r| r.user.username == user)
    }

    /// Requests of all users but one.
    #[must_use]
    pub fn not_by(self, user: &str) -> Self {
        self.only(|r| r.user.username != user)
    }

    /// Requests of users whose name contains a text.
    #[must_use]
    pub fn by_any(self, word: &str) -> Self {
        self.only(|r| r.user.username.contains(word))
    }

    /// Requests in a namespace.
    #[must_use]
    pub fn within(self, namespace: &str) -> Self {
        self.only(|r| r.object_ref.namespace == namespace)
    }

    /// Writes, except for leases, Events, and status writes that conflicted and were retried.
    #[must_use]
    pub fn writes(self) -> Self {
        self.only(|r| r.is_write() && !r.is_outrun())
    }

    /// Requests with an error response, except for those that [`Audit::writes`] leaves out, and watches.
    #[must_use]
    pub fn refused(self) -> Self {
        self.only(|r| r.code() >= 300 && r.verb != "watch" && !r.is_outrun())
    }

    /// Number of successful writes to one object.
    pub fn writes_to(&self, resource: &str, name: &str) -> usize {
        let to =
            |r: &&Request| r.is_write() && r.code() < 300 && r.resource() == resource && r.name() == name;
        self.0.iter().filter(to).count()
    }

    /// Requests that satisfy a predicate.
    #[must_use]
    pub fn only(self, keep: impl FnMut(&Request) -> bool) -> Self {
        let mut keep = keep;
        Self(self.0.into_iter().filter(|request| keep(request)).collect())
    }

    /// Requests without the first ones.
    #[must_use]
    pub fn skip(self, number: usize) -> Self {
        Self(self.0.into_iter().skip(number).collect())
    }

    /// The requests.
    pub fn requests(&self) -> &[Request] {
        &self.0
    }

    /// Numbers by verb and resource.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for request in &self.0 {
            *counts.entry(request.what()).or_default() += 1;
        }
        counts
    }

    /// The highest number for one object, by verb and resource.
    pub fn most(&self) -> BTreeMap<String, usize> {
        let mut each: BTreeMap<(String, &str), usize> = BTreeMap::new();
        for request in &self.0 {
            *each.entry((request.what(), request.name())).or_default() += 1;
        }
        let mut most: BTreeMap<String, usize> = BTreeMap::new();
        for ((what, _), number) in each {
            let highest = most.entry(what).or_default();
            *highest = number.max(*highest);
        }
        most
    }

    /// Time from the receipt of the first of these requests to the last response of `others`.
    pub fn until(&self, others: &Self) -> Duration {
        let micros = |text: &str| text.parse().ok().map(Timestamp::as_microsecond);
        let first = self.0.iter().map(Request::received).min().and_then(micros);
        let last = others.0.iter().map(Request::answered).max().and_then(micros);
        let between = first.zip(last).and_then(|(first, last)| u64::try_from(last - first).ok());
        Duration::from_micros(between.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str, verb: &str, stage: &str, received: &str, name: &str) -> String {
        format!(
            "{{\"auditID\":\"{id}\",\"stage\":\"{stage}\",\"verb\":\"{verb}\",\"user\":{{\"username\":\"u\"}},\
             \"objectRef\":{{\"resource\":\"functions\",\"name\":\"{name}\"}},\"responseStatus\":{{\"code\":200}},\
             \"requestReceivedTimestamp\":\"2026-01-01T00:00:{received}.000000Z\",\
             \"stageTimestamp\":\"2026-01-01T00:00:{received}.500000Z\"}}\n"
        )
    }

    #[test]
    fn a_watch_counts_once_and_what_is_older_than_the_mark_not_at_all() {
        let log = [
            line("1", "watch", "ResponseStarted", "01", ""),
            line("1", "watch", "ResponseComplete", "01", ""),
            line("2", "watch", "ResponseStarted", "03", ""),
            // Refused before it began.
            line("3", "watch", "ResponseComplete", "04", ""),
            line("4", "patch", "ResponseComplete", "05", "a"),
            // Received before the mark and logged after it.
            line("5", "patch", "ResponseComplete", "01", "a"),
        ]
        .concat();
        let all = Audit::parse(&log, "").counts();
        assert_eq!((all["watch functions"], all["patch functions"]), (3, 2));
        let later = Audit::parse(&log, "2026-01-01T00:00:02.000000Z").counts();
        assert_eq!((later["watch functions"], later["patch functions"]), (2, 1));
    }

    #[test]
    fn what_has_no_answer_yet_counts_and_once() {
        let log = [
            line("1", "patch", "RequestReceived", "01", "a"),
            line("2", "watch", "RequestReceived", "02", ""),
            line("3", "delete", "RequestReceived", "03", "b"),
            line("1", "patch", "ResponseComplete", "01", "a"),
        ]
        .concat();
        let expected =
            BTreeMap::from([("patch functions".to_owned(), 1), ("delete functions".to_owned(), 1)]);
        assert_eq!(Audit::parse(&log, "").counts(), expected);
    }

    #[test]
    fn a_status_that_came_too_late_is_left_out() {
        let refused = |id: &str, resource: &str| {
            let (whole, code) = (format!("\"resource\":\"{resource}\","), "\"code\":409");
            line(id, "patch", "ResponseComplete", "01", "a")
                .replace("\"resource\":\"functions\",", &whole)
                .replace("\"code\":200", code)
        };
        let log = [refused("1", "functions"), refused("2", "functions\",\"subresource\":\"status")].concat();
        let audit = Audit::parse(&log, "");
        assert_eq!(audit.requests().len(), 2);
        for left in [audit.clone().writes(), audit.refused()] {
            assert_eq!(left.counts(), BTreeMap::from([("patch functions".to_owned(), 1)]));
        }
    }

    #[test]
    fn the_object_with_the_most_requests_is_counted() {
        let log = [("1", "a"), ("2", "b"), ("3", "a")]
            .map(|(id, name)| line(id, "patch", "ResponseComplete", "01", name))
            .concat();
        let audit = Audit::parse(&log, "");
        assert_eq!(audit.most()["patch functions"], 2);
        assert_eq!(audit.until(&audit), Duration::from_millis(500));
    }
}
