//! Conditions on a `spec` that are evaluated in two places: in this crate, and as CEL expressions in the API server.

use serde_json::Value;

/// A condition. Paths are relative to the `spec`, or to the item that the condition is about; a field that is `null` counts as
/// unset.
#[derive(Debug)]
pub enum When {
    /// The field is set.
    IsSet(&'static str),
    /// The field is a non-empty string.
    NonEmpty(&'static str),
    /// The field is a boolean with this value.
    IsBool(&'static str, bool),
    /// The field is one of these strings.
    OneOf(&'static str, &'static [&'static str]),
    /// The field is a non-empty string that starts with one of these prefixes.
    StartsWith(&'static str, &'static [&'static str]),
    /// The field is a string that contains one of these.
    Contains(&'static str, &'static [&'static str]),
    /// The field is an integer in this range, including both ends.
    Between(&'static str, i64, i64),
    /// The field is a list or map with more entries than this number.
    MoreThan(&'static str, usize),
    /// An item of the list satisfies a condition.
    AnyItem(&'static str, &'static When),
    /// A value of the map satisfies a condition.
    AnyValue(&'static str, &'static When),
    /// `input` names several topics or patterns.
    SeveralInputs,
    /// The condition does not hold.
    Not(&'static When),
    /// All of the conditions hold.
    All(&'static [When]),
    /// At least one of the conditions holds.
    Any(&'static [When]),
}

/// Fields that name inputs: the items of a list (`false`) or the keys of a map (`true`).
const INPUTS: [(&str, bool); 4] = [
    ("input.topics", false),
    ("input.customSerdeSources", true),
    ("input.customSchemaSources", true),
    ("input.sourceSpecs", true),
];
const PATTERN: &str = "input.topicPattern";

impl When {
    /// Whether the condition holds for a spec.
    pub fn holds(&self, spec: &Value) -> bool {
        let text = |path| find(spec, path).and_then(Value::as_str);
        match *self {
            Self::IsSet(path) => find(spec, path).is_some(),
            Self::NonEmpty(path) => text(path).is_some_and(|text| !text.is_empty()),
            Self::IsBool(path, on) => find(spec, path).and_then(Value::as_bool) == Some(on),
            Self::OneOf(path, texts) => text(path).is_some_and(|text| texts.contains(&text)),
            Self::StartsWith(path, texts) => {
                text(path).is_some_and(|t| texts.iter().any(|b| t.starts_with(b)))
            }
            Self::Contains(path, texts) => text(path).is_some_and(|t| texts.iter().any(|b| t.contains(b))),
            Self::Between(path, from, to) => {
                find(spec, path).and_then(Value::as_i64).is_some_and(|n| (from..=to).contains(&n))
            }
            Self::MoreThan(path, count) => find(spec, path).is_some_and(|found| size(found) > count),
            Self::AnyItem(path, when) => {
                find(spec, path).and_then(Value::as_array).is_some_and(|l| l.iter().any(|i| when.holds(i)))
            }
            Self::AnyValue(path, when) => {
                find(spec, path).and_then(Value::as_object).is_some_and(|m| m.values().any(|v| when.holds(v)))
            }
            Self::SeveralInputs => {
                let names = inputs(spec);
                names.iter().any(|name| Some(name) != names.first())
            }
            Self::Not(when) => !when.holds(spec),
            Self::All(all) => all.iter().all(|when| when.holds(spec)),
            Self::Any(any) => any.iter().any(|when| when.holds(spec)),
        }
    }

    /// The condition in the Common Expression Language (CEL), on the value of a variable.
    pub fn expression(&self, spec: &str) -> String {
        self.write(spec, 0)
    }

    fn write(&self, of: &str, depth: usize) -> String {
        let quoted = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(|text| format!("'{text}'")).collect();
            format!("[{}]", texts.join(", "))
        };
        let join = |all: &[Self], by: &str| {
            let all: Vec<String> = all.iter().map(|when| when.write(of, depth)).collect();
            format!("({})", all.join(by))
        };
        match *self {
            Self::IsSet(path) => such(of, path, depth, |_| String::new()),
            Self::NonEmpty(path) => such(of, path, depth, |v| format!(" && {v} != ''")),
            Self::IsBool(path, on) => such(of, path, depth, |v| format!(" && {v} == {on}")),
            Self::OneOf(path, texts) => such(of, path, depth, |v| format!(" && {v} in {}", quoted(texts))),
            Self::StartsWith(path, texts) => {
                such(of, path, depth, |v| format!(" && {}.exists(t, {v}.startsWith(t))", quoted(texts)))
            }
            Self::Contains(path, texts) => {
                such(of, path, depth, |v| format!(" && {}.exists(t, {v}.contains(t))", quoted(texts)))
            }
            Self::Between(path, from, to) => such(of, path, depth, |v| match (from, to) {
                (i64::MIN, to) => format!(" && {v} <= {to}"),
                (from, i64::MAX) => format!(" && {v} >= {from}"),
                (from, to) => format!(" && {v} >= {from} && {v} <= {to}"),
            }),
            Self::MoreThan(path, count) => such(of, path, depth, |v| format!(" && {v}.size() > {count}")),
            Self::AnyItem(path, when) => such(of, path, depth, |v| {
                let item = variable('i', depth);
                format!(" && {v}.exists({item}, {})", when.write(&item, depth + 1))
            }),
            Self::AnyValue(path, when) => such(of, path, depth, |v| {
                let key = variable('k', depth);
                format!(" && {v}.exists({key}, {})", when.write(&format!("{v}[{key}]"), depth + 1))
            }),
            Self::SeveralInputs => {
                let names = names_of_inputs(of);
                format!("({names}).exists(n, n != ({names})[0])")
            }
            Self::Not(when) => format!("!{}", when.write(of, depth)),
            Self::All(all) => join(all, " && "),
            Self::Any(any) => join(any, " || "),
        }
    }

    /// Adds the fields that the condition reads.
    pub(super) fn paths(&self, paths: &mut Vec<&'static str>) {
        match *self {
            Self::IsSet(path)
            | Self::NonEmpty(path)
            | Self::IsBool(path, _)
            | Self::OneOf(path, _)
            | Self::StartsWith(path, _)
            | Self::Contains(path, _)
            | Self::Between(path, ..)
            | Self::MoreThan(path, _)
            | Self::AnyItem(path, _)
            | Self::AnyValue(path, _) => paths.push(path),
            Self::SeveralInputs => {
                paths.extend(INPUTS.iter().map(|(path, _)| path).chain([&PATTERN]));
            }
            Self::Not(when) => when.paths(paths),
            Self::All(all) | Self::Any(all) => all.iter().for_each(|when| when.paths(paths)),
        }
    }
}

/// The value at a path, unless it is `null`.
fn find<'a>(spec: &'a Value, path: &str) -> Option<&'a Value> {
    let mut steps = path.split('.').filter(|step| !step.is_empty());
    steps.try_fold(spec, |value, step| value.get(step)).filter(|value| !value.is_null())
}

fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.len(),
        Value::Object(map) => map.len(),
        _ => 0,
    }
}

/// All topics and patterns that `input` names, possibly with duplicates.
fn inputs(spec: &Value) -> Vec<&str> {
    let mut names = Vec::new();
    for (path, _) in INPUTS {
        match find(spec, path) {
            Some(Value::Array(topics)) => names.extend(topics.iter().filter_map(Value::as_str)),
            Some(Value::Object(map)) => names.extend(map.keys().map(String::as_str)),
            _ => {}
        }
    }
    names.extend(find(spec, PATTERN).and_then(Value::as_str).filter(|pattern| !pattern.is_empty()));
    names
}

/// The number of these as an expression.
fn names_of_inputs(of: &str) -> String {
    let lists = INPUTS.iter().map(|(path, keys)| {
        let names = if *keys { format!("{of}.{path}.map(n, n)") } else { format!("{of}.{path}") };
        format!("({} ? {names} : [])", When::IsSet(path).expression(of))
    });
    let pattern = format!("({} ? [{of}.{PATTERN}] : [])", When::NonEmpty(PATTERN).expression(of));
    lists.chain([pattern]).collect::<Vec<_>>().join(" + ")
}

/// The name of a variable at a depth of nesting.
fn variable(name: char, depth: usize) -> String {
    format!("{name}{}", "x".repeat(depth))
}

/// Whether the value at a path exists and satisfies an expression. Each field is looked up once: its value is bound as the item
/// of a list with one item or none.
fn such(of: &str, path: &str, depth: usize, is: impl Fn(&str) -> String) -> String {
    let steps: Vec<&str> = path.split('.').filter(|step| !step.is_empty()).collect();
    let (mut open, mut under) = (String::new(), of.to_owned());
    if steps.is_empty() {
        return format!("(dyn({of}) != null{})", is(of));
    }
    for (i, step) in steps.iter().enumerate() {
        let name = format!("{}{i}", variable('v', depth));
        let and = if i == 0 { "" } else { " && " };
        open = format!("{open}{and}[?{under}.?{step}].exists({name}, dyn({name}) != null");
        under = name;
    }
    format!("{open}{}{}", is(&under), ")".repeat(steps.len()))
}

/// The value at a path, as nested lists of one item, or empty lists: something that can be compared.
pub(super) fn value(of: &str, path: &str) -> String {
    let steps: Vec<&str> = path.split('.').collect();
    let (mut open, mut under) = (String::new(), of.to_owned());
    for (i, step) in steps.iter().enumerate() {
        let name = format!("p{i}");
        open = format!("{open}[?{under}.?{step}].filter({name}, dyn({name}) != null).map({name}, ");
        under = name;
    }
    format!("{open}{under}{}", ")".repeat(steps.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn conditions_hold_of_specs() {
        const QUEUE: When = When::Between("queue", 0, 0);
        let spec = json!({
            "timeout": 500, "autoAck": false, "topic": "a", "null": null,
            "input": {"topics": ["a"], "topicPattern": "", "sourceSpecs": {"a": {"queue": 0}}},
        });
        for when in [
            When::IsSet("timeout"),
            When::NonEmpty("topic"),
            When::IsBool("autoAck", false),
            When::OneOf("topic", &["b", "a"]),
            When::StartsWith("topic", &["a"]),
            When::Contains("topic", &["a"]),
            When::Between("timeout", 1, 999),
            When::Between("timeout", i64::MIN, 500),
            When::MoreThan("input.topics", 0),
            When::AnyItem("input.topics", &When::OneOf("", &["a"])),
            When::AnyValue("input.sourceSpecs", &QUEUE),
            When::Not(&When::IsSet("null")),
            When::Not(&When::IsSet("autoAck.deeper")),
            When::Not(&When::SeveralInputs),
        ] {
            assert!(when.holds(&spec), "{when:?}");
        }
        for when in [
            When::IsSet("null"),
            When::NonEmpty("input.topicPattern"),
            When::IsBool("autoAck", true),
            When::Between("timeout", 501, i64::MAX),
            When::MoreThan("input.topics", 1),
            When::AnyItem("input.topics", &When::OneOf("", &["b"])),
            When::AnyValue("input", &QUEUE),
        ] {
            assert!(!when.holds(&spec), "{when:?}");
        }
        let several = json!({"input": {"topics": ["a"], "sourceSpecs": {"b": {}}}});
        assert!(When::SeveralInputs.holds(&several));
        assert!(When::SeveralInputs.holds(&json!({"input": {"topics": ["a"], "topicPattern": "b"}})));
    }

    #[test]
    fn an_expression_looks_each_field_up_once() {
        let when = When::Between("a.b", 1, 2);
        assert_eq!(
            when.expression("s"),
            "[?s.?a].exists(v0, dyn(v0) != null && [?v0.?b].exists(v1, dyn(v1) != null && v1 >= 1 && v1 <= 2))"
        );
        assert_eq!(
            value("s", "a.b"),
            "[?s.?a].filter(p0, dyn(p0) != null).map(p0, [?p0.?b].filter(p1, dyn(p1) != null).map(p1, p1))"
        );
    }
}
