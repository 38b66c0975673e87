//! `kenning index`: build an index or bring it up to date.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use kenning::Index;
use kenning_indexer::{Catalogue, Failure as FileFailure, Job, Layout, Options, Report};

use crate::args::{FileArgs, Global, IndexArgs};
use crate::failure::{Outcome, Result};
use crate::graphs::say_thrown_away;
use crate::progress::{Indexing, Working, bytes, counted, seconds};
use crate::terminal::{one_line, print, print_json, say};
use crate::{context, interrupt};

/// So many failures are shown; all are in the report that `--json` prints.
const SHOWN: usize = 20;
/// So many reasons for skipping files are shown.
const SHOWN_REASONS: usize = 5;
/// So many names are shown for each of them.
const SHOWN_NAMES: usize = 3;

pub fn run(global: &Global, args: &IndexArgs) -> Result {
    let paths = context::absolute_paths(&args.paths)?;
    let layout = Layout::for_paths(&paths, args.place.index.as_deref())?;
    let options = options(&args.files, global)?;
    if args.plan {
        return plan(global, &layout, &paths, &options, args.json);
    }
    let index = context::open_or_create(global, &layout)?;
    let report = refresh(global, &index, &layout, &paths, &options)?;
    if args.json {
        print_json(&report)?;
    } else if !global.quiet {
        summarise(&report, global);
    }
    Ok(outcome(&report))
}

/// Options of the indexer, as the command line says.
pub fn options(files: &FileArgs, global: &Global) -> Result<Options> {
    Ok(Options {
        hidden: files.hidden,
        no_ignore: files.no_ignore,
        language: context::language(files.language.as_deref())?,
        extractor: context::extractor(files),
        threads: global.threads.map_or(0, usize::from),
        max_memory: context::memory(files).map(|memory| memory.own),
    })
}

/// Runs the indexer with progress, until it is done or interrupted.
pub fn refresh(
    global: &Global,
    index: &Index,
    layout: &Layout,
    paths: &[PathBuf],
    options: &Options,
) -> Result<Report> {
    let catalogue = Catalogue::open(&layout.catalogue(), index)?;
    // Now that no other run can be saving its own.
    let layout = &layout.save()?;
    let display = Indexing::new(global.quiet);
    let (_meaning, cancel) = interrupt::indexing();
    let report = kenning_indexer::index(&Job {
        index,
        catalogue: &catalogue,
        layout,
        paths,
        options,
        cancel: &cancel,
        progress: &|progress| display.show(progress),
    });
    display.finish();
    Ok(report?)
}

/// How a run ended.
pub fn outcome(report: &Report) -> Outcome {
    if report.interrupted {
        Outcome::Interrupted
    } else if report.failed.is_empty() {
        Outcome::Done
    } else {
        Outcome::SomeFailed
    }
}

/// Says on standard error what a run did.
pub fn summarise(report: &Report, global: &Global) {
    if global.quiet {
        return;
    }
    let work = report.added + report.changed + report.removed;
    let mut text = if work == 0 {
        format!(
            "up to date: {} unchanged",
            counted(report.unchanged, "file")
        )
    } else {
        format!(
            "{} added, {} changed, {} removed, {} unchanged",
            report.added, report.changed, report.removed, report.unchanged
        )
    };
    text += &format!(
        ", {} skipped, {} failed in {}",
        report.skipped.len(),
        report.failed.len(),
        seconds(report.seconds)
    );
    say(&text);
    if report.embedded > 0 {
        let speed = report.tokens as f64 / report.embedding_seconds.max(1e-3);
        say(&format!(
            "{} chunks embedded ({} tokens, {speed:.0} tokens/s), {} known",
            report.embedded, report.tokens, report.reused
        ));
    }
    if work > 0 {
        say(&format!(
            "the index has {} in {}",
            counted(report.documents, "document"),
            counted(report.chunks, "chunk")
        ));
    }
    skipped(&report.skipped);
    list("failed", &report.failed);
    say_thrown_away(&report.graphs);
    if report.graphs_left_out {
        say(
            "note: no graph was built within --max-memory; large segments are searched exactly, which is slower",
        );
    }
    if report.interrupted {
        say("interrupted: what was done is kept; run it again to go on");
    }
}

/// How many files were skipped for which reason, the commonest first, and some of their names.
fn skipped(files: &[FileFailure]) {
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for file in files {
        reasons.entry(&file.reason).or_default().push(&file.path);
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, paths)| std::cmp::Reverse(paths.len()));
    for (reason, paths) in reasons.iter().take(SHOWN_REASONS) {
        let named: Vec<_> = paths
            .iter()
            .take(SHOWN_NAMES)
            .map(|p| one_line(p))
            .collect();
        let others = if paths.len() > SHOWN_NAMES {
            ", …"
        } else {
            ""
        };
        say(&format!(
            "skipped: {}: {} ({}{others})",
            counted(paths.len() as u64, "file"),
            one_line(reason),
            named.join(", "),
        ));
    }
    if reasons.len() > SHOWN_REASONS {
        say("skipped: others for other reasons; --json lists all");
    }
}

fn list(what: &str, files: &[FileFailure]) {
    for file in files.iter().take(SHOWN) {
        say(&format!(
            "{what}: {}: {}",
            one_line(&file.path),
            one_line(&file.reason)
        ));
    }
    if files.len() > SHOWN {
        say(&format!(
            "… and {} more; --json lists all",
            files.len() - SHOWN
        ));
    }
}

fn plan(
    global: &Global,
    layout: &Layout,
    paths: &[PathBuf],
    options: &Options,
    json: bool,
) -> Result {
    let (encoder, catalogue);
    if Index::exists(&layout.index()) {
        let index = context::with_encoder(global, Index::open(&layout.index())?)?;
        encoder = Arc::clone(index.encoder()?);
        catalogue = Some(Catalogue::open(&layout.catalogue(), &index)?);
    } else {
        encoder = context::chosen_encoder(global)?;
        catalogue = None;
    }
    let working = Working::new(global.quiet, "reading the files and measuring the speed");
    let plan = kenning_indexer::plan(&encoder, catalogue.as_ref(), layout, paths, options)?;
    drop(working);
    if json {
        print_json(&plan)?;
        return Ok(Outcome::Done);
    }
    print(&format!(
        "files      {} found, {} to read, {} unchanged, {} skipped, {} failed\n\
         chunks     {} to embed, {} tokens\n\
         time       about {} at {:.0} tokens/s, measured now\n\
         memory     about {}\n\
         disk       about {}\n",
        plan.files,
        plan.to_read,
        plan.unchanged,
        plan.skipped.len(),
        plan.failed.len(),
        plan.chunks,
        plan.tokens,
        seconds(plan.seconds),
        plan.tokens_per_second,
        bytes(plan.memory_bytes),
        bytes(plan.disk_bytes),
    ))?;
    Ok(Outcome::Done)
}
