//! Connectors of the image inside a Function: `sourceType` and `sinkType`.
//!
//! The Java instance of a process of its own knows no connectors by name: it ignores `builtin` in its details, and has no
//! option for a folder (that of the Go operator, `--connectors_directory`, is unknown to all of Pulsar's releases). What it has
//! is a class for the source and the sink, loaded from `--jar`, and for Sinks a function in front of them from a jar of its
//! own, `--transform_function_jar` (since Pulsar 3.0). So the command looks the connector up, puts its class into the details,
//! and starts the instance with the connector as `--jar` and the package as the other one: each has its own class loader.

use crate::instance::function_details::FunctionDetails;
use crate::text::shell::{Piece, quote, write_word};
use crate::workload::Workload;
use functionmesh_api::Kind;

/// Where images have their connectors.
const FOLDER: &str = "/pulsar/connectors";

/// Shell functions that find connectors. Java programs run in bash.
///
/// * `unpack archive folder [entry]` takes a file, or all, out of an archive with what the image has: a JRE without tools has
///   the module of `jar`, or else the image has unzip or python3.
/// * `connector name class` sets `nar` to the archive that has a connector of this name, and `class` to the class in it.
/// * `together first second` sets `nar` to a jar that has the libraries of both in its manifest. It is written as it stands,
///   one entry without compression: no image promises a tool for that. Java reads no checksum of it.
const FUNCTIONS: &str = r#"connectors=$(mktemp -d) && fail() { echo "$1" >&2; exit 1; } && has() { command -v "$1" > /dev/null 2>&1; } && { has unzip || has python3 || java --list-modules | grep -q '^jdk.jartool@' || fail 'Connectors cannot be read: the image has none of unzip, python3 and the module jdk.jartool of Java.'; } && unpack() { mkdir -p "$2"; if has unzip; then unzip -qo "$1" ${3:+"$3"} -d "$2"; elif has python3; then python3 -c 'import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); z.extractall(sys.argv[2], [n for n in z.namelist() if n in sys.argv[3:] or not sys.argv[3:]])' "$1" "$2" ${3:+"$3"}; else ( cd "$2" && java -m jdk.jartool/sun.tools.jar.Main -xf "$1" ${3:+"$3"} ); fi; } && field() { sed -n "s/^$1: *//p" "$2" | tr -d "\"' \r"; } && connector() { for nar in FOLDER/*"${1//_/-}"*.nar FOLDER/*.nar; do about="$connectors/about/META-INF/services/pulsar-io.yaml"; rm -f "$about"; [ -f "$nar" ] && unpack "$nar" "$connectors/about" META-INF/services/pulsar-io.yaml 2> /dev/null; if [ -f "$about" ] && [ "$(field name "$about")" = "$1" ]; then class=$(field "$2" "$about"); [ -n "$class" ] || fail "The connector $1 in $nar has no $2."; return; fi; done; fail "The image has no connector $1 in FOLDER."; } && bytes() { n=$2; for ((i = 0; i < $1; i++)); do printf "\\x$(printf %02x $((n & 255)))"; n=$((n >> 8)); done; } && together() { unpack "$1" "$connectors/a" && unpack "$2" "$connectors/b" && nar="$connectors/both.jar" && manifest="$connectors/manifest" && ( cd "$connectors" && printf 'Manifest-Version: 1.0\r\nClass-Path: \r\n' && printf '  %s\r\n' a/META-INF/bundled-dependencies/*.jar b/META-INF/bundled-dependencies/*.jar && printf '\r\n' ) > "$manifest" && size=$(wc -c < "$manifest") && header() { bytes 2 10; bytes 6 0; bytes 2 33; bytes 4 0; bytes 4 "$size"; bytes 4 "$size"; bytes 4 20; } && { printf 'PK\003\004'; header; printf META-INF/MANIFEST.MF; cat "$manifest"; printf 'PK\001\002'; bytes 2 10; header; bytes 14 0; printf META-INF/MANIFEST.MF; printf 'PK\005\006'; bytes 4 0; bytes 2 1; bytes 2 1; bytes 4 66; bytes 4 $((50 + size)); bytes 2 0; } > "$nar"; }"#;

/// Words that stand for the classes until the shell puts them in. Not text that anybody writes.
const SOURCE_CLASS: &str = "\u{1}source class\u{1}";
const SINK_CLASS: &str = "\u{1}sink class\u{1}";

/// How a function with connectors of the image is started.
pub(crate) struct Builtin {
    /// What has to run once before.
    pub(crate) preparation: String,
    /// The details as a word for the shell.
    pub(crate) details: String,
    /// The options that say where classes are.
    pub(crate) jars: String,
}

/// `None` for a component without such connectors. `file` is its package.
pub(crate) fn builtin(workload: &Workload, file: &str) -> Option<Builtin> {
    let FunctionDetails { source, sink, .. } = &workload.details;
    let named = |name: &String| Some(name.clone()).filter(|name| !name.is_empty());
    let (from, to) = (named(&source.builtin), named(&sink.builtin));
    if workload.kind != Kind::Function || from.is_none() && to.is_none() {
        return None;
    }
    let mut details = workload.details.clone();
    (details.source.builtin, details.sink.builtin) = (String::new(), String::new());
    // The instance would look for the function's class, to see what it takes and gives, in the archive of the connector.
    for class in [&mut details.source.type_class_name, &mut details.sink.type_class_name] {
        if class.is_empty() {
            "[B".clone_into(class);
        }
    }
    // The instance gives a connector its own class loader as that of the thread, which clients such as Kafka's need, only in a
    // component of that kind. A function in between runs in each. Its metrics are those of the kind.
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
        // A class that the object names counts.
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

/// The details with the marks replaced by variables.
fn word(details: &FunctionDetails) -> String {
    let text = details.to_json();
    let mark = |class: &str| serde_json::to_string(class).unwrap_or_default().trim_matches('"').to_owned();
    let mut pieces = Vec::new();
    let mut rest = text.as_str();
    // The source is written before the sink.
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
