//! A process that indexes a changing folder is killed at any moment, again and again: what a run has acknowledged is in
//! the index, whole, and at most the run that was under way beyond it; the next run makes it what the folder is.
//!
//! `KENNING_KILLS=500 cargo test --workspace --test kill -- --nocapture` kills a fifth as often: an encoder of random
//! weights embeds. `engine/tests/durability/kill.rs` kills writers whose vectors are made up.

#![allow(clippy::unwrap_used, dead_code)]

#[path = "incremental/folder.rs"]
mod folder;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::channel;
use std::time::Duration;

use folder::encoder;
use kenning::encoder::Encoder;
use kenning::index::Problem;
use kenning::{Index, Mode, SearchRequest};
use kenning_indexer::{Catalogue, Job, Layout, Options};

/// Where the folder and its index are, for the process that will be killed; and the step it begins with.
const BASE: &str = "KENNING_KILL_BASE";
const STEP: &str = "KENNING_KILL_STEP";
/// What its lines begin with: the test harness prints lines too.
const MARK: &str = "kill> ";
/// What is waited for at most, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
const FILES: u64 = 8;

fn setting(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().unwrap())
}

/// A number that looks drawn.
fn mixed(a: u64, b: u64) -> u64 {
    let mut z = a.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ b.wrapping_mul(0xD6E8_FEB8_6659_FD93);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z ^ (z >> 29)
}

/// The files of a step, with the step that wrote each: now and then one changes, goes, or comes back.
fn files(step: u64) -> BTreeMap<u64, u64> {
    let mut files = BTreeMap::new();
    for past in 0..=step {
        for file in 0..FILES {
            match mixed(past, file) % 12 {
                0..3 => drop(files.insert(file, past)),
                3 => drop(files.remove(&file)),
                _ => {}
            }
        }
    }
    files
}

/// A word that is in this version of a file and nowhere else.
fn word(file: u64, version: u64) -> String {
    format!("f{file}v{version}")
}

fn text(file: u64, version: u64) -> String {
    let word = word(file, version);
    let paragraph =
        |n| format!("part {n} of {word} which is here for a while {word} and then ends");
    let paragraphs: Vec<String> = (0..1 + version % 5).map(paragraph).collect();
    paragraphs.join("\n\n")
}

fn layout(base: &Path) -> Layout {
    let root = base.join("folder");
    Layout::for_paths(&[root], Some(&base.join("index"))).unwrap()
}

fn say(line: &str) {
    // In one piece, past the harness, which keeps what is printed.
    let mut out = std::io::stdout().lock();
    let line = format!("\n{MARK}{line}\n");
    out.write_all(line.as_bytes()).unwrap();
    out.flush().unwrap();
}

/// Does nothing unless started by [`kill_one`]; then changes the folder and indexes it until it is killed.
#[test]
fn the_process_that_is_killed() {
    let Some(base) = std::env::var_os(BASE) else {
        return;
    };
    let base = PathBuf::from(base);
    let encoder = encoder();
    for step in setting(STEP, 0).. {
        say(&format!("change {step}"));
        make(&base.join("folder"), step);
        say(&format!("open {step}"));
        run(&base, &encoder, step);
    }
}

/// Makes the folder what it is at a step.
fn make(folder: &Path, step: u64) {
    let files = files(step);
    for file in 0..FILES {
        let path = folder.join(format!("{file}.md"));
        match files.get(&file) {
            Some(&version) => {
                let text = text(file, version);
                if std::fs::read_to_string(&path).ok().as_ref() != Some(&text) {
                    std::fs::write(&path, text).unwrap();
                }
            }
            None => drop(std::fs::remove_file(&path)),
        }
    }
}

/// As `kenning index` does.
fn run(base: &Path, encoder: &Arc<Encoder>, step: u64) {
    let layout = layout(base);
    let folder = layout.index();
    let index = match Index::exists(&folder) {
        true => Index::open(&folder),
        false => Index::create(&folder, encoder.spec()),
    };
    let index = index.unwrap().with_encoder(Arc::clone(encoder)).unwrap();
    layout.save().unwrap();
    let catalogue = Catalogue::open(&layout.catalogue(), &index).unwrap();
    say(&format!("index {step}"));
    let report = kenning_indexer::index(&Job {
        index: &index,
        catalogue: &catalogue,
        layout: &layout,
        paths: &[base.join("folder")],
        options: &Options::default(),
        cancel: &AtomicBool::new(false),
        progress: &|_| {},
    });
    assert_eq!(report.unwrap().failed, []);
    say(&format!("done {step}"));
}

/// What was told before a kill.
#[derive(Default)]
struct Told {
    phase: String,
    begun: Option<u64>,
    acknowledged: Option<u64>,
    runs: u64,
}

impl Told {
    fn hear(&mut self, line: &str) {
        let (phase, step) = line.split_once(' ').unwrap();
        let step = step.parse().unwrap();
        self.phase = phase.to_owned();
        match phase {
            "done" => {
                (self.acknowledged, self.begun) = (Some(step), None);
                self.runs += 1;
            }
            _ => self.begun = Some(step),
        }
    }

