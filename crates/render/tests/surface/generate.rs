//! Objects with any content that a schema allows, and smaller ones when a test fails.

use crate::bases;
use crate::case::{Case, Kind};
use crate::hostile;
use crate::schema::{self, Shape, list_keys, requires, shape};
use proptest::prelude::{RngExt, Strategy};
use proptest::strategy::{NewTree, ValueTree};
use proptest::test_runner::{TestRng, TestRunner};
use serde_json::{Map, Value, json};

/// Generates cases of a kind: some from scratch, most by changing a valid object.
#[derive(Debug)]
pub(crate) struct Cases(pub Kind);

impl Strategy for Cases {
    type Tree = Shrinking;
    type Value = Case;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let mut any = Any::new(runner.rng());
        let spec = schema::spec(self.0.name());
        let mut case = if any.chance(25) {
            Case::new(self.0, any.value(spec, "spec", 0))
        } else {
            let bases: Vec<&Case> = bases::all().filter(|base| base.kind == self.0).collect();
            let mut case = bases[any.below(bases.len())].clone();
            for _ in 0..=any.below(6) {
                any.change(spec, &mut case.spec, "spec", 0);
            }
            case
        };
        case.init_containers = any.chance(40);
        if any.chance(10) {
            let names =
                ["a.b", "", "9lives", "-x", "Upper", "ü", "0123456789012345678901234567890123456789abc"];
            let name = names[any.below(names.len())];
            case.name = if any.chance(30) { format!("{name}z") } else { name.to_owned() };
        }
        for config in &mut case.backend_configs {
            if any.chance(20) {
                *config = any.value(schema::spec("BackendConfig"), "spec", 0);
            }
        }
        Ok(Shrinking { current: case, before: None, next: 0 })
    }
}

/// Generates values of one schema.
#[derive(Debug)]
pub(crate) struct Values(pub &'static Value);

impl Strategy for Values {
    type Tree = proptest::strategy::Just<Value>;
    type Value = Value;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        Ok(proptest::strategy::Just(Any::new(runner.rng()).value(self.0, "spec", 0)))
    }
}

/// Shrinks a failing case by removing one field or item at a time.
#[derive(Debug)]
pub(crate) struct Shrinking {
    current: Case,
    before: Option<Case>,
    next: usize,
}

impl ValueTree for Shrinking {
    type Value = Case;

    fn current(&self) -> Case {
        self.current.clone()
    }

    fn simplify(&mut self) -> bool {
        let before = self.current.clone();
        let mut left = self.next;
        let case = &mut self.current;
        let removed = remove_nth(schema::spec(case.kind.name()), &mut case.spec, &mut left)
            || case
                .backend_configs
                .iter_mut()
                .any(|config| remove_nth(schema::spec("BackendConfig"), config, &mut left));
        self.before = removed.then_some(before);
        removed
    }

    fn complicate(&mut self) -> bool {
        let Some(before) = self.before.take() else { return false };
        self.current = before;
        self.next += 1;
        true
    }
}

/// Removes the field or item at index `left` of those that can be removed, outer ones first.
fn remove_nth(schema: &Value, value: &mut Value, left: &mut usize) -> bool {
    let mut take = || {
        *left = left.wrapping_sub(1);
        *left == usize::MAX
    };
    match (shape(schema), value) {
        (Shape::Fields(fields), Value::Object(map)) => {
            if let Some(key) = map.keys().find(|key| !requires(schema, key) && take()).cloned() {
                return map.remove(&key).is_some();
            }
            map.iter_mut().any(|(key, inner)| fields.get(key).is_some_and(|s| remove_nth(s, inner, left)))
        }
        (Shape::Map(inner), Value::Object(map)) => {
            if let Some(key) = map.keys().find(|_| take()).cloned() {
                return map.remove(&key).is_some();
            }
            map.values_mut().any(|value| remove_nth(inner, value, left))
        }
        (Shape::FreeForm, Value::Object(map)) => {
            map.keys().find(|_| take()).cloned().is_some_and(|key| map.remove(&key).is_some())
        }
        (Shape::List(inner), Value::Array(items)) => {
            if let Some(index) = (0..items.len()).find(|_| take()) {
                items.remove(index);
                return true;
            }
            items.iter_mut().any(|item| remove_nth(inner, item, left))
        }
        _ => false,
    }
}

/// Makes values at random.
pub(crate) struct Any<'a> {
    rng: &'a mut TestRng,
    hostile: &'static [String],
}

