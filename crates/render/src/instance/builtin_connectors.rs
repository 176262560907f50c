//! Built-in connectors inside a Function: `sourceType` and `sinkType`.
//!
//! A Java instance in a process of its own does not find connectors by name: it ignores `builtin` in `function_details`
//! and has no option for a connector directory (the Go operator's `--connectors_directory` is unknown to every release
//! of Pulsar). It does load the source or sink class from `--jar`, and since Pulsar 3.0 a function from
//! `--transform_function_jar`. So the command looks up the connector in the image, puts its class into the details, and
//! passes the connector as `--jar` and the package as `--transform_function_jar`, each with its own class loader.

use crate::instance::function_details::FunctionDetails;
use crate::text::shell::{Piece, quote, write_word};
use crate::workload::Workload;
use functionmesh_api::Kind;

/// Directory of the connectors in an image.
const FOLDER: &str = "/pulsar/connectors";

/// Shell functions that find connectors. Java programs run in bash.
///
/// * `unpack archive folder [entry]` extracts one file, or all, from an archive with a tool that the image has: unzip,
///   python3, or the module of `jar` in the JRE.
/// * `connector name class` sets `nar` to the archive of the connector with this name, and `class` to its class.
/// * `together first second` sets `nar` to a jar with the libraries of both in its manifest. It is written byte by
///   byte, as one uncompressed entry, because images have no tool to create archives. Java does not verify its
///   checksum.
const FUNCTIONS: &str = r#"connectors=$(mktemp -d) && fail() { echo "$1" >&2; exit 1; } && has() { command -v "$1" > /dev/null 2>&1; } && { has unzip || has python3 || java --list-modules | grep -q '^jdk.jartool@' || fail 'Connectors cannot be read: the image has none of unzip, python3 and the module jdk.jartool of Java.'; } && unpack() { mkdir -p "$2"; if has unzip; then unzip -qo "$1" ${3:+"$3"} -d "$2"; elif has python3; then python3 -c 'import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); z.extractall(sys.argv[2], [n for n in z.namelist() if n in sys.argv[3:] or not sys.argv[3:]])' "$1" "$2" ${3:+"$3"}; else ( cd "$2" && java -m jdk.jartool/sun.tools.jar.Main -xf "$1" ${3:+"$3"} ); fi; } && field() { sed -n "s/^$1: *//p" "$2" | tr -d "\"' \r"; } && connector() { for nar in FOLDER/*"${1//_/-}"*.nar FOLDER/*.nar; do about="$connectors/about/META-INF/services/pulsar-io.yaml"; rm -f "$about"; [ -f "$nar" ] && unpack "$nar" "$connectors/about" META-INF/services/pulsar-io.yaml 2> /dev/null; if [ -f "$about" ] && [ "$(field name "$about")" = "$1" ]; then class=$(field "$2" "$about"); [ -n "$class" ] || fail "The connector $1 in $nar has no $2."; return; fi; done; fail "The image has no connector $1 in FOLDER."; } && bytes() { n=$2; for ((i = 0; i < $1; i++)); do printf "\\x$(printf %02x $((n & 255)))"; n=$((n >> 8)); done; } && together() { unpack "$1" "$connectors/a" && unpack "$2" "$connectors/b" && nar="$connectors/both.jar" && manifest="$connectors/manifest" && ( cd "$connectors" && printf 'Manifest-Version: 1.0\r\nClass-Path: \r\n' && printf '  %s\r\n' a/META-INF/bundled-dependencies/*.jar b/META-INF/bundled-dependencies/*.jar && printf '\r\n' ) > "$manifest" && size=$(wc -c < "$manifest") && header() { bytes 2 10; bytes 6 0; bytes 2 33; bytes 4 0; bytes 4 "$size"; bytes 4 "$size"; bytes 4 20; } && { printf 'PK\003\004'; header; printf META-INF/MANIFEST.MF; cat "$manifest"; printf 'PK\001\002'; bytes 2 10; header; bytes 14 0; printf META-INF/MANIFEST.MF; printf 'PK\005\006'; bytes 4 0; bytes 2 1; bytes 2 1; bytes 4 66; bytes 4 $((50 + size)); bytes 2 0; } > "$nar"; }"#;

