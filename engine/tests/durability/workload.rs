//! A small history of an index: everything that a writer does, in some order.

use std::ops::ControlFlow;

use kenning::index::{GraphOptions, IndexError};
use kenning::{Error, Index, IndexWriter, Result};

use super::content::{Model, Random, document, observe, spec};
use super::disk::{Operation, Recorder};

/// Segments of so many rows get a graph.
const GRAPH: GraphOptions = GraphOptions { min_rows: 6 };

#[derive(Debug, Clone)]
pub enum Step {
    /// Adds a document of so many chunks, or replaces it.
    Add(String, usize),
    Delete(String),
    Commit,
    Rollback,
    /// Merges everything, and waits for it.
    Optimize,
    Graphs,
    /// Closes the writer and the index, and opens them again.
    Reopen,
    /// Reads everything.
    Observe,
}

/// A history of `commits` commits.
pub fn history(seed: u64, commits: usize) -> Vec<Step> {
    let mut random = Random(seed);
    let mut steps = Vec::new();
    for commit in 0..commits {
        for _ in 0..2 + random.below(3) {
            steps.push(change(&mut random));
        }
        if random.below(4) == 0 {
            steps.push(Step::Rollback);
            steps.push(change(&mut random));
        }
        steps.push(Step::Commit);
        match (commit + seed as usize) % 4 {
            0 => steps.push(Step::Graphs),
            1 => steps.push(Step::Reopen),
            2 => steps.push(Step::Optimize),
            _ => steps.push(Step::Observe),
        }
    }
    steps.extend([Step::Optimize, Step::Graphs, Step::Observe]);
    steps
}

fn change(random: &mut Random) -> Step {
    let id = format!("d{}", random.below(7));
    match random.below(4) {
        0 => Step::Delete(id),
        _ => Step::Add(id, 1 + random.below(3)),
    }
}

/// An index on a disk, with what it should hold.
pub struct Run {
    disk: Recorder,
    index: Option<Index>,
    writer: Option<IndexWriter>,
    /// What was acknowledged last.
    pub committed: Model,
    /// That, and what was changed since.
    pub pending: Model,
    /// Whether a commit failed, so that either may be there.
    in_doubt: bool,
    commits: usize,
    version: u64,
    /// What each commit holds, by number; the first is the empty index.
    pub states: Vec<Model>,
}

impl Run {
    pub fn new(disk: &Recorder) -> Run {
        Run {
            disk: disk.clone(),
            index: None,
            writer: None,
            committed: Model::new(),
            pending: Model::new(),
            in_doubt: false,
            commits: 0,
            version: 0,
            states: vec![Model::new()],
        }
    }

    /// Takes all steps; whatever fails is rolled back, and the next step is taken. Ends early where nothing works.
    pub fn take(&mut self, steps: &[Step]) {
        for step in steps {
            self.version += 1;
            if let Err(error) = self.step(step) {
                let failed = self.disk.failed();
                assert!(failed.is_some(), "{step:?} without a failure: {error}");
                if !self.recover(step) {
                    return;
                }
            }
        }
    }

    fn index(&mut self) -> Result<&Index> {
        if self.index.is_none() {
            let there = self
                .disk
                .files()
                .keys()
                .any(|name| name.ends_with("meta.json"));
            self.index = Some(match there {
                true => Index::open_on(self.disk.disk())?,
                false => Index::create_on(self.disk.disk(), &spec())?,
            });
        }
        Ok(self.index.as_ref().unwrap())
    }

    fn writer(&mut self) -> Result<&mut IndexWriter> {
        if self.writer.is_none() {
            self.writer = Some(self.index()?.writer()?);
        }
        Ok(self.writer.as_mut().unwrap())
    }

