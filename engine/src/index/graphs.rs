//! Graphs of large segments: derived from the column, built after a commit, never needed.

use std::collections::HashSet;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use tantivy::SegmentReader;
use tantivy::directory::error::{DeleteError, OpenReadError};
use tantivy::directory::{Directory, TerminatingWrite};

use crate::Result;
use crate::search::DEFAULT_EFFORT;
use crate::vector::column::ColumnError;
use crate::vector::graph::audit::GraphCheck;
use crate::vector::graph::build::{self, Built};
use crate::vector::graph::{Graph, MOST_ROWS, audit, file};
use crate::vector::plugin::GRAPH;

use super::merge_policy::LARGE;
use super::snapshot::Segment;
use super::{Index, IndexError, IndexWriter};

/// Which segments get a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphOptions {
    /// Segments of fewer living rows get none: a scan of them takes less than a millisecond.
    pub min_rows: u32,
}

impl Default for GraphOptions {
    fn default() -> Self {
        GraphOptions { min_rows: LARGE }
    }
}

/// What [`IndexWriter::build_graphs`] did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct GraphReport {
    /// The graphs that were built, in order.
    pub graphs: Vec<BuiltGraph>,
    /// Whether the caller stopped it; the graph that was being built then is lost, those before are kept.
    pub stopped: bool,
}

/// How far the building of a graph is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GraphProgress {
    /// Rows in the graph so far.
    pub rows: u64,
    /// Rows that it will have.
    pub of: u64,
}

/// One graph that was built.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BuiltGraph {
    /// The segment.
    pub segment: String,
    /// Rows in the graph.
    pub rows: u64,
    /// Rows equal to one of these; they are found with it.
    pub twins: u64,
    /// Edges that the audit added.
    pub repaired: usize,
    /// What it is worth.
    #[serde(flatten)]
    pub check: GraphCheck,
    /// Whether that is enough. If not, the graph was thrown away and the segment is scanned.
    pub kept: bool,
    /// Size of the file.
    pub bytes: u64,
    /// How long it took.
    #[serde(skip)]
    pub took: Duration,
}

/// The graph of an open segment.
pub(crate) enum SegmentGraph {
    /// There is none: the segment is scanned.
    Missing,
    /// It can be searched.
    Sound(Graph),
    /// It cannot be used: the segment is scanned.
    Damaged(ColumnError),
}

impl SegmentGraph {
    /// Opens the graph of a segment.
    pub fn open(index: &Index, reader: &SegmentReader) -> Self {
        let file = match index.tantivy().directory().open_read(&path(reader)) {
            Ok(file) => file,
            Err(OpenReadError::FileDoesNotExist(_)) => return SegmentGraph::Missing,
            Err(OpenReadError::IoError { io_error, .. }) => {
                return Self::damaged(io_error.to_string());
            }
            Err(error) => return Self::damaged(error.to_string()),
        };
        let bytes = match file.read_bytes() {
            Ok(bytes) => bytes,
            Err(error) => return Self::damaged(error.to_string()),
        };
        match Graph::open(bytes, reader.max_doc()) {
            Ok(graph) => SegmentGraph::Sound(graph),
            Err(error) => SegmentGraph::Damaged(error),
        }
    }

    fn damaged(reason: String) -> Self {
        let file = GRAPH;
        SegmentGraph::Damaged(ColumnError::Damaged { file, reason })
    }

    /// Whether there may be another graph by now.
    pub fn is_stale(&self, index: &Index, reader: &SegmentReader) -> bool {
        match self {
            SegmentGraph::Sound(_) => false,
            SegmentGraph::Damaged(_) => true,
            SegmentGraph::Missing => {
                let directory = index.tantivy().directory();
                directory.exists(&path(reader)).unwrap_or(true)
            }
        }
    }

    /// Reads the whole graph, if there is one, and tells what is wrong with it.
    pub fn verify(&self) -> std::result::Result<(), ColumnError> {
        match self {
            SegmentGraph::Missing => Ok(()),
            SegmentGraph::Sound(graph) => graph.verify(),
            SegmentGraph::Damaged(error) => Err(error.clone()),
        }
    }
}

impl Segment {
    /// What messages call it: the first digits of its files' names.
    pub fn name(&self) -> String {
        self.reader.segment_id().short_uuid_string()
    }

    /// What the graph is worth; `None` where there is none that can be searched.
    pub fn check_graph(&self) -> Option<GraphCheck> {
        let SegmentGraph::Sound(graph) = &self.graph else {
            return None;
        };
        let living = |row| self.documents.of_row(row).is_some();
        Some(audit::check(graph, &self.column, DEFAULT_EFFORT, &living))
    }
}

fn path(reader: &SegmentReader) -> PathBuf {
    format!("{}.{GRAPH}", reader.segment_id().uuid_string()).into()
}

impl IndexWriter {
    /// Gives every large segment of the last commit a graph, unless it has one whose checksums are right, and takes
    /// damaged ones from the others. A segment for which none was good enough is left without.
    ///
    /// A graph takes some minutes for a million rows; readers scan until it is there. Segments that
    /// merges in the background finish meanwhile get one too. `watch` is told every few thousand rows how
    /// far it is, and may stop the work. What the new graphs are worth is kept for [`Index::audits`].
    ///
    /// # Errors
    /// [`IndexError`] if the index cannot be read or a file cannot be written.
    pub fn build_graphs(
        &mut self,
        options: &GraphOptions,
        watch: &mut dyn FnMut(GraphProgress) -> ControlFlow<()>,
    ) -> Result<GraphReport> {
        let unfit = self.index.audits().unfit;
        let needs = |segment: &Segment, large| match &segment.graph {
            SegmentGraph::Missing => large && !unfit.contains(&segment.name()),
            graph => graph.verify().is_err(),
        };
        self.work_on_graphs(options, &needs, watch)
    }

