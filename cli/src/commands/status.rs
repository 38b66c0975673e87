//! `kenning status`: what is indexed.

use kenning::index::Summary;
use kenning_indexer::Layout;
use serde_json::json;

use crate::args::StatusArgs;
use crate::context;
use crate::failure::{Outcome, Result};
use crate::progress::bytes;
use crate::terminal::print;

pub fn run(args: &StatusArgs) -> Result {
    let (layout, index) = context::open_index(&args.place)?;
    let summary = index.snapshot()?.summary()?;
    let disk = layout.disk_bytes();
    let spec = &index.spec().encoder;
    if args.json {
        let object = json!({
            "folder": layout.folder,
            "roots": layout.roots,
            "model": spec,
            "fingerprint": spec.fingerprint(),
            "index": summary,
            "disk_bytes": disk,
        });
        print(&format!("{object}\n"))?;
        return Ok(Outcome::Done);
    }
    print(&text(&layout, &summary, disk))?;
    print(&format!(
        "model      {} ({}, {} dimensions, {} tokens at once)\n",
        spec.model, spec.architecture, spec.dimension, spec.max_tokens
    ))?;
    Ok(Outcome::Done)
}

fn text(layout: &Layout, summary: &Summary, disk: u64) -> String {
    let roots: Vec<String> = layout
        .roots
        .iter()
        .map(|r| r.display().to_string())
        .collect();
    let formats: Vec<String> = summary
        .formats
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    let coverage = if summary.document_tokens == summary.embedded_tokens {
        "all embedded".to_owned()
    } else {
        format!("only {} embedded", summary.embedded_tokens)
    };
    format!(
        "index      {}\n\
         indexed    {}\n\
         documents  {} ({})\n\
         chunks     {}\n\
         tokens     {} in the documents, {coverage}\n\
         segments   {}, {} deleted rows\n\
         facts      path, ext, {}\n\
         disk       {}\n\
         commit     {}\n",
        layout.folder.display(),
        roots.join(", "),
        summary.documents,
        formats.join(", "),
        summary.chunks,
        summary.document_tokens,
        summary.segments,
        summary.deleted_rows,
        summary.facts.join(", "),
        bytes(disk),
        summary.generation,
    )
}
