//! `kenning status`: what is indexed.

use kenning::Index;
use kenning::index::{AuditRecord, Summary};
use kenning_indexer::Layout;
use serde_json::json;

use crate::args::StatusArgs;
use crate::context;
use crate::failure::{Outcome, Result};
use crate::progress::bytes;
use crate::show::fitted;
use crate::terminal::{one_line, print, print_json, width};

/// Columns for the names of what is told.
const NAMES: usize = 11;

pub fn run(args: &StatusArgs) -> Result {
    let (layout, index) = context::open_index(&args.place)?;
    if args.json {
        let summary = index.snapshot()?.summary()?;
        let spec = &index.spec().encoder;
        let roots = layout.roots.iter().map(|root| root.to_string_lossy());
        let object = json!({
            // Paths that are no text are shown as near as text can.
            "folder": layout.folder.to_string_lossy(),
            "roots": roots.collect::<Vec<_>>(),
            "model": spec,
            "fingerprint": spec.fingerprint(),
            "index": summary,
            "audits": index.audits(),
            "disk_bytes": layout.disk_bytes(),
        });
        print_json(&object)?;
        return Ok(Outcome::Done);
    }
    print(&describe(&layout, &index)?)?;
    Ok(Outcome::Done)
}

/// What is indexed, in lines for people.
pub fn describe(layout: &Layout, index: &Index) -> Result<String> {
    let summary = index.snapshot()?.summary()?;
    let spec = &index.spec().encoder;
    let mut text = String::new();
    let model = format!(
        "{} ({}, {} dimensions, {} tokens at once)",
        spec.model, spec.architecture, spec.dimension, spec.max_tokens
    );
    let audits = index.audits();
    let checked = audits.whole.as_ref().map_or_else(
        || "never: `kenning doctor` does".to_owned(),
        |audit| told(audit, summary.generation),
    );
    let graphs = audits.graphs.as_ref();
    let graphs = graphs.map(|audit| ("graphs", told(audit, summary.generation)));
    let lines = lines(layout, &summary).into_iter();
    let lines = lines.chain([("model", model), ("checked", checked)]);
    for (name, value) in lines.chain(graphs) {
        let room = width().saturating_sub(NAMES).max(NAMES);
        for (nth, line) in fitted(&one_line(&value), room).iter().enumerate() {
            let name = if nth == 0 { name } else { "" };
            text += &format!("{name:NAMES$}{line}\n");
        }
    }
    Ok(text)
}

/// When an audit was, and how it ended.
fn told(audit: &AuditRecord, generation: u64) -> String {
    let at = i64::try_from(audit.at).ok();
    let at = at.and_then(|at| jiff::Timestamp::from_second(at).ok());
    let at = at
        .unwrap_or_default()
        .to_zoned(jiff::tz::TimeZone::system());
    let mut text = at.strftime("%Y-%m-%d %H:%M, ").to_string();
    text += &match (audit.count, audit.problems.first()) {
        (0, _) | (_, None) => "no problems".to_owned(),
        (1, Some(problem)) => problem.clone(),
        (count, Some(problem)) => format!("{count} problems, the first: {problem}"),
    };
    if let Some(recall) = audit.recall {
        text += &format!(", recall@10 {recall:.3}");
    }
    if audit.generation != generation {
        text += &format!("; at commit {}", audit.generation);
    }
    text
}

fn lines(layout: &Layout, summary: &Summary) -> [(&'static str, String); 9] {
    let roots = layout.roots.iter().map(|root| root.display().to_string());
    let formats = summary.formats.iter();
    let formats = formats.map(|(name, count)| format!("{name} {count}"));
    let formats = formats.collect::<Vec<_>>().join(", ");
    let (tokens, embedded) = (summary.document_tokens, summary.embedded_tokens);
    let coverage = if tokens == embedded {
        "all embedded".to_owned()
    } else {
        format!("only {embedded} embedded")
    };
    let facts = ["path", "ext"].into_iter();
    let facts = facts.chain(summary.facts.iter().map(String::as_str));
    [
        ("index", layout.folder.display().to_string()),
        ("indexed", roots.collect::<Vec<_>>().join(", ")),
        (
            "documents",
            match summary.documents {
                0 => "0".to_owned(),
                documents => format!("{documents} ({formats})"),
            },
        ),
        ("chunks", summary.chunks.to_string()),
        ("tokens", format!("{tokens} in the documents, {coverage}")),
        (
            "segments",
            format!(
                "{}, {} deleted rows",
                summary.segments, summary.deleted_rows
            ),
        ),
        ("facts", facts.collect::<Vec<_>>().join(", ")),
        ("disk", bytes(layout.disk_bytes())),
        ("commit", summary.generation.to_string()),
    ]
}
