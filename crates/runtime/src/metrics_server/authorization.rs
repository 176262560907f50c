//! Who may read the metrics: the API server decides about the token of a request, by TokenReview and SubjectAccessReview
//! (<https://kubernetes.io/docs/reference/access-authn-authz/>), as it does for the metrics of Kubernetes' own components.

use axum::http::HeaderValue;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use k8s_openapi::api::authorization::v1::{
    NonResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tracing::warn;

/// How long a decision holds: Prometheus comes back with the same token.
const ALLOWED: Duration = Duration::from_secs(60);
/// The same for a refusal, which an administrator may be about to change.
const REFUSED: Duration = Duration::from_secs(10);
/// Maximum number of remembered decisions.
const REMEMBERED: usize = 256;
/// Maximum number of tokens that the API server reviews at the same time: guessing tokens is no load for it.
const REVIEWS: usize = 2;

/// The answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The user may read the metrics.
    Allowed,
    /// There is no valid token.
    Unauthenticated,
    /// The user may not.
    Denied,
    /// The API server did not answer.
    Unknown,
}

/// See the module.
pub(crate) struct Authorization {
    client: Client,
    /// By digest of the token.
    decisions: Mutex<HashMap<[u8; 32], Decision>>,
    reviews: Semaphore,
}

struct Decision {
    verdict: Verdict,
    until: Instant,
}

impl Authorization {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, decisions: Mutex::default(), reviews: Semaphore::new(REVIEWS) }
    }

    /// Decides by the header `Authorization` of a request.
    pub(crate) async fn of(&self, header: Option<&HeaderValue>) -> Verdict {
        let Some(token) = header.and_then(|value| value.to_str().ok()).and_then(bearer) else {
            return Verdict::Unauthenticated;
        };
        let digest = Sha256::digest(token).into();
        if let Some(verdict) = self.decided(&digest) {
            return verdict;
        }
        let Ok(_permit) = self.reviews.acquire().await else { return Verdict::Unknown };
        // Another request with this token may have been waiting before this one.
        if let Some(verdict) = self.decided(&digest) {
            return verdict;
        }
        match self.review(token).await {
            Ok(verdict) => {
                self.remember(digest, verdict);
                verdict
            }
            Err(error) => {
                warn!(%error, "cannot review the token of a request for the metrics");
                Verdict::Unknown
            }
        }
    }

    fn decided(&self, digest: &[u8; 32]) -> Option<Verdict> {
        let decisions = self.decisions.lock().unwrap_or_else(PoisonError::into_inner);
        decisions
            .get(digest)
            .filter(|decision| Instant::now() < decision.until)
            .map(|decision| decision.verdict)
    }

    fn remember(&self, digest: [u8; 32], verdict: Verdict) {
        let now = Instant::now();
        let mut decisions = self.decisions.lock().unwrap_or_else(PoisonError::into_inner);
        if decisions.len() >= REMEMBERED {
            decisions.retain(|_, decision| now < decision.until);
        }
        if decisions.len() < REMEMBERED {
            let lasts = if verdict == Verdict::Allowed { ALLOWED } else { REFUSED };
            decisions.insert(digest, Decision { verdict, until: now + lasts });
        }
    }

    async fn review(&self, token: &str) -> kube::Result<Verdict> {
        let review = TokenReview {
            spec: TokenReviewSpec { token: token.to_owned(), ..TokenReviewSpec::default() },
            ..TokenReview::default()
        };
        let reviewed = Api::all(self.client.clone()).create(&PostParams::default(), &review).await?;
        let status = reviewed.status.unwrap_or_default();
        let Some(user) = status.user.filter(|_| status.authenticated == Some(true)) else {
            return Ok(Verdict::Unauthenticated);
        };
        let review = SubjectAccessReview { spec: access(user), ..SubjectAccessReview::default() };
        let reviewed = Api::all(self.client.clone()).create(&PostParams::default(), &review).await?;
        let allowed = reviewed.status.is_some_and(|status| status.allowed);
        Ok(if allowed { Verdict::Allowed } else { Verdict::Denied })
    }
}

/// The token in a header.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// The question whether a user may read the metrics.
fn access(user: UserInfo) -> SubjectAccessReviewSpec {
    SubjectAccessReviewSpec {
        extra: user.extra,
        groups: user.groups,
        non_resource_attributes: Some(NonResourceAttributes {
            path: Some("/metrics".to_owned()),
            verb: Some("get".to_owned()),
        }),
        uid: user.uid,
        user: user.username,
        ..SubjectAccessReviewSpec::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bearer_tokens_count() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bearer  abc "), Some("abc"));
        for other in ["Bearer", "Bearer ", "Basic abc", "abc", ""] {
            assert_eq!(bearer(other), None, "{other}");
        }
    }
}
