//! Rules for replicas, autoscalers and resources.

use crate::rules::rule::{Rule, given, if_given};

/// Replicas, autoscalers and resources of every component.
pub(super) fn rules() -> Vec<Rule> {
    let (max, min, replicas) = (given("maxReplicas"), given("minReplicas"), given("replicas"));
    let scale = vec![
        Rule::invalid(
            ".minReplicas",
            if_given("minReplicas", "@.minReplicas >= 1"),
            "spec.minReplicas must be at least 1; to stop the component, set spec.replicas to 0 without spec.maxReplicas",
        ),
        Rule::invalid(
            ".maxReplicas",
            format!("!({max} && {min}) || @.maxReplicas >= @.minReplicas"),
            "spec.maxReplicas must not be below spec.minReplicas, which is 1 unless set; raise one or lower the other",
        ),
        Rule::invalid(
            ".maxReplicas",
            format!("!({max} && {replicas}) || @.replicas <= @.maxReplicas"),
            "spec.maxReplicas must not be below spec.replicas; raise one or lower the other",
        )
        // The autoscaler's replicas may exceed a lowered bound until it adjusts them.
        .unless("has(o.maxReplicas) && has(o.replicas) && has(self.replicas) && o.replicas == self.replicas"),
        Rule::invalid(
            ".replicas",
            format!("!({max} && {replicas}) || @.replicas != 0"),
            "spec.replicas must not be 0 with spec.maxReplicas, because autoscaling is disabled at 0 replicas; remove one of them",
        )
        // `kubectl scale --replicas=0` disables the autoscaler.
        .unless("has(o.maxReplicas) && has(self.maxReplicas) && o.maxReplicas == self.maxReplicas"),
        // 1 is the API server's default: a rule cannot see whether the user set it.
        Rule::invalid(
            ".minReplicas",
            format!(
                "!({min} && {replicas}) || @.minReplicas <= @.replicas || @.replicas == 1 || (@.replicas == 0 && !{max})"
            ),
            "spec.minReplicas must not be above spec.replicas; lower one or raise the other",
        )
        .unless("has(o.minReplicas) && has(self.minReplicas) && o.minReplicas == self.minReplicas"),
        Rule::invalid(
            ".pod.vpa",
            format!("!({max} && {})", given("pod.vpa")),
            "spec.pod.vpa must not be set with spec.maxReplicas: the two autoscalers would conflict; \
             remove one",
        ),
        Rule::required(
            ".pod.vpa.resourcePolicy.containerPolicies",
            if_given(
                "pod.vpa.resourcePolicy.containerPolicies",
                "@.pod.vpa.resourcePolicy.containerPolicies.all(p, has(p.containerName) && dyn(p.containerName) != null \
                 && p.containerName != '')",
            ),
            "spec.pod.vpa.resourcePolicy.containerPolicies must have containerName in each item; '*' means every \
             container",
        ),
    ];
    [scale, memory()].concat()
}

/// Unlike in the Go operator, memory may be unset, but it must not be 0. `cpu` has no such rules: it may be an unquoted
/// fraction, which a rule cannot evaluate.
fn memory() -> Vec<Rule> {
    let amount = |list: &str| format!("quantity(string(@.resources.{list}.memory))");
    let there =
        |list: &str| format!("({} && has(@.resources.{list}.memory))", given(&format!("resources.{list}")));
    let known = |list: &str| format!("isQuantity(string(@.resources.{list}.memory))");
    let above_zero = |list: &str| {
        format!("(!{} || ({} && {}.isGreaterThan(quantity('0'))))", there(list), known(list), amount(list))
    };
    vec![
        Rule::invalid(
            ".resources",
            format!("{} && {}", above_zero("requests"), above_zero("limits")),
            "spec.resources.requests.memory and spec.resources.limits.memory must be above 0; leave out what is not to \
             be set",
        ),
        Rule::invalid(
            ".resources",
            format!(
                "!({} && {} && {} && {}) || !{}.isGreaterThan({})",
                there("requests"),
                there("limits"),
                known("requests"),
                known("limits"),
                amount("requests"),
                amount("limits")
            ),
            "spec.resources.requests.memory must not be above spec.resources.limits.memory; lower one or raise the other",
        ),
    ]
}

/// Predefined rules of the autoscaler, which the Go operator checks for Functions only.
pub(super) fn builtin_rules() -> Vec<Rule> {
    let once = |prefix: &str| {
        let names = ["80", "50", "20"].map(|percent| format!("'{prefix}{percent}'"));
        format!("@.pod.builtinAutoscaler.filter(r, r in [{}]).size() <= 1", names.join(", "))
    };
    let both =
        format!("({} && {})", once("AverageUtilizationCPUPercent"), once("AverageUtilizationMemoryPercent"));
    vec![Rule::invalid(
        ".pod.builtinAutoscaler",
        if_given("pod.builtinAutoscaler", &both),
        "spec.pod.builtinAutoscaler must not have two rules for CPU or two for memory; remove one",
    )]
}
