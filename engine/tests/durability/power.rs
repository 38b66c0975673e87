//! The power goes at every operation. What was synced is there afterwards; of the rest anything may be.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::content::{Model, Random};
use super::disk::{Content, Operation, Recorder};
use super::setting;
use super::workload::{Run, history, survives};

/// A file system may write so much at a time.
const BLOCK: usize = 512;

/// What is on a disk after some operations, and what of it is durable.
#[derive(Default)]
struct Disk {
    contents: Vec<Vec<u8>>,
    /// How many bytes of each were synced; files are only ever appended to.
    synced: Vec<usize>,
    durable: BTreeMap<PathBuf, Content>,
    /// Changes of names since the folder was synced.
    names: Vec<Operation>,
}

impl Disk {
    fn take(&mut self, operation: &Operation) {
        match operation {
            Operation::Create(_, content) => {
                assert_eq!(*content, self.contents.len());
                self.contents.push(Vec::new());
                self.synced.push(0);
                self.names.push(operation.clone());
            }
            Operation::Write(content, bytes) => self.contents[*content].extend(bytes),
            Operation::SyncFile(content) => self.synced[*content] = self.contents[*content].len(),
            Operation::Rename(..) | Operation::Remove(_) => self.names.push(operation.clone()),
            Operation::SyncFolder => {
                for operation in std::mem::take(&mut self.names) {
                    rename(&mut self.durable, &operation);
                }
            }
            Operation::Begun(_) | Operation::Acknowledged(_) => {}
        }
    }

    /// What is there after the power went.
    fn cut(&self, random: &mut Random) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut names = self.durable.clone();
        // None of the changes of names, all, or some: file systems order them or do not.
        let share = [0, 100, 50, 90, 10][random.below(5)];
        for operation in &self.names {
            if random.below(100) < share {
                rename(&mut names, operation);
            }
        }
        let kept = names.into_iter();
        kept.map(|(name, content)| (name, self.torn(content, random)))
            .collect()
    }

    /// A file of which some was not synced: without that, with it, or with some of it.
    fn torn(&self, content: Content, random: &mut Random) -> Vec<u8> {
        let (mut bytes, synced) = (self.contents[content].clone(), self.synced[content]);
        let loose = bytes.len() - synced;
        if loose == 0 {
            return bytes;
        }
        match random.below(4) {
            0 => bytes.truncate(synced),
            1 => {}
            2 => bytes.truncate(synced + random.below(loose + 1)),
            _ => {
                // Its length was written, and not all of its blocks.
                for block in bytes[synced..].chunks_mut(BLOCK) {
                    if random.below(2) == 0 {
                        block.fill(0);
                    }
                }
            }
        }
        bytes
    }
}

fn rename(names: &mut BTreeMap<PathBuf, Content>, operation: &Operation) {
    match operation {
        Operation::Create(name, content) => {
            names.insert(name.clone(), *content);
        }
        Operation::Rename(from, to, content) => {
            names.remove(from);
            names.insert(to.clone(), *content);
        }
        Operation::Remove(name) => {
            names.remove(name);
        }
        _ => {}
    }
}

/// What may be there: what was acknowledged last, or the commit that was under way.
#[derive(Default)]
struct Allowed {
    acknowledged: usize,
    begun: usize,
}

impl Allowed {
    fn take(&mut self, operation: &Operation) {
        match operation {
            Operation::Acknowledged(number) => self.acknowledged = *number,
            Operation::Begun(number) => self.begun = *number,
            _ => {}
        }
    }

    fn holds(&self, states: &[Model], observed: &Model) -> bool {
        [self.acknowledged, self.begun]
            .iter()
            .any(|&number| states[number] == *observed)
    }
}

fn cut_everywhere(seed: u64, commits: usize, cuts: u64) {
    let recorder = Recorder::default();
    let mut run = Run::new(&recorder);
    run.take(&history(seed, commits));
    let (log, states) = (recorder.log(), run.states.clone());
    drop(run);
    let (mut disk, mut allowed) = (Disk::default(), Allowed::default());
    let mut checked = 0;
    for (number, operation) in log.iter().enumerate() {
        disk.take(operation);
        allowed.take(operation);
        for cut in 0..cuts {
            let mut random = Random(seed << 40 | (number as u64) << 8 | cut);
            println!(
                "seed {seed}, operation {number}, cut {cut}: {}",
                tell(operation)
            );
            let after = Recorder::holding(disk.cut(&mut random));
            survives(&after, &|observed| allowed.holds(&states, observed));
            checked += 1;
        }
    }
    assert!(checked > 100, "the history was short: {checked} cuts");
}

fn tell(operation: &Operation) -> String {
    match operation {
        Operation::Write(content, bytes) => format!("{} bytes to {content}", bytes.len()),
        other => format!("{other:?}"),
    }
}

#[test]
fn the_power_may_go_at_any_operation() {
    for seed in 0..setting("KENNING_CUT_SEEDS", 1) {
        cut_everywhere(
            seed,
            setting("KENNING_CUT_COMMITS", 5) as usize,
            setting("KENNING_CUTS", 1),
        );
    }
}
