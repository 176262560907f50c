//! What a proxy does besides forwarding, and with which requests.

use http::{Method, Uri};
use std::time::Duration;

/// A request in the terms of RBAC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`.
    pub verb: &'static str,
    /// Whether it is a watch that begins with a list of everything (KEP-3157).
    pub lists: bool,
    /// Resource, with the subresource if any, such as `functions/status`; empty for discovery requests.
    pub resource: String,
    /// Name of the object; empty when it is about many.
    pub name: String,
    /// What distinguishes a watch from others of its resource: namespace and selectors.
    pub selection: String,
}

impl Target {
    /// Whether it changes something; leases and Events do not count.
    pub fn is_write(&self) -> bool {
        let housekeeping = matches!(self.resource.as_str(), "" | "leases" | "events");
        !housekeeping && matches!(self.verb, "create" | "update" | "patch" | "delete")
    }

    /// Reads it from a method and a URL: `/api/v1/...` or `/apis/GROUP/VERSION/...`, optionally `namespaces/NAME`, then
    /// `RESOURCE[/NAME[/SUBRESOURCE]]`.
    pub fn of(method: &Method, uri: &Uri) -> Self {
        let mut path = uri.path().split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>().into_iter();
        match path.next() {
            Some("api") => drop(path.next()),
            Some("apis") => drop(path.nth(1)),
            _ => return Self::default(),
        }
        let mut rest = path.as_slice();
        let mut namespace = "";
        if let ["namespaces", name, below @ ..] = rest
            && !below.is_empty()
        {
            (namespace, rest) = (name, below);
        }
        let (resource, name) = match rest {
            [] => return Self::default(),
            [resource] => ((*resource).to_owned(), ""),
            [resource, name] => ((*resource).to_owned(), *name),
            [resource, name, subresource, ..] => (format!("{resource}/{subresource}"), *name),
        };
        let query: Vec<&str> = uri.query().unwrap_or_default().split('&').collect();
        let is_watch = query.iter().any(|part| matches!(*part, "watch=true" | "watch=1"));
        let lists = query.contains(&"sendInitialEvents=true");
        let verb = match *method {
            Method::GET if is_watch => "watch",
            Method::GET if name.is_empty() => "list",
            Method::GET => "get",
            Method::POST => "create",
            Method::PUT => "update",
            Method::PATCH => "patch",
            Method::DELETE => "delete",
            _ => "other",
        };
        let selectors = query.iter().filter(|part| part.contains("Selector="));
        let selection = std::iter::once(&namespace).chain(selectors).copied().collect::<Vec<_>>().join("&");
        Self { verb, lists, resource, name: name.to_owned(), selection }
    }
}

/// The action on a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A watch starts, reports that its resource version is too old (410 Gone) and ends, so that everything is listed again.
    Expire,
    /// It gets an error with this status code and does not reach the API server.
    Answer(u16),
    /// It is forwarded after a delay.
    Delay(Duration),
    /// The connection is closed before it is forwarded.
    CutBefore,
    /// The connection is closed after the API server responded: the caller cannot know whether it was carried out.
    CutAfter,
    /// It gets no response, and does not reach the API server.
    Swallow,
    /// The process is killed, and the request does not reach the API server.
    KillBefore(u32),
    /// The API server carries it out, and the process is killed before it gets the response.
    KillAfter(u32),
}

/// The requests that an action applies to. An unset field matches everything.
#[derive(Clone, Debug)]
pub struct Rule {
    verb: Option<&'static str>,
    resource: Option<String>,
    name: Option<String>,
    selection: Option<String>,
    /// Matching requests that are forwarded first.
    skip: usize,
    /// Number of times that it acts; unlimited if unset.
    times: Option<usize>,
    /// It acts on one of this number of matching requests.
    share: usize,
    seen: usize,
    action: Action,
}

impl Rule {
    /// An action for all requests.
    pub fn new(action: Action) -> Self {
        Self {
            verb: None,
            resource: None,
            name: None,
            selection: None,
            skip: 0,
            times: None,
            share: 1,
            seen: 0,
            action,
        }
    }

    /// Only for a verb. A watch that begins with a list is both.
    #[must_use]
    pub fn verb(self, verb: &'static str) -> Self {
        Self { verb: Some(verb), ..self }
    }

    /// Only for a resource, with its subresource, such as `functions/status`.
    #[must_use]
    pub fn resource(self, resource: &str) -> Self {
        Self { resource: Some(resource.to_owned()), ..self }
    }

