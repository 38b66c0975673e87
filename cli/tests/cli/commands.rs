//! The other commands.

use kenning::Index;
use kenning_indexer::Catalogue;

use crate::bench::{Bench, model, paths, sections};

fn three() -> Bench {
    let [ants, bees, cats] = ["ants", "bees", "cats"].map(|word| sections(&[word]));
    Bench::indexed(&[("a.md", &ants), ("sub/b.md", &bees), ("sub/c.md", &cats)])
}

#[test]
fn embed_prints_one_object_a_line() {
    let bench = Bench::empty();
    let model = model();
    let model = model.to_str().unwrap();
    let done = bench.feed(
        &["embed", "--json", "--model", model],
        "search\nCafé naïve — über 3.14!\n\nlast",
    );
    assert_eq!(done.code, 0, "{done:?}");
    let lines: Vec<serde_json::Value> = done
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let texts: Vec<&str> = lines
        .iter()
        .map(|line| line["text"].as_str().unwrap())
        .collect();
    assert_eq!(texts, ["search", "Café naïve — über 3.14!", "", "last"]);
    assert_eq!(lines[0]["tokens"], 3);
    for line in &lines {
        let vector = line["embedding"].as_array().unwrap();
        let square: f64 = vector.iter().map(|x| x.as_f64().unwrap().powi(2)).sum();
        assert!(vector.len() == 32 && (square - 1.0).abs() < 1e-5);
    }
    let alone = bench.feed(&["embed", "--model", model], "search\n");
    assert_eq!(alone.out.lines().next(), done.out.lines().next());
}

/// The program under test is built without GPUs: it says so, and never computes elsewhere in silence.
#[test]
fn a_device_that_is_not_there_is_refused_by_name() {
    let bench = Bench::empty();
    let model = model();
    let embed = ["embed", "--model", model.to_str().unwrap(), "--device"];
    for device in ["cuda", "metal"] {
        let done = bench.feed(&[&embed[..], &[device]].concat(), "search\n");
        done.assert_error(3, device);
    }
    let vectors = |device| {
        bench
            .feed(&[&embed[..], &[device]].concat(), "search\n")
            .out
    };
    assert!(vectors("cpu").contains("embedding"));
    assert_eq!(vectors("auto"), vectors("cpu"));
    let done = bench.feed(&[&embed[..], &["abacus"]].concat(), "search\n");
    assert!(done.code == 2 && done.talk.contains("abacus"), "{done:?}");
}

#[test]
fn similar_finds_others_and_names_what_is_not_there() {
    let bench = three();
    let answer = bench.run(&["similar", "a.md", "--json"]).json();
    let mut found = paths(&answer);
    found.sort_unstable();
    assert_eq!(found, ["sub/b.md", "sub/c.md"]);
    let at = bench
        .run(&["similar", "sub/b.md:3", "-n", "1", "--json"])
        .json();
    assert_eq!(at["hits"].as_array().unwrap().len(), 1);
    bench.run(&["similar", "no.md"]).assert_error(2, "no.md");
    bench.run(&["similar", "a.md:999"]).assert_error(2, "999");
}

#[test]
fn remove_takes_files_and_folders_out() {
    let bench = three();
    let done = bench.run(&["remove", "sub"]);
    assert_eq!(done.code, 0, "{done:?}");
    let count = |query| bench.keyword(query)["hits"].as_array().unwrap().len();
    assert_eq!((count("ants"), count("bees"), count("cats")), (1, 0, 0));
    bench.run(&["remove", "sub"]).assert_error(2, "sub");
    bench
        .run(&["remove", "nowhere.md"])
        .assert_error(2, "nowhere.md");
    assert_eq!(count("ants"), 1);
}

/// Who writes is this process, by one lock and then by the other. Readers are in nobody's way.
#[test]
fn a_second_writer_is_told_who_the_first_is() {
    let bench = three();
    let folder = bench.folder().join(".kenning");
    let index = Index::open(&folder.join("index")).unwrap();
    let refused = || {
        let own = format!("is being written to by process {} ", std::process::id());
        for command in [&["index"][..], &["optimize"], &["remove", "a.md"]] {
            let done = bench.run(command);
            done.assert_error(3, &own);
            let hint = format!("`kill {}`", std::process::id());
            assert!(done.talk.contains(&hint), "{done:?}");
        }
        assert_eq!(paths(&bench.keyword("ants")), ["a.md"]);
    };
    bench.write("d.md", sections(&["dogs"]));
    let writer = index.writer().unwrap();
    refused();
    drop(writer);
    let catalogue = Catalogue::open(&folder.join("catalogue"), &index).unwrap();
    refused();
    drop(catalogue);
    assert_eq!(bench.index()["added"], 1);
    // Nothing is left that would name anyone.
    let left = [
        folder.join("catalogue.holder"),
        folder.join("index/writer.json"),
    ];
    assert!(left.iter().all(|note| !note.exists()));
}

