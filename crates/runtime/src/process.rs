//! The lifecycle of a controller process.

use crate::admin::{Admin, Readiness};
use crate::args::{ProcessArgs, WatchArgs};
use crate::client::{self, Clients};
use crate::lease::Election;
use crate::metrics::Metrics;
use crate::metrics_server::MetricsServer;
use crate::write_fence::WriteFence;
use crate::{lease, telemetry};
use anyhow::{Context, bail};
use kube::Client;
use std::future::{Future, pending};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

/// Time for running reconciles to finish after the process was asked to stop.
const GRACE: Duration = Duration::from_secs(20);

/// Everything that a controller needs from its process.
pub struct Process {
    /// Name of the controller: of its lease and its field manager.
    pub name: &'static str,
    /// Connection to the API server.
    pub client: Client,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// The readiness of the process.
    pub readiness: Readiness,
    /// Cancelled at shutdown: running reconciles finish, no new ones start.
    pub shutdown: CancellationToken,
    admin: Admin,
    metrics_server: Option<MetricsServer>,
    election: Option<Election>,
}

impl Process {
    /// Starts logging, the admin server and the connection.
    ///
    /// # Errors
    /// When one of them cannot be started; the message says what to do.
    pub async fn start(name: &'static str, args: &ProcessArgs, watch: &WatchArgs) -> anyhow::Result<Self> {
        telemetry::start(args)?;
        let metrics = Arc::new(Metrics::new(name, env!("CARGO_PKG_VERSION")).context("metrics")?);
        let readiness = Readiness::default();
        let unprotected = args.secure_metrics_addr.is_empty().then(|| metrics.clone());
        let admin = Admin::bind(&args.admin_addr, unprotected, readiness.clone())?;
        let fence = if args.leader_elect { WriteFence::closed() } else { WriteFence::open() };
        let Clients { work, lease } = client::connect(name, watch.concurrency, &fence, &metrics).await?;
        // Standbys answer too, so that the fence of the workers' client would be in the way.
        let metrics_server = MetricsServer::bind(args, metrics.clone(), lease.clone())?;
        let elected = args.leader_elect.then(|| lease::election(name, lease, fence, args, watch.shard));
        let election = elected.transpose()?;
        info!(version = env!("CARGO_PKG_VERSION"), leader_elect = args.leader_elect, shard = %watch.shard, "starting");
        Ok(Self {
            name,
            client: work,
            metrics,
            readiness,
            shutdown: CancellationToken::new(),
            admin,
            metrics_server,
            election,
        })
    }

    /// Namespace of the process: that of its pod, outside of a cluster that of the kubeconfig's current context.
    pub fn namespace(&self) -> String {
        let given = std::env::var("POD_NAMESPACE").ok().filter(|namespace| !namespace.is_empty());
        given.unwrap_or_else(|| self.client.default_namespace().to_owned())
    }

    /// Runs the work while leading. Returns after the process was asked to stop and the work finished.
    ///
    /// # Errors
    /// When the work, the admin server or the lease ends unexpectedly.
    pub async fn lead<W>(self, work: W) -> anyhow::Result<()>
    where
        W: Future<Output = anyhow::Result<()>>,
    {
        let Self { metrics, shutdown, admin, metrics_server, election, .. } = self;
        let mut terminate = signal(SignalKind::terminate()).context("signal SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("signal SIGINT")?;
        let stopped = async {
            tokio::select! {
                _ = terminate.recv() => info!("stopping on SIGTERM"),
                _ = interrupt.recv() => info!("stopping on SIGINT"),
            }
            shutdown.cancel();
        };
        let leading = {
            let metrics = metrics.clone();
            async move {
                metrics.leader.set(1);
                info!("leading");
                work.await
            }
        };
        let work = async move {
            match election {
                // The end of the work releases the lease, so that a successor takes over at once.
                Some(election) => election.lead(leading).await,
                None => leading.await,
            }
        };
        let ended = tokio::select! {
            ended = run_until_stopped(work, stopped, &shutdown, &metrics) => ended,
            ended = Box::pin(admin.serve()) => ended.and_then(|()| bail!("the admin server ended")),
            ended = Box::pin(serve(metrics_server)) => ended.and_then(|()| bail!("the metrics server ended")),
        };
        metrics.leader.set(0);
        if let Err(error) = &ended {
            error!(error = format!("{error:#}"), "ending");
        } else {
            info!("stopped");
        }
        ended
    }
}

/// Serves the metrics over HTTPS, if that is asked for.
async fn serve(server: Option<MetricsServer>) -> anyhow::Result<()> {
    match server {
        Some(server) => server.serve().await,
        None => pending().await,
    }
}

/// The end of a controller's `main`: an error is one line that says what to do.
pub fn exit(ended: anyhow::Result<()>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the work; once asked to stop, gives it time to finish.
async fn run_until_stopped(
    work: impl Future<Output = anyhow::Result<()>>,
    stopped: impl Future<Output = ()>,
    shutdown: &CancellationToken,
    metrics: &Metrics,
) -> anyhow::Result<()> {
    tokio::pin!(work, stopped);
    tokio::select! {
        ended = &mut work => {
            ended?;
            if shutdown.is_cancelled() { Ok(()) } else { bail!("the controller's loop ended") }
        }
        // A standby has nothing to finish.
        () = &mut stopped => if metrics.leader.get() == 0 { Ok(()) } else { match tokio::time::timeout(GRACE, work).await {
            Ok(ended) => ended,
            Err(_) => bail!("reconciles did not finish within {GRACE:?}"),
        } },
    }
}
