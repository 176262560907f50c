//! No write without the lease: the last check before a request is sent.
//!
//! Stopping the workers when the lease is lost is not enough. A process that was frozen for a minute resumes in the middle of a
//! write, before it checks its lease. So the connection itself checks, on a clock that continues during suspend. A request that
//! had passed this check when the process froze may still be sent; resource versions, uids and the field manager make it
//! harmless (docs/decisions/0010-late-writes-are-refused.md).

use futures::future::{BoxFuture, Either, Ready, ready};
use http::{Method, Request};
use rustix::time::{ClockId, clock_gettime};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tower::{BoxError, Layer, Service};

/// Whether writes may be sent: while the lease is held, or always without leader election.
#[derive(Clone, Debug)]
pub(crate) struct WriteFence(Option<Arc<AtomicU64>>);

impl WriteFence {
    /// Always open, for a process without leader election.
    pub(crate) fn open() -> Self {
        Self(None)
    }

    /// Closed until [`WriteFence::extend`].
    pub(crate) fn closed() -> Self {
        Self(Some(Arc::new(AtomicU64::new(0))))
    }

    /// Admits writes until a moment on the clock of [`now`].
    pub(crate) fn extend(&self, until: Duration) {
        if let Some(held) = &self.0 {
            held.store(millis(until), Ordering::SeqCst);
        }
    }

    /// Admits no writes from now on.
    pub(crate) fn close(&self) {
        self.extend(Duration::ZERO);
    }

    fn lets(&self, method: &Method) -> bool {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        reads || self.0.as_ref().is_none_or(|held| millis(now()) < held.load(Ordering::SeqCst))
    }
}

/// Time since boot, including suspend.
pub(crate) fn now() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or_default())
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl<S> Layer<S> for WriteFence {
    type Service = Fenced<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Fenced { inner, fence: self.clone() }
    }
}

/// A connection behind a [`WriteFence`].
pub(crate) struct Fenced<S> {
    inner: S,
    fence: WriteFence,
}

impl<S, B> Service<Request<B>> for Fenced<S>
where
    S: Service<Request<B>, Error = BoxError>,
    S::Future: Send + 'static,
    S::Response: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future =
        Either<BoxFuture<'static, Result<S::Response, BoxError>>, Ready<Result<S::Response, BoxError>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if self.fence.lets(request.method()) {
            Either::Left(Box::pin(self.inner.call(request)))
        } else {
            Either::Right(ready(Err("the lease is not held, so nothing is written".into())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tower::{ServiceExt, service_fn};

    async fn passes(fence: &WriteFence, method: Method) -> bool {
        let server = service_fn(|_: Request<()>| async { Ok::<_, BoxError>(()) });
        let request = Request::builder().method(method).body(()).unwrap();
        fence.layer(server).oneshot(request).await.is_ok()
    }

    #[tokio::test]
    async fn writes_leave_only_while_the_lease_is_held() {
        let writes = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
        let fence = WriteFence::closed();
        for method in writes.clone() {
            assert!(!passes(&fence, method.clone()).await, "{method} before the lease");
            assert!(passes(&WriteFence::open(), method.clone()).await, "{method} without election");
        }
        assert!(passes(&fence, Method::GET).await, "reading is free");
        fence.extend(now() + Duration::from_secs(60));
        for method in writes.clone() {
            assert!(passes(&fence, method).await);
        }
        fence.extend(now());
        for method in writes.clone() {
            assert!(!passes(&fence, method.clone()).await, "{method} after the deadline");
        }
        fence.extend(now() + Duration::from_secs(60));
        fence.close();
        assert!(!passes(&fence, Method::PATCH).await);
    }
}
