//! The probe's script in a real shell: with recorded kernel tables, and with real connections.

use super::CONNECTED;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

/// Shells that a runner image may have as `sh`.
fn shells() -> Vec<&'static str> {
    ["/bin/sh", "/bin/bash", "/bin/dash"].into_iter().filter(|shell| Path::new(shell).exists()).collect()
}

/// Whether the script says "ready", for the lines of a table and some variables.
fn ready(table: &str, variables: &[(&str, &str)]) -> bool {
    let script = CONNECTED.replace("`cat /proc/net/tcp /proc/net/tcp6 2>/dev/null`", "$TABLE");
    let answers: Vec<bool> = shells()
        .into_iter()
        .map(|shell| {
            let mut command = Command::new(shell);
            command.args(["-c", &script]).env_clear().env("PATH", "/usr/bin:/bin").env("TABLE", table);
            command.envs(variables.iter().copied()).output().unwrap().status.success()
        })
        .collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{table} {variables:?}: {answers:?}");
    answers[0]
}

const HEAD: &str =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
/// Python: IPv4.
const OPEN: &str =
    "   1: 00000000:2386 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1133966 1\n";
/// Java: both in one.
const OPEN6: &str = "   1: 00000000000000000000000000000000:2386 00000000000000000000000000000000:0000 0A 00000000:00000000\n";
const CONSUMER: &str =
    "   6: 0100007F:B4E4 0100007F:19FA 01 00000000:00000000 00:00000000 00000000     0        0 1129726 1\n";
const CONSUMER6: &str = "   3: 0000000000000000FFFF00000100007F:BB48 0000000000000000FFFF00000100007F:19FA 01 00000000:00000000\n";

#[test]
fn a_connection_to_a_broker_is_found_in_the_table() {
    let url = [("brokerServiceURL", "pulsar://pulsar:6650")];
    let table = |lines: &[&str]| format!("{HEAD}{}", lines.concat());
    assert!(ready(&table(&[OPEN, CONSUMER]), &url));
    assert!(ready(&table(&[OPEN6, CONSUMER6]), &url));
    assert!(!ready(&table(&[CONSUMER]), &url), "the metrics port is not open yet");
    assert!(!ready(&table(&[OPEN]), &url));
    // Closed by the broker, being established, incoming, or to another service.
    for other in [
        CONSUMER.replace(" 01 ", " 08 "),
        CONSUMER.replace(" 01 ", " 02 "),
        CONSUMER.replace(":19FA", ":0050"),
        "   6: 0100007F:19FA 0100007F:B4E4 01 00000000:00000000\n".to_owned(),
    ] {
        assert!(!ready(&table(&[OPEN, &other]), &url), "{other}");
    }
    assert!(ready("", &url), "no table, as outside of Linux");
}

#[test]
fn the_ports_of_brokers_are_those_that_are_named() {
    let to = |port: u16| format!("{HEAD}{OPEN}{}", CONSUMER.replace("19FA", &format!("{port:04X}")));
    for (url, ports, port, want) in [
        ("pulsar://a:30650", "", 30650, true),
        ("pulsar://a:30650", "", 30651, false),
        ("pulsar://a:1,b:2,[fe80::1]:3/", "", 3, true),
        ("pulsar://a:1,b:2,[fe80::1]:3/", "", 2, true),
        ("pulsar+ssl://a", "", 6651, true),
        ("http://web:8080", "", 6650, true),
        ("", "", 6650, true),
        ("pulsar://a:6650", "7650,7651", 7651, true),
        ("pulsar://a:6650", "7650", 7651, false),
        ("pulsar://a:6650", "any", 1, true),
        // None of this text is executed, nor do its asterisks match file names.
        ("pulsar://a:6650;exit 0", "`exit 0`,*", 1, false),
        ("pulsar://$(exit 0):*", "$(exit 0)", 1, false),
    ] {
        let variables = [("brokerServiceURL", url), ("brokerPorts", ports)];
        assert_eq!(ready(&to(port), &variables), want, "{url} {ports} {port}");
    }
}

/// The kernel's own table. The metrics port differs here, because tests share the table with everything else on the machine.
#[test]
fn a_real_connection_is_ready_and_its_end_is_not() {
    let metrics = TcpListener::bind("0.0.0.0:0").unwrap();
    let broker = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
    // A broker may be running on this machine.
    let script = CONNECTED.replace(":2386 ", &format!(":{:04X} ", port(&metrics))).replace("6650 6651", "");
    let answer = || {
        let mut command = Command::new("sh");
        command.args(["-c", &script]);
        command.env("brokerServiceURL", format!("pulsar://127.0.0.1:{}", port(&broker)));
        command.output().unwrap()
    };
    let client = TcpStream::connect(broker.local_addr().unwrap()).unwrap();
    let output = answer();
    assert!(output.status.success(), "{output:?}");
    drop(broker.accept().unwrap());
    let output = answer();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success() && text.starts_with("no connection to a broker"), "{output:?}");
    drop(client);
}
