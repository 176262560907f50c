//! Hostile text in every place that reaches a shell arrives unchanged, and nothing else is executed.
//!
//! Each base is run with a mark in each place, and again with a hostile string in each place. The second run has to be
//! the first one with the marks replaced: the same programs, as many arguments, and the text byte for byte.

use crate::bases;
use crate::case::Case;
use crate::hostile::{self, CANARY};
use crate::report;
use crate::sandbox::{Record, Sandbox};
use k8s_openapi::api::core::v1::Container;
use serde_json::{Map, Value};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// How text is put into a place.
#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    /// As the value.
    Whole,
    /// As the value, without slashes, which make folders.
    File,
    /// After what is there.
    After,
    /// As a key of the map, after a topic's beginning.
    Topic,
    /// As a value in the object.
    Member,
    /// As a quoted word among JVM options.
    Quoted,
}

const PLACES: &[(&str, How)] = &[
    ("/name", How::Whole),
    ("/tenant", How::Whole),
    ("/namespace", How::Whole),
    ("/className", How::Whole),
    ("/clusterName", How::Whole),
    ("/runtimeFlags", How::Whole),
    ("/subscriptionName", How::Whole),
    ("/logTopic", How::After),
    ("/deadLetterTopic", How::After),
    ("/input/topics/0", How::After),
    ("/input/topicPattern", How::After),
    ("/input/customSerdeSources", How::Topic),
    ("/input/customSchemaSources", How::Topic),
    ("/input/sourceSpecs/persistent:~1~1acme~1orders~1c/schemaProperties", How::Member),
    ("/input/typeClassName", How::Whole),
    ("/output/topic", How::After),
    ("/output/sinkSerdeClassName", How::Whole),
    ("/funcConfig", How::Member),
    ("/sinkConfig", How::Member),
    ("/sourceConfig", How::Member),
    ("/sinkConfig/configs", How::Member),
    ("/sourceConfig/configs", How::Member),
    ("/batchSourceConfig/discoveryTriggererClassName", How::Whole),
    ("/batchSourceConfig/discoveryTriggererConfig", How::Member),
    ("/windowConfig/lateDataTopic", How::After),
    ("/secretsMap/password/path", How::Whole),
    ("/java/jar", How::File),
    ("/java/jarLocation", How::After),
    ("/java/extraDependenciesDir", How::Whole),
    ("/java/instancePath", How::Whole),
    ("/java/entryClass", How::Whole),
    ("/java/javaOpts/0", How::Quoted),
    ("/python/py", How::File),
    ("/python/pyLocation", How::After),
    ("/golang/go", How::File),
    ("/golang/goLocation", How::After),
    ("/genericRuntime/functionFile", How::File),
    ("/genericRuntime/functionFileLocation", How::After),
    ("/genericRuntime/language", How::Whole),
    ("/statefulConfig/pulsar/serviceUrl", How::After),
    ("/statefulConfig/pulsar/javaProvider/className", How::Whole),
    ("/pulsar/tlsConfig/certSecretKey", How::Whole),
    ("/pulsarPackageService/tlsConfig/certSecretKey", How::Whole),
];
/// Members of each authentication, below each of [`SERVICES`].
const CREDENTIALS: &[&str] = &[
    "oauth2Config/audience",
    "oauth2Config/issuerUrl",
    "oauth2Config/scope",
    "oauth2Config/keySecretKey",
    "genericAuth/clientAuthenticationPlugin",
    "genericAuth/clientAuthenticationParameters",
];
const SERVICES: &[&str] =
    &["/pulsar/authConfig", "/pulsar/cleanupAuthConfig", "/pulsarPackageService/authConfig"];

/// Bases whose commands are built like those of others.
const SAME_COMMANDS: &[&str] = &["python-log", "source-secrets", "sink-secrets"];

/// All places, with the form in which they accept text.
fn places() -> Vec<(String, How)> {
    let credentials = SERVICES.iter().flat_map(|service| {
        CREDENTIALS.iter().map(move |member| (format!("{service}/{member}"), How::Whole))
    });
    PLACES.iter().map(|(place, how)| ((*place).to_owned(), *how)).chain(credentials).collect()
}

/// Text in the form in which it arrives from a place.
fn arrives(how: How, place: &str, text: &str) -> Option<String> {
    match how {
        // No file system has names this long; the program of a Go function is a real file here.
        How::File if place == "/golang/go" && text.len() > 200 => None,
        How::File => Some(text.replace('/', "_")),
        _ => Some(text.to_owned()),
    }
}

