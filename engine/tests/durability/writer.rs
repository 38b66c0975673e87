//! What a writer does that could not write, and in which order it writes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use kenning::index::IndexError;
use kenning::{Error, Index, IndexWriter};

use super::content::{Model, document, observe, observe_snapshot, spec};
use super::disk::{Content, Fault, Operation, Plan, Recorder};
use super::workload::{Run, history, survives};

const FAILING: Plan = Plan {
    fault: Fault::Io,
    first: 0,
    count: u64::MAX,
};

/// An index of the documents d0 to d9 in one segment.
fn ten(disk: &Recorder) -> (Index, IndexWriter, Model) {
    let index = Index::create_on(disk.disk(), &spec()).unwrap();
    let mut writer = index.writer().unwrap();
    let mut model = Model::new();
    for number in 0..10 {
        let id = format!("d{number}");
        writer.add(document(&id, number, 1)).unwrap();
        model.insert(id, (number, 1));
    }
    writer.commit().unwrap();
    (index, writer, model)
}

fn is_stopped<T>(result: kenning::Result<T>) -> bool {
    matches!(result, Err(Error::Index(IndexError::Stopped { .. })))
}

#[test]
fn a_writer_that_failed_takes_nothing_until_it_is_rolled_back() {
    let disk = Recorder::default();
    let (index, mut writer, mut model) = ten(&disk);
    writer.add(document("lost", 20, 1)).unwrap();
    disk.fail(Some(FAILING));
    let error = writer.commit().unwrap_err();
    assert!(!is_stopped::<()>(Err(error)), "the first error is its own");
    disk.fail(None);
    // The disk works again. What was said is not forgotten without a word.
    assert!(is_stopped(writer.add(document("more", 21, 1))));
    assert!(is_stopped(writer.delete("d1")));
    assert!(is_stopped(writer.commit()));
    assert!(is_stopped(writer.optimize()));
    writer.rollback().unwrap();
    writer.add(document("found", 22, 1)).unwrap();
    writer.commit().unwrap();
    model.insert("found".into(), (22, 1));
    assert_eq!(observe(&index).unwrap(), model);
}

#[test]
fn a_rollback_that_fails_can_be_tried_again_and_keeps_others_out() {
    let disk = Recorder::default();
    let (index, mut writer, model) = ten(&disk);
    writer.delete("d1").unwrap();
    disk.fail(Some(FAILING));
    assert!(writer.rollback().is_err());
    assert!(writer.rollback().is_err());
    disk.fail(None);
    assert!(is_stopped(writer.commit()));
    let locked = index.writer().map(drop).unwrap_err();
    assert!(
        matches!(locked, Error::Index(IndexError::Locked { .. })),
        "{locked}"
    );
    writer.rollback().unwrap();
    writer.commit().unwrap();
    assert_eq!(observe(&index).unwrap(), model);
}

/// A view had the number of a commit that came while it was opened, and not what that holds.
#[test]
fn a_view_has_the_number_of_its_own_commit() {
    let mut numbers = BTreeSet::new();
    for others in 0..12 {
        let disk = Recorder::default();
        let (_, mut writer, mut first) = ten(&disk);
        let index = Index::open_on(disk.disk()).unwrap();
        writer.add(document("d1", 21, 1)).unwrap();
        let generation = writer.commit().unwrap();
        first.insert("d1".into(), (21, 1));
        let mut second = first.clone();
        second.insert("d2".into(), (22, 1));
        disk.before_a_read(others, move || {
            writer.add(document("d2", 22, 1)).unwrap();
            writer.commit().unwrap();
        });
        let snapshot = index.snapshot().unwrap();
        let of_first = snapshot.generation() == generation;
        let expected = if of_first { first } else { second };
        assert_eq!(observe_snapshot(&snapshot).unwrap(), expected, "{others}");
        numbers.insert(of_first);
    }
    assert_eq!(numbers.len(), 2, "the commit came before and after");
}