impl<'a> Any<'a> {
    pub(crate) fn new(rng: &'a mut TestRng) -> Self {
        Self { rng, hostile: hostile::strings() }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.rng.random_range(0..bound)
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// A value that `schema` allows. `name` is that of the field, or of the field whose item it is.
    pub(crate) fn value(&mut self, schema: &Value, name: &str, depth: usize) -> Value {
        if schema["nullable"] == true && self.chance(4) {
            return Value::Null;
        }
        match shape(schema) {
            Shape::Enumeration(values) => values[self.below(values.len())].clone(),
            Shape::IntOrString { quantity: true } => self.quantity(),
            Shape::IntOrString { quantity: false } => {
                if self.chance(50) {
                    self.integer(schema)
                } else {
                    self.string(schema, name).into()
                }
            }
            Shape::FreeForm => self.free_form(0),
            Shape::Fields(fields) => {
                let mut map = Map::new();
                let is_object = fields.contains_key("apiVersion") && fields.contains_key("metadata");
                for (field, inner) in fields {
                    if is_object && (field == "apiVersion" || field == "kind") {
                        // Kubernetes knows the right kind; a wrong one does not decode anywhere.
                        continue;
                    }
                    let percent = match depth {
                        1 => 35,
                        0 | 2 => 25,
                        _ => 12,
                    };
                    if requires(schema, field) || self.chance(percent) {
                        map.insert(field.clone(), self.value(inner, field, depth + 1));
                    }
                }
                map.into()
            }
            Shape::Map(inner) => {
                let mut map = Map::new();
                for _ in 0..self.size() {
                    map.insert(self.key(name), self.value(inner, name, depth + 1));
                }
                map.into()
            }
            Shape::List(inner) => {
                let items = (0..self.size()).map(|_| self.value(inner, name, depth + 1)).collect();
                distinct(schema, items).into()
            }
            Shape::Scalar("boolean") => self.chance(50).into(),
            Shape::Scalar("integer") => self.integer(schema),
            Shape::Scalar("number") => json!([0.0, -1.5, 1e300][self.below(3)]),
            Shape::Scalar(_) => self.string(schema, name).into(),
        }
    }

    /// Changes a random nested value.
    fn change(&mut self, schema: &Value, value: &mut Value, name: &str, depth: usize) {
        let deeper = !self.chance(if depth == 0 { 0 } else { 25 });
        match (shape(schema), &mut *value) {
            (Shape::Fields(fields), Value::Object(map)) if deeper && !fields.is_empty() => {
                let present: Vec<&String> = fields.keys().filter(|field| map.contains_key(*field)).collect();
                let field = if !present.is_empty() && self.chance(60) {
                    present[self.below(present.len())].clone()
                } else {
                    fields.keys().nth(self.below(fields.len())).unwrap().clone()
                };
                let inner = &fields[&field];
                if fields.contains_key("metadata") && (field == "apiVersion" || field == "kind") {
                    return;
                }
                match map.get_mut(&field) {
                    Some(_) if !requires(schema, &field) && self.chance(15) => drop(map.remove(&field)),
                    Some(known) => self.change(inner, known, &field, depth + 1),
                    None => drop(map.insert(field.clone(), self.value(inner, &field, depth + 1))),
                }
            }
            (Shape::Map(inner), Value::Object(map)) if deeper => {
                let known = map.keys().nth(self.below(map.len() + 1)).cloned();
                if let Some(key) = known {
                    self.change(inner, map.get_mut(&key).unwrap(), name, depth + 1);
                } else {
                    map.insert(self.key(name), self.value(inner, name, depth + 1));
                }
            }
            (Shape::List(inner), Value::Array(items)) if deeper => {
                let index = self.below(items.len() + 1);
                if let Some(item) = items.get_mut(index) {
                    self.change(inner, item, name, depth + 1);
                } else {
                    items.push(self.value(inner, name, depth + 1));
                }
                *items = distinct(schema, std::mem::take(items));
            }
            _ => *value = self.value(schema, name, depth),
        }
    }

    fn size(&mut self) -> usize {
        [0, 1, 1, 1, 2, 3][self.below(6)]
    }

    fn integer(&mut self, schema: &Value) -> Value {
        let (low, high) = match schema["format"].as_str() {
            Some("int64") => (i64::MIN, i64::MAX),
            _ => (i64::from(i32::MIN), i64::from(i32::MAX)),
        };
        #[allow(clippy::cast_possible_truncation, reason = "bounds in the schemas are small")]
        let low = schema["minimum"].as_f64().map_or(low, |minimum| minimum as i64);
        let all = [0, 1, 2, 3, 5, 100, 9094, low, high, -1];
        all[self.below(all.len())].max(low).into()
    }

    fn quantity(&mut self) -> Value {
        let all = [
            "0",
            "1",
            "100m",
            "1.5Gi",
            "2G",
            ".5",
            "5.",
            "+3",
            "-1",
            "1e3",
            "1E-3",
            "1n",
            "100u",
            "9223372036854775807",
            "99999999999999999999E",
            "1e99999",
            "0.0000000001",
            "1e400Ki",
            "512Mi",
        ];
        if self.chance(10) {
            return json!([0, 1, -5, i64::MAX][self.below(4)]);
        }
        all[self.below(all.len())].into()
    }

    fn key(&mut self, name: &str) -> String {
        let labels = name.ends_with("abels") || name == "annotations" || name == "nodeSelector";
        if labels && self.chance(70) {
            return ["team", "example.com/a.b", "x_y", "app", "compute.functionmesh.io/name"][self.below(5)]
                .to_owned();
        }
        if ["customSerdeSources", "customSchemaSources", "sourceSpecs", "customSchemaSinks"].contains(&name) {
            return self.string(&Value::Null, "topic");
        }
        if name == "requests" || name == "limits" {
            return ["cpu", "memory", "storage", "example.com/gpu"][self.below(4)].to_owned();
        }
        self.string(&Value::Null, name)
    }

    fn string(&mut self, schema: &Value, name: &str) -> String {
        match schema["format"].as_str() {
            Some("date-time") => return "2026-01-02T03:04:05Z".to_owned(),
            Some("byte") => return "YWJj".to_owned(),
            _ => {}
        }
        let lower = name.to_lowercase();
        let likely: &[&str] = if lower.contains("topic") {
            &[
                "persistent://public/default/a",
                "b",
                "te/na/c",
                "persistent://te/na/d 'e' $(f)",
                "persistent://te/na/g.*",
            ]
        } else if lower.ends_with("location") {
            &[
                "function://te/na/f@1",
                "http://h/f.jar?a=b&c=d",
                "https://h/",
                "sink://te/na/s",
                "te/na/f",
                "builtin://x",
            ]
        } else if ["jar", "py", "go", "functionFile"].contains(&name) {
            &["f.jar", "/pulsar/f.jar", "/pulsar/a/b/f", "/opt/f", "/", "a/", "//", "/pulsar/"]
        } else if lower.ends_with("path") || name == "asVolume" {
            &[
                "/a",
                "/etc/oauth2",
                "/etc/tls/pulsar-functions",
                "/pulsar/logs/functions",
                "/pulsar/download",
                "/pulsar",
            ]
        } else if name == "builtinAutoscaler" {
            &[
                "AverageUtilizationCPUPercent80",
                "AverageUtilizationMemoryPercent20",
                "AverageUtilizationCPUPercent50",
            ]
        } else if name == "clientAuthenticationPlugin" {
            &[
                "org.apache.pulsar.client.impl.auth.AuthenticationToken",
                "org.apache.pulsar.client.impl.auth.oauth2.AuthenticationOAuth2",
            ]
        } else if name == "clientAuthenticationParameters" || name == "customSchemaSinks" {
            &["{\"issuerUrl\":\"i\"}", "{\"schemaProperties\":{\"a\":\"b\"}}", "{", "token:a"]
        } else if name == "imagePullPolicy" {
            &["Always", "IfNotPresent", "Never", ""]
        } else if name == "image" {
            &["example/runner:1", "streamnative/pulsar-functions-pulsarctl-java-runner:1", ""]
        } else if name == "name" {
            &[
                "a",
                "data",
                "filebeat-logs",
                "downloader-volume",
                "pulsar-function",
                "filebeat",
                "POD_NAME",
                "logTopic",
                "",
            ]
        } else {
            &["a", "b", "org.example.A", "1", "true", "nodejs", "python", ""]
        };
        match self.below(10) {
            0..7 => likely[self.below(likely.len())].to_owned(),
            7..9 => {
                let index = self.below(self.hostile.len());
                self.hostile[index].clone()
            }
            _ => {
                let length = self.below(80);
                (0..length).map(|_| self.rng.random_range('\u{1}'..='\u{d7ff}')).collect()
            }
        }
    }

    fn free_form(&mut self, depth: usize) -> Value {
        let mut map = Map::new();
        for _ in 0..self.size() {
            let key = [
                "a",
                "configs",
                "className",
                "builtin",
                "archive",
                "sinkType",
                "typeClassName",
                "__WINDOWCONFIGS__",
            ];
            let key =
                if self.chance(70) { key[self.below(8)].to_owned() } else { self.string(&Value::Null, "") };
            let value = match self.below(9) {
                0 => Value::Null,
                1 => self.chance(50).into(),
                2 => json!([0.0, -0.0, 1.5, 1e300, 1e-7, 123_456_789_012.5][self.below(6)]),
                3 => json!([0, 1, -1, i64::MAX, i64::MIN][self.below(5)]),
                4 => json!(u64::MAX),
                5 if depth < 3 => Value::Array((0..self.size()).map(|_| self.free_form(depth + 1)).collect()),
                6 if depth < 3 => self.free_form(depth + 1),
                _ => self.string(&Value::Null, "").into(),
            };
            map.insert(key, value);
        }
        map.into()
    }
}

/// Removes items that the API server would refuse as duplicates.
fn distinct(schema: &Value, items: Vec<Value>) -> Vec<Value> {
    let keys = list_keys(schema);
    let mut seen: Vec<Vec<Value>> = Vec::new();
    items
        .into_iter()
        .filter(|item| {
            let key: Vec<Value> = keys.iter().map(|key| item[*key].clone()).collect();
            let new = keys.is_empty() || !seen.contains(&key);
            seen.push(key);
            new
        })
        .collect()
}
