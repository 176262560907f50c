use super::classify::*;
use super::normalize::*;
use super::redact::*;
use crate::health::reason::Reason;

#[test]
fn every_pattern_compiles() {
    assert_eq!((SECRETS.len(), VOLATILE.len()), (7, 13));
    assert_eq!(PAYLOADS.len(), 6);
}

#[test]
fn secrets_are_hidden() {
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.AbC-_9";
    let cases = [
        (format!("token:{jwt} refused"), "token:<redacted> refused"),
        (format!("authParams {jwt}"), "authParams <redacted>"),
        ("pulsar://admin:s3cr3t@broker:6650 down".to_owned(), "pulsar://<redacted>@broker:6650 down"),
        ("https://x@h/p".to_owned(), "https://<redacted>@h/p"),
        ("Authorization: Bearer abcdef123".to_owned(), "Authorization: Bearer <redacted>"),
        ("authorization Basic dXNlcjpwYXNz".to_owned(), "authorization Basic <redacted>"),
        (
            "jdbc:pg://h/d?user=u&password=p%40ss&ssl=1".to_owned(),
            "jdbc:pg://h/d?user=u&password=<redacted>&ssl=1",
        ),
        (r#"{"clientSecret": "a b", "x": 1}"#.to_owned(), r#"{"clientSecret": "<redacted>", "x": 1}"#),
        (r#"{\"password\":\"a'b\",\"x\":1}"#.to_owned(), r#"{\"password\":\"<redacted>\",\"x\":1}"#),
        ("login --db-password hunter2 --host h".to_owned(), "login --db-password <redacted> --host h"),
        ("aws.secret.access.key = AKIA/x".to_owned(), "aws.secret.access.key = <redacted>"),
        ("https://b/x?X-Amz-Signature=abc&y=1".to_owned(), "https://b/x?X-Amz-Signature=<redacted>&y=1"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE\nx".to_owned(), "<redacted>"),
    ];
    for (text, want) in cases {
        assert_eq!(cleaned(&text), want);
    }
    for harmless in
        ["Failed to authentication token: wrong", "the token is missing", "no passwords here", "a@b.c"]
    {
        let shown = cleaned(harmless);
        assert!(shown == harmless || shown.contains(HIDDEN) && harmless.contains(": wrong"), "{shown}");
    }
}

#[test]
fn what_differs_each_time_is_left_out() {
    let cases = [
        (
            "ERROR ClientCnx - [id: 0x2aaacb0f, L:/10.88.0.6:50992 ! R:pulsar/10.96.117.28:6650] Failed to authenticate",
            "ERROR ClientCnx - Failed to authenticate",
        ),
        ("schema StringSchema@486102eb", "schema StringSchema"),
        (
            r#"{"errorMsg":"Namespace not found","reqId":683455286685490209, "remote":"p/10.96.117.28:6650", "local":"/10.88.0.9:35598"}"#,
            r#"{"errorMsg":"Namespace not found","remote":"p:6650"}"#,
        ),
        (
            "read udp 10.213.0.2:52786->10.255.255.53:53: i/o timeout",
            "read udp 10.213.0.2->10.255.255.53:53: i/o timeout",
        ),
        ("2026-11-27T07:51:52.123Z down since 2026-11-27 07:51:52,1+0000", " down since "),
        ("at 1764229912345 in 7f0c1d2e-0000-4000-8000-0123456789ab", "at … in …"),
        ("refused: a.b.svc/10.96.245.79:6650, /127.0.0.1:6650", "refused: a.b.svc:6650, /127.0.0.1:6650"),
        ("node port 10.0.0.1:30650 stays", "node port 10.0.0.1:30650 stays"),
    ];
    for (text, want) in cases {
        assert_eq!(cleaned(text), want);
    }
}

/// As found in the status of real pods of 4.0.6, and in the sources of its clients.
#[test]
fn failures_of_pulsar_are_known() {
    let cases = [
        (
            Reason::AuthenticationFailed,
            "ERROR ClientCnx - Failed to authenticate the client\nERROR JavaInstanceRunnable - Sink open produced uncaught \
             exception:\norg.apache.pulsar.client.api.PulsarClientException$AuthenticationException: Failed to authenticate",
            "org.apache.pulsar.client.api.PulsarClientException$AuthenticationException: Failed to authenticate",
        ),
        (
            Reason::AuthorizationFailed,
            "ERROR JavaInstanceRunnable - Sink open produced uncaught exception:\n\
             org.apache.pulsar.client.api.PulsarClientException$AuthorizationException: {\"errorMsg\":\"Client is not \
             authorized to Get Partition Metadata\"}",
            "org.apache.pulsar.client.api.PulsarClientException$AuthorizationException: {\"errorMsg\":\"Client is not \
             authorized to Get Partition Metadata\"}",
        ),
        (
            Reason::ClassNotFound,
            "ERROR JavaInstanceRunnable - [public/default/class:0] Uncaught exception in Java Instance\nUser class must be in \
             class path\njava.lang.ClassNotFoundException: org.example.Nothing",
            "java.lang.ClassNotFoundException: org.example.Nothing",
        ),
        (
            Reason::ClassNotFound,
            "NameError: Could not import User Function Module shout.Nope",
            "NameError: Could not import User Function Module shout.Nope",
        ),
        (
            Reason::PackageUnavailable,
            "ERROR ThreadRuntime - The file /pulsar/none.jar does not look like a .nar file\njava.io.FileNotFoundException: \
             /pulsar/none.jar (No such file or directory)\nERROR JavaInstanceRunnable - [x] Uncaught exception in Java \
             Instance\nUser class must be in class path",
            "java.io.FileNotFoundException: /pulsar/none.jar (No such file or directory)",
        ),
        (
            Reason::PackageUnavailable,
            "HTTP 404 Not Found\n\nReason: HTTP 404 Not Found",
            "HTTP 404 Not Found",
        ),
        (
            Reason::PackageUnavailable,
            "The package cannot be downloaded: the image has none of curl, python3 and wget. Use an image with one of them",
            "The package cannot be downloaded: the image has none of curl, python3 and wget. Use an image with one of them",
        ),
        (Reason::AuthenticationFailed, "HTTP 401 Unauthorized\n\nReason: x", "HTTP 401 Unauthorized"),
        (
            Reason::PackageUnavailable,
            "wget: server returned error: HTTP/1.1 404 Not Found",
            "wget: server returned error: HTTP/1.1 404 Not Found",
        ),
        (
            Reason::PackageUnavailable,
            "[✖]  code: 404 reason: package doesn't exist",
            "[✖]  code: 404 reason: package doesn't exist",
        ),
        (Reason::PackageUnavailable, "--  http://h/x.jar\n ERROR 404: Not Found.", "ERROR 404: Not Found."),
        (
            Reason::PackageUnavailable,
            "python: can't open file '/pulsar/x.py': [Errno 2] No such file or directory",
            "python: can't open file '/pulsar/x.py': [Errno 2] No such file or directory",
        ),
        (
            Reason::IncompatibleSchema,
            "org.apache.pulsar.client.api.PulsarClientException$IncompatibleSchemaException: x",
            "org.apache.pulsar.client.api.PulsarClientException$IncompatibleSchemaException: x",
        ),
        (
            Reason::TopicNotFound,
            "org.apache.pulsar.client.api.PulsarClientException$TopicDoesNotExistException: {\"errorMsg\":\"Namespace not found\"}",
            "org.apache.pulsar.client.api.PulsarClientException$TopicDoesNotExistException: {\"errorMsg\":\"Namespace not found\"}",
        ),
        (
            Reason::BrokerUnreachable,
            "org.apache.pulsar.client.api.PulsarClientException: java.util.concurrent.CompletionException: \
             java.net.UnknownHostException: Failed to resolve 'away' [A(1)]",
            "org.apache.pulsar.client.api.PulsarClientException: java.util.concurrent.CompletionException: \
             java.net.UnknownHostException: Failed to resolve 'away' [A(1)]",
        ),
        (
            Reason::BrokerUnreachable,
            "io.netty.channel.AbstractChannel$AnnotatedConnectException: Connection refused: /127.0.0.1:6650",
            "io.netty.channel.AbstractChannel$AnnotatedConnectException: Connection refused: /127.0.0.1:6650",
        ),
        (
            Reason::BrokerUnreachable,
            "_pulsar.ConnectError: Pulsar error: ConnectError",
            "_pulsar.ConnectError: Pulsar error: ConnectError",
        ),
        (
            Reason::OutOfMemory,
            "Terminating due to java.lang.OutOfMemoryError: Java heap space",
            "Terminating due to java.lang.OutOfMemoryError: Java heap space",
        ),
    ];
    for (reason, message, line) in cases {
        let want = Classification { reason: Some(reason), text: line.to_owned() };
        assert_eq!(classify(message), want, "{message}");
    }
}

#[test]
fn output_of_the_users_code_is_not_attributed_to_pulsar() {
    let messages = [
        "ERROR JavaInstanceRunnable - Uncaught exception in Java Instance\njava.sql.SQLException: Connection refused: db:5432",
        "ERROR x - order 4711 - could not be read: ERROR 4711: - bad",
        "java.lang.IllegalStateException: boom",
        "",
    ];
    for message in messages {
        assert_eq!(classify(message).reason, None, "{message}");
    }
}

#[test]
fn messages_of_the_scheduler_lose_their_counts() {
    let shown = |text: &str| without_counts(text);
    let want = "no node is available: Insufficient cpu, node(s) had untolerated taint {a: b}";
    for text in [
        "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {a: b}. preemption: 0/3 nodes are \
         available: 3 No preemption victims found for incoming pod.",
        "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {a: b}. no new claims to deallocate, \
         preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.",
        "0/12 nodes are available: 10 node(s) had untolerated taint {a: b}, 2 Insufficient cpu.",
    ] {
        assert_eq!(shown(text), want);
    }
    let comma = "0/1 nodes are available: 1 node(s) lack x, y, 1 Insufficient memory.";
    assert_eq!(shown(comma), "no node is available: Insufficient memory, node(s) lack x, y");
    for same in ["no nodes available to schedule pods", "persistentvolumeclaim \"x\" not found"] {
        assert_eq!(shown(same), same);
    }
}

#[test]
fn containers_have_no_number() {
    let id = "0123456789abcdef".repeat(4);
    assert_eq!(
        cleaned(&format!("failed to start container \"{id}\": no")),
        "failed to start container \"…\": no"
    );
    let image = format!("image@sha256:{id}: not found");
    assert_eq!(cleaned(&image), image);
}
