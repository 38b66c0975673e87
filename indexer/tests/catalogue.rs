//! A catalogue saves work. Whatever becomes of its files, no document is lost or wrong for that.

#![allow(clippy::unwrap_used, dead_code)]

#[path = "incremental/folder.rs"]
mod folder;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use folder::{Folder, text};

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => drop(found.insert(path.clone(), fs::read(path).unwrap())),
        }
    }
    found
}

fn restore(folder: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) {
    fs::remove_dir_all(folder).unwrap();
    for (path, bytes) in files {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// Places in a file: both ends, and some between.
fn places(length: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..length.min(12)).collect();
    places.extend((1..12).map(|part| length * part / 12));
    places.extend(length.saturating_sub(8)..length);
    places.sort_unstable();
    places.dedup();
    places
}

/// Runs over files of which one has changed since the catalogue was written, with a damaged catalogue.
fn run(folder: &mut Folder, seed: u64) {
    folder.write("one/a.md", &text(&[seed]));
    folder.run_until_whatever(&folder.roots, &|_| false);
    folder.holds(&[
        ("one/a.md", &[seed]),
        ("one/b.md", &[2, 3]),
        ("two/c.md", &[4]),
    ]);
}

#[test]
fn a_damaged_catalogue_costs_work_and_no_document() {
    let mut folder = Folder::new();
    folder.write("one/b.md", &text(&[2, 3]));
    folder.write("two/c.md", &text(&[4]));
    let mut seed = 100;
    run(&mut folder, seed);
    let place = folder.layout.catalogue();
    let sound = files(&place);
    for (path, bytes) in &sound {
        for at in places(bytes.len()) {
            for flip in [true, false] {
                let mut damaged = bytes.clone();
                match flip {
                    true => damaged[at] ^= 0x10,
                    false => damaged.truncate(at),
                }
                restore(&place, &sound);
                fs::write(path, damaged).unwrap();
                println!("{} at {at}, flipped: {flip}", path.display());
                seed += 1;
                run(&mut folder, seed);
            }
        }
    }
}
