//! Windowing.

use crate::lower::problems::Problems;
use functionmesh_api::common::ProcessingGuarantee;
use functionmesh_api::function::{WindowConfig, WindowProcessingGuarantees};
use serde::Serialize;

/// Key of the user configuration under which the window executor finds its settings.
pub(crate) const USER_CONFIG_KEY: &str = "__WINDOWCONFIGS__";

/// The window settings as the executor reads them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Executed<'a> {
    actual_window_function_class_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    window_length_count: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window_length_duration_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sliding_interval_count: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sliding_interval_duration_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    late_data_topic: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_lag_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    watermark_emit_interval_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp_extractor_class_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    processing_guarantees: Option<WindowProcessingGuarantees>,
}

/// Whether the executor acknowledges the messages of a window: if the window has its own guarantee, or if it has none
/// and the component has the default. With `effectively_once` the instance acknowledges.
pub(crate) fn acts(config: &WindowConfig, component: Option<ProcessingGuarantee>) -> bool {
    match component {
        None | Some(ProcessingGuarantee::AtleastOnce) => true,
        Some(ProcessingGuarantee::AtmostOnce) => config.processing_guarantees.is_some(),
        Some(ProcessingGuarantee::Manual | ProcessingGuarantee::EffectivelyOnce) => false,
    }
}

/// The guarantee that the executor reads, without which it never acknowledges.
pub(crate) fn guarantee(
    config: &WindowConfig,
    component: Option<ProcessingGuarantee>,
) -> Option<WindowProcessingGuarantees> {
    let default = acts(config, component).then_some(WindowProcessingGuarantees::AtleastOnce);
    config.processing_guarantees.or(default)
}

/// The window settings as JSON. The sliding interval defaults to the window length, so windows do not overlap; this
/// holds for both kinds of length (the Go operator fails for a length in messages).
pub(crate) fn json(
    config: &WindowConfig,
    class_name: &str,
    guarantee: Option<WindowProcessingGuarantees>,
) -> String {
    let given = |text: &'_ Option<String>| text.clone().filter(|text| !text.is_empty());
    let (late, extractor) = (given(&config.late_data_topic), given(&config.timestamp_extractor_class_name));
    let window = Executed {
        actual_window_function_class_name: class_name,
        window_length_count: config.window_length_count,
        window_length_duration_ms: config.window_length_duration_ms,
        sliding_interval_count: config.sliding_interval_count.or(config.window_length_count),
        sliding_interval_duration_ms: config
            .sliding_interval_duration_ms
            .or(config.window_length_duration_ms),
        late_data_topic: late.as_deref(),
        max_lag_ms: config.max_lag_ms,
        watermark_emit_interval_ms: config.watermark_emit_interval_ms,
        timestamp_extractor_class_name: extractor.as_deref(),
        processing_guarantees: guarantee,
    };
    // Encoding strings and numbers cannot fail.
    serde_json::to_string(&window).unwrap_or_default()
}

/// Checks a window.
pub(crate) fn check(config: &WindowConfig, problems: &mut Problems) {
    let field = |name: &str| format!("spec.windowConfig.{name}");
    match (config.window_length_count, config.window_length_duration_ms) {
        (None, None) => problems
            .add("spec.windowConfig", "must have a length: set windowLengthCount or windowLengthDurationMs"),
        (Some(_), Some(_)) => problems.add(
            "spec.windowConfig",
            "must have one length only: remove windowLengthCount or windowLengthDurationMs",
        ),
        _ => {}
    }
    let positive = [
        ("windowLengthCount", config.window_length_count.map(i64::from)),
        ("windowLengthDurationMs", config.window_length_duration_ms),
        ("slidingIntervalCount", config.sliding_interval_count.map(i64::from)),
        ("slidingIntervalDurationMs", config.sliding_interval_duration_ms),
    ];
    let timed =
        [("maxLagMs", config.max_lag_ms), ("watermarkEmitIntervalMs", config.watermark_emit_interval_ms)];
    // An empty name counts as set, as in the Go operator.
    let has_extractor = config.timestamp_extractor_class_name.is_some();
    for (name, value) in positive.into_iter().chain(timed.into_iter().filter(|_| has_extractor)) {
        problems.when(value.is_some_and(|n| n <= 0), &field(name), "must be above 0");
    }
}
