//! What reaches the terminal, a pipe, or nobody.

use crate::bench::{Bench, feed, model, paths, sections};

#[test]
fn pipes_get_no_escapes() {
    let bench = Bench::with(&[
        ("a.md", &sections(&["ants"])),
        ("broken.pdf", "%PDF-1.7\nno\n"),
    ]);
    let model = model();
    let model = model.to_str().unwrap();
    for arguments in [
        &["index", "--model", model][..],
        &["search", "ants", "--explain"],
        &["similar", "a.md"],
        &["status"],
        &["doctor"],
        &["search", "ants", "--filter", "colour=red"],
        &["models", "list"],
        &["models", "show", model],
    ] {
        let done = bench.run(arguments);
        assert!(
            !done.out.contains('\x1b') && !done.talk.contains('\x1b'),
            "{done:?}"
        );
        assert!(
            !done.out.is_empty() || !done.talk.is_empty(),
            "{arguments:?}"
        );
    }
}

#[test]
fn a_closed_output_is_no_error() {
    let words: Vec<String> = (0..300).map(|n| format!("{n}.txt")).collect();
    let bench = Bench::empty();
    for name in &words {
        bench.write(
            name,
            "Ants carry leaves along the path for the whole day.\n".repeat(3),
        );
    }
    bench.index();
    for arguments in [
        &[
            "search",
            "--mode",
            "keyword",
            "ants",
            "-n",
            "300",
            "--explain",
        ][..],
        &["search", "--mode", "keyword", "ants", "-n", "300", "--json"],
        &["completions", "bash"],
    ] {
        let done = bench.read_one_byte(arguments);
        assert_eq!((done.code, done.talk.as_str()), (0, ""), "{arguments:?}");
    }
}

#[cfg(unix)]
#[test]
fn names_and_texts_never_reach_the_terminal_raw() {
    let names = [
        "with space.md",
        "with\nnewline.md",
        "with\x1b[31mcolour.md",
        "with\u{202e}turn.md",
    ];
    let bench = Bench::empty();
    for name in names {
        bench.write(
            name,
            "# A \x1b]0;title\x07 heading\n\nAnts \x1b[2J carry\x07 leaves \u{9b}31m.\n",
        );
    }
    bench.write("broken\x1b[31m.pdf", "%PDF-1.7\nno\n");
    let report = bench.index();
    assert_eq!(report["documents"], 4, "{report}");
    let mut found = paths(&bench.keyword("ants"));
    found.sort_unstable();
    let mut expected = names.map(str::to_owned);
    expected.sort_unstable();
    assert_eq!(found, expected, "JSON has the names as they are");
    let model = model();
    let questions = "ants\n:show 1\n:explain 1\n:show 2\n:status\n:filter \x1b[31m\n";
    for done in [
        bench.run(&["search", "--mode", "keyword", "ants", "--explain"]),
        bench.run(&["index", "--model", model.to_str().unwrap()]),
        bench.run(&["similar", "with\x1b[31mcolour.md"]),
        bench.run(&["similar", "with\x1b[31mgone.md"]),
        bench.run(&["remove", "with\x1b[31mgone.md"]),
        feed(&mut bench.command(&["repl"]), questions),
    ] {
        for text in [&done.out, &done.talk] {
            let raw = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!text.contains(raw), "{done:?}");
            assert!(!text.contains("with\nnewline"), "{done:?}");
        }
    }
}

#[test]
fn quiet_says_nothing_but_results() {
    let bench = Bench::with(&[("a.md", &sections(&["ants"]))]);
    let model = model();
    let done = bench.run(&["index", "--quiet", "--model", model.to_str().unwrap()]);
    assert_eq!(
        (done.code, done.out.as_str(), done.talk.as_str()),
        (0, "", "")
    );
    let done = bench.run(&["search", "ants", "--quiet"]);
    assert!(
        done.out.contains("a.md") && done.talk.is_empty(),
        "{done:?}"
    );
}
