//! Logging.

use crate::args::{LogFormat, ProcessArgs};
use anyhow::{Context, anyhow};
use std::io::{IsTerminal, stderr};
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, filter, fmt, registry};

/// Starts logging to standard error.
///
/// # Errors
/// If the level cannot be parsed, or logging was started before.
pub(crate) fn start(args: &ProcessArgs) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&args.log_level)
        .with_context(|| format!("--log-level {:?} is not in the syntax of RUST_LOG", args.log_level))?;
    // If a response does not decode, kube's warning contains all of it: the objects of tenants.
    let filter = filter.add_directive("kube_client::client=error".parse().context("log filter")?);
    let terminal = stderr().is_terminal();
    let format = args.log_format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json });
    log(filter, format, terminal, stderr)
        .try_init()
        .map_err(|error| anyhow!("logging cannot be started: {error}"))
}

fn log<W>(filter: EnvFilter, format: LogFormat, colours: bool, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer);
    let lines = match format {
        LogFormat::Json => {
            lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed()
        }
        LogFormat::Text => lines.with_ansi(colours).boxed(),
    };
    registry().with(filter).with(filter::filter_fn(is_fit_for_a_log)).with(lines)
}

/// Whether an event may be logged at any level. The client logs the complete response that fails to decode, with everything that
/// users wrote into their objects, and the watcher repeats a part of it. [`crate::stream`] and [`crate::observe`] report what
/// failed.
fn is_fit_for_a_log(event: &Metadata<'_>) -> bool {
    match event.target() {
        "kube_client::client" => event.is_span(),
        "kube_runtime::watcher" => *event.level() <= Level::WARN,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Request, Response};
    use k8s_openapi::api::core::v1::Pod;
    use kube::Client;
    use kube::api::{Api, ListParams};
    use kube::client::Body;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn an_answer_that_does_not_decode_is_not_logged() {
        const SECRET: &str = "password";
        for level in ["info,kube_client=warn", "trace"] {
            let written = Log::default();
            let writer = written.clone();
            let subscriber = log(EnvFilter::new(level), LogFormat::Json, false, move || writer.clone());
            let _guard = tracing::subscriber::set_default(subscriber);
            tracing::info!("logged");
            let service = tower::service_fn(|_: Request<Body>| async {
                let body = format!("{{\"metadata\": {{}}, \"items\": [{{\"spec\": \"{SECRET}\"}}]}}");
                Ok::<_, std::convert::Infallible>(Response::new(Body::from(body.into_bytes())))
            });
            let pods: Api<Pod> = Api::namespaced(Client::new(service, "default"), "default");
            assert!(pods.list(&ListParams::default()).await.is_err());
            let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
            assert!(text.contains("logged") && !text.contains(SECRET), "{level}: {text}");
        }
    }
}
