//! The thread that writes.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use kenning::index::GraphOptions;
use kenning::{Index, IndexWriter};

use super::Shared;
use super::history::{State, Version};
use crate::Random;

/// Most changes of a commit.
const CHANGES: u64 = 60;
/// Segments of so many rows get a graph.
const GRAPH: GraphOptions = GraphOptions { min_rows: 200 };
/// One in so many commits is followed by graphs, by a merge of everything, by another writer.
const GRAPHS_AFTER: u64 = 10;
const MERGE_AFTER: u64 = 40;
const REOPEN_AFTER: u64 = 25;

/// A writer, and what the index will hold with its next commit.
struct Run<'a> {
    index: &'a Index,
    shared: &'a Shared,
    writer: IndexWriter,
    state: State,
    /// Versions so far.
    versions: u64,
}

impl Run<'_> {
    fn put(&mut self, number: u64) -> kenning::Result<()> {
        let id = format!("d{number}");
        let version = Arc::new(Version::new(self.versions));
        self.versions += 1;
        self.writer.add(version.document(&id))?;
        self.state.insert(id, version);
        Ok(())
    }

    fn commit(&mut self) -> kenning::Result<()> {
        let generation = self.writer.commit()?;
        let state = Arc::new(self.state.clone());
        self.shared.history.note(generation, &state);
        self.shared.commits.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Merges everything, which is a commit of its own.
    fn merge(&mut self) -> kenning::Result<()> {
        self.writer.optimize()?;
        let state = Arc::new(self.state.clone());
        let generation = self.index.snapshot()?.generation();
        self.shared.history.note(generation, &state);
        Ok(())
    }
}

/// The documents that there are at first.
pub fn fill(index: &Index, shared: &Shared, documents: u64) -> kenning::Result<()> {
    let mut run = Run {
        index,
        shared,
        writer: index.writer()?,
        state: State::new(),
        versions: 0,
    };
    for number in 0..documents {
        run.put(number)?;
    }
    run.commit()?;
    run.writer.close()
}

/// Changes the index until all is done.
pub fn write(index: &Index, shared: &Shared, documents: u64) -> kenning::Result<()> {
    let generation = index.snapshot()?.generation();
    let known = shared.history.of(generation, &|| true);
    let mut run = Run {
        index,
        shared,
        writer: index.writer()?,
        state: known.map(|state| (*state).clone()).unwrap_or_default(),
        versions: documents,
    };
    let mut random = Random(1);
    let mut commit = 0;
    while !shared.is_done() {
        commit += 1;
        for _ in 0..1 + random.draw() % CHANGES {
            // A quarter of the numbers is not in use: documents come and go.
            let number = random.draw() % (documents + documents / 4);
            if random.draw().is_multiple_of(5) {
                let id = format!("d{number}");
                run.writer.delete(&id)?;
                run.state.remove(&id);
            } else {
                run.put(number)?;
            }
        }
        run.commit()?;
        if commit % GRAPHS_AFTER == 0 {
            let mut on = |_| match shared.is_done() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            };
            run.writer.build_graphs(&GRAPH, &mut on)?;
        }
        if commit % MERGE_AFTER == 0 {
            run.merge()?;
        }
        if commit % REOPEN_AFTER == 0 {
            run.writer.close()?;
            run.writer = index.writer()?;
        }
    }
    run.writer.close()
}
