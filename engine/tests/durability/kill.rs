//! A process that writes is killed at any moment, again and again: what it acknowledged is there, whole, and at most the
//! commit that was under way beyond it.
//!
//! `KENNING_KILLS=500 cargo test --workspace --test durability kill -- --nocapture` does it 500 times and prints in
//! which phase the kills hit.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use kenning::index::{GraphOptions, Problem};
use kenning::{Index, IndexWriter, Snapshot, Value};

use super::content::{Model, Random, document, observe, spec};
use super::setting;

/// The folder of the index, for the process that will be killed; and what its changes follow from.
const FOLDER: &str = "KENNING_KILL_FOLDER";
const SEED: &str = "KENNING_KILL_SEED";
/// What its lines begin with: the test harness prints lines too.
const MARK: &str = "kill> ";
/// It tells what it does next.
const PHASES: [&str; 7] = [
    "open", "change", "commit", "merge", "graphs", "rollback", "close",
];
/// What is waited for at most, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// Segments of so many rows get a graph.
const GRAPH: GraphOptions = GraphOptions { min_rows: 10 };
const IDS: usize = 40;

fn say(line: &str) {
    // In one piece, past the harness, which keeps what is printed.
    let mut out = std::io::stdout().lock();
    let line = format!("\n{MARK}{line}\n");
    out.write_all(line.as_bytes()).unwrap();
    out.flush().unwrap();
}

/// What is stored, without asking either leg.
fn stored(snapshot: &Snapshot) -> Model {
    let mut model = Model::new();
    let visited = snapshot.for_each_document(|id, stored| {
        let Some(Value::Integer(version)) = stored.metadata.get("version") else {
            panic!("{id} has no version");
        };
        model.insert(id, (*version as u64, stored.chunks as usize));
        Ok(())
    });
    visited.unwrap();
    model
}

/// Does nothing unless started by [`start`]; then writes until it is killed.
#[test]
fn the_process_that_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let mut run = Run {
        random: Random(setting(SEED, 0)),
        version: setting(SEED, 0) * 1_000_000,
        model: Model::new(),
    };
    loop {
        run.session(Path::new(&folder));
    }
}

/// A process that writes, and what the index will hold with its next commit.
struct Run {
    random: Random,
    version: u64,
    model: Model,
}

impl Run {
    /// From opening the index to closing it.
    fn session(&mut self, folder: &Path) {
        say("phase open");
        let index = match Index::exists(folder) {
            true => Index::open(folder),
            false => Index::create(folder, &spec()),
        };
        let index = index.unwrap();
        let mut writer = index.writer().unwrap();
        self.model = stored(&index.snapshot().unwrap());
        for _ in 0..1 + self.random.below(12) {
            self.change(&mut writer);
            match self.random.below(8) {
                0 => self.commit("merge", || writer.optimize().unwrap()),
                1 => {
                    say("phase rollback");
                    writer.rollback().unwrap();
                    self.model = stored(&index.snapshot().unwrap());
                }
                _ => self.commit("commit", || {
                    writer.commit().unwrap();
                }),
            }
            if self.random.below(4) == 0 {
                say("phase graphs");
                let mut on = |_| ControlFlow::Continue(());
                writer.build_graphs(&GRAPH, &mut on).unwrap();
            }
        }
        say("phase close");
        match self.random.below(2) {
            0 => writer.close().unwrap(),
            _ => drop(writer),
        }
    }

    fn change(&mut self, writer: &mut IndexWriter) {
        say("phase change");
        for _ in 0..1 + self.random.below(12) {
            self.version += 1;
            let id = format!("d{}", self.random.below(IDS));
            if self.random.below(4) == 0 {
                writer.delete(&id).unwrap();
                self.model.remove(&id);
            } else {
                let chunks = 1 + self.random.below(3);
                writer.add(document(&id, self.version, chunks)).unwrap();
                self.model.insert(id, (self.version, chunks));
            }
        }
    }

    /// Tells what will be there, commits, and acknowledges it.
    fn commit(&mut self, phase: &str, commit: impl FnOnce()) {
        say(&format!(
            "begin {}",
            serde_json::to_string(&self.model).unwrap()
        ));
        say(&format!("phase {phase}"));
        commit();
        say("done");
    }
}

