//! The credentials of the controller and of the API server expire while it works (docs/reliability.md, T36): it reads its token
//! and the CA certificate from files, as in a pod, on a separate API server.

use anyhow::{Context, Result, bail, ensure};
use e2e::cluster::ApiOnly;
use e2e::scenarios::fleet::FUNCTION;
use e2e::testing::controller::Account;
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{AVAILABLE, api, create, merge, until_ready};
use e2e::testing::{Controller, TestEnv};
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Namespace, Secret, ServiceAccount};
use kube::Client;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use kube::config::AuthInfo;
use serde_json::json;
use std::time::{Duration, Instant};

const NAMESPACE: &str = e2e::operator::NAMESPACE;
const ACCOUNT: &str = "function-mesh-function-controller";
/// Files are read again after a minute.
const BACK: Duration = Duration::from_secs(110);

/// A token that expires with its Secret.
async fn token(env: &TestEnv, secret: &str) -> Result<String> {
    let secrets: Api<Secret> = Api::namespaced(env.client.clone(), NAMESPACE);
    let object = serde_json::from_value(json!({"metadata": {"name": secret}}))?;
    let made = secrets.create(&PostParams::default(), &object).await?;
    let request: TokenRequest = serde_json::from_value(json!({"spec": {
        "audiences": [], "expirationSeconds": 3600,
        "boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": secret, "uid": made.metadata.uid}}}))?;
    let accounts: Api<ServiceAccount> = Api::namespaced(env.client.clone(), NAMESPACE);
    let answer = accounts.create_token_request(ACCOUNT, &PostParams::default(), &request).await?;
    answer.status.and_then(|status| status.token).context("no token")
}

/// The API server caches successful authentications for some seconds.
async fn refused(env: &TestEnv, token: &str) -> Result<()> {
    let mut config = env.config();
    config.auth_info = AuthInfo { token: Some(token.to_owned().into()), ..AuthInfo::default() };
    let secrets: Api<Secret> = Api::namespaced(Client::try_from(config)?, NAMESPACE);
    match secrets.list(&ListParams::default()).await {
        Err(kube::Error::Api(status)) if status.code == 401 => Ok(()),
        other => bail!("it is let in: {:?}", other.map(drop)),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: `make faults`"]
async fn an_identity_that_expires_is_renewed_without_a_restart() -> Result<()> {
    let mut server = ApiOnly::up("identity")?;
    let env = TestEnv::dedicated(&server).await?;
    // It ends with the server: the user who created it can no longer authenticate by then.
    let namespace = "identity";
    let namespaces: Api<Namespace> = Api::all(env.client.clone());
    let object = serde_json::from_value(json!({"metadata": {"name": namespace}}))?;
    namespaces.create(&PostParams::default(), &object).await?;
    let first = token(&env, "first").await?;
    let account = Account::new(&env, &first)?;
    let watched = format!("--watched-namespace={namespace}");
    let flags = [
        watched.as_str(),
        "--lease-namespace=function-mesh-system",
        "--lease-duration=180",
        "--lease-renew-deadline=150",
        "--lease-retry-period=2",
    ];
    let controller = Controller::spawn_in_pod(&env, &account, FUNCTION.controller, &flags)?;
    controller.leads(&env).await?;
    let statefulset_controller = FakeStatefulSetController::start(&env, namespace);
    let objects = api(&env, namespace, FUNCTION.kind, FUNCTION.plural);
    create(&objects, FUNCTION.kind, "f", &FUNCTION.spec()).await?;
    until_ready(&env, &objects, "f", AVAILABLE).await?;
    let process = controller.id();

    // The old token is invalid from now on.
    account.write_token(&token(&env, "second").await?)?;
    let secrets: Api<Secret> = Api::namespaced(env.client.clone(), NAMESPACE);
    secrets.delete("first", &DeleteParams::default()).await?;
    env.until("the end of the old token", || refused(&env, &first)).await?;
    let since = Instant::now();
    merge(&objects, "f", json!({"spec": {"image": "example.com/image:token"}})).await?;
    until_ready(&env, &objects, "f", AVAILABLE).await?;
    eprintln!("the new token is used after {:?}", since.elapsed());
    ensure!(since.elapsed() < BACK, "only after {:?}", since.elapsed());

    // So is the old CA certificate.
    drop(statefulset_controller);
    server.restart_with_new_authority()?;
    account.write_authority(&env)?;
    let env = TestEnv::new(server.folder(), env.build.clone(), env.timeout()).await?;
    let _statefulset_controller = FakeStatefulSetController::start(&env, namespace);
    let objects = api(&env, namespace, FUNCTION.kind, FUNCTION.plural);
    let since = Instant::now();
    merge(&objects, "f", json!({"spec": {"image": "example.com/image:authority"}})).await?;
    until_ready(&env, &objects, "f", AVAILABLE).await?;
    eprintln!("the new certificate authority is trusted after {:?}", since.elapsed());
    ensure!(since.elapsed() < BACK, "only after {:?}", since.elapsed());
    ensure!(controller.id() == process && controller.get("healthz").is_ok(), "it was started again");
    ensure!(controller.metric("function_mesh_leader")? == 1, "it does not lead any more");
    Ok(())
}
