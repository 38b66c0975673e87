//! `kenning models`.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::bench::{Bench, Done, copy, model};

#[test]
fn models_are_listed_and_shown() {
    let bench = Bench::empty();
    let empty = bench.run(&["models", "list"]);
    assert!(
        empty.code == 0 && empty.out.is_empty() && empty.talk.contains("hint: "),
        "{empty:?}"
    );
    assert_eq!(bench.run(&["models", "list", "--json"]).json(), json!([]));
    let cached = bench.home().join(".cache/kenning/models/tiny/bert");
    copy(&model(), &cached);
    let listed = bench.run(&["models", "list", "--json"]).json();
    assert_eq!(listed[0]["name"], "tiny/bert");
    assert_eq!(listed[0]["problem"], Value::Null);
    assert!(bench.run(&["models", "list"]).out.starts_with("tiny/bert "));
    let shown = bench.run(&["models", "show", "tiny/bert", "--json"]).json();
    assert_eq!(
        (&shown["dimension"], &shown["architecture"]),
        (&32.into(), &"bert".into())
    );
    let text = bench.run(&["models", "show", "tiny/bert"]).out;
    assert!(
        text.contains("dimensions    32") && text.contains("pooling       mean"),
        "{text}"
    );
    let pulled = bench.run(&["models", "pull", "tiny/bert"]);
    assert_eq!(
        pulled.out.trim_end(),
        cached.to_str().unwrap(),
        "{pulled:?}"
    );
    bench
        .run(&["models", "show", "tiny/other"])
        .assert_error(3, "tiny/other");
    bench
        .run(&["models", "pull", "tiny/other"])
        .assert_error(3, "tiny/other");
}

#[test]
fn models_are_compared_side_by_side() {
    let bench = Bench::empty();
    let model = model();
    let model = model.to_str().unwrap();
    let cls = format!("{model}@cls");
    let done = bench.run(&["models", "compare", "--json", model, &cls]);
    assert_eq!(done.code, 0, "{done:?}");
    let rows = done.json();
    assert_eq!(rows.as_array().unwrap().len(), 2);
    for (row, pooling) in rows.as_array().unwrap().iter().zip(["mean", "cls"]) {
        assert_eq!(
            (row["pooling"].as_str(), row["dimension"].as_u64()),
            (Some(pooling), Some(32))
        );
        assert!(row["tokens_per_second"].as_f64().unwrap() > 0.0);
        assert!(row["parameters"].as_u64().unwrap() > 1_000);
    }
    let mixed = bench.run(&["models", "compare", "no/such", model]);
    assert_eq!(mixed.code, 3, "{mixed:?}");
    assert!(
        mixed.out.lines().count() == 2 && mixed.talk.contains("no/such"),
        "{mixed:?}"
    );
    bench
        .run(&["models", "compare", &format!("{model}@best")])
        .assert_error(2, "best");
}

/// The default by name, which is the tiny encoder here.
const DEFAULT: &str = "sentence-transformers/all-MiniLM-L6-v2";
/// Another that is well known, and larger.
const LARGER: &str = "sentence-transformers/all-mpnet-base-v2";

/// A home whose cache holds the tiny encoder under the names of well-known ones.
fn with_models(names: &[&str]) -> Bench {
    let bench = Bench::empty();
    for name in names {
        copy(&model(), &cache(&bench).join("models").join(name));
    }
    bench
}

fn cache(bench: &Bench) -> PathBuf {
    bench.home().join(".cache/kenning")
}

fn kept(bench: &Bench) -> PathBuf {
    cache(bench).join("measurements.json")
}

