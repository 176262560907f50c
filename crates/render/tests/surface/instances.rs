//! The instances accept the rendered commands: each option and each field of the function details is known to the instances of
//! all supported lines of Pulsar. Their tables are recorded; `make instances` compares the tables with the instances, and lets
//! the instances' own parsers read the same commands.

use crate::bases;
use crate::case::{Case, Kind};
use crate::injection;
use crate::sandbox::Record;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::{env, fs};

/// The lines with their tables.
const LINES: [(&str, &str); 2] =
    [("4.0", include_str!("instances/pulsar-4.0.txt")), ("4.2", include_str!("instances/pulsar-4.2.txt"))];
/// The Java instance's class; the options follow it.
const MAIN_CLASS: &str = "org.apache.pulsar.functions.instance.JavaInstanceMain";
/// Of the Python instance; the same in all lines. Its parser has no required options, because a file may set them.
const PYTHON_REQUIRED: [&str; 5] =
    ["--function_details", "--py", "--instance_id", "--cluster_name", "--logging_config_file"];

/// The options and fields that the instances of a line accept.
#[derive(Default)]
struct Line {
    /// Type and whether it is required, by instance and option.
    options: BTreeMap<(String, String), (String, bool)>,
    /// Number and type, by message and field.
    fields: BTreeMap<(String, String), (String, String)>,
    values: BTreeSet<(String, String)>,
}

impl Line {
    fn read(table: &str) -> Self {
        let mut line = Self::default();
        for description in table.lines().filter(|text| !text.starts_with('#')) {
            let description: Vec<String> = description.split(' ').map(str::to_owned).collect();
            match description.as_slice() {
                [kind, message, field, many, of] if kind == "field" => {
                    line.fields.insert((message.clone(), field.clone()), (many.clone(), of.clone()));
                }
                [kind, of, value] if kind == "enum" => drop(line.values.insert((of.clone(), value.clone()))),
                [instance, option, of, rest @ ..] => {
                    let required = !rest.is_empty() || PYTHON_REQUIRED.contains(&option.as_str());
                    line.options.insert((instance.clone(), option.clone()), (of.clone(), required));
                }
                _ => panic!("{description:?}"),
            }
        }
        line
    }

    /// The problems of an instance with its arguments.
    fn problems(&self, instance: &str, arguments: &[String]) -> Vec<String> {
        let mut found = Vec::new();
        let mut given = BTreeMap::new();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let Some((name, of)) = self.option(instance, argument) else {
                found.push(format!("unknown: {argument}"));
                continue;
            };
            let value = if of == "switch" { Some("") } else { rest.next().map(String::as_str) };
            match value {
                None => found.push(format!("{argument} has no value")),
                Some(value) if of == "int" && value.parse::<i32>().is_err() => {
                    found.push(format!("{argument} {value}"));
                }
                // The parsers treat an argument that starts with a dash as an option.
                Some(value) if value.starts_with("--") => found.push(format!("{argument} has no value")),
                Some(value) => {
                    if given.insert(name.clone(), value).is_some() {
                        found.push(format!("{argument} is there twice"));
                    }
                }
            }
        }
        for ((of, name), (_, required)) in &self.options {
            if of == instance && *required && !given.contains_key(name) {
                found.push(format!("{name} is missing"));
            }
        }
        match serde_json::from_str(given.get("--function_details").copied().unwrap_or_default()) {
            Ok(details) => self.message("FunctionDetails", &details, &mut found),
            Err(error) => found.push(format!("function details: {error}")),
        }
        found
    }

    /// An option by its name or, as in Python's parser, by an unambiguous prefix.
    fn option(&self, instance: &str, name: &str) -> Option<(&String, &str)> {
        let exact = (instance.to_owned(), name.to_owned());
        if let Some(((_, name), (of, _))) = self.options.get_key_value(&exact) {
            return Some((name, of));
        }
        let own = self.options.iter().filter(|((of, _), _)| of == instance && of == "python");
        let mut matching = own.filter(|((_, known), _)| name.len() > 2 && known.starts_with(name));
        let ((_, name), (of, _)) = matching.next()?;
        matching.next().is_none().then_some((name, of))
    }

    fn message(&self, message: &str, value: &Map<String, Value>, found: &mut Vec<String>) {
        for (field, value) in value {
            let path = format!("{message}.{field}");
            match self.fields.get(&(message.to_owned(), field.clone())) {
                None => found.push(format!("unknown: {path}")),
                Some((many, of)) => match (many.as_str(), value) {
                    ("map", Value::Object(map)) => {
                        map.values().for_each(|value| self.value(&path, of, value, found));
                    }
                    ("list", Value::Array(list)) => {
                        for value in list {
                            self.value(&path, of, value, found);
                        }
                    }
                    ("one", value) => self.value(&path, of, value, found),
                    _ => found.push(format!("{path} is a {many}: {value}")),
                },
            }
        }
    }

    fn value(&self, path: &str, of: &str, value: &Value, found: &mut Vec<String>) {
        let text = value.as_str().unwrap_or_default();
        let fits = match of {
            "string" => value.is_string(),
            "bool" => value.is_boolean(),
            "int32" => value.as_i64().is_some_and(|n| i32::try_from(n).is_ok()),
            "int64" => value.is_i64() || text.parse::<i64>().is_ok(),
            "uint64" => value.is_u64() || text.parse::<u64>().is_ok(),
            "double" => value.is_number(),
            message => match value {
                Value::Object(value) => return self.message(message, value, found),
                _ => self.values.contains(&(of.to_owned(), text.to_owned())),
            },
        };
        if !fits {
            found.push(format!("{path} is no {of}: {value}"));
        }
    }
}