/// Puts text into a place, where the object has it.
fn put(spec: &mut Value, place: &str, how: How, text: &str) -> bool {
    let Some(value) = spec.pointer_mut(place) else { return false };
    match (how, value) {
        (How::After, Value::String(known)) => known.push_str(text),
        (How::Whole, value @ Value::String(_)) => *value = text.into(),
        // Programs are found by a path with a folder.
        (How::File, value @ Value::String(_)) => *value = format!("bin/{text}").into(),
        (How::Quoted, value) => *value = format!("-Dhostile='{}'", text.replace('\'', "'\\''")).into(),
        (How::Topic, Value::Object(map)) => {
            let field = place.rsplit('/').next().unwrap_or_default();
            map.insert(format!("persistent://acme/orders/{field}-{text}"), "org.example.Any".into());
        }
        (How::Member, Value::Object(map)) => drop(map.insert("hostile".to_owned(), text.into())),
        _ => return false,
    }
    true
}

/// A text without its marks; a JSON document is taken apart, as its text may escape characters in more than one way.
fn meaning(text: &str, replace: &dyn Fn(&str) -> String) -> Value {
    fn walk(value: Value, replace: &dyn Fn(&str) -> String) -> Value {
        match value {
            Value::String(text) => meaning(&text, replace),
            Value::Array(items) => items.into_iter().map(|item| walk(item, replace)).collect(),
            Value::Object(map) => map
                .into_iter()
                .map(|(key, inner)| (replace(&key), walk(inner, replace)))
                .collect::<Map<_, _>>()
                .into(),
            other => other,
        }
    }
    match serde_json::from_str(text) {
        Ok(document @ Value::Object(_)) => walk(document, replace),
        _ => replace(text).into(),
    }
}

fn meanings(records: &[Record], replace: &dyn Fn(&str) -> String) -> Vec<String> {
    let meaning = |record: &Record| {
        let mut message: Vec<&String> = record.iter().collect();
        // A connector is given it where a text has the form of a variable.
        if let Some(at) = message.iter().position(|word| *word == "--secrets_provider") {
            message.drain(at..message.len().min(at + 2));
        }
        Value::from(message.into_iter().map(|text| meaning(text, replace)).collect::<Vec<_>>()).to_string()
    };
    let mut all: Vec<String> = records.iter().map(meaning).collect();
    // Topics are cleaned up in the order of their names.
    all.sort();
    all
}

/// The programs that a case runs, in all containers.
pub(crate) fn run(case: &Case) -> Result<Vec<Record>, String> {
    run_by(case, Sandbox::run)
}

/// The programs that a case runs if its ConfigMap and Secrets have this content.
pub(crate) fn run_with(case: &Case, service: &[(&str, &str)]) -> Result<Vec<Record>, String> {
    run_by(case, |sandbox, container| sandbox.run_with(container, service))
}

fn run_by(
    case: &Case,
    run: impl Fn(&Sandbox, &Container) -> Result<Vec<Record>, String>,
) -> Result<Vec<Record>, String> {
    let rendered = case.outcome()?.map_err(|invalid| format!("refused: {invalid}"))?;
    let sandbox = Sandbox::new();
    if let Some(program) = case.spec.pointer("/golang/go").and_then(Value::as_str) {
        sandbox.add_program(&format!("pulsar/{program}"));
    }
    let mut records = Vec::new();
    for container in rendered.own_containers() {
        records.extend(run(&sandbox, container)?);
    }
    if sandbox.has_file(CANARY) {
        return Err("a command in the text was run".to_owned());
    }
    Ok(records)
}

/// A place with the mark that stands for it in the harmless run.
type Marked = (String, How, String);

/// The places of a case that accept a text.
fn accepted(case: &Case, text: &str) -> Vec<Marked> {
    let mut places: Vec<Marked> = places()
        .into_iter()
        .enumerate()
        .map(|(i, (place, how))| (place, how, format!("mark{i:02}x")))
        .filter(|(place, how, _)| put(&mut case.spec.clone(), place, *how, ""))
        .filter(|(place, how, _)| arrives(*how, place, text).is_some())
        .collect();
    // The place matters only if the whole text is refused.
    if filled(case, &places, Some(text)).outcome().unwrap().is_err() {
        places
            .retain(|place| filled(case, std::slice::from_ref(place), Some(text)).outcome().unwrap().is_ok());
    }
    places
}

