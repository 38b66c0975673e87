//! The last stage: write and commit. It runs beside the encoder, which does not wait for it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use kenning::IndexWriter;
use kenning::index::{EmbeddedDocument, GraphOptions};

use crate::Result;
use crate::budget::Budget;
use crate::catalogue::{DocumentState, FileState, Outcome};
use crate::embed::Embedded;
use crate::embeddings::to_hex;
use crate::pipeline::{Job, Shared, Walked};
use crate::prepare::{Chunked, Content, Prepared};
use crate::report::{Failure, Report};

/// Documents wait no longer than this to be searchable.
const COMMIT_EVERY: Duration = Duration::from_secs(20);

/// Bytes that building a graph takes for each row, as measured.
const GRAPH_ROW: u64 = 3_000;

/// An index run, as its last stage sees it.
pub struct Run<'a> {
    job: &'a Job<'a>,
    writer: IndexWriter,
    report: Report,
    /// File states that belong to the next commit.
    changes: BTreeMap<String, Option<FileState>>,
    /// Whether there is anything to commit.
    dirty: bool,
    committed: Instant,
    budget: Arc<Budget>,
}

impl<'a> Run<'a> {
    /// A run that writes to `writer`, within `budget`.
    pub fn new(job: &'a Job<'a>, writer: IndexWriter, budget: Arc<Budget>) -> Self {
        Run {
            job,
            writer,
            report: Report::default(),
            changes: BTreeMap::new(),
            dirty: false,
            committed: Instant::now(),
            budget,
        }
    }

    /// Waits for merges in the background and hands the report over.
    pub fn close(self) -> Result<Report> {
        self.writer.close()?;
        Ok(self.report)
    }

    /// Stores files as they become embedded, until there are no more.
    pub fn store_all(&mut self, embedded: &Receiver<Embedded>, shared: &Shared) -> Result<()> {
        for batch in embedded {
            self.store(batch, shared)?;
            if self.committed.elapsed() >= COMMIT_EVERY {
                self.commit()?;
            }
        }
        Ok(())
    }

    /// Writes the documents of some files.
    fn store(&mut self, batch: Embedded, shared: &Shared) -> Result<()> {
        self.report.embedding_seconds += batch.took.as_secs_f64();
        self.report.tokens += batch.tokens;
        self.report.embedded += batch.fresh;
        self.report.reused += batch.vectors.len() as u64 - batch.fresh;
        let mut vectors = batch.vectors.into_iter();
        for file in batch.files {
            let chunks = file.chunks();
            shared.update(self.job, |progress| {
                progress.files_done += 1;
                progress.bytes_done += file.found.size;
                progress.chunks += chunks;
            });
            self.store_file(file, &mut vectors)?;
        }
        Ok(())
    }

    fn store_file(
        &mut self,
        file: Prepared,
        vectors: &mut impl Iterator<Item = Vec<f32>>,
    ) -> Result<()> {
        let before = self.job.catalogue.get(&file.id)?;
        let old = before
            .as_ref()
            .map_or(&[][..], |state| state.outcome.documents());
        let state = |outcome| {
            let (found, hash) = (&file.found, file.hash.clone());
            FileState::new(found.size, found.modified, file.read, hash, outcome)
        };
        let outcome = match file.content {
            Content::Unchanged(known) => {
                self.note_unchanged(&file.id, &known);
                self.changes
                    .insert(file.id.clone(), Some(state(known.outcome)));
                return Ok(());
            }
            Content::Documents {
                documents,
                warnings,
            } => {
                let noted = warnings.into_iter().map(|reason| Failure {
                    path: file.id.clone(),
                    reason,
                });
                self.report.warnings.extend(noted);
                Outcome::Indexed {
                    chunks: documents.iter().map(|d| d.chunks.len() as u64).sum(),
                    tokens: documents.iter().map(|d| d.tokens).sum(),
                    keys: to_hex(&file.keys),
                    documents: self.add_documents(&file.id, documents, vectors, &state)?,
                }
            }
            Content::Unreadable(reason) => {
                // Its documents stay, as those of a folder that cannot be read, and so does what is known
                // of it: it is tried again.
                self.report.failed.push(failure(&file.id, &reason));
                return Ok(());
            }
            Content::Skipped(reason) => Outcome::Skipped { reason },
            Content::Failed(reason) => Outcome::Failed { reason },
        };
        let had_documents = !old.is_empty();
        for id in old.iter().filter(|id| !outcome.documents().contains(id)) {
            self.writer.delete(id)?;
            self.dirty = true;
        }
        match &outcome {
            Outcome::Indexed { .. } if had_documents => self.report.changed += 1,
            Outcome::Indexed { .. } => self.report.added += 1,
            Outcome::Skipped { reason } => self.report.skipped.push(failure(&file.id, reason)),
            Outcome::Failed { reason } => self.report.failed.push(failure(&file.id, reason)),
        }
        self.changes.insert(file.id.clone(), Some(state(outcome)));
        Ok(())
    }

