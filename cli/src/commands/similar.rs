//! `kenning similar`: what is similar to a passage.

use std::path::Path;

use kenning::Snapshot;
use kenning_indexer::Layout;

use crate::args::{Global, SimilarArgs};
use crate::context;
use crate::failure::Result;

use super::search::answer;

pub fn run(_: &Global, args: &SimilarArgs) -> Result {
    let (layout, index) = context::open_index(&args.place)?;
    let snapshot = index.snapshot()?;
    let (id, line) = target(&layout, &snapshot, &args.target)?;
    answer(&snapshot.similar(&id, line, args.limit)?, args.json)
}

/// A target such as `notes/a.md:12`: a document's id or a file's path, with a line or without.
pub fn target(layout: &Layout, snapshot: &Snapshot, text: &str) -> Result<(String, Option<u32>)> {
    let known = |name: &str| -> Result<Option<String>> {
        let path = std::fs::canonicalize(name).ok();
        let ids = path
            .iter()
            .map(|path| layout.id(path))
            .chain([name.to_owned()]);
        for id in ids {
            if snapshot.contains(&id)? {
                return Ok(Some(id));
            }
        }
        Ok(None)
    };
    if let Some(id) = known(text)? {
        return Ok((id, None));
    }
    if let Some((name, line)) = text.rsplit_once(':')
        && let Ok(line) = line.parse()
        && let Some(id) = known(name)?
    {
        return Ok((id, Some(line)));
    }
    // Named as it was given; the engine says that there is no such document.
    let name = Path::new(text).to_string_lossy().into_owned();
    Ok((name, None))
}
