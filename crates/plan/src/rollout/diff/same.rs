//! Whether a field is unchanged.

use crate::rollout::diff::held::Held;
use functionmesh_render::Decimal;
use serde_json::Value;
use std::collections::BTreeSet;

/// Fields whose values are quantities, such as `1000m`, or maps of quantities.
const AMOUNTS: [&str; 4] = ["limits", "requests", "sizeLimit", "divisor"];
/// Fields that are omitted when they are zero or false; for others, zero differs from absence.
const ZERO: [&str; 10] = [
    "minReadySeconds",
    "initialDelaySeconds",
    "readOnly",
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "hostPort",
    "stdin",
    "stdinOnce",
    "tty",
];
/// Objects for which empty equals absent; for others, presence has a meaning, such as `emptyDir: {}`.
const MAPS: [&str; 7] =
    ["labels", "annotations", "nodeSelector", "matchLabels", "limits", "requests", "resources"];

/// Fields that are owned as a whole: content that is not desired is removed, whatever manager added it. The same is true for
/// lists without keys.
const ATOMIC: [&str; 7] = [
    "nodeSelector",
    "selector",
    "labelSelector",
    "fieldRef",
    "secretKeyRef",
    "configMapKeyRef",
    "resourceFieldRef",
];

/// The owners of a desired field.
pub(super) fn owned<'a>(field: &str, desired: Option<&Value>, held: Held<'a>) -> Held<'a> {
    if desired.is_some() && ATOMIC.contains(&field) { Held::All } else { held }
}

/// Whether applying the desired value leaves the live one unchanged. `field` is the name of the field.
pub(super) fn same(field: &str, desired: Option<&Value>, live: Option<&Value>, held: &Held) -> bool {
    match (given(field, desired), given(field, live)) {
        (None, None) => true,
        (Some(_), None) => false,
        (None, Some(live)) => !held.goes() || is_default(field, live),
        (Some(Value::Object(desired)), Some(Value::Object(live))) => {
            let keys: BTreeSet<&String> = desired.keys().chain(live.keys()).collect();
            keys.into_iter().all(|key| {
                let name = if AMOUNTS.contains(&field) { field } else { key.as_str() };
                let (desired, live) = (desired.get(key), live.get(key));
                same(name, desired, live, &owned(key, desired, held.field(key)))
            })
        }
        (Some(Value::Array(desired)), Some(Value::Array(live))) => {
            let mut pairs = desired.iter().zip(live);
            desired.len() == live.len()
                && pairs.all(|(desired, live)| same("", Some(desired), Some(live), &Held::All))
        }
        (Some(Value::String(desired)), Some(Value::String(live))) if AMOUNTS.contains(&field) => {
            let amount = Decimal::parse(desired);
            desired == live || (amount.is_some() && amount == Decimal::parse(live))
        }
        (Some(desired), Some(live)) => desired == live,
    }
}

/// A value that is not empty: the API server omits empty ones.
pub(super) fn given<'a>(field: &str, value: Option<&'a Value>) -> Option<&'a Value> {
    let says_nothing = |value: &Value| match value {
        Value::Null => true,
        // An empty storage class disables dynamic provisioning.
        Value::String(text) => text.is_empty() && field != "storageClassName",
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty() && MAPS.contains(&field),
        Value::Bool(value) => !value && ZERO.contains(&field),
        Value::Number(number) => number.as_i64() == Some(0) && ZERO.contains(&field),
    };
    value.filter(|value| !says_nothing(value))
}

/// The meaning of an omitted number.
pub(super) fn absent(field: &str) -> Option<Value> {
    let zero = (field == "minReadySeconds").then_some(0);
    let known = ["revisionHistoryLimit", "terminationGracePeriodSeconds"].contains(&field);
    zero.or_else(|| default_number(field).filter(|_| known)).map(Value::from)
}

/// Whether a value is the API server's default. Only matters for fields that are no longer rendered: in objects of another
/// operator that did not declare its fields, and in lists that have one owner.
pub(super) fn is_default(field: &str, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.iter().all(|(field, value)| is_default(field, value)),
        Value::Array(items) => items.is_empty(),
        Value::Bool(_) => false,
        Value::Number(number) => number.as_i64().is_some_and(|number| default_number(field) == Some(number)),
        Value::String(text) => text.is_empty() || default_words(field).contains(&text.as_str()),
    }
}

fn default_number(field: &str) -> Option<i64> {
    Some(match field {
        // Of probes, and of the rolling update of the StatefulSet.
        "timeoutSeconds" | "successThreshold" | "maxUnavailable" => 1,
        "periodSeconds" | "revisionHistoryLimit" => 10,
        "failureThreshold" => 3,
        // Of pods.
        "terminationGracePeriodSeconds" => 30,
        // Of files and tokens in volumes.
        "defaultMode" => 0o644,
        "expirationSeconds" => 3600,
        // Of the StatefulSet, as the limit above.
        "partition" => 0,
        _ => return None,
    })
}

fn default_words(field: &str) -> &'static [&'static str] {
    match field {
        // Of pods.
        "restartPolicy" => &["Always"],
        "dnsPolicy" => &["ClusterFirst"],
        "schedulerName" => &["default-scheduler"],
        // Of containers. The first depends on the tag of the image.
        "imagePullPolicy" | "pullPolicy" => &["Always", "IfNotPresent"],
        "terminationMessagePath" => &["/dev/termination-log"],
        "terminationMessagePolicy" => &["File"],
        "procMount" => &["Default"],
        // Of the StatefulSet.
        "podManagementPolicy" => &["OrderedReady"],
        "whenDeleted" | "whenScaled" => &["Retain"],
        "type" => &["RollingUpdate"],
        // Of ports, probes and variables.
        "protocol" => &["TCP"],
        "scheme" => &["HTTP"],
        "apiVersion" => &["v1"],
        "divisor" => &["0"],
        // Of claim templates.
        "kind" => &["PersistentVolumeClaim"],
        "volumeMode" => &["Filesystem"],
        "phase" => &["Pending"],
        _ => &[],
    }
}
