//! Runner images of another Pulsar line than the broker.

use super::finding::{Findings, Severity, few};
use super::referenced::Found;
use super::references::Kind;
use super::snapshot::Snapshot;
use crate::cluster::item::Item;
use crate::cluster::kubectl::Connection;
use crate::cluster::parallel::{AT_ONCE, each};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A line of releases, such as 4.0.
type Line = (u32, u32);

/// The line of a version or a tag: `4.0.6`, `v2.10.2.3`, `4.0.6-rc1`.
fn line(version: &str) -> Option<Line> {
    let text = version.trim().trim_matches('"').trim_start_matches('v');
    let mut numbers = text.split(['.', '-', '+']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The Pulsar line of an image, where its name and tag tell: images of other names have versions of their own, and those of
/// generic runtimes as well.
fn line_of_image(image: &str) -> Option<Line> {
    let (path, tag) = image.split('@').next()?.rsplit_once(':')?;
    let name = path.rsplit('/').next()?;
    (name.contains("pulsar") && !name.contains("generic") && !name.contains("pulsarctl"))
        .then(|| line(tag))?
}

/// Images that run an object: those of its pods, else that of its spec.
fn images<'a>(item: &'a Item, snapshot: &'a Snapshot) -> BTreeSet<&'a str> {
    let container = format!("pulsar-{}", item.kind.to_lowercase());
    let template = |set: &'a Item| {
        let containers = set.object.pointer("/spec/template/spec/containers")?.as_array()?;
        containers.iter().find(|c| c["name"] == container.as_str())?.get("image")?.as_str()
    };
    let of_sets = snapshot.sets.iter().filter(|set| item.owns(&set.object)).filter_map(template);
    let found: BTreeSet<&str> = of_sets.collect();
    if found.is_empty() {
        item.object.pointer("/spec/image").and_then(Value::as_str).into_iter().collect()
    } else {
        found
    }
}

/// Compares the images of the objects with the broker that their ConfigMap names.
pub(crate) fn check(snapshot: &Snapshot, found: &Found, cluster: &Connection, findings: &mut Findings) {
    let mut groups: BTreeMap<(String, String), Vec<&Item>> = BTreeMap::new();
    for item in snapshot.components() {
        let config = item.text("/spec/pulsar/pulsarConfig").to_owned();
        groups.entry((item.namespace.clone(), config)).or_default().push(item);
    }
    let brokers: Vec<(&(String, String), Option<Service>)> = groups
        .keys()
        .map(|group| {
            let key = (Kind::ConfigMap, group.0.clone(), group.1.clone());
            let url = found
                .get(&key)
                .and_then(Option::as_ref)
                .and_then(|m| m.pointer("/data/webServiceURL")?.as_str());
            (group, url.and_then(|url| Service::of(url, &group.0)))
        })
        .collect();
    let services: BTreeSet<&Service> = brokers.iter().filter_map(|(_, service)| service.as_ref()).collect();
    let services: Vec<&Service> = services.into_iter().collect();
    let answers = each(&services, AT_ONCE, |service| service.broker(cluster));
    let versions: BTreeMap<&Service, Result<Broker, String>> = services.into_iter().zip(answers).collect();
    let mut custom = BTreeSet::new();
    for ((group, service), items) in brokers.iter().zip(groups.values()) {
        let mut lines: BTreeMap<Line, (BTreeSet<String>, &str)> = BTreeMap::new();
        for item in items {
            for image in images(item, snapshot) {
                match line_of_image(image) {
                    Some(line) => {
                        lines
                            .entry(line)
                            .or_insert_with(|| (BTreeSet::new(), image))
                            .0
                            .insert(item.to_string());
                    }
                    None => {
                        custom.insert(image);
                    }
                }
            }
        }
        let config = format!("ConfigMap {}/{}", group.0, group.1);
        let broker = match service {
            Some(service) => versions.get(service).cloned().unwrap_or_else(|| Err("not asked".to_owned())),
            None => Err("webServiceURL names no Service of this cluster".to_owned()),
        };
        match broker {
            Ok(broker) => differing(&config, &broker, &lines, findings),
            Err(why) if !lines.is_empty() => {
                findings.unchecked(&format!("the broker's version for {config}"), &why);
                among_themselves(&config, &lines, findings);
            }
            Err(_) => {}
        }
    }
    if !custom.is_empty() {
        let why = format!("the name or tag does not tell: {}", few(custom));
        findings.unchecked("Pulsar line of images", &why);
    }
}

fn text((major, minor): Line) -> String {
    format!("{major}.{minor}")
}

fn differing(
    config: &str,
    broker: &Broker,
    lines: &BTreeMap<Line, (BTreeSet<String>, &str)>,
    findings: &mut Findings,
) {
    for (line, (objects, image)) in lines.iter().filter(|(line, _)| **line != broker.line) {
        let text = format!(
            "runs {image}, of Pulsar {}; the broker is of {} (according to {})",
            text(*line),
            text(broker.line),
            broker.source
        );
        let remedy = "use a runner image of the broker's line: spec.image, or runnerImages in the operator's configuration";
        let objects = few(objects.iter().map(String::as_str));
        findings.add(Severity::Warning, "PulsarLine", format!("{objects} ({config})"), text, remedy);
    }
}

/// Without a broker to compare with: images of several lines for one broker.
fn among_themselves(config: &str, lines: &BTreeMap<Line, (BTreeSet<String>, &str)>, findings: &mut Findings) {
    if lines.len() < 2 {
        return;
    }
    let all: Vec<String> = lines
        .iter()
        .map(|(line, (objects, _))| format!("{} ({})", text(*line), few(objects.iter().map(String::as_str))))
        .collect();
    findings.add(
        Severity::Warning,
        "PulsarLine",
        config,
        format!("components with this broker run images of several Pulsar lines: {}", all.join("; ")),
        "use runner images of the broker's line",
    );
}

/// A Service of the cluster, as `webServiceURL` names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Service {
    namespace: String,
    name: String,
    scheme: &'static str,
    port: u16,
}