#[test]
fn status_tells_what_is_there() {
    let bench = three();
    let status = bench.run(&["status", "--json"]).json();
    assert_eq!(status["index"]["documents"], 3);
    assert_eq!(status["index"]["formats"]["Markdown"], 3);
    assert_eq!(status["roots"][0], bench.folder().to_str().unwrap());
    assert_eq!(status["model"]["dimension"], 32);
    assert!(status["disk_bytes"].as_u64().unwrap() > 0);
    let text = bench.run(&["status"]).out;
    assert!(
        text.contains("documents  3 (Markdown 3)") && text.contains("all embedded"),
        "{text}"
    );
    Bench::empty().run(&["status"]).assert_error(3, "no index");
}

#[test]
fn optimize_leaves_one_segment_and_the_same_answers() {
    let bench = three();
    bench.write("d.md", sections(&["dogs"]));
    bench.index();
    std::fs::remove_file(bench.folder().join("a.md")).unwrap();
    bench.index();
    let before = bench.keyword("dogs");
    let done = bench.run(&["optimize"]);
    assert_eq!(done.code, 0, "{done:?}");
    let index = bench.run(&["status", "--json"]).json()["index"].clone();
    assert_eq!(
        (&index["segments"], &index["deleted_rows"]),
        (&1.into(), &0.into()),
        "{index}"
    );
    assert_eq!(paths(&bench.keyword("dogs")), paths(&before));
    assert_eq!(bench.index()["embedded"], 0);
}

#[test]
fn doctor_finds_a_damaged_file_and_repair_rebuilds_the_catalogue() {
    let bench = three();
    assert_eq!(bench.run(&["doctor"]).code, 0);
    std::fs::remove_dir_all(bench.folder().join(".kenning/catalogue")).unwrap();
    let repaired = bench.run(&["doctor", "--repair"]);
    assert_eq!(repaired.code, 0, "{repaired:?}");
    let report = bench.index();
    assert_eq!(
        (&report["documents"], &report["added"]),
        (&3.into(), &0.into()),
        "{report}"
    );
    let files = std::fs::read_dir(bench.folder().join(".kenning/index")).unwrap();
    let store = files.map(|entry| entry.unwrap().path());
    let store = store
        .into_iter()
        .find(|path| path.extension().is_some_and(|e| e == "store"))
        .unwrap();
    let mut bytes = std::fs::read(&store).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 0xff;
    std::fs::write(&store, bytes).unwrap();
    let done = bench.run(&["doctor"]);
    assert_eq!(done.code, 3, "{done:?}");
    assert!(
        done.out.contains("problem: ") && done.talk.contains("hint: "),
        "{done:?}"
    );
}

#[test]
fn doctor_mends_what_is_derived_and_says_so_and_status_remembers() {
    let bench = three();
    let checked = || bench.run(&["status", "--json"]).json()["audits"]["whole"].clone();
    assert_eq!(checked(), serde_json::Value::Null);
    assert!(
        bench
            .run(&["status"])
            .out
            .contains("never: `kenning doctor` does")
    );
    let done = bench.run(&["doctor"]);
    assert_eq!(done.code, 0, "{done:?}");
    for line in [
        "catalogue: 3 files, 3 documents",
        "model: the one that",
        "no problems",
    ] {
        assert!(done.out.contains(line), "{done:?}");
    }
    let kenning = bench.folder().join(".kenning");
    let left = [
        kenning.join("settings.json.new-7-0"),
        kenning.join("index/0123456789abcdef0123456789abcdef.store"),
        kenning.join("index/.tmpAbC"),
    ];
    for path in &left {
        std::fs::write(path, "left").unwrap();
    }
    let done = bench.run(&["doctor"]);
    assert_eq!(done.code, 3, "{done:?}");
    assert_eq!(done.out.matches("problem: ").count(), 3, "{done:?}");
    assert!(done.talk.contains("doctor --repair"), "{done:?}");
    assert!(left.iter().all(|path| path.exists()), "it only looks");
    assert_eq!(checked()["count"], 3);
    assert!(
        bench
            .run(&["status"])
            .out
            .contains("3 problems, the first: ")
    );
    let done = bench.run(&["doctor", "--repair"]);
    assert_eq!(done.code, 0, "{done:?}");
    for path in &left {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(
            done.out.contains(&format!("mended: no more: {name}")),
            "{done:?}"
        );
        assert!(!path.exists());
    }
    assert!(
        !done.out.contains("rebuilt"),
        "nothing else was wrong: {done:?}"
    );
    assert_eq!(checked()["count"], 0);
    assert!(bench.run(&["status"]).out.contains(", no problems"));
}