/// Placeholders for the classes until the shell inserts them; not text that a user would write.
const SOURCE_CLASS: &str = "\u{1}source class\u{1}";
const SINK_CLASS: &str = "\u{1}sink class\u{1}";

/// How a Function with built-in connectors is started.
pub(crate) struct Builtin {
    /// Commands that must run once before.
    pub(crate) preparation: String,
    /// The details as a shell word.
    pub(crate) details: String,
    /// The options with the jars.
    pub(crate) jars: String,
}

/// Returns `None` for a component without built-in connectors. `file` is its package.
pub(crate) fn builtin(workload: &Workload, file: &str) -> Option<Builtin> {
    let FunctionDetails { source, sink, .. } = &workload.details;
    let named = |name: &String| Some(name.clone()).filter(|name| !name.is_empty());
    let (from, to) = (named(&source.builtin), named(&sink.builtin));
    if workload.kind != Kind::Function || from.is_none() && to.is_none() {
        return None;
    }
    let mut details = workload.details.clone();
    (details.source.builtin, details.sink.builtin) = (String::new(), String::new());
    // Without the types, the instance would look for the function's class in the archive of the connector to find them.
    for class in [&mut details.source.type_class_name, &mut details.sink.type_class_name] {
        if class.is_empty() {
            "[B".clone_into(class);
        }
    }
    // The instance sets the thread's class loader to that of a connector, which clients such as Kafka's need, only in a
    // component of the connector's kind. A function runs in either kind. The metrics are those of the kind.
    details.component_type = if from.is_some() { "SOURCE" } else { "SINK" };
    let mut steps = vec![FUNCTIONS.replace("FOLDER", FOLDER)];
    for (name, key, class, mark, variable) in [
        (&from, "sourceClass", &mut details.source.class_name, SOURCE_CLASS, "source"),
        (&to, "sinkClass", &mut details.sink.class_name, SINK_CLASS, "sink"),
    ] {
        let Some(name) = name else { continue };
        steps.push(format!(
            "connector {} {key} && {variable}_nar=\"${{nar}}\" && {variable}_class=\"${{class}}\"",
            quote(name)
        ));
        // A class in the object takes precedence.
        if class.is_empty() {
            mark.clone_into(class);
        }
    }
    if from.is_some() && to.is_some() {
        steps.push(
            r#"if [ "${source_nar}" != "${sink_nar}" ]; then together "${source_nar}" "${sink_nar}"; fi"#
                .to_owned(),
        );
    }
    let jars = format!(
        "--jar \"${{nar}}\" --transform_function_jar {} --transform_function_id ${{SHARD_ID}}-{}-function",
        quote(file),
        quote(&workload.owner.uid)
    );
    let preparation = steps.into_iter().map(|step| step + " && ").collect();
    Some(Builtin { preparation, details: word(&details), jars })
}

/// The details with the placeholders replaced by shell variables.
fn word(details: &FunctionDetails) -> String {
    let text = details.to_json();
    let mark = |class: &str| serde_json::to_string(class).unwrap_or_default().trim_matches('"').to_owned();
    let mut pieces = Vec::new();
    let mut rest = text.as_str();
    // The source precedes the sink in the details.
    for (class, variable) in [(SOURCE_CLASS, "source_class"), (SINK_CLASS, "sink_class")] {
        if let Some((before, after)) = rest.split_once(&mark(class)) {
            pieces.push(Piece::literal(before));
            pieces.push(Piece::variable(variable));
            rest = after;
        }
    }
    pieces.push(Piece::literal(rest));
    write_word(&pieces)
}

#[cfg(test)]
mod tests;