    fn step(&mut self, step: &Step) -> Result<()> {
        let version = self.version;
        match step {
            Step::Add(id, chunks) => {
                self.writer()?.add(document(id, version, *chunks))?;
                self.pending.insert(id.clone(), (version, *chunks));
            }
            Step::Delete(id) => {
                self.writer()?.delete(id)?;
                self.pending.remove(id);
            }
            Step::Commit => self.commit(|writer| writer.commit().map(drop))?,
            Step::Optimize => self.commit(IndexWriter::optimize)?,
            Step::Rollback => {
                self.writer()?.rollback()?;
                self.pending = self.committed.clone();
            }
            Step::Graphs => {
                let mut on = |_| ControlFlow::Continue(());
                self.writer()?.build_graphs(&GRAPH, &mut on)?;
            }
            Step::Reopen => {
                self.pending = self.committed.clone();
                if let Some(writer) = self.writer.take() {
                    writer.close()?;
                }
                self.index = None;
            }
            Step::Observe => {
                let observed = observe(self.index()?).map_err(as_error)?;
                assert_eq!(observed, self.committed);
            }
        }
        Ok(())
    }

    fn commit(&mut self, commit: impl Fn(&mut IndexWriter) -> Result<()>) -> Result<()> {
        self.writer()?;
        self.commits += 1;
        self.states.push(self.pending.clone());
        self.disk.note(Operation::Begun(self.commits));
        self.in_doubt = true;
        commit(self.writer()?)?;
        self.disk.note(Operation::Acknowledged(self.commits));
        self.in_doubt = false;
        self.committed = self.pending.clone();
        Ok(())
    }

    /// Does what an error says: rolls back, or opens another writer. Returns whether that worked.
    fn recover(&mut self, step: &Step) -> bool {
        if let Some(writer) = &mut self.writer {
            if matches!(step, Step::Add(..) | Step::Delete(_) | Step::Commit) {
                // It does not go on as if nothing had happened.
                let error = writer.commit().expect_err("a writer that failed commits");
                let stopped = matches!(error, Error::Index(IndexError::Stopped { .. }));
                assert!(stopped && error.hint().is_some(), "{error}");
            }
            if writer.rollback().is_err() && writer.rollback().is_err() {
                self.writer = None;
            }
        }
        let Ok(index) = self.index().cloned() else {
            return false;
        };
        let Ok(observed) = observe(&index) else {
            return false;
        };
        assert!(self.is_allowed(&observed), "{observed:?} after {step:?}");
        self.in_doubt = false;
        (self.committed, self.pending) = (observed.clone(), observed);
        self.writer().is_ok()
    }

    /// Whether this is what was acknowledged last, or, where a commit failed, what that would have been.
    pub fn is_allowed(&self, observed: &Model) -> bool {
        *observed == self.committed || (self.in_doubt && *observed == self.pending)
    }
}

fn as_error(reason: String) -> Error {
    IndexError::Damaged { reason }.into()
}

/// Opens what is on `disk`, compares it with what may be there, and writes to it. Nothing is left over then.
pub fn survives(disk: &Recorder, allowed: &dyn Fn(&Model) -> bool) {
    let there = disk.files().keys().any(|name| name.ends_with("meta.json"));
    let index = match there {
        true => Index::open_on(disk.disk()),
        false => Index::create_on(disk.disk(), &spec()),
    };
    let index = index.unwrap();
    let mut expected = observe(&index).unwrap();
    assert!(allowed(&expected), "{expected:?} is there");
    let mut writer = index.writer().unwrap();
    writer.delete("d0").unwrap();
    writer.add(document("d1", 1_000_000, 2)).unwrap();
    writer.commit().unwrap();
    expected.remove("d0");
    expected.insert("d1".into(), (1_000_000, 2));
    assert_eq!(observe(&index).unwrap(), expected);
    writer.optimize().unwrap();
    let mut on = |_| ControlFlow::Continue(());
    writer.build_graphs(&GRAPH, &mut on).unwrap();
    writer.close().unwrap();
    assert_eq!(observe(&index).unwrap(), expected);
    nothing_left_over(disk);
}

/// All files belong to the one segment that is left.
fn nothing_left_over(disk: &Recorder) {
    let files = disk.files();
    let mut segments: Vec<&str> = Vec::new();
    for name in files.keys() {
        let name = name.to_str().unwrap();
        match name.split_once('.').unwrap() {
            ("meta" | "audits", "json") => {}
            (segment, _) if segment.len() == 32 => segments.push(segment),
            _ => panic!("{name} was left over"),
        }
    }
    segments.dedup();
    assert!(segments.len() <= 1, "{:?}", files.keys());
}