/// What is known of a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Broker {
    line: Line,
    source: String,
}

impl Service {
    /// Reads the first address of a URL; none for one outside of the cluster. Nothing of the URL but the name of the Service
    /// is ever printed.
    fn of(url: &str, namespace: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let scheme = match scheme {
            "http" => "http",
            "https" => "https",
            _ => return None,
        };
        let authority = rest.split(['/', '?', ',']).next()?;
        let address = authority.rsplit('@').next()?;
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (address, if scheme == "https" { 443 } else { 80 }),
        };
        let mut parts = host.split('.');
        let name = parts.next().filter(|name| !name.is_empty() && name.parse::<u8>().is_err())?;
        let home = parts.next().unwrap_or(namespace);
        if parts.next().is_some_and(|part| part != "svc") {
            return None;
        }
        Some(Self { namespace: home.to_owned(), name: name.to_owned(), scheme, port })
    }

    /// Asks the broker through the API server's proxy, without credentials for Pulsar; where that is refused, the images of
    /// the pods behind the Service tell.
    fn broker(&self, cluster: &Connection) -> Result<Broker, String> {
        let Self { namespace, name, scheme, port } = self;
        let path = format!(
            "/api/v1/namespaces/{namespace}/services/{scheme}:{name}:{port}/proxy/admin/v2/brokers/version"
        );
        let asked = cluster
            .raw(&path)
            .map_err(|error| error.to_string())
            .and_then(|answer| line(&answer).ok_or_else(|| "the broker answered with no version".to_owned()));
        match asked {
            Ok(line) => Ok(Broker { line, source: format!("Service {namespace}/{name}") }),
            Err(refused) => {
                self.image(cluster).ok_or_else(|| format!("Service {namespace}/{name}: {refused}"))
            }
        }
    }

    fn image(&self, cluster: &Connection) -> Option<Broker> {
        let found = cluster.existing(&["services", &self.name, "--namespace", &self.namespace]).ok()?;
        let selector = found.first()?.pointer("/spec/selector")?.as_object()?;
        let labels: Vec<String> =
            selector.iter().filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?))).collect();
        let selector = format!("--selector={}", labels.join(","));
        let pods = cluster.existing(&["pods", "--namespace", &self.namespace, &selector]).ok()?;
        let lines: BTreeSet<(Line, &str)> = pods
            .iter()
            .filter_map(|pod| pod.pointer("/spec/containers/0/image")?.as_str())
            .filter_map(|image| Some((line_of_image(image)?, image)))
            .collect();
        // During an upgrade of the broker there are two: the older one is what every instance has to work with.
        lines
            .first()
            .map(|(line, image)| Broker { line: *line, source: format!("the image {image} of its pods") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_in_the_tag_of_images_of_pulsar() {
        for (image, expected) in [
            ("apachepulsar/pulsar-all:4.0.6", Some((4, 0))),
            ("streamnative/pulsar-functions-java-runner:2.10.0.0-rc10", Some((2, 10))),
            ("registry:5000/pulsar:v3.3.1@sha256:0", Some((3, 3))),
            ("streamnative/pulsar-functions-generic-nodejs-runner:0.1.0", None),
            ("example.com/mine:1.2.3", None),
            ("apachepulsar/pulsar:latest", None),
            ("apachepulsar/pulsar@sha256:0", None),
            ("registry:5000/pulsar", None),
        ] {
            assert_eq!(line_of_image(image), expected, "{image}");
        }
        assert_eq!((line("4.0.6\n"), line("\"3.0.1\""), line("unknown")), (Some((4, 0)), Some((3, 0)), None));
    }

    #[test]
    fn services_are_found_in_addresses() {
        let of = |url| {
            Service::of(url, "here").map(|s| format!("{}:{}/{}:{}", s.scheme, s.namespace, s.name, s.port))
        };
        assert_eq!(of("http://pulsar-proxy:8080").as_deref(), Some("http:here/pulsar-proxy:8080"));
        assert_eq!(
            of("https://u:canary@broker.pulsar.svc.cluster.local/x").as_deref(),
            Some("https:pulsar/broker:443")
        );
        assert_eq!(of("http://broker.pulsar").as_deref(), Some("http:pulsar/broker:80"));
        for outside in ["http://pulsar.example.com:8080", "http://10.0.0.1:8080", "pulsar://broker:6650", "x"]
        {
            assert_eq!(of(outside), None, "{outside}");
        }
    }
}
