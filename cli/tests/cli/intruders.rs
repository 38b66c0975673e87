//! Files, names and questions of others: none of them hangs the program, fills the memory or breaks its JSON.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::bench::{Bench, Done, model, paths, sections};
use crate::hostile::assert_tame;

/// JSON knows text alone: paths that are none must not break it, nor end the program.
#[cfg(target_os = "linux")]
#[test]
fn paths_that_are_no_text_leave_json_valid() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let bench = Bench::empty();
    let folder = bench.folder().join(OsStr::from_bytes(b"odd\xff\x9b"));
    std::fs::create_dir(&folder).unwrap();
    for name in [
        &b"ants\xff.md"[..],
        b"ants\xfe.html",
        b"ants\x9b.txt",
        b"\xff",
    ] {
        std::fs::write(folder.join(OsStr::from_bytes(name)), sections(&["ants"])).unwrap();
    }
    std::fs::write(
        folder.join(OsStr::from_bytes(b"broken\xff.pdf")),
        "%PDF-1.7\nno\n",
    )
    .unwrap();
    let model = model();
    let model = model.to_str().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = bench.command(arguments);
        let done = Done::of(command.current_dir(&folder).output().unwrap());
        assert_tame(&done);
        done
    };
    let report = run(&["index", "--json", "--model", model]).json();
    assert_eq!(report["documents"], 4, "{report}");
    assert_eq!(report["failed"].as_array().unwrap().len(), 1, "{report}");
    assert_eq!(report["failed"][0]["path"], "broken%FF.pdf", "{report}");
    let found = run(&["search", "--mode", "keyword", "--json", "ants"]).json();
    let mut names = paths(&found);
    names.sort_unstable();
    assert_eq!(names, ["%FF", "ants%9B.txt", "ants%FE.html", "ants%FF.md"]);
    let status = run(&["status", "--json"]).json();
    assert!(
        status["folder"].as_str().unwrap().contains("odd"),
        "{status}"
    );
    assert!(run(&["status"]).out.contains("odd"));
    // A plan counts files, the broken one among them.
    assert_eq!(run(&["index", "--json", "--plan"]).json()["unchanged"], 5);
    assert_eq!(run(&["index", "--json"]).json()["unchanged"], 4);
    assert_eq!(run(&["similar", "--json", "ants%FF.md"]).code, 0);
    assert_eq!(run(&["doctor"]).code, 0);
    // With the index elsewhere its settings name the folder.
    let elsewhere = bench.home().join("index");
    let elsewhere = elsewhere.to_str().unwrap();
    let report = run(&["index", "--json", "--model", model, "--index", elsewhere]).json();
    assert_eq!(report["documents"], 4, "{report}");
    let again = run(&["index", "--json", "--index", elsewhere]).json();
    assert_eq!(again["unchanged"], 4, "{again}");
    let status = run(&["status", "--json", "--index", elsewhere]).json();
    assert!(
        status["roots"][0].as_str().unwrap().contains("odd"),
        "{status}"
    );
    // A cache of models at such a path.
    let mut command = bench.command(&["models", "list", "--json"]);
    command.env("KENNING_CACHE", &folder);
    assert!(Done::of(command.output().unwrap()).json().is_array());
    // Words that are no text are refused as words are.
    let mut command = bench.command(&["search"]);
    let done = Done::of(
        command
            .arg(OsStr::from_bytes(b"\xff\x9b"))
            .output()
            .unwrap(),
    );
    assert_eq!(done.code, 2, "{done:?}");
    assert_tame(&done);
}

