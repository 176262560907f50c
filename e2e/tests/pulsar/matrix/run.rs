//! The actions of a case, and its counts.

use crate::matrix::Case;
use crate::matrix::stage::{NAMESPACE, Stage};
use anyhow::{Context, Result, bail, ensure};
use e2e::paths;
use e2e::shell::{output, run as execute, until};
use serde::Deserialize;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::time::{Duration, Instant, SystemTime};

/// Longest wait for messages and for conditions.
pub(crate) const TIMEOUT: u64 = 240;

/// Counts of a case; times are seconds since `kubectl apply`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) sent: usize,
    pub(crate) received: usize,
    pub(crate) first: Option<f64>,
    pub(crate) ready: Option<f64>,
    applied: Option<(Instant, u64)>,
}

/// Result of a case.
pub(crate) struct Outcome {
    pub(crate) group: &'static str,
    pub(crate) name: &'static str,
    pub(crate) failure: Option<String>,
    pub(crate) counts: Counts,
    took: Duration,
}

impl Outcome {
    /// A line for the progress of the run.
    pub(crate) fn line(&self) -> String {
        let result =
            self.failure.as_ref().map_or("passed".to_owned(), |failure| format!("FAILED: {failure}"));
        let Counts { sent, received, .. } = self.counts;
        let (first, ready) = (seconds(self.counts.first), seconds(self.counts.ready));
        let took = self.took.as_secs();
        format!(
            "{}/{}: {result} (sent {sent}, received {received}, first message {first} s, Ready {ready} s, all {took} s)",
            self.group, self.name
        )
    }
}

/// Seconds with one decimal, or a dash.
pub(crate) fn seconds(time: Option<f64>) -> String {
    time.map_or("-".to_owned(), |seconds| format!("{seconds:.1}"))
}

/// A message of a topic.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Message {
    pub(crate) value: String,
    pub(crate) hex: String,
    /// Milliseconds since 1970 on the clock of the producer, which is that of this machine.
    pub(crate) published: u64,
}

/// A running case.
pub(crate) struct Run<'s> {
    pub(crate) stage: &'s Stage,
    case: &'s Case,
    counts: RefCell<Counts>,
}

/// Runs a case and deletes its objects.
pub(crate) fn run(stage: &Stage, case: &Case) -> Outcome {
    let started = Instant::now();
    let this = Run { stage, case, counts: RefCell::default() };
    let result = (case.check)(&this);
    let failure = result.err().map(|error| {
        this.keep();
        format!("{error:#}")
    });
    // The next cases need the memory.
    let _ = this.delete();
    Outcome {
        group: case.group,
        name: case.name(),
        failure,
        counts: this.counts.into_inner(),
        took: started.elapsed(),
    }
}