/// Another writer: its operations begin where those of any later one would.
fn reopened(index: &Index, writer: IndexWriter) -> IndexWriter {
    writer.close().unwrap();
    index.writer().unwrap()
}

/// The number of the first operation of a commit that renames, counted from where it begins.
fn first_rename(change: &dyn Fn(&mut IndexWriter)) -> u64 {
    for first in 0.. {
        let disk = Recorder::default();
        let (index, writer, _) = ten(&disk);
        let mut writer = reopened(&index, writer);
        change(&mut writer);
        disk.fail(Some(Plan {
            first,
            count: 1,
            ..FAILING
        }));
        let _ = writer.commit();
        if disk
            .failed()
            .is_some_and(|what| what.contains("rename to meta.json"))
        {
            return first;
        }
    }
    unreachable!()
}

/// The file of living rows has the number of an operation in its name, and numbers begin again.
#[test]
fn a_delete_can_be_repeated_after_its_commit_failed() {
    let delete = |writer: &mut IndexWriter| writer.delete("d3").unwrap();
    let first = first_rename(&delete);
    let disk = Recorder::default();
    let (index, writer, mut model) = ten(&disk);
    let mut writer = reopened(&index, writer);
    delete(&mut writer);
    disk.fail(Some(Plan {
        first,
        count: 1,
        ..FAILING
    }));
    assert!(writer.commit().is_err());
    disk.fail(None);
    let left = disk
        .files()
        .into_keys()
        .filter(|name| name.extension() == Some("del".as_ref()));
    assert_eq!(left.count(), 1, "this is what was in the way");
    model.remove("d3");
    // By a process that finds it there.
    let copy = disk.copy();
    let next = Index::open_on(copy.disk()).unwrap();
    let mut other = next.writer().unwrap();
    delete(&mut other);
    other.commit().unwrap();
    assert_eq!(observe(&next).unwrap(), model);
    // By the writer itself.
    writer.rollback().unwrap();
    delete(&mut writer);
    writer.commit().unwrap();
    assert_eq!(observe(&index).unwrap(), model);
}

#[test]
fn what_an_interrupted_writer_left_is_removed_by_the_next() {
    let disk = Recorder::default();
    let (index, mut writer, _) = ten(&disk);
    writer.add(document("lost", 20, 1)).unwrap();
    disk.fail(Some(Plan {
        first: 20,
        ..FAILING
    }));
    assert!(writer.commit().is_err());
    disk.fail(None);
    let copy = disk.copy();
    let left: BTreeSet<PathBuf> = copy.files().into_keys().collect();
    let opened = Index::open_on(copy.disk()).unwrap();
    assert_eq!(
        copy.files().into_keys().collect::<BTreeSet<_>>(),
        left,
        "a reader removes nothing"
    );
    drop(opened.writer().unwrap());
    let now: BTreeSet<PathBuf> = copy.files().into_keys().collect();
    assert!(now.len() < left.len(), "{left:?}");
    let model = observe(&index).unwrap();
    survives(&copy, &|observed| *observed == model);
}