    fn add_documents(
        &mut self,
        file: &str,
        documents: Vec<Chunked>,
        vectors: &mut impl Iterator<Item = Vec<f32>>,
        state: &impl Fn(Outcome) -> FileState,
    ) -> Result<Vec<String>> {
        let nothing = Outcome::Skipped {
            reason: String::new(),
        };
        let stored = DocumentState::new(file, &state(nothing));
        let stored = serde_json::to_string(&stored).ok();
        let mut ids = Vec::new();
        for document in documents {
            ids.push(document.id.clone());
            let embeddings = vectors.by_ref().take(document.chunks.len()).collect();
            self.writer.add(EmbeddedDocument {
                id: document.id,
                title: document.title,
                metadata: document.metadata,
                chunks: document.chunks,
                tokens: document.tokens,
                embeddings,
                language: self.job.options.language,
                state: stored.clone(),
            })?;
            self.dirty = true;
        }
        Ok(ids)
    }

    /// A file that is as it was counts with what it was.
    fn note_unchanged(&mut self, id: &str, state: &FileState) {
        match &state.outcome {
            Outcome::Indexed { .. } => self.report.unchanged += 1,
            Outcome::Skipped { reason } => self.report.skipped.push(failure(id, reason)),
            Outcome::Failed { reason } => self.report.failed.push(failure(id, reason)),
        }
    }

    /// Takes over what the walk found out, and commits.
    pub fn finish(&mut self, walked: Walked, shared: &Shared) -> Result<()> {
        self.report.interrupted = self.job.cancel.load(Ordering::Relaxed);
        for (id, state) in &walked.unchanged {
            self.note_unchanged(id, state);
        }
        self.report.skipped.extend(walked.skipped);
        self.report.failed.extend(walked.failed);
        for (id, state) in walked.gone {
            for document in state.outcome.documents() {
                self.writer.delete(document)?;
                self.dirty = true;
            }
            self.report.removed += u64::from(!state.outcome.documents().is_empty());
            self.changes.insert(id, None);
        }
        self.report.skipped.sort_by(|a, b| a.path.cmp(&b.path));
        self.report.failed.sort_by(|a, b| a.path.cmp(&b.path));
        self.commit()?;
        if self.report.interrupted {
            return Ok(());
        }
        self.build_graphs(shared)
    }

    fn build_graphs(&mut self, shared: &Shared) -> Result<()> {
        let job = self.job;
        let chunks = job.index.snapshot()?.chunks();
        let large = chunks >= u64::from(GraphOptions::default().min_rows);
        if large && !self.budget.allows(chunks * GRAPH_ROW) {
            self.report.graphs_left_out = true;
            return Ok(());
        }
        let mut watch = |graph| {
            shared.update(job, |progress| progress.graph = Some(graph));
            match job.cancel.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let built = self
            .writer
            .build_graphs(&GraphOptions::default(), &mut watch)?;
        self.report.graphs = built.graphs;
        self.report.interrupted |= built.stopped;
        Ok(())
    }

    fn commit(&mut self) -> Result<()> {
        self.committed = Instant::now();
        if self.changes.is_empty() {
            return Ok(());
        }
        let generation = if self.dirty {
            self.job.catalogue.flush_embeddings()?;
            self.writer.commit()?
        } else {
            self.job.index.snapshot()?.generation()
        };
        self.job.catalogue.record(&self.changes, generation)?;
        self.changes.clear();
        self.dirty = false;
        Ok(())
    }
}

fn failure(path: &str, reason: &str) -> Failure {
    Failure {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}
