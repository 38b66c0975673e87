//! The prompt, read from a pipe.

use crate::bench::{Bench, feed, sections};

fn bench() -> Bench {
    let [ants, bees, cats] = ["ants", "bees", "cats"].map(|word| sections(&[word]));
    Bench::indexed(&[("a.md", &ants), ("sub/b.md", &bees), ("sub/c.txt", &cats)])
}

#[test]
fn questions_are_answered_line_by_line() {
    let done = bench().feed(&["repl"], ":mode keyword\nants\n\nbees\n");
    assert_eq!(done.code, 0, "{done:?}");
    let (ants, bees) = (
        done.out.find("a.md:").unwrap(),
        done.out.find("sub/b.md:").unwrap(),
    );
    assert!(ants < bees && !done.out.contains("c.txt") && !done.out.contains('\x1b'));
    assert!(!done.out.contains("kenning>"), "a pipe gets no prompt");
}

#[test]
fn settings_hold_until_they_are_changed() {
    let input =
        ":mode keyword\n:filter ext:txt\nlittle\n:filter\n:limit 1\nlittle\n:more\n:more\n:more\n";
    let done = bench().feed(&["repl"], input);
    assert_eq!(done.code, 0, "{done:?}");
    let ranks: Vec<&str> = done
        .out
        .lines()
        .filter(|line| line.contains(":1-"))
        .collect();
    assert_eq!(ranks.len(), 4, "{done:?}");
    assert!(ranks[0].starts_with(" 1  sub/c.txt"));
    for (rank, line) in (1..).zip(&ranks[1..]) {
        assert!(line.starts_with(&format!("{rank:>2}  ")), "{line}");
    }
    assert!(done.talk.contains("no more hits"), "{done:?}");
}

#[test]
fn hits_can_be_shown_explained_and_compared() {
    let done = bench().feed(&["repl"], ":mode keyword\nbees\n:show 1\n:explain 1\n:similar 1\n:explain 1\n:similar a.md\n:help\n:status\n");
    assert_eq!(done.code, 0, "{done:?}");
    assert!(
        done.out.contains("as long as it is for a reason."),
        "{}",
        done.out
    );
    assert!(
        done.out.contains("BM25") && done.out.contains("cosine"),
        "{}",
        done.out
    );
    assert!(
        done.out.contains(":refresh") && done.out.contains("documents  3"),
        "{}",
        done.out
    );
}

#[test]
fn errors_do_not_end_it_and_its_code_is_that_of_the_first() {
    let input = ":nonsense\n:show 1\n:filter ext:\n:mode keyword\n:filter colour=red\nants\n:filter\nants\n:show 9\n";
    let done = bench().feed(&["repl"], input);
    assert_eq!(done.code, 2, "{done:?}");
    assert_eq!(done.talk.matches("error: ").count(), 5, "{}", done.talk);
    assert_eq!(done.talk.matches("hint: ").count(), 5, "{}", done.talk);
    assert_eq!(done.out.matches("a.md:").count(), 1, "{}", done.out);
}

#[test]
fn a_refresh_is_seen_by_the_next_question() {
    let bench = bench();
    bench.write("new.md", sections(&["dogs"]));
    let done = bench.feed(&["repl"], ":mode keyword\ndogs\n:refresh\ndogs\n:refresh\n");
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(done.out.matches("new.md:").count(), 1, "{done:?}");
    assert!(
        done.talk.contains("1 added") && done.talk.contains("nothing found"),
        "{done:?}"
    );
}

#[test]
fn without_an_index_it_says_what_every_command_says() {
    Bench::empty()
        .feed(&["repl"], "ants\n")
        .assert_error(3, "no index");
}

#[test]
fn quit_leaves_the_rest_unread() {
    let done = bench().feed(&["repl"], ":mode keyword\n:quit\nants\n");
    assert_eq!((done.code, done.out.as_str()), (0, ""), "{done:?}");
}

#[cfg(unix)]
#[test]
fn a_hit_opens_in_the_editor_at_its_line() {
    use std::os::unix::fs::PermissionsExt;
    let bench = bench();
    bench.write(
        "two.txt",
        format!("{}\n{}", "Cows graze.\n".repeat(40), sections(&["eels"])),
    );
    bench.index();
    let editor = bench.home().join("my editor");
    std::fs::write(
        &editor,
        "#!/bin/sh\nfor word; do printf '<%s>' \"$word\"; done\n",
    )
    .unwrap();
    std::fs::set_permissions(&editor, PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = bench.command(&["repl"]);
    command.env("EDITOR", format!("'{}' --wait", editor.display()));
    let done = feed(
        &mut command,
        ":mode keyword\neels\n:open 1\nants\n:open 1\n",
    );
    assert_eq!(done.code, 0, "{done:?}");
    let opened: Vec<&str> = done
        .out
        .lines()
        .filter(|line| line.contains("<--wait>"))
        .collect();
    let file = bench.folder().join("two.txt");
    assert!(done.out.contains("<--wait><+"), "{opened:?}");
    assert!(
        done.out.contains(&format!("><{}>", file.display())),
        "{done:?}"
    );
    let mut missing = bench.command(&["repl"]);
    missing.env("EDITOR", "no-such-editor");
    feed(&mut missing, ":mode keyword\nants\n:open 1\n").assert_error(2, "no-such-editor");
}
