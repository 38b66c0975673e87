//! Random histories of an index, compared with a naive model after every commit.
//!
//! `KENNING_MODEL_SEEDS` and `KENNING_MODEL_COMMITS` make it longer.

#![allow(clippy::unwrap_used)]

mod check;
#[path = "../common/mod.rs"]
mod common;
mod model;

use std::path::Path;

use kenning::encoder::EncoderSpec;
use kenning::{Index, IndexWriter};

use check::{Questions, same_content};
use model::{DIMENSION, MAX_TOKENS, Model, Random};

/// So few ids that most operations meet a document that is there.
const IDS: usize = 90;

fn spec() -> EncoderSpec {
    common::spec(DIMENSION, MAX_TOKENS)
}

fn setting(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().unwrap())
}

/// An index with its model: what is committed, and what the writer was told since.
struct Run<'a> {
    /// `None` for an index that lives in memory.
    folder: Option<&'a Path>,
    index: Index,
    writer: Option<IndexWriter>,
    committed: Model,
    pending: Model,
    random: Random,
}

impl Run<'_> {
    fn writer(&mut self) -> &mut IndexWriter {
        if self.writer.is_none() {
            self.writer = Some(self.index.writer().unwrap());
        }
        self.writer.as_mut().unwrap()
    }

    fn id(&mut self) -> String {
        let number = self.random.below(IDS);
        let (folder, ending) = (["a", "a/c", "b"][number % 3], ["md", "txt"][number % 2]);
        format!("{folder}/{number}.{ending}")
    }

    /// Adds, replaces or deletes a document, not visible before the commit.
    fn change(&mut self) {
        let id = self.id();
        if self.random.chance(25) {
            self.writer().delete(&id).unwrap();
            self.pending.documents.remove(&id);
            return;
        }
        let mut document = self.random.document(&id);
        if self.random.chance(5) {
            document.chunks.clear();
            document.embeddings.clear();
            document.tokens = 0;
        }
        self.writer().add(document.clone()).unwrap();
        self.pending.add(document);
    }

    fn reopen(&mut self) {
        if let Some(writer) = self.writer.take()
            && self.random.chance(50)
        {
            writer.close().unwrap();
        }
        self.pending = self.committed.clone();
        if let Some(folder) = self.folder
            && self.random.chance(50)
        {
            self.index = Index::open(folder).unwrap();
        }
    }

    fn round(&mut self) {
        for _ in 0..1 + self.random.below(10) {
            self.change();
        }
        if self.random.chance(30) {
            // Nothing of it is visible yet.
            same_content(&self.index.snapshot().unwrap(), &self.committed);
        }
        match self.random.below(20) {
            0 | 1 => {
                self.writer().rollback().unwrap();
                self.pending = self.committed.clone();
                return;
            }
            2 => return self.reopen(),
            _ => {}
        }
        let before = self.index.snapshot().unwrap();
        let generation = self.writer().commit().unwrap();
        assert!(generation > before.generation());
        let snapshot = self.index.snapshot().unwrap();
        assert_eq!(snapshot.generation(), generation);
        same_content(&before, &self.committed);
        self.committed = self.pending.clone();
        let questions = Questions::new(&mut self.random);
        questions.check(&snapshot, &self.committed);
        if self.random.chance(15) {
            let answers = questions.answers(&snapshot);
            self.writer().optimize().unwrap();
            let merged = self.index.snapshot().unwrap();
            assert!(merged.segment_count() <= 1);
            assert_eq!(questions.answers(&merged), answers);
            questions.check(&merged, &self.committed);
            // A snapshot from before the merge answers on, though its files are gone.
            assert_eq!(questions.answers(&snapshot), answers);
        }
        if self.random.chance(15) {
            self.reopen();
            questions.check(&self.index.snapshot().unwrap(), &self.committed);
        }
    }
}

#[test]
fn an_index_answers_as_a_naive_model_does() {
    let seeds = setting("KENNING_MODEL_SEEDS", 5);
    let commits = setting("KENNING_MODEL_COMMITS", 60);
    for seed in 0..seeds {
        // Most live in memory: a disk spends its time on making commits durable.
        let temp = (seed % 5 == 0).then(|| tempfile::tempdir().unwrap());
        let folder = temp.as_ref().map(|temp| temp.path());
        let index = match folder {
            Some(folder) => Index::create(folder, &spec()),
            None => Index::in_memory(&spec()),
        };
        let mut run = Run {
            folder,
            index: index.unwrap(),
            writer: None,
            committed: Model::default(),
            pending: Model::default(),
            random: Random(seed),
        };
        println!("seed {seed}");
        for _ in 0..commits {
            run.round();
        }
        let audit = run.index.audit().unwrap();
        assert_eq!(audit.problems, []);
    }
}
