//! Keys, certificates and tokens of a cluster, created at each start.

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use std::fs;
use std::path::Path;

/// Users with a token: name, and groups separated by commas. The controllers are in the groups that the tests bind to
/// the generated roles.
const USERS: &[(&str, &str)] = &[
    ("admin", "system:masters"),
    // Clients in tests whose requests are counted separately from the administrator's.
    ("fake-statefulset-controller", "system:masters"),
    ("baseline", "system:masters"),
    // Without any permissions except for those that a test grants.
    ("tenant", ""),
    ("namespace-administrator", ""),
    ("system:kube-controller-manager", "system:masters"),
    ("system:kube-scheduler", ""),
    ("system:kube-proxy", ""),
    ("system:node:node", "system:nodes"),
    ("system:node:second", "system:nodes"),
];

/// Controllers of which a test may run several, each under a user of its own.
const CONTROLLERS: &[&str] = &[
    "function-controller",
    "source-controller",
    "sink-controller",
    "mesh-controller",
    // Has only the permissions that a test grants.
    "restricted-controller",
];

/// Number of users for each controller.
pub(crate) const SLOTS: usize = 1024;

/// Writes everything into `folder`: `ca.crt`, `server.{crt,key}`, `sa.{key,pub}`, `tokens.csv`.
///
/// # Errors
/// When a file cannot be written.
pub(crate) fn write(folder: &Path, names: &[&str]) -> Result<()> {
    write_authority(folder, names)?;
    let accounts = KeyPair::generate()?;
    fs::write(folder.join("sa.key"), accounts.serialize_pem())?;
    fs::write(folder.join("sa.pub"), accounts.public_key_pem())?;

    let mut users: Vec<(String, String)> =
        USERS.iter().map(|(user, groups)| ((*user).to_owned(), (*groups).to_owned())).collect();
    for controller in CONTROLLERS {
        users.extend((0..SLOTS).map(|i| (format!("{controller}-{i}"), (*controller).to_owned())));
    }
    let lines: Vec<String> = users
        .iter()
        .enumerate()
        .map(|(uid, (user, groups))| format!("{},{user},{uid},\"{groups}\"\n", token(user)))
        .collect();
    fs::write(folder.join("tokens.csv"), lines.concat())?;
    Ok(())
}

/// Writes a certificate authority and a server certificate signed by it into `folder`: `ca.crt`, `server.{crt,key}`.
///
/// # Errors
/// When a file cannot be written.
pub(crate) fn write_authority(folder: &Path, names: &[&str]) -> Result<()> {
    let authority_key = KeyPair::generate()?;
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.distinguished_name.push(DnType::CommonName, "function-mesh-test");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    fs::write(folder.join("ca.crt"), authority.self_signed(&authority_key)?.pem())?;
    let issuer = Issuer::new(authority, authority_key);

    let key = KeyPair::generate()?;
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let server = CertificateParams::new(names)?.signed_by(&key, &issuer)?;
    fs::write(folder.join("server.crt"), server.pem())?;
    fs::write(folder.join("server.key"), key.serialize_pem())?;
    Ok(())
}

/// The token of a user. Not a secret: the server listens on this machine only.
pub(crate) fn token(user: &str) -> String {
    format!("token-of-{}", user.replace(':', "-"))
}

/// A kubeconfig for a user; it refers to the CA certificate in `folder`.
pub(crate) fn kubeconfig(folder: &Path, server: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: local\n\
         clusters:\n- name: local\n  cluster:\n    server: {server}\n    certificate-authority: {}/ca.crt\n\
         contexts:\n- name: local\n  context: {{cluster: local, user: local}}\n\
         users:\n- name: local\n  user:\n    token: {}\n",
        folder.display(),
        token(user)
    )
}
