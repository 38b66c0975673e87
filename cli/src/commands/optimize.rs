//! `kenning optimize`: one segment, nothing out of use.

use kenning_indexer::Catalogue;

use crate::args::{Global, WhereArgs};
use crate::context;
use crate::failure::{Outcome, Result};
use crate::graphs::{say_thrown_away, with_progress};
use crate::progress::bytes;
use crate::terminal::say;

pub fn run(global: &Global, place: &WhereArgs) -> Result {
    let (layout, index) = context::open_index(place)?;
    let before = layout.index_bytes();
    let catalogue = Catalogue::open(&layout.catalogue(), &index)?;
    let report = with_progress(global, |watch| {
        kenning_indexer::optimize(&index, &catalogue, watch)
    })?;
    if !global.quiet {
        say(&format!(
            "the index took {}, now {}",
            bytes(before),
            bytes(layout.index_bytes())
        ));
        say_thrown_away(&report.graphs);
    }
    if report.stopped {
        say("interrupted: the index is merged, its graph is not built; run it again to build it");
        return Ok(Outcome::Interrupted);
    }
    Ok(Outcome::Done)
}
