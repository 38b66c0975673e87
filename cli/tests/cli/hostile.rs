//! Files and arguments of others: none of them commands the terminal.

use crate::bench::{Bench, Done, feed, model, paths, sections};

/// What a document could hold to command a terminal: a title for the window, a clear screen, a link (OSC 8), a colour by
/// the controls beyond ASCII, a bell, a backspace, a turned direction, a line break of Unicode.
const COMMANDS: &str = "\x1b]0;PWNED\x07 \x1b[2J\x1b[H \x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\ \u{9b}31m \u{9d}0;PWNED\u{9c} \x08\x7f \u{202e}\u{2066} \u{2028}";

/// Whether a terminal does something else with a character than showing it, ends of lines apart.
fn commands(c: char) -> bool {
    let turns =
        matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}');
    turns || (c.is_control() && c != '\n')
}

#[track_caller]
pub fn assert_tame(done: &Done) {
    for text in [&done.out, &done.talk] {
        assert!(
            !text.contains(commands),
            "{:?} in {done:?}",
            text.find(commands)
        );
    }
}

/// A folder whose names, titles, headings, facts, records, attachments and sheets all hold such commands.
pub fn hostile() -> Bench {
    let bench = Bench::empty();
    let name = |end: &str| format!("ants {}{end}", COMMANDS.replace('/', " "));
    // Long enough for the commands not to make it look like no text at all.
    let text = sections(&["ants"]).repeat(60);
    bench.write(
        &name(".md"),
        format!("---\ntitle: ants {COMMANDS}\nauthor: {COMMANDS}\ntags: [{COMMANDS}]\n---\n\n# ants {COMMANDS}\n\nants {COMMANDS}\n\n{text}"),
    );
    bench.write(
        "page.html",
        format!("<title>ants {COMMANDS}</title><h1>ants {COMMANDS}</h1><p>ants {COMMANDS}</p><p>{text}</p>"),
    );
    bench.write(
        "records.jsonl",
        format!(
            "{}\n",
            serde_json::json!({ "title": COMMANDS, "text": format!("some ants in a row {COMMANDS} {text}"), COMMANDS: COMMANDS, "ants": true })
        ),
    );
    bench.write(
        "table.csv",
        format!(
            "ants,{COMMANDS}\nants {COMMANDS},x\n{}",
            "words,y\n".repeat(500)
        ),
    );
    bench.write(
        "code.rs",
        format!(
            "/// ants {COMMANDS}\nfn ants_{}() {{}}\n{}",
            COMMANDS.replace(' ', ""),
            "// words of a program\n".repeat(300)
        ),
    );
    bench.write(
        "mail.eml",
        format!(
            "From: {COMMANDS} <a@b.c>\nSubject: ants {COMMANDS}\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=q\n\n--q\n\nants {COMMANDS}\n{text}\n\
            --q\nContent-Type: application/pdf; name=\"{COMMANDS}.pdf\"\nContent-Disposition: attachment; filename=\"{COMMANDS}.pdf\"\n\n%PDF-1.4 no\n--q--\n"
        ),
    );
    bench.write(&name(".pdf"), "%PDF-1.7\nno\n");
    bench.write(&name(".bin"), b"\0\0\0");
    std::os::unix::fs::symlink("nowhere", bench.folder().join(name(".link"))).unwrap();
    bench
}

#[test]
fn nothing_of_a_document_commands_the_terminal() {
    let bench = hostile();
    let model = model();
    let model = model.to_str().unwrap();
    let plan = bench.run(&["index", "--plan", "--model", model]);
    assert_tame(&plan);
    let done = bench.run(&["index", "--model", model]);
    assert_tame(&done);
    assert_eq!(done.code, 4, "{done:?}");
    let found = bench.keyword("ants");
    let paths = paths(&found);
    assert_eq!(paths.len(), 6, "{found}");
    let hit = paths.iter().find(|path| path.starts_with("ants ")).unwrap();
    assert!(
        hit.contains("\u{9b}") && hit.contains('\x07'),
        "JSON has names as they are: {hit:?}"
    );
    let everything = ["-n", "20", "--passages", "3", "--explain"];
    for arguments in [
        &[
            &["search", "--mode", "keyword", "ants"][..],
            &everything[..],
        ]
        .concat()[..],
        &[
            &["search", "--mode", "keyword", "--json", "ants"][..],
            &everything[..],
        ]
        .concat(),
        &[&["search", "ants", COMMANDS][..], &everything[..]].concat(),
        &[&["search", "--json", "ants", COMMANDS][..], &everything[..]].concat(),
        &["search", "ants", "--filter", &format!("x={COMMANDS}")],
        &["search", "ants", "--filter", &format!("path:[{COMMANDS}")],
        &["similar", hit],
        &["similar", "--json", hit],
        &["similar", &format!("{COMMANDS}:3")],
        &["status"],
        &["status", "--json"],
        &["doctor"],
        &["doctor", "--repair"],
        &["index", "--json"],
        &["index", "--plan", "--json"],
        &["index", COMMANDS],
        &["index", "--language", COMMANDS],
        &["remove", &format!("{COMMANDS} gone")],
        &["search", "ants", "--in", COMMANDS],
        &["search", "ants", "--index", COMMANDS],
        &["inspect", "tokens", "--model", model, COMMANDS],
        &["inspect", "tokens", "--json", "--model", model, COMMANDS],
        &["models", "show", COMMANDS],
        &["models", "show", model],
        &["models", "list"],
        &["models", "pull", COMMANDS],
        &["models", "compare", &format!("{COMMANDS}@{COMMANDS}")],
        &["eval", COMMANDS, "--model", model],
        &["optimize"],
        &["remove", hit],
    ] {
        let done = bench.run(arguments);
        assert_tame(&done);
        assert!(
            !done.out.is_empty() || !done.talk.is_empty(),
            "{arguments:?}"
        );
        if arguments.contains(&"--json") && done.code == 0 {
            done.json();
        }
    }
}

