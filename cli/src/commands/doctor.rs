//! `kenning doctor`: check an index.

use kenning::Index;
use kenning::index::{Audit, GraphOptions, Problem};
use kenning_indexer::Catalogue;

use crate::args::{DoctorArgs, Global};
use crate::context;
use crate::failure::{Outcome, Result};
use crate::graphs::{say_thrown_away, with_progress};
use crate::terminal::{one_line, print, say};

pub fn run(global: &Global, args: &DoctorArgs) -> Result {
    let layout = context::find_layout(&args.place)?;
    // First: an index with damaged files may not open.
    let files = Index::check_files(&layout.index())?;
    if !files.problems.is_empty() {
        return tell(&files);
    }
    let index = Index::open(&layout.index())?;
    if args.repair {
        // The catalogue is derived: it is rebuilt from what the index stores.
        Catalogue::rebuild_in(&layout.catalogue(), &index)?;
        say("rebuilt the catalogue from the index");
        repair_graphs(global, &index)?;
    }
    tell(&index.audit()?)
}

fn tell(audit: &Audit) -> Result {
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
    if audit.problems.iter().all(Problem::is_derived) {
        say(
            "hint: run `kenning doctor --repair`: what is damaged can be made again from the index",
        );
    } else {
        say(
            "hint: delete the .kenning folder and index again: documents are read from their files",
        );
    }
    Ok(Outcome::Damaged)
}

/// Builds the graphs that are missing or damaged.
fn repair_graphs(global: &Global, index: &Index) -> Result<()> {
    let report = with_progress(global, |watch| -> kenning::Result<_> {
        let mut writer = index.writer()?;
        let report = writer.build_graphs(&GraphOptions::default(), watch)?;
        writer.close()?;
        Ok(report)
    })?;
    for graph in report.graphs.iter().filter(|graph| graph.kept) {
        say(&format!(
            "built the graph of segment {} anew: {} passages",
            graph.segment, graph.rows
        ));
    }
    say_thrown_away(&report.graphs);
    Ok(())
}
