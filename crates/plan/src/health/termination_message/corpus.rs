//! The recorded termination messages, each classified. See `crates/plan/corpus/README.md` for how they were recorded.

use crate::health::reason::Reason;
use crate::health::termination_message::classify::classify;
use crate::health::termination_message::normalize::cleaned;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// One recorded message.
struct Sample {
    name: String,
    header: BTreeMap<String, String>,
    message: String,
}

fn samples(directory: &str) -> Vec<Sample> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(directory);
    let mut out: Vec<Sample> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "txt"))
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let (header, message) = text.split_once("\n\n").unwrap();
            let header = header.lines().map(|line| {
                let (name, value) = line.split_once(": ").unwrap();
                (name.to_owned(), value.to_owned())
            });
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            Sample { name, header: header.collect(), message: message.to_owned() }
        })
        .collect();
    out.sort_by(|a, b| a.name.cmp(&b.name));
    out
}

/// The expected message in the status of the container.
fn reported(sample: &Sample) -> (Reason, String) {
    let status = serde_json::json!({"containerStatuses": [{"name": "pulsar-function", "state": {"terminated": {
        "exitCode": sample.header["exit"].split(',').next().unwrap().parse::<i32>().unwrap(),
        "reason": sample.header["reason"],
        "message": sample.message,
    }}}]});
    let status = serde_json::from_value(status).unwrap();
    let found = crate::health::diagnosis::diagnoses(&status, &crate::observed::pod_status::Spec::default());
    let (diagnosis, _) = found.into_iter().next().unwrap();
    (diagnosis.reason, diagnosis.message)
}

/// The difference between the expected and the actual classification of a sample.
fn fault(sample: &Sample) -> Option<String> {
    let (reason, message) = reported(sample);
    let expected = &sample.header["expected"];
    if reason.as_str() != expected {
        return Some(format!("{}: {reason} instead of {expected}: {message}", sample.name));
    }
    let tells = sample.header.get("tells")?;
    if tells.split('|').any(|part| message.contains(part)) {
        return None;
    }
    Some(format!("{}: does not say {tells:?}: {message}", sample.name))
}

fn faults(directory: &str) -> (usize, Vec<String>) {
    let samples = samples(directory);
    let faults: Vec<String> = samples.iter().filter_map(fault).collect();
    eprintln!("{directory:?}: {} of {} named right", samples.len() - faults.len(), samples.len());
    (samples.len(), faults)
}

#[test]
fn every_recorded_failure_is_named() {
    let (number, faults) = faults("");
    assert!(number >= 60, "{number}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn failures_that_the_rules_were_not_written_for_are_named() {
    let (number, faults) = faults("held-out");
    assert!(number >= 20, "{number}");
    // New recordings may be misclassified at first: one in five at most.
    assert!(faults.len() * 5 <= number, "{}", faults.join("\n"));
}

#[test]
fn what_is_shown_is_safe_and_says_something() {
    for sample in samples("").iter().chain(&samples("held-out")) {
        let (_, message) = reported(sample);
        for secret in ["eyJ", "Jane Doe", "not-a-token"] {
            assert!(!message.contains(secret), "{}: {message}", sample.name);
        }
        for frame in ["\tat ", "File \"", "^^^", "goroutine "] {
            assert!(!message.contains(frame), "{}: {message}", sample.name);
        }
        if sample.message.is_empty() {
            continue;
        }
        assert_ne!(classify(&cleaned(&sample.message)).text, "", "{}", sample.name);
    }
}
