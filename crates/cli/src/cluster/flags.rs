//! The flags of a controller, from its Deployment: environment variables, the command, and its arguments.

use serde_json::Value;
use std::collections::BTreeMap;

/// Flags of leader election, which tell controllers of one election apart.
const ELECTION: [&str; 3] = ["leader-elect", "lease-namespace", "lease-name"];
/// Flags on which pods depend, or which objects are reconciled. Each can be set by an environment variable of the same name: `PAUSE_ROLLOUT`.
const FLAGS: [&str; 11] = [
    "add-default-affinity",
    "enable-init-containers",
    "config-file",
    "global-backend-config",
    "global-backend-config-namespace",
    "namespaced-backend-config",
    "pause-rollout",
    "approve-updates",
    "watched-namespace",
    "watch-label-selector",
    "shard",
];

/// The flags of a controller.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    /// By name; the last one of a name counts, and an argument before a variable.
    pub(crate) flags: BTreeMap<String, String>,
    /// Variables whose value is elsewhere, and is not read.
    pub(crate) unread: Vec<String>,
}

impl Flags {
    /// Of the first container of a Deployment.
    pub(crate) fn of(deployment: &Value) -> Self {
        let mut found = Self::default();
        let Some(container) = deployment.pointer("/spec/template/spec/containers/0") else { return found };
        let list = |field: &str| container.get(field).and_then(Value::as_array).into_iter().flatten();
        if list("envFrom").next().is_some() {
            found.unread.push("envFrom".to_owned());
        }
        for variable in list("env") {
            let name = variable.get("name").and_then(Value::as_str).unwrap_or_default();
            let flag = name.to_lowercase().replace('_', "-");
            let is_read = FLAGS.contains(&flag.as_str());
            if !(is_read || ELECTION.contains(&flag.as_str())) || name != name.to_uppercase() {
                continue;
            }
            match variable.get("value").and_then(Value::as_str) {
                Some(value) => drop(found.flags.insert(flag, value.to_owned())),
                None if is_read && variable.get("valueFrom").is_some() => found.unread.push(name.to_owned()),
                None => {}
            }
        }
        let words = list("command").chain(list("args")).filter_map(Value::as_str);
        found.flags.extend(parsed(words));
        found
    }
}

/// `--flag=value` and `--flag value`, the last of each.
fn parsed<'a>(words: impl Iterator<Item = &'a str>) -> BTreeMap<String, String> {
    let mut flags = BTreeMap::new();
    let mut open: Option<String> = None;
    for word in words {
        match word.strip_prefix("--") {
            Some(flag) => {
                let (flag, value) = flag.split_once('=').map_or((flag, ""), |(flag, value)| (flag, value));
                // Another name of the same.
                let flag = if flag == "config" { "config-file" } else { flag };
                open = (!word.contains('=')).then(|| flag.to_owned());
                flags.insert(flag.to_owned(), value.to_owned());
            }
            None => {
                if let Some(flag) = open.take() {
                    flags.insert(flag, word.to_owned());
                }
            }
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(container: &Value) -> Flags {
        Flags::of(&json!({"spec": {"template": {"spec": {"containers": [container]}}}}))
    }

    fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn flags_come_from_the_command_and_its_arguments() {
        let found = of(&json!({
            "command": ["/function-controller", "--pause-rollout", "--watched-namespace", "a"],
            "args": ["--watched-namespace=b", "--config=/etc/x.yaml"],
        }));
        let expected = [("pause-rollout", ""), ("watched-namespace", "b"), ("config-file", "/etc/x.yaml")];
        assert_eq!(found.flags, pairs(&expected));
    }

    #[test]
    fn a_variable_counts_unless_an_argument_says_otherwise() {
        let found = of(&json!({
            "env": [{"name": "LEASE_NAME", "value": "l"}, {"name": "LEASE_NAMESPACE", "valueFrom": {}},
                {"name": "PAUSE_ROLLOUT", "value": "true"}, {"name": "APPROVE_UPDATES", "value": "true"},
                {"name": "PATH", "value": "/bin"}, {"name": "pause_rollout", "value": "no"},
                {"name": "WATCHED_NAMESPACE", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}],
            "args": ["--approve-updates=false"],
        }));
        assert_eq!(
            found.flags,
            pairs(&[("lease-name", "l"), ("pause-rollout", "true"), ("approve-updates", "false")])
        );
        assert_eq!(found.unread, ["WATCHED_NAMESPACE"]);
        assert_eq!(of(&json!({"envFrom": [{}]})).unread, ["envFrom"]);
    }
}