    /// The same, where every graph that is there is checked for what it is worth, as in an audit, and where none was good
    /// enough another is tried.
    ///
    /// # Errors
    /// As [`Self::build_graphs`].
    pub fn mend_graphs(
        &mut self,
        options: &GraphOptions,
        watch: &mut dyn FnMut(GraphProgress) -> ControlFlow<()>,
    ) -> Result<GraphReport> {
        let needs = |segment: &Segment, large| match &segment.graph {
            SegmentGraph::Missing => large,
            graph => {
                let fault = |check: GraphCheck| check.fault().is_some();
                graph.verify().is_err() || segment.check_graph().is_some_and(fault)
            }
        };
        self.work_on_graphs(options, &needs, watch)
    }

    /// `needs` tells of a segment, and of whether it is large, whether something is to be done about its graph.
    fn work_on_graphs(
        &mut self,
        options: &GraphOptions,
        needs: &dyn Fn(&Segment, bool) -> bool,
        watch: &mut dyn FnMut(GraphProgress) -> ControlFlow<()>,
    ) -> Result<GraphReport> {
        self.refuse_if_stopped()?;
        let mut report = GraphReport::default();
        let mut done = HashSet::new();
        let large = |s: &Segment| {
            let enough = s.reader.num_docs() >= options.min_rows.max(1);
            enough && s.reader.max_doc() <= MOST_ROWS
        };
        loop {
            let snapshot = self.index.snapshot()?;
            let mut segments = snapshot.segments().iter();
            let next = segments.find(|segment| {
                done.insert(segment.reader.segment_id()) && needs(segment, large(segment))
            });
            let Some(segment) = next else {
                break;
            };
            if !large(segment) {
                remove(self.directory(), &path(&segment.reader))?;
                self.index.forget_segments();
                continue;
            }
            match build_graph(self.directory(), segment, watch)? {
                ControlFlow::Continue(built) => report.graphs.extend(built),
                ControlFlow::Break(()) => {
                    report.stopped = true;
                    break;
                }
            }
            // An old map of a file that was replaced must not be taken over.
            self.index.forget_segments();
        }
        if !report.graphs.is_empty() {
            let snapshot = self.index.snapshot()?;
            self.index.keep_built(&snapshot, &report.graphs);
        }
        Ok(report)
    }

    /// The writer's own view of the files: what is written through it is removed with its segment.
    fn directory(&self) -> &dyn Directory {
        self.inner.index().directory()
    }
}

/// Builds, audits and writes the graph of a segment; `None` if no row of it has a vector, a break if
/// the caller stopped it.
fn build_graph(
    directory: &dyn Directory,
    segment: &Segment,
    watch: &mut dyn FnMut(GraphProgress) -> ControlFlow<()>,
) -> Result<ControlFlow<(), Option<BuiltGraph>>> {
    let begun = Instant::now();
    let (column, documents) = (&segment.column, &segment.documents);
    let living = |row| documents.of_row(row).is_some();
    let mut watch = |rows, of| watch(GraphProgress { rows, of });
    let mut adjacency = match build::build(column, living, &mut watch) {
        Built::Empty => return Ok(ControlFlow::Continue(None)),
        Built::Stopped => return Ok(ControlFlow::Break(())),
        Built::Whole(adjacency) => adjacency,
    };
    let repaired = audit::repair(&mut adjacency, column);
    let bytes = file::bytes(&adjacency);
    let size = bytes.len() as u64;
    let graph = Graph::open(tantivy::directory::OwnedBytes::new(bytes), column.rows());
    let graph = graph.map_err(|error| IndexError::Damaged {
        reason: error.to_string(),
    })?;
    let check = audit::check(&graph, column, DEFAULT_EFFORT, &living);
    let kept = check.fault().is_none();
    let path = path(&segment.reader);
    remove(directory, &path)?;
    if kept {
        write(directory, &path, graph.as_bytes())?;
    }
    Ok(ControlFlow::Continue(Some(BuiltGraph {
        segment: segment.name(),
        rows: adjacency.members.len() as u64,
        twins: adjacency.twins.values().map(|rows| rows.len() as u64).sum(),
        repaired,
        check,
        kept,
        bytes: size,
        took: begun.elapsed(),
    })))
}

/// Removes a damaged graph, or what an interrupted run left.
fn remove(directory: &dyn Directory, path: &Path) -> Result<()> {
    match directory.delete(path) {
        Ok(()) | Err(DeleteError::FileDoesNotExist(_)) => Ok(()),
        Err(DeleteError::IoError { io_error, .. }) => {
            let error = std::io::Error::new(io_error.kind(), io_error.to_string());
            Err(IndexError::from(error).into())
        }
    }
}

/// Through tantivy's directory, so that the file is collected with its segment.
fn write(directory: &dyn Directory, path: &Path, bytes: &[u8]) -> Result<()> {
    let file = directory
        .open_write(path)
        .map_err(tantivy::TantivyError::from);
    let mut file = file.map_err(IndexError::from)?;
    file.write_all(bytes).map_err(IndexError::from)?;
    file.terminate().map_err(IndexError::from)?;
    directory.sync_directory().map_err(IndexError::from)?;
    Ok(())
}