#[test]
fn doctor_tells_another_model_of_the_same_name() {
    let bench = three();
    let done = bench.run(&["doctor", "--dimensions", "16"]);
    assert_eq!(done.code, 3, "{done:?}");
    assert!(
        done.out.contains("problem: the index was built with"),
        "{done:?}"
    );
    assert!(done.talk.contains("--model"), "{done:?}");
    let done = bench.run(&["doctor", "--model", "nobody/nothing"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.out.contains("model: not compared"), "{done:?}");
}

#[test]
fn completions_are_scripts() {
    let bench = Bench::empty();
    for shell in ["bash", "zsh", "fish"] {
        let done = bench.run(&["completions", shell]);
        assert!(done.code == 0 && done.out.contains("kenning"), "{shell}");
    }
    assert_eq!(bench.run(&["completions", "tcl"]).code, 2);
}

#[test]
fn numbers_that_make_no_sense_are_wrong_usage() {
    let bench = three();
    for arguments in [
        &["search", "-n", "0", "ants"][..],
        &["search", "--passages", "0", "ants"],
        &["search", "--effort", "0", "ants"],
        &["search", "--min-score", "nan", "ants"],
        &["search", "--min-score", "inf", "ants"],
        &["similar", "-n", "none", "a.md"],
    ] {
        let done = bench.run(arguments);
        assert_eq!(done.code, 2, "{done:?}");
        assert!(done.talk.contains("expected"), "{done:?}");
    }
    for arguments in [["--min-score", "-5"], ["--effort", "20"]] {
        let done = bench.run(&["search", arguments[0], arguments[1], "ants"]);
        assert_eq!(done.code, 0, "{done:?}");
    }
}

#[test]
fn a_summary_says_why_files_were_skipped() {
    let bench = Bench::empty();
    bench.write("a.bin", "\0\u{1}\0\u{2}");
    bench.write("b.bin", "\0\u{1}\0\u{2}");
    bench.write("c.txt", "");
    let done = bench.run(&["index", "--model", model().to_str().unwrap()]);
    assert!(
        done.talk.contains("skipped: 2 files: binary data"),
        "{done:?}"
    );
    assert!(done.talk.contains("(a.bin, b.bin)"), "{done:?}");
    assert!(done.talk.contains("skipped: 1 file: "), "{done:?}");
}

#[test]
fn tokens_are_shown_for_each_model() {
    let bench = Bench::empty();
    let model = model();
    let model = model.to_str().unwrap();
    let arguments = [
        "inspect", "tokens", "--json", "--model", model, "--model", model, "search", "it",
    ];
    let done = bench.run(&arguments);
    assert_eq!(done.code, 0, "{done:?}");
    let lines: Vec<serde_json::Value> = done
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0], lines[1]);
    assert_eq!(lines[0]["tokenizer"], "WordPiece");
    let tokens = lines[0]["tokens"].as_array().unwrap();
    let joined: String = tokens
        .iter()
        .map(|token| token["token"].as_str().unwrap().replace("##", ""))
        .collect();
    assert_eq!(joined, "searchit");
    assert_eq!(tokens.last().unwrap()["bytes"][1], 9);
}

#[test]
fn an_index_keeps_its_prompts_and_dimensions() {
    let bench = Bench::empty();
    bench.write("a.md", sections(&["ants"]));
    let model = model();
    let model = model.to_str().unwrap();
    let chosen = ["--dimensions", "16", "--passage-prompt", "passage: "];
    let done = bench.run(&[&["index", "--model", model][..], &chosen].concat());
    assert_eq!(done.code, 0, "{done:?}");
    // Neither searching nor indexing again needs the flags.
    let found = bench.run(&["search", "--mode", "semantic", "--json", "ants"]);
    assert_eq!(found.code, 0, "{found:?}");
    assert_eq!(bench.run(&["index"]).code, 0);
    bench
        .run(&["search", "--dimensions", "8", "ants"])
        .assert_error(3, "16");
    bench
        .run(&["embed", "--model", model, "--dimensions", "99"])
        .assert_error(3, "99");
}