    /// Lets a process index from `step` on, kills it after some lines and a moment, and hears what it told.
    fn kill_one(&mut self, base: &Path, step: u64, random: &mut impl FnMut(u64) -> u64) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_process_that_is_killed"])
            .env(BASE, base)
            .env(STEP, step.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (send, lines) = channel();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let hear = std::thread::spawn(move || {
            let mut line = String::new();
            while out.read_line(&mut line).is_ok_and(|length| length > 0) {
                // A line without an end was not told.
                if let Some(told) = line.strip_prefix(MARK)
                    && let Some(told) = told.strip_suffix('\n')
                {
                    send.send(told.to_owned()).unwrap();
                }
                line.clear();
            }
        });
        for _ in 0..1 + random(8) {
            self.hear(&lines.recv_timeout(PATIENCE).unwrap());
        }
        let longest = 1 << random(17);
        std::thread::sleep(Duration::from_micros(random(longest)));
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.code(), None, "it ended by itself: {status}");
        hear.join().unwrap();
        for line in lines {
            self.hear(&line);
        }
    }

    /// Compares the index with what was told. Returns whether the run that was under way is there.
    fn check(&mut self, base: &Path) -> bool {
        let layout = layout(base);
        if !Index::exists(&layout.index()) {
            assert_eq!(self.acknowledged, None, "the index is gone");
            return false;
        }
        let index = Index::open(&layout.index()).unwrap();
        // Files that no commit names are left until somebody writes.
        let problems = index.audit().unwrap().problems;
        assert!(problems.iter().all(Problem::is_derived), "{problems:?}");
        let observed = observe(&index, &layout, base);
        let begun = self.begun.take();
        let acknowledged = self.acknowledged.map(files).unwrap_or_default();
        if observed == acknowledged {
            return false;
        }
        assert_eq!(
            Some(observed),
            begun.map(files),
            "neither what was acknowledged nor what was under way, killed in {}",
            self.phase
        );
        self.acknowledged = begun;
        true
    }
}

/// The files that the index holds with their versions, by both legs.
fn observe(index: &Index, layout: &Layout, base: &Path) -> BTreeMap<u64, u64> {
    let snapshot = index.snapshot().unwrap();
    let dimension = index.spec().encoder.dimension;
    let mut any = vec![0.0; dimension];
    any[0] = 1.0;
    let ask = |query: &str, mode| {
        let request = SearchRequest::new(query).with_mode(mode).with_limit(100);
        snapshot.search(&request, Some(&any)).unwrap().hits
    };
    let mut files = BTreeMap::new();
    for hit in ask("part", Mode::Keyword) {
        let text = &hit.passages[0].text;
        let own = text.split(' ').find(|word| word.starts_with('f')).unwrap();
        let (file, version) = own[1..].split_once('v').unwrap();
        let (file, version) = (file.parse().unwrap(), version.parse().unwrap());
        let path = base.join("folder").join(format!("{file}.md"));
        assert_eq!(hit.id, layout.id(&path));
        assert_eq!(files.insert(file, version), None, "{file} is there twice");
        let alone = ask(&word(file, version), Mode::Keyword);
        assert_eq!(alone.len(), 1, "{own}");
    }
    let near = ask("part", Mode::Semantic);
    assert_eq!(near.len(), files.len(), "the semantic leg");
    assert_eq!(snapshot.documents(), files.len() as u64);
    let summary = snapshot.summary().unwrap();
    assert_eq!(summary.document_tokens, summary.embedded_tokens);
    files
}

#[test]
fn an_indexer_may_be_killed_at_any_moment() {
    let kills = setting("KENNING_KILLS", 25).div_ceil(5);
    let temp = tempfile::tempdir().unwrap();
    let base = temp.path().canonicalize().unwrap();
    std::fs::create_dir(base.join("folder")).unwrap();
    let mut told = Told::default();
    let mut hits: BTreeMap<String, u64> = BTreeMap::new();
    let mut drawn = 0;
    let mut random = |limit: u64| {
        drawn += 1;
        mixed(drawn, 99) % limit
    };
    let (mut step, mut open, mut there) = (0, 0, 0);
    for _ in 0..kills {
        told.kill_one(&base, step, &mut random);
        step = told.begun.or(told.acknowledged).map_or(0, |step| step + 1);
        open += u64::from(told.begun.is_some());
        there += u64::from(told.check(&base));
        *hits.entry(told.phase.clone()).or_default() += 1;
    }
    println!(
        "{kills} kills over {} acknowledged runs; {open} hit a run under way, of which {there} were there; by phase: {hits:?}",
        told.runs
    );
    // What was killed last is made good by a run that is not.
    make(&base.join("folder"), step);
    run(&base, &encoder(), step);
    let (layout, index) = (layout(&base), Index::open(&layout(&base).index()).unwrap());
    assert_eq!(observe(&index, &layout, &base), files(step));
    assert!(told.runs > 0);
}
