//! What cannot be read is not gone. Nothing is unreadable to root, who runs these tests as nobody.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::folder::{Folder, text};

/// Whether this process may read everything; then the test `name` is run again in one that may not.
fn passed_to_nobody(name: &str) -> bool {
    if !rustix::process::geteuid().is_root() {
        return false;
    }
    let mut test = Command::new(std::env::current_exe().unwrap());
    test.args(["--exact", name]).uid(65_534).gid(65_534);
    match test.env("TMPDIR", std::env::temp_dir()).output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{text}");
            assert!(text.contains("1 passed"), "{text}");
        }
        Err(error) => println!("skipped: nobody cannot run this program: {error}"),
    }
    true
}

fn allow(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn documents_of_an_unreadable_folder_are_kept() {
    if passed_to_nobody("unreadable::documents_of_an_unreadable_folder_are_kept") {
        return;
    }
    let mut folder = Folder::new();
    folder.write("one/deep/a.md", &text(&[1]));
    folder.write("one/b.md", &text(&[2]));
    folder.run();
    let deep = folder.path("one/deep");
    allow(&deep, 0o000);
    folder.remove("one/b.md");
    let run = folder.run();
    assert_eq!((run.removed, run.failed.len()), (1, 1));
    folder.holds(&[("one/deep/a.md", &[1])]);
    allow(&deep, 0o755);
    assert_eq!(folder.run().unchanged, 1);
}

#[test]
fn documents_of_an_unreadable_folder_whose_name_is_no_text_are_kept() {
    if passed_to_nobody(
        "unreadable::documents_of_an_unreadable_folder_whose_name_is_no_text_are_kept",
    ) {
        return;
    }
    let folder = Folder::new();
    let deep = folder
        .path("one")
        .join(std::ffi::OsStr::from_bytes(b"d\xFF"));
    std::fs::create_dir(&deep).unwrap();
    std::fs::write(deep.join("a.md"), text(&[1])).unwrap();
    folder.run();
    assert_eq!(folder.documents().len(), 1);
    allow(&deep, 0o000);
    let run = folder.run();
    allow(&deep, 0o755);
    assert_eq!((run.removed, run.failed.len()), (0, 1));
    assert_eq!(folder.documents().len(), 1);
    // It can be indexed by itself, and what is gone from it is noticed.
    std::fs::remove_file(deep.join("a.md")).unwrap();
    assert_eq!(folder.run_over(&[deep]).removed, 1);
}

#[test]
fn documents_of_an_unreadable_file_are_kept_and_it_is_tried_again() {
    if passed_to_nobody(
        "unreadable::documents_of_an_unreadable_file_are_kept_and_it_is_tried_again",
    ) {
        return;
    }
    let mut folder = Folder::new();
    folder.write("one/a.md", &text(&[1]));
    folder.run();
    folder.write("one/a.md", &text(&[2]));
    folder.write("one/new.md", &text(&[3]));
    for name in ["one/a.md", "one/new.md"] {
        allow(&folder.path(name), 0o000);
    }
    for _ in 0..2 {
        let run = folder.run();
        assert_eq!(run.failed.len(), 2);
        folder.holds(&[("one/a.md", &[1])]);
    }
    // Permissions leave the time of a file as it was.
    for name in ["one/a.md", "one/new.md"] {
        allow(&folder.path(name), 0o644);
    }
    let run = folder.run();
    assert_eq!((run.changed, run.added, run.failed.len()), (1, 1, 0));
    folder.holds(&[("one/a.md", &[2]), ("one/new.md", &[3])]);
}
