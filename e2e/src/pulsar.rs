//! A broker in the cluster, and messages sent and received with Pulsar's own client.

use crate::images;
use crate::operator::Kubectl;
use crate::paths;
use crate::shell::{output, run, until};
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::Duration;

/// A broker in a namespace.
#[derive(Clone, Debug)]
pub struct Broker {
    kubectl: Kubectl,
    namespace: String,
}

impl Broker {
    /// Deploys the broker; [`Broker::ready`] waits for it.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub fn deploy(kubectl: &Kubectl, namespace: &str, image: &str) -> Result<Self> {
        let manifest = fs::read_to_string(paths::root().join("config/samples/pulsar.yaml"))?;
        kubectl.namespace(namespace)?;
        kubectl.apply(namespace, &manifest.replace(images::PULSAR_IMAGE, image))?;
        Ok(Self { kubectl: kubectl.clone(), namespace: namespace.to_owned() })
    }

    /// Waits until the broker is healthy.
    ///
    /// # Errors
    /// When it does not become so.
    pub fn ready(&self) -> Result<()> {
        let rollout = format!("-n {} rollout status statefulset/pulsar --timeout=300s", self.namespace);
        run(&mut self.kubectl.command(&rollout)).context("broker")
    }

    /// Sends messages to a topic.
    ///
    /// # Errors
    /// When the broker does not take them.
    pub fn produce(&self, topic: &str, messages: &[String]) -> Result<()> {
        let list = messages.join(",");
        self.client(&["produce", "-s", ",", "-m", &list, topic]).map(drop)
    }

    /// Receives from a topic until all expected messages were received, and returns them in order of arrival. Messages of an
    /// earlier run are skipped.
    ///
    /// # Errors
    /// When messages are missing, or one came twice.
    pub fn expect(&self, topic: &str, expected: &BTreeSet<String>) -> Result<Vec<String>> {
        let seen = self.receive(topic, expected)?;
        let distinct: BTreeSet<&String> = seen.iter().collect();
        if distinct.len() != seen.len() {
            bail!("{} messages came more than once", seen.len() - distinct.len());
        }
        Ok(seen)
    }

    /// Receives from a topic until all expected messages were received at least once; returns the number of messages.
    ///
    /// # Errors
    /// When messages are missing.
    pub fn at_least(&self, topic: &str, expected: &BTreeSet<String>) -> Result<usize> {
        Ok(self.receive(topic, expected)?.len())
    }

    fn receive(&self, topic: &str, expected: &BTreeSet<String>) -> Result<Vec<String>> {
        let (mut seen, mut missing): (Vec<String>, _) = (Vec::new(), expected.clone());
        until("messages", Duration::from_secs(120), || {
            let number = missing.len().to_string();
            // A consumer that gets too few messages would wait forever.
            let received =
                self.client(&["consume", "-s", "expect", "-p", "Earliest", "-n", &number, topic])?;
            let contents = received.lines().filter_map(|line| line.split_once("content:").map(|(_, c)| c));
            seen.extend(contents.filter(|c| expected.contains(*c)).map(str::to_owned));
            missing.retain(|message| !seen.contains(message));
            if missing.is_empty() {
                Ok(())
            } else {
                bail!("{} of {} are missing", missing.len(), expected.len())
            }
        })?;
        Ok(seen)
    }

    /// Names of the subscriptions of a topic.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub fn subscriptions(&self, topic: &str) -> Result<BTreeSet<String>> {
        let mut admin = self.tool("pulsar-admin");
        let answer = output(admin.args(["topics", "subscriptions", topic]))?;
        Ok(answer.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect())
    }

    /// Runs Pulsar's client in the broker's pod; gives up after a minute and a half, with the output so far.
    fn client(&self, arguments: &[&str]) -> Result<String> {
        output(self.tool("pulsar-client").args(arguments)).context("Pulsar's client")
    }

    /// One of Pulsar's tools, with a JVM that starts fast.
    fn tool(&self, name: &str) -> Command {
        let memory = "PULSAR_MEM=-Xmx128m -XX:TieredStopAtLevel=1";
        let start =
            ["-n", &self.namespace, "exec", "pulsar-0", "--", "env", memory, "PULSAR_GC=-XX:+UseSerialGC"];
        let mut tool = self.kubectl.with(start);
        tool.args(["timeout", "90"]).arg(format!("bin/{name}"));
        tool
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::command;
    use serde::Deserialize;
    use serde_json::Value;

    /// The script of the manifest, run with another root: neither Pulsar's file nor the first setting ends with a newline.
    #[test]
    fn each_setting_of_the_broker_has_a_line_of_its_own() -> Result<()> {
        let manifest = fs::read_to_string(paths::root().join("config/samples/pulsar.yaml"))?;
        let script = serde_yaml::Deserializer::from_str(&manifest)
            .filter_map(|document| Value::deserialize(document).ok())
            .find_map(|d| {
                let text = d.pointer("/spec/template/spec/containers/0/command")?;
                Some(text.get(2)?.as_str()?.to_owned())
            })
            .context("no script")?;
        let root = std::env::temp_dir().join(format!("function-mesh-broker-{}", std::process::id()));
        for folder in ["conf", "settings", "tmp", "bin"] {
            fs::create_dir_all(root.join(folder))?;
        }
        fs::write(root.join("conf/standalone.conf"), "last=1")?;
        fs::write(root.join("settings/a"), "first=2")?;
        fs::write(root.join("settings/b"), "second=3\n")?;
        fs::write(root.join("bin/pulsar"), "#!/bin/sh\necho \"$@\"\n")?;
        run(command("chmod", ["755"]).arg(root.join("bin/pulsar")))?;
        let own = |folder: &str| root.join(folder).display().to_string();
        // In this order: the root itself may be in /tmp.
        let script =
            script.replace("/tmp/", &format!("{}/", own("tmp"))).replace("/settings", &own("settings"));
        let started = output(command("bash", ["-c", &script]).current_dir(&root).env("POD_IP", "10.0.0.1"))?;
        let settings = fs::read_to_string(root.join("tmp/standalone.conf"))?;
        fs::remove_dir_all(&root)?;
        assert_eq!(started.trim(), "standalone -nfw -nss -a 10.0.0.1");
        let lines: Vec<&str> = settings.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(lines, ["last=1", "first=2", "second=3"]);
        Ok(())
    }
}