    /// Only for an object of this name.
    #[must_use]
    pub fn name(self, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..self }
    }

    /// Only for the n-th matching request, counted from 1.
    #[must_use]
    pub fn nth(self, n: usize) -> Self {
        Self { skip: n.saturating_sub(1), times: Some(1), ..self }
    }

    /// Only this number of times.
    #[must_use]
    pub fn times(self, times: usize) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Only for one in this number of matching requests.
    #[must_use]
    pub fn one_in(self, share: usize) -> Self {
        Self { share, ..self }
    }

    /// Only for the next watch like this one.
    pub(super) fn expire(watch: &Target) -> Self {
        let only = Self::new(Action::Expire).verb("watch").resource(&watch.resource).times(1);
        Self { selection: Some(watch.selection.clone()), ..only }
    }

    fn matches(&self, target: &Target) -> bool {
        self.verb.is_none_or(|verb| verb == target.verb || (verb == "list" && target.lists))
            && self.resource.as_ref().is_none_or(|resource| *resource == target.resource)
            && self.name.as_ref().is_none_or(|name| *name == target.name)
            && self.selection.as_ref().is_none_or(|selection| *selection == target.selection)
    }

    /// Whether it will still act.
    pub(super) fn is_open(&self) -> bool {
        self.times.is_none_or(|times| times > 0)
    }
}

/// The action of the first matching rule; the rule counts the request.
pub(super) fn decide(rules: &mut Vec<Rule>, target: &Target) -> Option<Action> {
    let mut action = None;
    for rule in rules.iter_mut().filter(|rule| rule.is_open() && rule.matches(target)) {
        if rule.skip > 0 {
            rule.skip -= 1;
            continue;
        }
        rule.seen += 1;
        if !rule.seen.is_multiple_of(rule.share) {
            continue;
        }
        rule.times = rule.times.map(|times| times - 1);
        action = Some(rule.action.clone());
        break;
    }
    rules.retain(Rule::is_open);
    action
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(method: &Method, uri: &str) -> Target {
        Target::of(method, &uri.parse().unwrap())
    }

    #[test]
    fn requests_are_named_by_their_url() {
        let functions = "/apis/compute.functionmesh.io/v1alpha1";
        let cases = [
            (Method::GET, format!("{functions}/functions?limit=100"), "list functions "),
            (
                Method::GET,
                "/api/v1/namespaces/a/services?watch=true&labelSelector=x".to_owned(),
                "watch services ",
            ),
            (Method::GET, "/api/v1/services?watch=true&sendInitialEvents=true".to_owned(), "watch services "),
            (
                Method::PATCH,
                format!("{functions}/namespaces/a/functions/f/status"),
                "patch functions/status f",
            ),
            (Method::GET, "/api/v1/namespaces/a".to_owned(), "get namespaces a"),
            (Method::GET, "/readyz".to_owned(), "  "),
        ];
        for (method, uri, want) in cases {
            let found = target(&method, &uri);
            assert_eq!(format!("{} {} {}", found.verb, found.resource, found.name), want, "{uri}");
        }
        let watch = |selector: &str| {
            target(&Method::GET, &format!("/api/v1/pods?watch=1&{selector}&resourceVersion=7"))
        };
        assert_ne!(watch("labelSelector=a"), watch("labelSelector=b"));
    }

    #[test]
    fn rules_count_what_they_match() {
        let patch = target(&Method::PATCH, "/api/v1/namespaces/a/services/s");
        let other = target(&Method::PATCH, "/api/v1/namespaces/a/services/t");
        let mut rules = vec![
            Rule::new(Action::CutAfter).verb("patch").resource("services").name("s").nth(2),
            Rule::new(Action::Answer(500)).times(1),
        ];
        let mut next = |target: &Target| decide(&mut rules, target);
        assert_eq!(next(&patch), Some(Action::Answer(500)), "the first is passed on by the first rule");
        assert_eq!(next(&other), None);
        assert_eq!(next(&patch), Some(Action::CutAfter));
        assert_eq!(next(&patch), None);
        assert!(rules.is_empty());
        rules.push(Rule::new(Action::CutBefore).one_in(3));
        let acted: Vec<bool> = (0..6).map(|_| decide(&mut rules, &patch).is_some()).collect();
        assert_eq!(acted, [false, false, true, false, false, true]);
    }
}
