//! `kenning index`: only what has changed is done again, and nothing is lost silently.

use crate::bench::{Bench, model, paths, sections};

#[test]
fn a_second_run_embeds_nothing() {
    let bench = Bench::with(&[
        ("a.md", &sections(&["ants", "bees"])),
        ("b.txt", "Cats sleep.\n"),
    ]);
    let first = bench.index();
    assert_eq!(
        (&first["added"], &first["unchanged"]),
        (&2.into(), &0.into())
    );
    assert_eq!(first["embedded"], first["chunks"]);
    let second = bench.index();
    assert_eq!(second["unchanged"], 2, "{second}");
    for none in ["added", "changed", "removed", "embedded"] {
        assert_eq!(second[none], 0, "{none}: {second}");
    }
    assert_eq!(second["chunks"], first["chunks"]);
}

/// The model is gone: a run that needs none does not miss it, and one that does says so and loses nothing.
#[test]
fn no_encoder_is_loaded_where_nothing_has_changed() {
    let bench = Bench::with(&[
        ("a.md", &sections(&["ants"])),
        ("b.md", &sections(&["bees"])),
    ]);
    let (own, away) = (bench.home().join("model"), bench.home().join("away"));
    std::fs::create_dir(&own).unwrap();
    std::fs::create_dir(own.join("1_Pooling")).unwrap();
    for file in [
        "1_Pooling/config.json",
        "config.json",
        "model.safetensors",
        "modules.json",
        "tokenizer.json",
    ] {
        std::fs::copy(model().join(file), own.join(file)).unwrap();
    }
    let named = ["index", "--json", "--model", own.to_str().unwrap()];
    assert_eq!(bench.run(&named).json()["added"], 2);
    std::fs::rename(&own, &away).unwrap();
    let again = bench.run(&["index", "--json"]);
    assert_eq!(again.code, 0, "{}", again.talk);
    assert_eq!(again.json()["unchanged"], 2);
    let search = ["search", "--json", "--mode", "keyword", "--in", ".", "ants"];
    assert_eq!(paths(&bench.run(&search).json()), ["a.md"]);
    bench.write("a.md", sections(&["cows"]));
    let missed = bench.run(&["index", "--json"]);
    assert_eq!(missed.code, 3, "{}", missed.talk);
    assert!(missed.talk.contains("home/model"), "{}", missed.talk);
    assert_eq!(paths(&bench.keyword("ants")), ["a.md"]);
    std::fs::rename(&away, &own).unwrap();
    assert_eq!(bench.run(&["index", "--json"]).json()["changed"], 1);
    assert_eq!(paths(&bench.keyword("cows")), ["a.md"]);
}

#[test]
fn a_changed_paragraph_embeds_one_chunk() {
    let bench = Bench::with(&[("a.md", &sections(&["ants", "bees", "cats", "dogs"]))]);
    let first = bench.index();
    assert!(first["chunks"].as_u64().unwrap() >= 4, "{first}");
    bench.write("a.md", sections(&["ants", "bees", "cows", "dogs"]));
    let second = bench.index();
    assert_eq!(
        (&second["changed"], &second["embedded"]),
        (&1.into(), &1.into()),
        "{second}"
    );
    assert_eq!(paths(&bench.keyword("cows")), ["a.md"]);
    assert_eq!(bench.keyword("cats")["hits"].as_array().unwrap().len(), 0);
}

#[test]
fn a_renamed_file_embeds_nothing_and_is_found_under_its_new_name() {
    let bench = Bench::indexed(&[
        ("a.md", &sections(&["ants"])),
        ("b.md", &sections(&["bees"])),
    ]);
    std::fs::rename(bench.folder().join("a.md"), bench.folder().join("z.md")).unwrap();
    let report = bench.index();
    assert_eq!(report["embedded"], 0, "{report}");
    assert_eq!(
        (&report["added"], &report["removed"]),
        (&1.into(), &1.into())
    );
    assert_eq!(paths(&bench.keyword("ants")), ["z.md"]);
}

#[test]
fn a_deleted_file_disappears() {
    let bench = Bench::indexed(&[
        ("a.md", &sections(&["ants"])),
        ("b.md", &sections(&["bees"])),
    ]);
    std::fs::remove_file(bench.folder().join("a.md")).unwrap();
    assert_eq!(bench.index()["removed"], 1);
    assert_eq!(bench.run(&["search", "--mode", "keyword", "ants"]).code, 1);
    assert_eq!(paths(&bench.keyword("bees")), ["b.md"]);
}

