//! `kenning remove`: take files out of the index.

use kenning_indexer::Catalogue;

use crate::args::{Global, RemoveArgs};
use crate::context;
use crate::failure::{Outcome, Result};
use crate::progress::counted;
use crate::terminal::say;

pub fn run(global: &Global, args: &RemoveArgs) -> Result {
    let (layout, index) = context::open_index(&args.place)?;
    let catalogue = Catalogue::open(&layout.catalogue(), &index)?;
    let removed = kenning_indexer::remove(&index, &catalogue, &layout, &args.paths)?;
    if !global.quiet {
        say(&format!(
            "removed {} from the index",
            counted(removed, "file")
        ));
        say("the next `kenning index` finds them again unless .kenningignore names them");
    }
    Ok(Outcome::Done)
}