/// A merge that was writing its commit when its writer was let go wrote it over that of the next writer.
#[test]
fn a_merge_that_ends_late_does_not_undo_the_commit_of_the_next_writer() {
    let disk = Recorder::default();
    let (index, mut writer, mut model) = ten(&disk);
    // Eight segments become one, in the background, after the last of these commits.
    for number in 10..17 {
        let id = format!("d{number}");
        writer.add(document(&id, number, 1)).unwrap();
        model.insert(id, (number, 1));
        if number < 16 {
            writer.commit().unwrap();
        }
    }
    disk.gate.shut();
    let commit = std::thread::spawn(move || {
        writer.commit().unwrap();
        writer
    });
    // The writer's own commit, and then that of the merge.
    assert!(disk.gate.has_stopped());
    disk.gate.open();
    disk.gate.shut();
    let writer = commit.join().unwrap();
    assert!(disk.gate.has_stopped(), "nothing is merged");
    let next = index.clone();
    let (tell, told) = std::sync::mpsc::channel();
    let other = std::thread::spawn(move || {
        drop(writer);
        let mut writer = next.writer().unwrap();
        // So much that nothing is left to be merged, which would write another commit.
        for number in 10..17 {
            writer.delete(&format!("d{number}")).unwrap();
        }
        writer.commit().unwrap();
        tell.send(()).unwrap();
        writer
    });
    // It waits until the merge has written its commit. Where it does not, it is done before that.
    let _ = told.recv_timeout(std::time::Duration::from_secs(1));
    disk.gate.open();
    let writer = other.join().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(200));
    writer.close().unwrap();
    model.retain(|_, (number, _)| *number < 10);
    let reopened = Index::open_on(disk.copy().disk()).unwrap();
    assert_eq!(observe(&reopened).unwrap(), model);
}

/// What is durable of the names in a folder, and of the files they stand for.
#[derive(Default)]
struct Durable {
    names: BTreeMap<PathBuf, Content>,
    durable_names: BTreeMap<PathBuf, Content>,
    unsynced: BTreeSet<Content>,
    /// Whether the commit that has the name has it durably.
    committed: bool,
    /// The bytes of each file.
    bytes: BTreeMap<Content, Vec<u8>>,
}

impl Durable {
    fn take(&mut self, operation: &Operation) {
        match operation {
            Operation::Create(name, content) => drop(self.names.insert(name.clone(), *content)),
            Operation::Write(content, bytes) => {
                self.unsynced.insert(*content);
                self.bytes.entry(*content).or_default().extend(bytes);
            }
            Operation::SyncFile(content) => drop(self.unsynced.remove(content)),
            Operation::SyncFolder => {
                self.durable_names = self.names.clone();
                self.committed = true;
            }
            Operation::Rename(from, to, content) => {
                if to == Path::new("meta.json") {
                    self.is_ready(*content);
                    self.committed = false;
                }
                self.names.remove(from);
                self.names.insert(to.clone(), *content);
            }
            Operation::Remove(name) => {
                assert!(
                    self.committed,
                    "{} is removed before the commit is durable",
                    name.display()
                );
                self.names.remove(name);
            }
            Operation::Acknowledged(number) => {
                assert!(
                    self.committed,
                    "commit {number} is acknowledged before it is durable"
                );
            }
            Operation::Begun(_) => {}
        }
    }

    /// A commit gets its name: it is synced, and all files of all segments that it names are there durably.
    fn is_ready(&self, commit: Content) {
        assert!(!self.unsynced.contains(&commit), "the commit is not synced");
        let json: serde_json::Value = serde_json::from_slice(&self.bytes[&commit]).unwrap();
        for segment in json["segments"].as_array().unwrap() {
            let id = segment["segment_id"].as_str().unwrap().replace('-', "");
            let files = self
                .names
                .keys()
                .filter(|name| name.to_str().unwrap().starts_with(&id));
            let mut count = 0;
            for file in files {
                count += 1;
                let content = self.durable_names.get(file);
                let content =
                    content.unwrap_or_else(|| panic!("{} has no durable name", file.display()));
                assert!(
                    !self.unsynced.contains(content),
                    "{} is not synced",
                    file.display()
                );
            }
            assert!(count >= 8, "segment {id} has {count} files");
        }
    }
}

#[test]
fn a_commit_is_durable_before_it_is_acknowledged_and_before_files_are_removed() {
    for seed in 0..4 {
        let disk = Recorder::default();
        Run::new(&disk).take(&history(seed, 8));
        let (mut durable, mut removed) = (Durable::default(), 0);
        for operation in disk.log() {
            durable.take(&operation);
            removed += usize::from(matches!(operation, Operation::Remove(_)));
        }
        assert!(removed > 20, "the history removes nothing");
    }
}