#[test]
fn a_plan_changes_nothing() {
    let bench = Bench::with(&[("a.md", &sections(&["ants"]))]);
    let model = model();
    let plan = [
        "index",
        "--plan",
        "--json",
        "--model",
        model.to_str().unwrap(),
    ];
    let done = bench.run(&plan);
    assert_eq!(done.code, 0, "{done:?}");
    let planned = done.json();
    assert_eq!(
        (&planned["files"], &planned["to_read"]),
        (&1.into(), &1.into())
    );
    assert!(!bench.folder().join(".kenning").exists());
    let report = bench.index();
    assert_eq!(
        (&planned["chunks"], &planned["tokens"]),
        (&report["embedded"], &report["tokens"])
    );
    bench.write("b.md", sections(&["bees"]));
    let again = bench.run(&plan).json();
    assert_eq!(
        (&again["to_read"], &again["unchanged"]),
        (&1.into(), &1.into()),
        "{again}"
    );
    assert_eq!(bench.run(&["search", "--mode", "keyword", "bees"]).code, 1);
    bench.write("c.md", sections(&["ants"]));
    let known = bench.run(&plan).json();
    assert_eq!(
        (&known["to_read"], &known["chunks"]),
        (&2.into(), &again["chunks"]),
        "a copy need not be embedded again: {known}"
    );
    let below = [&plan[..], &["b.md"]].concat();
    assert_eq!(bench.run(&below).json()["files"], 1);
    std::fs::remove_file(bench.folder().join("c.md")).unwrap();
    let text = bench.run(&plan[..2]);
    assert!(text.out.contains("1 to read") && text.code == 0, "{text:?}");
}

#[test]
fn an_empty_folder_is_indexed_and_a_missing_one_is_named() {
    let bench = Bench::empty();
    let report = bench.index();
    assert_eq!(
        (&report["documents"], &report["chunks"]),
        (&0.into(), &0.into())
    );
    let done = bench.run(&["search", "--mode", "keyword", "ants"]);
    assert_eq!(done.code, 1, "{done:?}");
    bench.run(&["index", "no/such"]).assert_error(2, "no/such");
}

#[test]
fn broken_files_are_named_and_the_rest_is_indexed() {
    let bench = Bench::with(&[("good.md", &sections(&["ants"]))]);
    bench.write("broken.pdf", "%PDF-1.7\nthis is no PDF\n");
    bench.write("broken.docx", b"PK\x03\x04 and nothing else");
    let model = model();
    let model = model.to_str().unwrap();
    let done = bench.run(&["index", "--model", model]);
    assert_eq!(done.code, 4, "{done:?}");
    assert!(done.talk.contains("failed: broken.pdf: "), "{done:?}");
    assert_eq!(paths(&bench.keyword("ants")), ["good.md"]);
    let again = bench.run(&["index", "--json", "--model", model]);
    assert_eq!(again.code, 4, "a failure is told each time: {again:?}");
    assert!(!again.json()["failed"].as_array().unwrap().is_empty());
}

#[cfg(unix)]
#[test]
fn an_unreadable_file_fails_alone() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::with(&[
        ("good.md", &sections(&["ants"])),
        ("closed.md", "Secret.\n"),
    ]);
    let closed = bench.folder().join("closed.md");
    std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o000)).unwrap();
    if std::fs::read(&closed).is_ok() {
        eprintln!("skipped: root reads every file");
        return;
    }
    let report = bench.index();
    assert_eq!(report["failed"][0]["path"], "closed.md", "{report}");
    assert_eq!(paths(&bench.keyword("ants")), ["good.md"]);
}

#[test]
fn every_token_of_a_long_document_is_embedded() {
    let words: Vec<String> = (0..3_000).map(|n| format!("word{n}")).collect();
    let bench = Bench::indexed(&[("long.txt", &words.join(" "))]);
    let status = bench.run(&["status", "--json"]).json();
    let index = &status["index"];
    assert!(index["document_tokens"].as_u64().unwrap() > 3_000);
    assert_eq!(index["document_tokens"], index["embedded_tokens"]);
    assert_eq!(paths(&bench.keyword("word2999")), ["long.txt"]);
}

#[test]
fn two_runs_at_once_leave_a_sound_index() {
    let bench = Bench::with(&[("a.md", &sections(&["ants", "bees", "cats"]))]);
    let model = model();
    let arguments = ["index", "--model", model.to_str().unwrap()];
    let start = || {
        let mut command = bench.command(&arguments);
        command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        command.spawn().unwrap()
    };
    let (one, two) = (start(), start());
    for child in [one, two] {
        let output = child.wait_with_output().unwrap();
        let talk = String::from_utf8(output.stderr).unwrap();
        // The later may be told to wait, in a line that says so.
        assert!(output.status.success() || talk.contains("hint: "), "{talk}");
    }
    bench.index();
    assert_eq!(bench.run(&["doctor"]).code, 0);
    assert_eq!(paths(&bench.keyword("bees")), ["a.md"]);
}
