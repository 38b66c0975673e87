//! Files that become something else, grow, shrink or vanish between the moment when they are found and the moment when
//! they are read, and while they are read.
#![cfg(unix)]

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::folder::Folder;

/// Runs the indexer and changes something right after the first file was found, before it is read.
fn run_and(folder: &Folder, change: impl Fn() + Sync) -> kenning_indexer::Report {
    let done = AtomicBool::new(false);
    let begun = Instant::now();
    let report = folder.run_until(&folder.roots.clone(), &|progress| {
        if progress.files_found == 1 && !done.swap(true, Ordering::Relaxed) {
            change();
        }
        false
    });
    assert!(done.load(Ordering::Relaxed));
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
    report
}

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// Each of these would hang, fill the memory, or take in what lies elsewhere.
#[test]
fn what_takes_the_place_of_a_file_is_not_read() {
    let mut folder = Folder::new();
    folder.write("one/b.md", &crate::folder::text(&[2]));
    let secret = folder.path("secret.txt");
    std::fs::write(&secret, crate::folder::text(&[99])).unwrap();
    let file = folder.path("one/a.md");
    let swaps: [(&str, &(dyn Fn() + Sync)); 4] = [
        ("a pipe", &|| pipe(&file)),
        ("a device", &|| symlink("/dev/zero", &file).unwrap()),
        ("a link", &|| symlink(&secret, &file).unwrap()),
        ("a folder", &|| std::fs::create_dir(&file).unwrap()),
    ];
    for (what, swap) in swaps {
        folder.write("one/a.md", &crate::folder::text(&[1]));
        let report = run_and(&folder, || {
            std::fs::remove_file(&file).unwrap();
            swap();
        });
        assert_eq!(report.failed.len(), 1, "{what}: {report:?}");
        assert!(
            report.failed[0].reason.contains("expected a file"),
            "{what}: {report:?}"
        );
        let _ = std::fs::remove_file(&file);
        let _ = std::fs::remove_dir(&file);
        folder.run();
        folder.holds(&[("one/b.md", &[2])]);
    }
}

#[test]
fn a_file_that_vanishes_is_named_and_the_rest_is_indexed() {
    let mut folder = Folder::new();
    folder.write("one/a.md", &crate::folder::text(&[1]));
    folder.write("one/b.md", &crate::folder::text(&[2]));
    let file = folder.path("one/a.md");
    let report = run_and(&folder, || std::fs::remove_file(&file).unwrap());
    assert_eq!((report.added, report.failed.len()), (1, 1), "{report:?}");
    folder.holds(&[("one/b.md", &[2])]);
    let again = folder.run();
    assert_eq!((again.unchanged, again.failed.len()), (1, 0), "{again:?}");
}

/// What was read is what is indexed, and the next run sees that it was something else.
#[test]
fn a_file_that_changes_is_read_again_by_the_next_run() {
    let mut folder = Folder::new();
    folder.write("one/a.md", &crate::folder::text(&[1]));
    let file = folder.path("one/a.md");
    run_and(&folder, || {
        std::fs::write(&file, crate::folder::text(&[3])).unwrap()
    });
    folder.holds(&[("one/a.md", &[3])]);
    std::fs::write(&file, crate::folder::text(&[4])).unwrap();
    let again = folder.run();
    assert_eq!(again.changed, 1, "{again:?}");
    folder.holds(&[("one/a.md", &[4])]);
}

#[test]
fn a_file_that_grows_over_the_limit_is_passed_over() {
    let mut folder = Folder::new();
    folder.write("one/a.md", &crate::folder::text(&[1]));
    folder.write("one/b.md", &crate::folder::text(&[2]));
    let file = folder.path("one/a.md");
    let report = run_and(&folder, || {
        // A hole: it takes no place on the disk.
        let file = std::fs::File::options().write(true).open(&file).unwrap();
        file.set_len(1 << 40).unwrap();
    });
    assert_eq!((report.added, report.skipped.len()), (1, 1), "{report:?}");
    assert!(
        report.skipped[0].reason.contains("the limit is"),
        "{report:?}"
    );
    folder.holds(&[("one/b.md", &[2])]);
}

/// Written to without a pause while runs go on: no run fails, and the last one has the last text.
#[test]
fn a_file_that_is_written_to_all_the_time_does_not_spoil_the_index() {
    let mut folder = Folder::new();
    folder.write("one/b.md", &crate::folder::text(&[2]));
    let file = folder.path("one/a.md");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut round = 0u64;
            while !stop.load(Ordering::Relaxed) {
                round += 1;
                let text = crate::folder::text(&[10 + round % 5, 20 + round % 3]);
                let cut = (round as usize * 37) % text.len();
                let _ = std::fs::write(&file, &text[..cut]);
                if round.is_multiple_of(7) {
                    let _ = std::fs::remove_file(&file);
                }
            }
        });
        for _ in 0..8 {
            folder.run();
        }
        stop.store(true, Ordering::Relaxed);
    });
    std::fs::write(&file, crate::folder::text(&[5, 6])).unwrap();
    folder.run();
    folder.holds(&[("one/a.md", &[5, 6]), ("one/b.md", &[2])]);
}
