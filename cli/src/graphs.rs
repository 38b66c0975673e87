//! Building the graphs of large segments, with progress and an end to it.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use kenning::index::{BuiltGraph, GraphProgress};
use kenning_indexer::Progress;

use crate::args::Global;
use crate::interrupt;
use crate::progress::Indexing;
use crate::terminal::say;

/// Does `work`, which is to tell how far a graph is and to stop when it is told so: on Ctrl-C.
pub fn with_progress<T>(
    global: &Global,
    work: impl FnOnce(&mut dyn FnMut(GraphProgress) -> ControlFlow<()>) -> T,
) -> T {
    let display = Indexing::new(global.quiet);
    let (_meaning, cancel) = interrupt::indexing();
    let done = work(&mut |graph| {
        display.show(&Progress {
            graph: Some(graph),
            ..Progress::default()
        });
        match cancel.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    display.finish();
    done
}

/// Says which graphs were not good enough.
pub fn say_thrown_away(built: &[BuiltGraph]) {
    for graph in built.iter().filter(|graph| !graph.kept) {
        let fault = graph.check.fault().unwrap_or_default();
        say(&format!(
            "warning: the graph of segment {} was thrown away: {fault}. The segment is searched exactly, which is slower",
            graph.segment
        ));
    }
}
