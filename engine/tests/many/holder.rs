//! A second writer is told who the first is; the lock decides, and what is told does not.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use kenning::index::{Holder, IndexError};
use kenning::{Error, Index};

use super::content::{document, spec};

/// The folder of the index, for a process that holds it.
const FOLDER: &str = "KENNING_HOLDER_FOLDER";
const NOTE: &str = "writer.json";

/// Does nothing unless started by [`hold`]; then holds the index until it is killed.
#[test]
fn the_process_that_holds() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let index = Index::open(Path::new(&folder)).unwrap();
    let mut writer = index.writer().unwrap();
    writer.add(document("lost", 1, 1)).unwrap();
    let mut out = std::io::stdout().lock();
    out.write_all(b"\nheld\n").unwrap();
    out.flush().unwrap();
    loop {
        std::thread::park();
    }
}

/// A process that holds the index by the time this returns.
fn hold(folder: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "holder::the_process_that_holds"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let held = lines.map_while(Result::ok).any(|line| line == "held");
    assert!(held);
    child
}

/// Why no writer is to be had: who holds it, what is said, and what to do.
fn refused(index: &Index) -> (Option<Holder>, String, String) {
    let error = index.writer().map(drop).unwrap_err();
    let (text, hint) = (error.to_string(), error.hint().unwrap());
    let controls = |text: &str| text.chars().any(char::is_control);
    assert!(!controls(&text) && !controls(&hint), "{text:?} {hint:?}");
    match error {
        Error::Index(IndexError::Locked { holder }) => (holder, text, hint),
        other => panic!("{other}"),
    }
}

fn seconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap().as_secs()
}

#[test]
fn a_second_writer_is_told_who_the_first_is_and_a_dead_one_is_not_in_the_way() {
    let temp = tempfile::tempdir().unwrap();
    let index = Index::create(temp.path(), &spec()).unwrap();
    let begun = seconds();
    let mut child = hold(temp.path());
    let (holder, text, hint) = refused(&index);
    let holder = holder.unwrap();
    assert_eq!(holder.process, child.id());
    assert!((begun..=seconds()).contains(&holder.since), "{holder:?}");
    assert!(text.ends_with(&holder.to_string()), "{text}");
    let host = holder.host.unwrap();
    let expected = format!("process {} on {host} since 2", child.id());
    assert!(text.contains(&expected), "{text}");
    assert!(hint.contains(&format!("kill {}", child.id())), "{hint}");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(temp.path().join(NOTE).exists(), "it had no time to tidy up");
    let writer = index.writer().unwrap();
    let (holder, _, hint) = refused(&index);
    assert_eq!(holder.unwrap().process, std::process::id());
    assert!(hint.contains("this process"), "{hint}");
    drop(writer);
    assert!(!temp.path().join(NOTE).exists());
    // It is held while something is written, and not for as long as the index is open.
    let mut other = hold(temp.path());
    assert_eq!(refused(&index).0.unwrap().process, other.id());
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn what_lies_where_a_holder_tells_itself_decides_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let index = Index::create(temp.path(), &spec()).unwrap();
    let path = temp.path().join(NOTE);
    let own = format!(
        r#"{{"process":{},"host":null,"since":1}}"#,
        std::process::id()
    );
    let texts = [
        "",
        "no note",
        "\x1b]0;title\x07\x1b[31m",
        r#"{"process":1,"host":"a\u001b[2Jb","since":1}"#,
        r#"{"process":99999999999,"host":null,"since":1}"#,
        &own,
    ];
    for text in texts {
        // It says that somebody writes, and nobody does.
        fs::write(&path, text).unwrap();
        let writer = index.writer().unwrap();
        // It says something else of whoever does.
        fs::write(&path, text).unwrap();
        let (holder, said, _) = refused(&index);
        match text == own {
            true => assert_eq!(holder.unwrap().since, 1),
            false => {
                assert_eq!(holder, None, "{text:?}");
                assert!(said.ends_with("by another process"), "{said}");
            }
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(refused(&index).0, None, "the lock is held all the same");
        drop(writer);
    }
    // Nor what is no file at all.
    fs::create_dir(&path).unwrap();
    let writer = index.writer().unwrap();
    assert_eq!(refused(&index).0, None);
    drop(writer);
    fs::remove_dir(&path).unwrap();
    let made = Command::new("mkfifo").arg(&path).status();
    if made.is_ok_and(|status| status.success()) {
        let writer = index.writer().unwrap();
        assert!(refused(&index).0.is_some(), "the note took its place");
        drop(writer);
    }
    index.writer().unwrap();
}
