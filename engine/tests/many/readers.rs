//! Any number of threads and processes read while one writes: each view is one commit, whole, for as long as it is held.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use kenning::index::GraphOptions;
use kenning::{Index, Snapshot};

use super::content::{Model, document, observe_snapshot, spec};
use super::setting;

/// The folder of the test, for another process that reads; and whether it opens the index anew each time.
const FOLDER: &str = "KENNING_READERS_FOLDER";
const ANEW: &str = "KENNING_READERS_ANEW";
/// Views that a reader holds on to.
const HELD: usize = 3;
const GRAPH: GraphOptions = GraphOptions { min_rows: 10 };
const IDS: u64 = 20;

/// What commit `number` holds: not always the same documents, and all of its version.
fn content(number: u64) -> Model {
    let there = (0..IDS).filter(|id| !(id * 7 + number * 5).is_multiple_of(6));
    there
        .map(|id| (format!("d{id}"), (number, 1 + (id + number) as usize % 3)))
        .collect()
}

/// The number of the commit that a view is of.
fn commit_of(snapshot: &Snapshot) -> u64 {
    let model = observe_snapshot(snapshot).unwrap();
    let (number, _) = *model.values().next().unwrap();
    assert_eq!(model, content(number), "a view of several commits");
    number
}

/// Reads until `done`. `acknowledged` is the last commit that a view asked for now must not be older than.
/// `named` tells which commit the number of a view stands for.
fn read(
    view: impl Fn() -> Snapshot,
    acknowledged: impl Fn() -> u64,
    named: impl Fn(u64) -> Option<u64>,
    done: impl Fn() -> bool,
) -> u64 {
    let (mut last, mut commits) = (0, 0);
    let mut held: VecDeque<(Snapshot, u64)> = VecDeque::new();
    while !done() || commits == 0 {
        let least = acknowledged();
        let snapshot = view();
        let number = commit_of(&snapshot);
        assert!(number >= least, "{number} is shown after {least}");
        assert!(number >= last, "{number} is shown after {last}");
        if let Some(named) = named(snapshot.generation()) {
            assert_eq!(named, number, "the number of the view is of another commit");
        }
        commits += u64::from(number > last);
        last = number;
        held.push_back((snapshot, number));
        if held.len() > HELD
            && let Some((old, number)) = held.pop_front()
        {
            assert_eq!(commit_of(&old), number, "a view has changed");
        }
    }
    commits
}

/// What the writer has told.
#[derive(Default)]
struct Told {
    acknowledged: AtomicU64,
    done: AtomicU64,
    /// Commits by what the index calls them.
    names: Mutex<BTreeMap<u64, u64>>,
    more: Condvar,
}

impl Told {
    fn name(&self, generation: u64, number: u64) {
        self.names.lock().unwrap().insert(generation, number);
        self.more.notify_all();
    }

    /// A view may be had before the writer has told of it.
    fn named(&self, generation: u64) -> Option<u64> {
        let names = self.names.lock().unwrap();
        let unknown = |names: &mut BTreeMap<u64, u64>| !names.contains_key(&generation);
        let waited = self
            .more
            .wait_timeout_while(names, Duration::from_secs(60), unknown);
        let (names, waited) = waited.unwrap();
        assert!(!waited.timed_out(), "no commit has the number {generation}");
        names.get(&generation).copied()
    }
}

/// Replaces all documents, again and again, with merges and graphs; each commit is told of.
fn write(index: &Index, folder: &Path, told: &Told, until: Instant) -> u64 {
    let mut writer = index.writer().unwrap();
    let mut number = 0;
    while number < 20 || Instant::now() < until {
        number += 1;
        let model = content(number);
        for id in (0..IDS).map(|id| format!("d{id}")) {
            match model.get(&id) {
                Some(&(version, chunks)) => writer.add(document(&id, version, chunks)).unwrap(),
                None => writer.delete(&id).unwrap(),
            }
        }
        told.name(writer.commit().unwrap(), number);
        told.acknowledged.store(number, SeqCst);
        let fresh = folder.join("acknowledged.new");
        fs::write(&fresh, number.to_string()).unwrap();
        fs::rename(&fresh, folder.join("acknowledged")).unwrap();
        if number % 5 == 0 {
            let mut on = |_| ControlFlow::Continue(());
            writer.build_graphs(&GRAPH, &mut on).unwrap();
        }
        if number % 7 == 0 {
            writer.optimize().unwrap();
            told.name(index.snapshot().unwrap().generation(), number);
        }
    }
    writer.close().unwrap();
    number
}

#[test]
fn every_view_is_one_commit_for_as_long_as_it_is_held() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("index");
    let index = Index::create(&folder, &spec()).unwrap();
    let told = Told::default();
    let until = Instant::now() + Duration::from_secs(setting("KENNING_READ_SECONDS", 3));
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| write(&index, temp.path(), &told, until));
        let told = &told;
        while told.acknowledged.load(SeqCst) == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        let own = Index::open(&folder).unwrap();
        let readers: Vec<_> = [&index, &index, &own, &own]
            .map(|index| {
                let index = index.clone();
                scope.spawn(move || {
                    read(
                        || index.snapshot().unwrap(),
                        || told.acknowledged.load(SeqCst),
                        |generation| told.named(generation),
                        || told.done.load(SeqCst) > 0,
                    )
                })
            })
            .into();
        let others = [false, true].map(|anew| process(temp.path(), anew));
        let commits = writer.join().unwrap();
        told.done.store(1, SeqCst);
        fs::write(temp.path().join("done"), "").unwrap();
        let seen: Vec<u64> = readers.into_iter().map(|r| r.join().unwrap()).collect();
        println!("{commits} commits, of which readers saw {seen:?}");
        assert!(seen.iter().all(|seen| *seen > 1), "they moved on: {seen:?}");
        for mut other in others {
            assert!(other.wait().unwrap().success());
        }
    });
}

/// This test's binary, started anew to be a reader.
fn process(folder: &Path, anew: bool) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "readers::the_process_that_reads"])
        .env(FOLDER, folder)
        .stdout(Stdio::null());
    if anew {
        command.env(ANEW, "1");
    }
    command.spawn().unwrap()
}

/// Does nothing unless started by [`process`].
#[test]
fn the_process_that_reads() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let folder = Path::new(&folder);
    let open = || Index::open(&folder.join("index")).unwrap();
    let kept = open();
    let view = || match std::env::var_os(ANEW) {
        Some(_) => open().snapshot().unwrap(),
        None => kept.snapshot().unwrap(),
    };
    let acknowledged = || {
        let text = fs::read_to_string(folder.join("acknowledged")).unwrap();
        text.parse().unwrap()
    };
    let commits = read(
        view,
        acknowledged,
        |_| None,
        || folder.join("done").exists(),
    );
    assert!(commits > 1, "it moved on");
}