/// A collection of two documents, in the folder `tiny`.
fn collection(bench: &Bench) {
    let corpus = r#"{"_id":"1","text":"ants carry leaves"}
{"_id":"2","text":"rain on the roof"}
"#;
    bench.write("tiny/corpus.jsonl", corpus);
    bench.write("tiny/queries.jsonl", r#"{"_id":"q","text":"ants"}"#);
    bench.write(
        "tiny/qrels/test.tsv",
        "query-id\tcorpus-id\tscore\nq\t1\t1\n",
    );
}

#[test]
fn rows_are_printed_as_they_are_measured() {
    let bench = with_models(&[DEFAULT, LARGER]);
    let mut command = bench.command(&["models", "compare", DEFAULT, LARGER, DEFAULT]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let header = lines.next().unwrap().unwrap();
    assert!(
        header.starts_with("model ") && header.contains("memory"),
        "{header}"
    );
    let first = lines.next().unwrap().unwrap();
    assert!(first.starts_with(DEFAULT), "{first}");
    // Two are still to come, each in a process that has to start first.
    assert!(
        child.try_wait().unwrap().is_none(),
        "all was printed at the end"
    );
    // The columns stand below each other, whatever is measured later.
    assert_eq!(first.chars().count(), header.chars().count());
    assert_eq!(lines.count(), 2);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_comparison_tells_memory_and_ranking_and_keeps_them() {
    let bench = with_models(&[DEFAULT]);
    collection(&bench);
    let done = bench.run(&["models", "compare", "--json", DEFAULT, "--on", "tiny"]);
    assert_eq!(done.code, 0, "{done:?}");
    let documents = format!("{DEFAULT}: documents of tiny: 0 of 2");
    assert!(done.talk.contains(&documents), "{done:?}");
    let row = &done.json()[0];
    assert!(row["quality"][0].as_f64().is_some(), "{row}");
    #[cfg(target_os = "linux")]
    {
        let memory = row["memory_bytes"].as_u64().unwrap();
        // Its weights at least; a tiny encoder takes no gigabyte.
        assert!(
            (row["weight_bytes"].as_u64().unwrap()..1 << 30).contains(&memory),
            "{row}"
        );
    }
    let kept: Value = serde_json::from_slice(&std::fs::read(kept(&bench)).unwrap()).unwrap();
    let rows = kept["rows"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["model"]), (1, &json!(DEFAULT)));
    for (field, value) in [
        ("pooling", json!("mean")),
        ("kenning", json!(env!("CARGO_PKG_VERSION"))),
        ("threads", row["threads"].clone()),
        ("memory_bytes", row["memory_bytes"].clone()),
    ] {
        assert_eq!(rows[0][field], value, "{field}");
    }
    assert_eq!(rows[0]["weights_sha256"].as_str().unwrap().len(), 64);
    assert_eq!(rows[0]["quality"]["tiny"]["documents"], 2);
    // Another pooling is another encoder; the same again is not.
    let cls = format!("{DEFAULT}@cls");
    assert_eq!(bench.run(&["models", "compare", DEFAULT, &cls]).code, 0);
    let kept: Value = serde_json::from_slice(&std::fs::read(self::kept(&bench)).unwrap()).unwrap();
    let rows = kept["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    let plain = rows.iter().find(|row| row["plain"] == true).unwrap();
    assert_eq!(plain["quality"]["tiny"]["documents"], 2, "{plain}");
}

#[test]
fn show_estimates_the_memory_and_prefers_what_was_measured() {
    let bench = with_models(&[DEFAULT]);
    let text = bench.run(&["models", "show", DEFAULT]).out;
    assert!(
        text.contains("memory        about ") && text.contains("an estimate"),
        "{text}"
    );
    let shown = bench.run(&["models", "show", DEFAULT, "--json"]).json();
    assert!(shown["memory_estimate_bytes"].as_u64().unwrap() > 1 << 20);
    assert_eq!(
        (&shown["memory_bytes"], &shown["measured"]),
        (&Value::Null, &Value::Null)
    );
    bench.run(&["models", "compare", DEFAULT]);
    let shown = bench.run(&["models", "show", DEFAULT, "--json"]).json();
    assert_eq!(shown["measured"]["model"], DEFAULT);
    assert_eq!(shown["memory_bytes"], shown["measured"]["memory_bytes"]);
    #[cfg(target_os = "linux")]
    {
        let text = bench.run(&["models", "show", DEFAULT]).out;
        assert!(text.contains("measured on 20"), "{text}");
    }
}

#[test]
fn a_recommendation_has_reasons_sources_and_commands() {
    let bench = Bench::empty();
    for constraint in [
        "limited-compute",
        "limited-memory",
        "best-quality",
        "multilingual",
        "long-documents",
    ] {
        let arguments = ["models", "recommend", "--constraint", constraint];
        let done = bench.run(&arguments);
        assert_eq!(done.code, 0, "{done:?}");
        for part in ["1. ", "why ", "but ", "kenning models pull ", "[page] "] {
            assert!(done.out.contains(part), "{part:?} is missing: {done:?}");
        }
        let answer = bench.run(&[&arguments[..], &["--json"]].concat()).json();
        let candidates = answer["candidates"].as_array().unwrap();
        assert!((1..=3).contains(&candidates.len()));
        for candidate in candidates {
            let index = candidate["commands"][1].as_str().unwrap();
            let prompted = candidate["prompts"] != Value::Null;
            assert_eq!(index.contains("--query-prompt"), prompted, "{candidate}");
        }
        assert_eq!(answer["measured"], json!([]));
    }
    let done = bench.run(&["models", "recommend", "--constraint", "fast"]);
    assert_eq!(done.code, 2, "{done:?}");
    for known in [
        "limited-compute",
        "limited-memory",
        "best-quality",
        "multilingual",
        "long-documents",
    ] {
        assert!(done.talk.contains(known), "{done:?}");
    }
    assert_eq!(bench.run(&["models", "recommend"]).code, 2);
}

/// Measures both, then has the file say something else.
fn measured_as(bench: &Bench, change: impl Fn(&mut Value)) -> Done {
    let done = bench.run(&["models", "compare", DEFAULT, LARGER]);
    assert_eq!(done.code, 0, "{done:?}");
    let mut file: Value = serde_json::from_slice(&std::fs::read(kept(bench)).unwrap()).unwrap();
    for row in file["rows"].as_array_mut().unwrap() {
        change(row);
    }
    std::fs::write(kept(bench), file.to_string()).unwrap();
    bench.run(&["models", "recommend", "--constraint", "limited-compute"])
}

#[test]
fn a_recommendation_shows_what_was_measured_and_what_contradicts_it() {
    // Both are the tiny encoder: what is kept is that of the one measured last.
    let bench = with_models(&[DEFAULT]);
    let larger = cache(&bench).join("models").join(LARGER);
    let variants = model().join("../roberta");
    copy(&variants, &larger);
    let speeds = |default: f64, larger: f64| {
        move |row: &mut Value| {
            let speed = if row["model"] == DEFAULT {
                default
            } else {
                larger
            };
            row["tokens_per_second"] = json!(speed);
        }
    };
    let done = measured_as(&bench, speeds(7000.0, 900.0));
    assert!(
        done.out.contains("measured here") && done.out.contains(LARGER),
        "{done:?}"
    );
    assert!(!done.out.contains("against expectation"), "{done:?}");
    let done = measured_as(&bench, speeds(900.0, 7000.0));
    let surprise = format!("against expectation: {LARGER} is faster here than {DEFAULT}");
    assert!(done.out.contains(&surprise), "{done:?}");
}

#[test]
fn a_damaged_file_of_measurements_is_reported_and_rewritten() {
    let bench = with_models(&[DEFAULT]);
    std::fs::write(kept(&bench), "{\"version\":1,\"rows\":[{").unwrap();
    let recommend = ["models", "recommend", "--constraint", "limited-memory"];
    for arguments in [&recommend[..], &["models", "show", DEFAULT]] {
        let done = bench.run(arguments);
        assert_eq!(done.code, 0, "{done:?}");
        assert!(
            done.talk
                .contains("measurements.json holds no measurements"),
            "{done:?}"
        );
        assert!(
            done.talk.contains("hint: `kenning models compare`"),
            "{done:?}"
        );
    }
    let done = bench.run(&["models", "compare", DEFAULT]);
    assert!(
        done.code == 0 && done.talk.contains("it is written anew"),
        "{done:?}"
    );
    let done = bench.run(&recommend);
    assert!(
        done.talk.is_empty() && done.out.contains("measured here"),
        "{done:?}"
    );
}

#[test]
fn a_known_model_that_cannot_be_loaded_is_not_recommended() {
    let bench = with_models(&[DEFAULT]);
    let recommend = ["models", "recommend", "--constraint", "limited-memory"];
    let first = |done: &Done| done.out.contains(&format!(". {DEFAULT}\n"));
    assert!(first(&bench.run(&recommend)));
    let config = cache(&bench)
        .join("models")
        .join(DEFAULT)
        .join("config.json");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("\"bert\"", "\"gpt2\"")).unwrap();
    let done = bench.run(&recommend);
    assert!(!first(&done), "{done:?}");
    assert!(
        done.out.contains(&format!("passed over: {DEFAULT}, ")),
        "{done:?}"
    );
}

#[test]
fn who_has_read_enough_of_models_is_no_error() {
    let bench = with_models(&[DEFAULT]);
    for arguments in [
        &["models", "recommend", "--constraint", "multilingual"][..],
        &[
            "models",
            "recommend",
            "--constraint",
            "best-quality",
            "--json",
        ],
        &["models", "compare", DEFAULT, DEFAULT, "--quiet"],
    ] {
        let done = bench.read_one_byte(arguments);
        assert_eq!((done.code, done.talk.as_str()), (0, ""), "{arguments:?}");
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_comparison_with_what_is_measured() {
    let bench = with_models(&[DEFAULT]);
    let mut names = vec![DEFAULT; 40];
    names.splice(0..0, ["models", "compare", "--json"]);
    let mut command = bench.command(&names);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It is kept as soon as it is measured.
    let begun = std::time::Instant::now();
    while !kept(&bench).exists() && begun.elapsed().as_secs() < 60 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let pid = child.id().to_string();
    let signal = std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status();
    assert!(signal.unwrap().success());
    let done = Done::of(child.wait_with_output().unwrap());
    assert_eq!(done.code, 130, "{done:?}");
    let rows = done.json().as_array().unwrap().len();
    assert!((1..40).contains(&rows), "{done:?}");
    assert!(done.talk.contains("interrupted"), "{done:?}");
}
