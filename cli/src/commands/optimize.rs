//! `kenning optimize`: one segment, nothing out of use.

use kenning_indexer::Catalogue;

use crate::args::{Global, WhereArgs};
use crate::context;
use crate::failure::{Outcome, Result};
use crate::progress::bytes;
use crate::terminal::say;

pub fn run(global: &Global, place: &WhereArgs) -> Result {
    let (layout, index) = context::open_index(place)?;
    let before = layout.disk_bytes();
    let catalogue = Catalogue::open(&layout.catalogue(), &index)?;
    kenning_indexer::optimize(&index, &catalogue)?;
    if !global.quiet {
        say(&format!(
            "{} before, {} now",
            bytes(before),
            bytes(layout.disk_bytes())
        ));
    }
    Ok(Outcome::Done)
}