/// A case with a text, or the marks, in places.
fn filled(case: &Case, places: &[Marked], text: Option<&str>) -> Case {
    let mut case = case.clone();
    for (place, how, mark) in places {
        let text = text.and_then(|text| arrives(*how, place, text)).unwrap_or_else(|| mark.clone());
        put(&mut case.spec, place, *how, &text);
    }
    case
}

/// Runs bases; records what they run with the marks.
#[derive(Default)]
struct Runs {
    harmless: BTreeMap<(usize, Vec<String>), Vec<Record>>,
    seen: BTreeSet<String>,
    wrong: Vec<String>,
    texts: usize,
}

impl Runs {
    /// Runs a base with a text in all places that take it, at once unless the command would be longer than Linux allows.
    fn try_text(&mut self, number: usize, base: &Case, text: &str) -> Result<(), String> {
        let at_once = if text.len() > 1000 { 8 } else { usize::MAX };
        accepted(base, text)
            .chunks(at_once)
            .try_for_each(|places| self.try_places(number, base, text, places))
    }

    fn try_places(
        &mut self,
        number: usize,
        base: &Case,
        text: &str,
        places: &[Marked],
    ) -> Result<(), String> {
        self.texts += places.len();
        let key = (number, places.iter().map(|(place, ..)| place.clone()).collect());
        let records = match self.harmless.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(run(&filled(base, places, None))?),
        };
        let seen = |mark: &str| records.iter().flatten().any(|text| text.contains(mark));
        self.seen.extend(places.iter().filter(|(.., mark)| seen(mark)).map(|(place, ..)| place.clone()));
        let replace = |known: &str| {
            places.iter().fold(known.to_owned(), |known, (place, how, mark)| {
                known.replace(mark, &arrives(*how, place, text).unwrap_or_default())
            })
        };
        let want = meanings(records, &replace);
        let got = meanings(&run(&filled(base, places, Some(text)))?, &str::to_owned);
        if let Some((want, got)) = want.iter().zip(&got).find(|(want, got)| want != got) {
            return Err(format!("want {want}\ngot  {got}"));
        }
        if want.len() == got.len() {
            Ok(())
        } else {
            Err(format!("{} programs are run instead of {}", got.len(), want.len()))
        }
    }

    fn of(strings: &[String]) -> Self {
        let mut runs = Self::default();
        for text in strings {
            for (number, base) in bases::all_but(SAME_COMMANDS).enumerate() {
                if let Err(error) = runs.try_text(number, base, text) {
                    runs.wrong.push(format!("base {number}, {text:.80?}: {error}"));
                }
            }
        }
        runs
    }
}

#[test]
fn hostile_text_arrives_unchanged() {
    let (left, right) = hostile::strings().split_at(hostile::strings().len() / 2);
    let (left, right) = std::thread::scope(|scope| {
        let other = scope.spawn(|| Runs::of(right));
        (Runs::of(left), other.join().unwrap())
    });
    let wrong = [left.wrong, right.wrong].concat();
    let seen: BTreeSet<String> = left.seen.into_iter().chain(right.seen).collect();
    report(&format!(
        "{} hostile strings in {} places: {} texts, {} bases wrong",
        hostile::strings().len(),
        seen.len(),
        left.texts + right.texts,
        wrong.len(),
    ));
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let missing: Vec<String> =
        places().into_iter().map(|(place, _)| place).filter(|place| !seen.contains(place)).collect();
    assert!(missing.is_empty(), "in no command: {missing:?}");
}

/// Options of the JVM are split as by a shell and may use variables, but run nothing.
#[test]
fn jvm_options_are_split_and_run_nothing() {
    let mut case = bases::named("java-secrets");
    let options =
        ["-Da=$(touch CANARY) `touch CANARY`", "-Db=$POD_NAME-${POD_NAME} '-Dc=d e' *", "-Df=;>CANARY"];
    case.spec["java"]["javaOpts"] = options.as_slice().into();
    let records = run(&case).unwrap();
    let java = records.iter().find(|record| record[0] == "java").unwrap();
    let first = java.iter().position(|argument| argument.starts_with("-Da=")).unwrap();
    let want = [
        "-Da=$(touch",
        "CANARY)",
        "`touch",
        "CANARY`",
        "-Db=enrich-function-3-enrich-function-3",
        "-Dc=d e",
        "*",
        "-Df=;>CANARY",
        "org.apache.pulsar.functions.instance.JavaInstanceMain",
    ];
    assert_eq!(java[first..first + want.len()], want);
}