#[test]
fn nothing_of_a_document_commands_the_terminal_from_the_prompt() {
    let bench = hostile();
    bench.index();
    let questions = format!(
        ":mode keyword\nants {COMMANDS}\n:show 1\n:show 2\n:show 3\n:show 4\n:explain 1\n:similar 1\n:status\n:filter x={COMMANDS}\n\
        ants\n:filter ext:{COMMANDS}\nants\n:{COMMANDS}\n:mode {COMMANDS}\n:limit {COMMANDS}\n:similar {COMMANDS}\n:refresh\n:help\n"
    );
    let done = feed(&mut bench.command(&["repl"]), &questions);
    assert_tame(&done);
    assert!(
        done.out.contains("ants") && done.talk.contains("error: "),
        "{done:?}"
    );
}

/// What is wrong with arguments is told with the arguments: `kenning index *` hands over names of files.
#[test]
fn wrong_arguments_do_not_command_the_terminal() {
    let bench = Bench::empty();
    let flag = format!("--{COMMANDS}");
    for arguments in [
        &["index", &flag][..],
        &["search", "x", "--mode", COMMANDS],
        &["search", "x", "-n", COMMANDS],
        &["search", "x", "--min-score", COMMANDS],
        &[COMMANDS],
        &["completions", COMMANDS],
        &["models", COMMANDS],
        &["index", "--threads", "no\nerror: a line of its own"],
    ] {
        let done = bench.run(arguments);
        assert_eq!(done.code, 2, "{done:?}");
        assert_tame(&done);
        assert!(!done.talk.contains("\nerror: a line"), "{done:?}");
    }
}

/// Of a collection and of a folder of models, the names are those of others too.
#[test]
fn names_of_collections_and_models_do_not_command_the_terminal() {
    let bench = Bench::empty();
    let name = COMMANDS.replace('/', " ");
    let folder = bench.folder().join(format!("set {name}"));
    std::fs::create_dir_all(folder.join("qrels")).unwrap();
    let text = serde_json::json!({ "_id": COMMANDS, "title": COMMANDS, "text": format!("ants {COMMANDS}") });
    std::fs::write(folder.join("corpus.jsonl"), format!("{text}\n")).unwrap();
    let query = serde_json::json!({ "_id": "q", "text": format!("ants {COMMANDS}") });
    std::fs::write(folder.join("queries.jsonl"), format!("{query}\n")).unwrap();
    let judged = serde_json::json!({ "_id": "q" });
    std::fs::write(
        folder.join("qrels/test.tsv"),
        format!("query-id\tcorpus-id\tscore\nq\t{judged}\t1\nq\tgone {COMMANDS}\t1\n")
            .replace('\u{2028}', ""),
    )
    .unwrap();
    let model_folder = bench.folder().join(format!("model {name}"));
    crate::bench::copy(&model(), &model_folder);
    let (set, model) = (folder.to_str().unwrap(), model_folder.to_str().unwrap());
    bench.write("a.md", sections(&["ants"]));
    for arguments in [
        &["eval", set, "--model", model][..],
        &["eval", set, "--model", model, "--json"],
        &["models", "show", model],
        &["models", "show", "--json", model],
        &["index", "--model", model],
        &["status"],
        &["status", "--json"],
        &["models", "compare", model, "--on", set],
        &["models", "compare", "--json", model],
        &["models", "recommend", "--constraint", "limited-compute"],
    ] {
        let done = bench.run(arguments);
        assert_tame(&done);
        assert!(
            !done.out.is_empty() || !done.talk.is_empty(),
            "{arguments:?}"
        );
    }
    let embedded = bench.feed(&["embed", "--model", model], &format!("{COMMANDS}\n"));
    assert_tame(&embedded);
    assert_eq!(embedded.code, 0, "{embedded:?}");
}