impl Run<'_> {
    /// Name of the case and of its object.
    pub(crate) fn name(&self) -> &str {
        self.case.name()
    }

    /// A topic of the case.
    pub(crate) fn topic(&self, suffix: &str) -> String {
        format!("persistent://public/default/{}-{suffix}", self.name())
    }

    /// The manifest with the image of this cluster.
    fn manifest(&self) -> Result<String> {
        let path = paths::root().join("config/samples").join(format!("{}.yaml", self.case.sample));
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        // On test clusters one image is used for all.
        let text = text.replace(e2e::images::PULSAR_IMAGE, &self.stage.image);
        Ok(text.replace(e2e::images::FULL_IMAGE, &self.stage.image))
    }

    /// `kubectl apply` of the sample.
    pub(crate) fn apply(&self) -> Result<()> {
        let manifest = self.manifest()?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis();
        self.counts.borrow_mut().applied = Some((Instant::now(), u64::try_from(now)?));
        self.stage.kubectl.apply(NAMESPACE, &manifest)
    }

    /// `kubectl apply` of the sample after an edit.
    pub(crate) fn apply_changed(&self, edit: impl Fn(&str) -> String) -> Result<()> {
        self.stage.kubectl.apply(NAMESPACE, &edit(&self.manifest()?))
    }

    /// Deletes the objects of the sample.
    pub(crate) fn delete(&self) -> Result<()> {
        let file = paths::cache().join(format!("delete-{}.yaml", self.case.sample));
        std::fs::write(&file, self.manifest()?)?;
        let words = format!("-n {NAMESPACE} delete --ignore-not-found --wait=false -f {}", file.display());
        let deleted = execute(&mut self.stage.kubectl.command(&words));
        std::fs::remove_file(&file)?;
        deleted
    }

    /// The object, such as `fn/several-inputs`.
    pub(crate) fn object(&self, kind: &str) -> String {
        format!("{kind}/{}", self.name())
    }

    /// Waits until a Function is ready.
    pub(crate) fn ready(&self) -> Result<()> {
        self.until_ready("fn")
    }

    /// Waits until the object of a kind is ready.
    pub(crate) fn until_ready(&self, kind: &str) -> Result<()> {
        let object = self.object(kind);
        let words = format!("-n {NAMESPACE} wait --for=condition=Ready {object} --timeout={TIMEOUT}s");
        if let Err(error) = execute(&mut self.stage.kubectl.command(&words)) {
            let condition = self.condition(kind).unwrap_or_default();
            return Err(error.context(format!("{} is not ready: {} {}", object, condition.0, condition.1)));
        }
        let mut counts = self.counts.borrow_mut();
        if let (None, Some((applied, _))) = (counts.ready, counts.applied) {
            counts.ready = Some(applied.elapsed().as_secs_f64());
        }
        Ok(())
    }

    /// Reason and message of the condition Ready.
    pub(crate) fn condition(&self, kind: &str) -> Result<(String, String)> {
        let object = self.stage.get(&self.object(kind))?;
        let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let ready = conditions.into_iter().find(|c| c["type"] == "Ready").context("no condition Ready")?;
        let text = |key: &str| ready[key].as_str().unwrap_or_default().to_owned();
        Ok((text("reason"), text("message")))
    }

    /// Waits for a reason, and for some text in its message.
    pub(crate) fn until_reason(&self, kind: &str, reasons: &[&str], words: &[&str]) -> Result<String> {
        until("reason", Duration::from_secs(TIMEOUT), || {
            let (reason, message) = self.condition(kind)?;
            let named = reasons.contains(&reason.as_str()) && words.iter().all(|w| message.contains(w));
            if named { Ok(format!("{reason}: {message}")) } else { bail!("{reason}: {message}") }
        })
    }

    /// Sends messages: texts, or objects with value, key, sequence.
    pub(crate) fn send(&self, topic: &str, messages: &[Value]) -> Result<()> {
        self.send_with(topic, messages, &json!({}))
    }

    /// The same, as a producer with a name or at a rate.
    pub(crate) fn send_with(&self, topic: &str, messages: &[Value], options: &Value) -> Result<()> {
        let mut arguments = json!({"topic": topic, "messages": messages});
        merge(&mut arguments, options);
        self.stage.client("send", &arguments)?;
        self.counts.borrow_mut().sent += messages.len();
        Ok(())
    }

    /// Sends a record for each of some numbers to the topic `in`, with a schema.
    pub(crate) fn send_people(&self, name: &str, number: usize) -> Result<()> {
        let arguments = json!({"topic": self.topic("in"), "name": name, "number": number});
        self.stage.client("send_people", &arguments)?;
        self.counts.borrow_mut().sent += number;
        Ok(())
    }

    /// Counts messages that were received in another way.
    pub(crate) fn received(&self, number: usize) {
        self.counts.borrow_mut().received += number;
    }

    /// All messages of a topic, once there are at least `number` and no more arrive.
    pub(crate) fn receive(&self, topic: &str, number: usize) -> Result<Vec<Message>> {
        Ok(self.counted(self.look(topic, number, TIMEOUT)?))
    }

    /// The first messages of a topic to which messages are sent without end.
    pub(crate) fn first(&self, topic: &str, number: usize) -> Result<Vec<Message>> {
        let arguments = json!({"topic": topic, "number": number, "seconds": TIMEOUT, "quiet": 0});
        Ok(self.counted(serde_json::from_value(self.stage.client("receive", &arguments)?)?))
    }

    fn counted(&self, messages: Vec<Message>) -> Vec<Message> {
        let mut counts = self.counts.borrow_mut();
        counts.received += messages.len();
        let first = messages.iter().map(|m| m.published).min();
        if let (None, Some(first), Some((_, applied))) = (counts.first, first, counts.applied) {
            #[allow(clippy::cast_precision_loss, reason = "milliseconds of minutes")]
            let seconds = first.saturating_sub(applied) as f64 / 1000.0;
            counts.first = Some(seconds);
        }
        messages
    }

    /// The same, not counted.
    pub(crate) fn look(&self, topic: &str, number: usize, seconds: u64) -> Result<Vec<Message>> {
        let arguments = json!({"topic": topic, "number": number, "seconds": seconds});
        Ok(serde_json::from_value(self.stage.client("receive", &arguments)?)?)
    }

    /// Sends texts to the topic `in`, applies the sample, and expects each of them once in the topic `out`, with a suffix.
    pub(crate) fn answers(&self, number: usize, suffix: &str) -> Result<()> {
        let sent = texts("x", number);
        self.send(&self.topic("in"), &values(&sent))?;
        self.apply()?;
        self.ready()?;
        self.expect(&self.topic("out"), &with(&sent, suffix)).map(drop)
    }

    /// Expects exactly these messages, in any order.
    pub(crate) fn expect(&self, topic: &str, expected: &[String]) -> Result<Vec<Message>> {
        let messages = self.receive(topic, expected.len())?;
        let sorted = |mut values: Vec<&String>| {
            values.sort();
            values.into_iter().cloned().collect::<Vec<_>>()
        };
        let received = sorted(messages.iter().map(|m| &m.value).collect());
        let expected = sorted(expected.iter().collect());
        ensure!(received == expected, "{}", difference(&expected, &received));
        Ok(messages)
    }

    /// Messages of a subscription that are not acknowledged.
    pub(crate) fn backlog(&self, topic: &str) -> Result<u64> {
        let path = format!("/admin/v2/{}/stats", topic.replace("://", "/"));
        let stats = self.stage.admin("GET", &path, &Value::Null)?;
        let subscriptions = stats["subscriptions"].as_object().context("no subscriptions")?;
        ensure!(!subscriptions.is_empty(), "nobody subscribed");
        Ok(subscriptions.values().filter_map(|s| s["msgBacklog"].as_u64()).sum())
    }

    /// Waits until this number of messages is not acknowledged.
    pub(crate) fn until_backlog(&self, topic: &str, number: u64) -> Result<()> {
        until("backlog", Duration::from_secs(60), || match self.backlog(topic)? {
            backlog if backlog == number => Ok(()),
            backlog => bail!("{backlog} messages are not acknowledged, not {number}"),
        })
    }

    /// Kills a pod of the Function without a grace period.
    pub(crate) fn kill(&self, ordinal: usize) -> Result<()> {
        let name = self.name();
        let words = format!("-n {NAMESPACE} delete pod {name}-function-{ordinal} --grace-period=0 --force");
        execute(&mut self.stage.kubectl.command(&words))
    }

    /// Logs and objects of a failure.
    fn keep(&self) {
        let folder = paths::cache().join("failed/matrix");
        let selector = format!(
            "-n {NAMESPACE} logs -l compute.functionmesh.io/name={} --all-containers --prefix --tail=200",
            self.name()
        );
        let requests = [selector, format!("-n {NAMESPACE} get fn,src,snk,fmesh,pods -o yaml")];
        let text: String = requests
            .iter()
            .map(|words| output(&mut self.stage.kubectl.command(words)).unwrap_or_else(|e| format!("{e:#}")))
            .collect();
        // The failure is reported even if its logs cannot be written.
        let _ = std::fs::create_dir_all(&folder);
        let _ = std::fs::write(folder.join(format!("{}.log", self.name())), text);
    }
}

/// Numbered texts.
pub(crate) fn texts(prefix: &str, number: usize) -> Vec<String> {
    (0..number).map(|i| format!("{prefix}-{i}")).collect()
}

/// The texts as messages.
pub(crate) fn values(texts: &[String]) -> Vec<Value> {
    texts.iter().map(|text| json!(text)).collect()
}

/// The texts with a suffix.
pub(crate) fn with(texts: &[String], suffix: &str) -> Vec<String> {
    texts.iter().map(|text| format!("{text}{suffix}")).collect()
}

fn merge(into: &mut Value, from: &Value) {
    for (key, value) in from.as_object().into_iter().flatten() {
        into[key] = value.clone();
    }
}

fn difference(expected: &[String], received: &[String]) -> String {
    let only = |here: &[String], there: &[String]| -> Vec<String> {
        here.iter().filter(|m| !there.contains(m)).take(5).cloned().collect()
    };
    format!(
        "{} messages instead of {}; missing {:?}, not expected {:?}",
        received.len(),
        expected.len(),
        only(expected, received),
        only(received, expected)
    )
}
