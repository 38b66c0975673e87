//! `kenning doctor`: check an index.

use kenning_indexer::Catalogue;

use crate::args::DoctorArgs;
use crate::context;
use crate::failure::{Outcome, Result};
use crate::terminal::{one_line, print, say};

pub fn run(args: &DoctorArgs) -> Result {
    let (layout, index) = context::open_index(&args.place)?;
    if args.repair {
        // The catalogue is derived: it is rebuilt from what the index stores.
        Catalogue::rebuild_in(&layout.catalogue(), &index)?;
        say("rebuilt the catalogue from the index");
    }
    let audit = index.audit()?;
    print(&format!(
        "checked {} files and {} rows\n",
        audit.files, audit.rows
    ))?;
    for problem in &audit.problems {
        print(&format!("problem: {}\n", one_line(&problem.to_string())))?;
    }
    if audit.problems.is_empty() {
        print("no problems\n")?;
        return Ok(Outcome::Done);
    }
    say("hint: delete the .kenning folder and index again: documents are read from their files");
    Ok(Outcome::Damaged)
}