fn start(folder: &Path, seed: u64) -> (Child, Receiver<String>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::the_process_that_is_killed"])
        .env(FOLDER, folder)
        .env(SEED, seed.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (send, lines) = channel();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    std::thread::spawn(move || {
        let mut line = String::new();
        while out.read_line(&mut line).is_ok_and(|length| length > 0) {
            // A line without an end was not told.
            if let Some(told) = line.strip_prefix(MARK)
                && let Some(told) = told.strip_suffix('\n')
                && send.send(told.to_owned()).is_err()
            {
                return;
            }
            line.clear();
        }
    });
    (child, lines)
}

/// What is known of an index.
#[derive(Default)]
struct Told {
    acknowledged: Model,
    /// What a commit that was begun and not acknowledged would have made of it.
    under_way: Option<Model>,
    phase: String,
    commits: u64,
}

impl Told {
    fn hear(&mut self, line: &str) {
        match line.split_once(' ') {
            Some(("phase", phase)) => self.phase = phase.to_owned(),
            Some(("begin", model)) => self.under_way = Some(serde_json::from_str(model).unwrap()),
            _ if line == "done" => {
                self.acknowledged = self.under_way.take().unwrap();
                self.commits += 1;
            }
            _ => panic!("{line:?} was told"),
        }
    }

    /// Lets a process write, kills it in some phase after a moment, and hears what it told until then.
    fn kill_one(&mut self, folder: &Path, seed: u64, random: &mut Random) {
        let (mut child, lines) = start(folder, seed);
        let aim = format!("phase {}", PHASES[random.below(PHASES.len())]);
        for _ in 0..1 + random.below(40) {
            let line = lines.recv_timeout(PATIENCE).unwrap();
            self.hear(&line);
            if line == aim && random.below(2) == 0 {
                break;
            }
        }
        // Short and long moments alike: an operation takes from some microseconds to some tenths of a second.
        let longest = 1 << random.below(19);
        let moment = random.below(longest);
        std::thread::sleep(Duration::from_micros(moment as u64));
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.code(), None, "it ended by itself: {status}");
        for line in lines {
            self.hear(&line);
        }
    }

    /// Compares the index with what was told. Returns whether the commit that was under way is there.
    fn check(&mut self, folder: &Path) -> bool {
        if !Index::exists(folder) {
            assert_eq!(self.commits, 0, "the index is gone");
            return false;
        }
        let index = Index::open(folder).unwrap();
        let problems = index.audit().unwrap().problems;
        assert!(problems.iter().all(Problem::is_derived), "{problems:?}");
        let observed = observe(&index).unwrap();
        let under_way = self.under_way.take();
        if observed == self.acknowledged {
            return false;
        }
        assert_eq!(
            Some(&observed),
            under_way.as_ref(),
            "neither what was acknowledged nor what was under way, killed in {}",
            self.phase
        );
        self.acknowledged = observed;
        true
    }
}

#[test]
fn a_writer_may_be_killed_at_any_moment() {
    let kills = setting("KENNING_KILLS", 15);
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("index");
    let mut told = Told::default();
    let mut random = Random(setting("KENNING_KILL_SEEDS", 1));
    let mut hits: BTreeMap<String, u64> = BTreeMap::new();
    let (mut open, mut there) = (0, 0);
    for kill in 0..kills {
        told.phase = "start".to_owned();
        told.kill_one(&folder, 1 + kill, &mut random);
        open += u64::from(told.under_way.is_some());
        there += u64::from(told.check(&folder));
        *hits.entry(told.phase.clone()).or_default() += 1;
    }
    println!(
        "{kills} kills over {} acknowledged commits; {open} hit a commit under way, of which {there} were there; by phase: {hits:?}",
        told.commits
    );
    assert!(told.commits > 0);
    if kills >= 200 {
        let missed = PHASES.iter().find(|phase| !hits.contains_key(**phase));
        assert_eq!(missed, None, "{hits:?}");
        assert!(there > 0 && there < open);
    }
    nothing_is_left(&folder, &told.acknowledged);
}

/// The next writer goes on, and removes whatever those before it left.
fn nothing_is_left(folder: &Path, expected: &Model) {
    let index = Index::open(folder).unwrap();
    let mut writer = index.writer().unwrap();
    writer.optimize().unwrap();
    let mut on = |_| ControlFlow::Continue(());
    writer.build_graphs(&GRAPH, &mut on).unwrap();
    writer.close().unwrap();
    assert_eq!(observe(&index).unwrap(), *expected);
    assert_eq!(index.audit().unwrap().problems, []);
    let names = fs::read_dir(folder).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let (segments, others): (Vec<String>, Vec<String>) =
        names.partition(|name| name.split('.').next().is_some_and(|id| id.len() == 32));
    let mut ids: Vec<&str> = segments.iter().map(|name| &name[..32]).collect();
    ids.sort_unstable();
    ids.dedup();
    assert!(ids.len() <= 1, "{segments:?}");
    let known = [
        "meta.json",
        "verified.json",
        "audits.json",
        ".tantivy-writer.lock",
        ".tantivy-meta.lock",
    ];
    let unknown = others.iter().find(|name| !known.contains(&name.as_str()));
    assert_eq!(unknown, None);
}