/// The arguments of the instances of Java and Python that a case starts.
fn arguments(records: &[Record]) -> Vec<(&'static str, Vec<String>)> {
    let mut all = Vec::new();
    for record in records {
        let after = |program: &str, last: &str| -> Option<Vec<String>> {
            let at = record.iter().position(|argument| argument == last || argument.ends_with(last))?;
            (record[0] == program).then(|| record[at + 1..].to_vec())
        };
        all.extend(after("java", MAIN_CLASS).map(|arguments| ("java", arguments)));
        all.extend(after("python", "/python_instance_main.py").map(|arguments| ("python", arguments)));
    }
    all
}

/// With `INSTANCE_ARGUMENTS=folder` the commands are written there, for the instances' own parsers.
#[test]
fn the_instances_of_all_lines_take_what_is_rendered() {
    let (mut wrong, mut commands) = (Vec::new(), BTreeMap::<_, Vec<_>>::new());
    for case in bases::all() {
        for (instance, arguments) in arguments(&injection::run(case).unwrap()) {
            for (line, table) in LINES {
                let problems = Line::read(table).problems(instance, &arguments);
                wrong.extend(problems.into_iter().map(|problem| format!("{line}, {instance}: {problem}")));
            }
            commands.entry(instance).or_default().push(serde_json::to_string(&arguments).unwrap());
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let counts: Vec<_> = commands.values().map(Vec::len).collect();
    assert!(counts.len() == 2 && counts.iter().all(|count| *count >= 2), "{counts:?}");
    if let Some(folder) = env::var_os("INSTANCE_ARGUMENTS") {
        for (instance, commands) in commands {
            fs::write(std::path::Path::new(&folder).join(instance), commands.join("\n") + "\n").unwrap();
        }
    }
}

#[test]
fn an_instance_says_what_it_does_not_take() {
    let line = Line::read(LINES[0].1);
    let mut arguments = arguments(&injection::run(&bases::named("java-secrets")).unwrap())[0].1.clone();
    arguments
        .extend(["--connectors_directory", "/pulsar/connectors", "--client_auth_plugin"].map(str::to_owned));
    let problems = line.problems("java", &arguments);
    assert!(problems.contains(&"unknown: --connectors_directory".to_owned()), "{problems:?}");
    assert!(problems.iter().any(|problem| problem.contains("--client_auth_plugin")), "{problems:?}");
    let details = r#"{"source": {"subscriptionType": "NONE", "more": 1}, "parallelism": "1"}"#;
    let mut found = Vec::new();
    line.message("FunctionDetails", &serde_json::from_str(details).unwrap(), &mut found);
    assert_eq!(found.len(), 3, "{found:?}");
}

/// Empty variables omit an option: no option may lack its value.
#[test]
fn what_a_secret_lacks_leaves_no_option_without_a_value() {
    for kind in ["java", "python", "go"] {
        let runtime = match kind {
            "java" => {
                serde_json::json!({"java": {"jar": "/pulsar/a.jar", "jarLocation": "function://a/b/c"}})
            }
            "python" => {
                serde_json::json!({"python": {"py": "/pulsar/a.py", "pyLocation": "function://a/b/c"}})
            }
            _ => serde_json::json!({"golang": {"go": "bin/go", "goLocation": "function://a/b/c"}}),
        };
        let mut spec = serde_json::json!({
            "className": "C", "input": {"topics": ["persistent://a/b/c"]}, "cleanupSubscription": true,
            "pulsar": {"pulsarConfig": "p", "authSecret": "a", "tlsSecret": "t"},
        });
        spec.as_object_mut().unwrap().extend(runtime.as_object().unwrap().clone());
        let case = Case::new(Kind::Function, spec);
        let records =
            injection::run_with(&case, &[("webServiceURL", "http://w"), ("brokerServiceURL", "pulsar://b")]);
        for record in records.unwrap() {
            let mut pairs = record.windows(2).filter(|pair| pair[0].starts_with("--") && pair[0] != "--");
            let switches = ["--force", "--tls-enable-hostname-verification"];
            let bare = pairs.find(|pair| {
                pair[1].starts_with("--") && !switches.contains(&pair[0].as_str()) && !pair[0].contains('=')
            });
            assert_eq!(bare, None, "{record:?}");
            assert!(!record.iter().any(|text| text == "--tls-allow-insecure"), "{record:?}");
            assert!(record.last().is_none_or(|last| !last.starts_with("--tls-trust")), "{record:?}");
        }
    }
}

/// Every tool verifies certificates unless the Secret says otherwise.
#[test]
fn certificates_are_unchecked_only_where_the_secret_says_so() {
    for (tool, has_pulsarctl) in [("pulsar-admin", false), ("pulsarctl", true)] {
        for (insecure, verify) in [("", ""), ("false", "true"), ("true", "false")] {
            let spec = serde_json::json!({
                "className": "C", "input": {"topics": ["persistent://a/b/c"]}, "imageHasPulsarctl": has_pulsarctl,
                "java": {"jar": "/pulsar/a.jar", "jarLocation": "function://a/b/c"}, "cleanupSubscription": true,
                "pulsar": {"pulsarConfig": "p", "tlsSecret": "t"},
            });
            let secret = [
                ("webServiceURL", "https://w"),
                ("tlsAllowInsecureConnection", insecure),
                ("tlsHostnameVerificationEnable", verify),
                ("tlsTrustCertsFilePath", "/etc/ca.crt"),
            ];
            let records = injection::run_with(&Case::new(Kind::Function, spec), &secret).unwrap();
            let tools: Vec<&Record> = records.iter().filter(|record| record[0] == tool).collect();
            assert_eq!(tools.len(), 2, "a download and a cleanup: {records:?}");
            for record in tools {
                let has = |option: &str| record.iter().any(|argument| argument == option);
                let off = insecure == "true";
                let allowed = has("--tls-allow-insecure") || has("--tls-allow-insecure=true");
                let verified = has("--tls-enable-hostname-verification")
                    || has("--tls-enable-hostname-verification=true");
                assert_eq!((allowed, verified), (off, !off), "{record:?}");
                assert!(has("/etc/ca.crt"), "{record:?}");
            }
        }
    }
}
