//! `kenning status`: what is indexed.

use kenning::Index;
use kenning::index::Summary;
use kenning_indexer::Layout;
use serde_json::json;

use crate::args::StatusArgs;
use crate::context;
use crate::failure::{Outcome, Result};
use crate::progress::bytes;
use crate::terminal::{one_line, print};

pub fn run(args: &StatusArgs) -> Result {
    let (layout, index) = context::open_index(&args.place)?;
    if args.json {
        let summary = index.snapshot()?.summary()?;
        let spec = &index.spec().encoder;
        let object = json!({
            "folder": layout.folder,
            "roots": layout.roots,
            "model": spec,
            "fingerprint": spec.fingerprint(),
            "index": summary,
            "disk_bytes": layout.disk_bytes(),
        });
        print(&format!("{object}\n"))?;
        return Ok(Outcome::Done);
    }
    print(&describe(&layout, &index)?)?;
    Ok(Outcome::Done)
}

/// What is indexed, in lines for people.
pub fn describe(layout: &Layout, index: &Index) -> Result<String> {
    let summary = index.snapshot()?.summary()?;
    let spec = &index.spec().encoder;
    let mut lines = text(layout, &summary, layout.disk_bytes());
    lines += &format!(
        "model      {} ({}, {} dimensions, {} tokens at once)\n",
        one_line(&spec.model),
        spec.architecture,
        spec.dimension,
        spec.max_tokens
    );
    Ok(lines)
}

fn text(layout: &Layout, summary: &Summary, disk: u64) -> String {
    let roots: Vec<String> = layout
        .roots
        .iter()
        .map(|r| one_line(&r.display().to_string()))
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
        one_line(&layout.folder.display().to_string()),
        roots.join(", "),
        summary.documents,
        formats.join(", "),
        summary.chunks,
        summary.document_tokens,
        summary.segments,
        summary.deleted_rows,
        one_line(&summary.facts.join(", ")),
        bytes(disk),
        summary.generation,
    )
}
