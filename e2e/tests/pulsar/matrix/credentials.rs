//! Tokens and certificates, right and wrong.

use crate::matrix::Case;
use crate::matrix::run::{Run, texts, values, with};
use crate::matrix::stage::NAMESPACE;
use anyhow::{Result, ensure};
use e2e::shell::{output, progress, until};
use serde_json::json;
use std::time::{Duration, Instant};

/// Longer than a kubelet takes to renew the files of a Secret.
const LIFETIME: Duration = Duration::from_secs(150);

/// Java class of tokens.
const PLUGIN: &str = "org.apache.pulsar.client.impl.auth.AuthenticationToken";

pub(crate) fn cases() -> Vec<Case> {
    let case = |sample, check| Case { group: "credentials", sample, check };
    vec![
        case("70-token-secret", token_secret),
        case("71-token-file", token_file),
        case("72-tls", certificates),
        case("73-mutual-tls", certificates),
    ]
}

fn answers(run: &Run<'_>) -> Result<()> {
    run.ready()?;
    let sent = texts("x", 20);
    run.send(&run.topic("in"), &values(&sent))?;
    run.expect(&run.topic("out"), &with(&sent, "!")).map(drop)
}

/// A token that the broker refuses is reported; with the right token in the Secret the function runs.
fn token_secret(run: &Run<'_>) -> Result<()> {
    let secret = |token: &str| {
        let data = json!({"clientAuthenticationPlugin": PLUGIN, "clientAuthenticationParameters": format!("token:{token}")});
        run.stage.secret("pulsar-token", &data)
    };
    let envht = run.stage.token("admin", None)?;
    // The signature is that of another text.
    secret(&envht.replacen("ey", "eyJ4IjoxLCJ", 1))?;
    run.apply()?;
    progress(&run.until_reason("fn", &["AuthenticationFailed"], &[])?);
    secret(&envht)?;
    // Without the kubelet's backoff.
    run.kill(0)?;
    answers(run)
}

/// The token is renewed twice. Messages are processed after the previous token has expired, in the same pod.
fn token_file(run: &Run<'_>) -> Result<()> {
    let renew = || -> Result<(String, Instant)> {
        let token = run.stage.token("admin", Some(LIFETIME.as_secs()))?;
        run.stage.secret("pulsar-token-file", &json!({"token": token}))?;
        Ok((token, Instant::now() + LIFETIME))
    };
    let (_, mut expires) = renew()?;
    run.apply()?;
    answers(run)?;
    let pod = run.stage.get(&format!("pod/{}-function-0", run.name()))?["metadata"]["uid"].clone();
    let mut sent = texts("x", 20);
    for renewal in 1..=2 {
        let (token, next) = renew()?;
        let read = format!("-n {NAMESPACE} exec {}-function-0 -- cat /token/token", run.name());
        until("the new token in the pod", LIFETIME, || {
            let found = output(&mut run.stage.kubectl.command(&read))?;
            ensure!(found.trim() == token, "still the token before");
            Ok(())
        })?;
        until("the end of the token before", 2 * LIFETIME, || {
            ensure!(Instant::now() > expires, "valid for {:?}", expires - Instant::now());
            Ok(())
        })?;
        expires = next;
        let more = texts(&format!("after-{renewal}"), 20);
        run.send(&run.topic("in"), &values(&more))?;
        sent.extend(more);
        run.expect(&run.topic("out"), &with(&sent, "!"))?;
        progress(&format!("token-file: messages pass after renewal {renewal}"));
    }
    let now = run.stage.get(&format!("pod/{}-function-0", run.name()))?;
    ensure!(now["metadata"]["uid"] == pod, "the pod was replaced");
    let restarts = &now["status"]["containerStatuses"][0]["restartCount"];
    ensure!(restarts == &json!(0), "{restarts} restarts");
    run.ready()
}

/// A private authority signed the certificate of the broker, and that of the client if it has one.
fn certificates(run: &Run<'_>) -> Result<()> {
    run.apply()?;
    answers(run)
}
