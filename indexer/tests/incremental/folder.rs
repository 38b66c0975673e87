//! A folder of made-up files with its index, and what it takes to run the indexer over it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use kenning::encoder::{Encoder, EncoderOptions};
use kenning::{Index, Mode, SearchRequest};
use kenning_indexer::{Catalogue, Compared, Job, Layout, Options, Progress, Report};

/// A paragraph that fills a chunk of the tiny encoder alone: two do not fit in one.
pub fn paragraph(seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut word = || -> String {
        let letter = |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            b"qxzjkvw"[(state >> 33) as usize % 7] as char
        };
        (0..4).map(letter).collect()
    };
    let words: Vec<String> = (0..38).map(|_| word()).collect();
    words.join(" ")
}

/// Paragraphs of these seeds.
pub fn text(seeds: &[u64]) -> String {
    let paragraphs: Vec<String> = seeds.iter().map(|seed| paragraph(*seed)).collect();
    paragraphs.join("\n\n") + "\n"
}

/// The tiny encoder of random weights.
pub fn encoder() -> Arc<Encoder> {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../engine/tests/fixtures/encoders/bert"
    );
    let options = EncoderOptions {
        threads: Some(1),
        ..EncoderOptions::default()
    };
    Arc::new(Encoder::open(Path::new(folder), &options).unwrap())
}

/// Folders `one` and `two` with an index beside them.
pub struct Folder {
    temp: tempfile::TempDir,
    pub layout: Layout,
    encoder: Arc<Encoder>,
    pub roots: Vec<PathBuf>,
    clock: u64,
}

impl Folder {
    pub fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let base = temp.path().canonicalize().unwrap();
        let roots = vec![base.join("one"), base.join("two")];
        for root in &roots {
            std::fs::create_dir(root).unwrap();
        }
        let layout = Layout::for_paths(&roots, Some(&base.join("index"))).unwrap();
        layout.save().unwrap();
        let encoder = encoder();
        Index::create(&layout.index(), encoder.spec()).unwrap();
        Folder {
            temp,
            layout,
            encoder,
            roots,
            clock: 0,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.temp.path().canonicalize().unwrap().join(name)
    }

    /// The id of a file in the index.
    pub fn id(&self, name: &str) -> String {
        self.layout.id(&self.path(name))
    }

    /// Writes a file, long enough ago to be believed, later than any before.
    pub fn write(&mut self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        self.touch(name);
    }

    /// Gives a file another time, long ago.
    pub fn touch(&mut self, name: &str) {
        self.clock += 1;
        let time =
            SystemTime::now() - Duration::from_secs(100_000) + Duration::from_secs(self.clock);
        self.set_time(name, time);
    }

    pub fn set_time(&self, name: &str, time: SystemTime) {
        let file = std::fs::File::options().write(true).open(self.path(name));
        file.unwrap().set_modified(time).unwrap();
    }

    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.path(name)).unwrap();
    }

    pub fn rename(&self, from: &str, to: &str) {
        std::fs::rename(self.path(from), self.path(to)).unwrap();
    }

    pub fn index(&self) -> Index {
        let index = Index::open(&self.layout.index()).unwrap();
        index.with_encoder(Arc::clone(&self.encoder)).unwrap()
    }

    pub fn catalogue(&self) -> Catalogue {
        Catalogue::open(&self.layout.catalogue(), &self.index()).unwrap()
    }

    pub fn run(&self) -> Report {
        self.run_over(&self.roots)
    }

    pub fn run_over(&self, paths: &[PathBuf]) -> Report {
        self.run_until(paths, &|_| false)
    }

    /// Runs the indexer; it is cancelled once `enough` says so. Catalogue and index agree afterwards.
    pub fn run_until(
        &self,
        paths: &[PathBuf],
        enough: &(dyn Fn(&Progress) -> bool + Sync),
    ) -> Report {
        let report = self.run_until_whatever(paths, enough);
        let beside = kenning_indexer::check(&self.layout, &self.index()).unwrap();
        assert_eq!(beside.problems, []);
        assert!(matches!(beside.catalogue, Compared::Yes { .. }));
        report
    }

    /// The same, whatever becomes of the catalogue: a damaged one may lose what was written last.
    pub fn run_until_whatever(
        &self,
        paths: &[PathBuf],
        enough: &(dyn Fn(&Progress) -> bool + Sync),
    ) -> Report {
        let (index, catalogue) = (self.index(), self.catalogue());
        let cancel = AtomicBool::new(false);
        let report = kenning_indexer::index(&Job {
            index: &index,
            catalogue: &catalogue,
            layout: &self.layout,
            paths,
            options: &Options::default(),
            cancel: &cancel,
            progress: &|progress| {
                if enough(progress) {
                    cancel.store(true, Ordering::Relaxed);
                }
            },
        });
        let report = report.unwrap();
        assert_eq!(index.audit().unwrap().problems, []);
        report
    }

    /// Mends what a check finds.
    pub fn mend(&self) {
        let index = self.index();
        let found = kenning_indexer::check(&self.layout, &index).unwrap();
        kenning_indexer::mend(&self.layout, &index, &found).unwrap();
    }

    /// The ids in the index, each once, with their number of chunks.
    pub fn documents(&self) -> BTreeMap<String, u32> {
        let mut found = BTreeMap::new();
        let snapshot = self.index().snapshot().unwrap();
        let visited = snapshot.for_each_document(|id, stored| {
            assert_eq!(found.insert(id.clone(), stored.chunks), None, "{id} twice");
            Ok(())
        });
        visited.unwrap();
        found
    }

    /// Compares the index with what is expected: names and seeds of their paragraphs, each of which
    /// must be found by its words, in this file alone.
    pub fn holds(&self, files: &[(&str, &[u64])]) {
        let expected: BTreeMap<String, u32> = files
            .iter()
            .map(|(name, seeds)| (self.id(name), seeds.len() as u32))
            .collect();
        assert_eq!(self.documents(), expected);
        let snapshot = self.index().snapshot().unwrap();
        for (name, seeds) in files {
            for seed in *seeds {
                let query = format!("\"{}\"", paragraph(*seed));
                let request = SearchRequest::new(query).with_mode(Mode::Keyword);
                let hits = snapshot.search(&request, None).unwrap().hits;
                assert!(
                    hits.iter().any(|hit| hit.id == self.id(name)),
                    "{name}: {seed}"
                );
            }
        }
    }
}

/// Copies a folder with all that is in it, to where nothing is.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_folder(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}