/// Runs the program, which must end by itself.
#[cfg(unix)]
#[track_caller]
fn ends(command: &mut Command) -> Done {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("it hangs: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Done::of(child.wait_with_output().unwrap())
}

#[cfg(unix)]
fn pipe(path: &std::path::Path) {
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

#[cfg(unix)]
#[test]
fn pipes_devices_and_loops_do_not_hang_an_index_run() {
    use std::os::unix::fs::symlink;
    let bench = Bench::with(&[("good.md", &sections(&["ants"]))]);
    let at = |name: &str| bench.folder().join(name);
    pipe(&at("pipe.md"));
    symlink("/dev/zero", at("zero.md")).unwrap();
    symlink(".", at("loop")).unwrap();
    symlink("self", at("self")).unwrap();
    symlink(bench.home(), at("away")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    std::fs::create_dir(at("rules")).unwrap();
    bench.write("rules/hidden.md", "Not to be read without its rules.\n");
    pipe(&at("rules/.gitignore"));
    std::fs::create_dir(at("endless")).unwrap();
    symlink("/dev/zero", at("endless/.kenningignore")).unwrap();
    let model = model();
    let done = ends(&mut bench.command(&["index", "--json", "--model", model.to_str().unwrap()]));
    let report = done.json();
    assert_eq!(done.code, 4, "{done:?}");
    assert_eq!(
        (&report["added"], &report["documents"]),
        (&1.into(), &1.into()),
        "{report}"
    );
    assert_eq!(report["skipped"].as_array().unwrap().len(), 6, "{report}");
    let failed = report["failed"].as_array().unwrap();
    assert_eq!(failed.len(), 2, "{report}");
    for (failure, name) in failed.iter().zip(["endless", "rules"]) {
        assert_eq!(failure["path"], name, "{report}");
        assert!(
            failure["reason"].as_str().unwrap().contains("--no-ignore"),
            "{report}"
        );
    }
    // As the only thing that is asked for.
    let done = ends(&mut bench.command(&["index", "pipe.md"]));
    assert_eq!(done.code, 0, "{done:?}");
    let done = ends(&mut bench.command(&["index", "rules"]));
    assert_eq!(done.code, 4, "{done:?}");
    let done = ends(&mut bench.command(&["index", "--no-ignore", "--json"]));
    assert_eq!(done.json()["documents"], 2, "{done:?}");
    // Settings that somebody put there.
    let fake = bench.home().join("fake");
    std::fs::create_dir(&fake).unwrap();
    pipe(&fake.join("settings.json"));
    ends(&mut bench.command(&["search", "ants", "--index", fake.to_str().unwrap()]))
        .assert_error(3, "settings.json");
}

/// A folder without end to its depth, and names as long as they can be.
#[cfg(unix)]
#[test]
fn deep_folders_and_long_names_are_indexed_or_named() {
    let bench = Bench::empty();
    let long = "l".repeat(251);
    bench.write(&format!("{long}.md"), sections(&["ants"]));
    let script = "i=0; while [ $i -lt 300 ]; do mkdir dddddddddddddddd && cd dddddddddddddddd 2>/dev/null || break; echo bees > b.md; i=$((i+1)); done";
    let made = Command::new("sh")
        .args(["-c", script])
        .current_dir(bench.folder())
        .status();
    assert!(made.unwrap().success());
    let model = model();
    let done = ends(&mut bench.command(&["index", "--json", "--model", model.to_str().unwrap()]));
    let report = done.json();
    assert!(matches!(done.code, 0 | 4), "{done:?}");
    let read = report["documents"].as_u64().unwrap();
    let failed = report["failed"].as_array().unwrap().len() as u64;
    // Where a path gets longer than the system takes, that is told.
    assert!(
        read > 200 && (read == 301 || failed > 0),
        "{read} read, {failed} failed"
    );
    let again = ends(&mut bench.command(&["index", "--json"])).json();
    assert_eq!(again["unchanged"], report["documents"], "{again}");
    let removed = Command::new("rm")
        .args(["-rf", "dddddddddddddddd"])
        .current_dir(bench.folder())
        .status();
    assert!(removed.unwrap().success());
}

/// Queries made to take for ever. `engine/tests/hostile_queries.rs` has the same on an index with many words.
#[test]
fn questions_without_end_are_answered() {
    let bench = Bench::indexed(&[("a.md", &sections(&["ants", "bees"]))]);
    let megabyte = |piece: &str| piece.repeat((1 << 20) / piece.len());
    let lines: Vec<String> = [
        "ants ",
        "\"",
        "-\"ants ",
        "((((",
        "-ants ",
        "an* ",
        "*",
        "\"ants bees\" ",
        "path:* ",
        "日本語",
        "a\u{301}",
    ]
    .iter()
    .map(|piece| megabyte(piece))
    .collect();
    let begun = Instant::now();
    let done = bench.feed(
        &["repl"],
        &format!(
            "{}\n:mode keyword\n{}\n",
            lines.join("\n"),
            lines.join("\n")
        ),
    );
    let spent = begun.elapsed();
    assert!(spent < Duration::from_secs(60), "{spent:?}");
    assert!(matches!(done.code, 0 | 2), "{}", done.code);
    assert!(done.out.contains("a.md"));
    // Bytes that are no text, from a pipe.
    let mut command = bench.command(&["repl"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let noise: Vec<u8> = (0..200_000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    // Beside reading what it says: neither waits for the other.
    let writer = std::thread::spawn(move || std::io::Write::write_all(&mut input, &noise));
    let done = Done::of(child.wait_with_output().unwrap());
    writer.join().unwrap().unwrap();
    assert_tame(&done);
}

/// Many files in one folder: 100,000 are measured with `benches/src/bin/memory.rs`.
#[test]
fn a_folder_of_many_files_takes_time_that_grows_with_their_number() {
    let bench = Bench::empty();
    let (few, many) = (500, 3_000);
    let fill = |from: usize, to: usize| {
        for number in from..to {
            std::fs::write(
                bench.folder().join(format!("{number}.txt")),
                format!("Note {number} of many.\n"),
            )
            .unwrap();
        }
    };
    let run = || {
        let begun = Instant::now();
        let report = bench.index();
        (report, begun.elapsed())
    };
    fill(0, few);
    let (report, first) = run();
    assert_eq!(report["added"], few, "{report}");
    fill(few, many);
    let (report, second) = run();
    assert_eq!(
        (&report["added"], &report["unchanged"]),
        (&(many - few).into(), &few.into()),
        "{report}"
    );
    println!("{few} files: {first:?}; {} more: {second:?}", many - few);
    let bound = Duration::from_secs(5) + 3 * first * (many - few) as u32 / few as u32;
    assert!(second < bound, "{second:?}, {few} files took {first:?}");
}
