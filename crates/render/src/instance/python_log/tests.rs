use super::*;
use std::fs;
use std::process::Command;

/// Imitates the instance that sends its log to a topic: it replaces the formatter of the handlers after every message.
const PROGRAM: &str = r#"
import logging, logging.config, sys
logging.config.fileConfig(sys.argv[1])
log = logging.getLogger()
log.warning("first %d", 1)
handler = log.handlers[0]
log.removeHandler(handler)
handler.setFormatter(logging.Formatter("[%(asctime)s] [%(levelname)s]: %(message)s"))
log.addHandler(handler)
try:
    {}["currency"]
except KeyError:
    logging.getLogger("orders").exception("it's \"bad\"\nü")
"#;

#[test]
fn the_log_is_json_with_time_level_and_logger_and_stays_so() {
    let directory = std::env::temp_dir().join(format!("functionmesh-json-log-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let log = PythonLog { config_map: None, level: "INFO", format: LogFormat::Json, rotation: None };
    let path = format!("{}/", directory.display());
    fs::write(directory.join(JSON_MODULE), JSON_SOURCE).unwrap();
    fs::write(directory.join(LOG_FILE), log.configuration("f").replace(LOG_DIRECTORY, &path)).unwrap();
    let out = Command::new("python3").args(["-c", PROGRAM]).arg(directory.join(LOG_FILE)).output().unwrap();
    fs::remove_dir_all(&directory).unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect();
    assert_eq!(lines.len(), 2, "{text}{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(
        (&lines[0]["message"], &lines[0]["level"], &lines[0]["logger"]),
        (&"first 1".into(), &"WARNING".into(), &"root".into())
    );
    assert_eq!((&lines[1]["message"], &lines[1]["logger"]), (&"it's \"bad\"\nü".into(), &"orders".into()));
    assert!(lines[1]["exception"].as_str().unwrap().ends_with("KeyError: 'currency'"), "{text}");
    let time = lines[0]["time"].as_str().unwrap();
    assert!(time.len() == 24 && time.ends_with('Z'), "{time}");
}
