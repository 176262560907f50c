//! The proxy in front of a server that responds to every request with its number, and with endless watches.

use super::*;
use hyper::body::Frame;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const OBJECT: &str = "/api/v1/namespaces/a/services/s";
const WATCH: &str = "/api/v1/services?watch=true";

struct Fixture {
    proxy: Proxy,
    seen: Arc<AtomicUsize>,
    client: Client,
}

async fn fixture() -> Result<Fixture> {
    let seen = Arc::new(AtomicUsize::new(0));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = format!("http://{}", listener.local_addr()?);
    let counter = seen.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let counter = counter.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
                let first =
                    stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from(format!("{number}\n"))))]);
                let watched = request.uri().query().is_some_and(|query| query.contains("watch"));
                let body = if watched {
                    StreamBody::new(first.chain(stream::pending()).boxed()).boxed_unsync()
                } else {
                    StreamBody::new(first.boxed()).boxed_unsync()
                };
                std::future::ready(Ok::<_, Infallible>(Response::new(body)))
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    let proxy = Proxy::before(Config::new(server.parse()?)).await?;
    let mut config = Config::new(proxy.url().parse()?);
    config.default_retry = false;
    Ok(Fixture { proxy, seen, client: ClientBuilder::try_from(config)?.build() })
}

impl Fixture {
    async fn send(&self, path: &str) -> Result<Response<Body>> {
        Ok(self.client.send(Request::get(path).body(Body::empty())?).await?)
    }

    async fn text(&self, path: &str) -> Result<(u16, String)> {
        let answer = self.send(path).await?;
        let code = answer.status().as_u16();
        Ok((code, String::from_utf8(answer.into_body().collect().await?.to_bytes().to_vec())?))
    }

    fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn what_no_rule_is_for_is_passed_on() -> Result<()> {
    let fixture = fixture().await?;
    fixture.proxy.add(Rule::new(Action::Answer(503)).verb("delete"));
    assert_eq!(fixture.text(OBJECT).await?, (200, "1\n".to_owned()));
    Ok(())
}

#[tokio::test]
async fn requests_fail_by_rule() -> Result<()> {
    let fixture = fixture().await?;
    fixture.proxy.add(Rule::new(Action::Answer(503)).resource("services").times(1));
    let (code, body) = fixture.text(OBJECT).await?;
    assert!(code == 503 && body.contains("\"code\":503"), "{body}");
    assert_eq!(fixture.seen(), 0, "reached the server");

    fixture.proxy.add(Rule::new(Action::CutBefore).times(1));
    assert!(fixture.text(OBJECT).await.is_err());
    assert_eq!(fixture.seen(), 0, "reached the server");

    fixture.proxy.add(Rule::new(Action::CutAfter).name("s").times(1));
    assert!(fixture.text(OBJECT).await.is_err());
    assert_eq!(fixture.seen(), 1, "did not reach the server");

    fixture.proxy.add(Rule::new(Action::Delay(Duration::from_millis(10))).nth(1));
    assert_eq!(fixture.text(OBJECT).await?, (200, "2\n".to_owned()));
    assert_eq!(fixture.proxy.rules_left(), 0);
    Ok(())
}

#[tokio::test]
async fn watches_end_and_expire() -> Result<()> {
    let fixture = fixture().await?;
    let mut watch = fixture.send(WATCH).await?.into_body();
    let first = watch.frame().await.context("no first event")??.into_data().ok();
    assert_eq!(first.as_deref(), Some(&b"1\n"[..]), "events are passed on as they come");
    assert_eq!(fixture.proxy.watches(), 1);
    assert_eq!(fixture.proxy.expire_watches(), 1);
    assert!(watch.frame().await.is_none(), "the watch goes on");

    let (code, event) = fixture.text(WATCH).await?;
    assert!(code == 200 && event.contains("\"ERROR\"") && event.contains("410"), "{event}");
    assert_eq!((fixture.seen(), fixture.proxy.rules_left()), (1, 0));
    let mut again = fixture.send(WATCH).await?.into_body();
    assert!(again.frame().await.is_some());
    Ok(())
}
