//! `kenning search`: the contract of its answers and of its exit codes.

use crate::bench::{Bench, Done, model, paths};

const FILES: [(&str, &str); 3] = [
    (
        "tea.md",
        "# Tea\n\nGreen tea is steeped for two minutes at eighty degrees.\n",
    ),
    (
        "boats/keel.txt",
        "The keel of a boat keeps it upright when the wind blows from the side.\n",
    ),
    (
        "boats/sail.md",
        "---\ntitle: Sails\n---\n\n# Reefing\n\nReef the sail before the wind is too strong. Grüße vom Meer.\n",
    ),
];

#[test]
fn an_answer_has_all_fields_of_the_contract() {
    let bench = Bench::indexed(&FILES);
    for mode in ["hybrid", "semantic", "keyword"] {
        let done = bench.run(&["search", "wind", "sail", "--mode", mode, "--json"]);
        assert_eq!(done.code, 0, "{done:?}");
        assert_eq!(done.out.lines().count(), 1);
        let answer = done.json();
        assert_eq!(answer["query"], "wind sail");
        assert_eq!(answer["mode"], mode);
        assert!(answer["generation"].as_u64().unwrap() > 0);
        assert!(answer["took_ms"].as_f64().unwrap() > 0.0);
        assert!(answer["plan"].is_object());
        let hits = answer["hits"].as_array().unwrap();
        assert!(!hits.is_empty());
        for (place, hit) in hits.iter().enumerate() {
            assert_eq!(hit["rank"], place + 1);
            assert!(hit["path"].is_string() && hit["title"].is_string());
            assert!(hit["score"].is_f64());
            assert_eq!(hit["semantic"].is_f64(), mode != "keyword", "{hit}");
            assert_eq!(hit["keyword"].is_f64(), mode != "semantic", "{hit}");
            let pair = |name: &str| {
                let pair = hit[name].as_array().unwrap();
                [pair[0].as_u64().unwrap(), pair[1].as_u64().unwrap()]
            };
            let ([first, last], [start, end]) = (pair("lines"), pair("bytes"));
            assert!(1 <= first && first <= last && start < end);
            let snippet = hit["snippet"].as_str().unwrap();
            for span in hit["highlights"].as_array().unwrap() {
                let (from, to) = (span[0].as_u64().unwrap(), span[1].as_u64().unwrap());
                assert!(!snippet[from as usize..to as usize].is_empty());
            }
        }
    }
    let best = &bench.keyword("reef")["hits"][0];
    assert_eq!(best["path"], "boats/sail.md");
    let marked = best["highlights"].as_array().unwrap();
    let snippet = best["snippet"].as_str().unwrap();
    let words = marked.iter().map(|span| {
        &snippet[span[0].as_u64().unwrap() as usize..span[1].as_u64().unwrap() as usize]
    });
    assert!(
        words
            .into_iter()
            .all(|word| word.to_lowercase().starts_with("reef")),
        "{best}"
    );
}

#[test]
fn spans_are_those_of_the_passage_in_the_file() {
    let bench = Bench::with(&FILES);
    bench.write("marked.txt", "\u{FEFF}Heave to in a gale, and wait.\n");
    bench.write(
        "latin.txt",
        b"Gr\xfc\xdfe aus K\xf6ln: der Sturm ist vor\xfcber, sagt der Hafenmeister.\n",
    );
    bench.index();
    for (query, name, line, within) in [
        (
            "reef",
            "boats/sail.md",
            7,
            "Reef the sail before the wind is too strong. Grüße vom Meer.",
        ),
        (
            "keel",
            "boats/keel.txt",
            1,
            "The keel of a boat keeps it upright",
        ),
        ("gale", "marked.txt", 1, "Heave to in a gale, and wait."),
    ] {
        let hit = bench.keyword(query)["hits"][0].clone();
        assert_eq!(hit["path"], name);
        let file = std::fs::read(bench.folder().join(name)).unwrap();
        let (start, end) = (
            hit["bytes"][0].as_u64().unwrap(),
            hit["bytes"][1].as_u64().unwrap(),
        );
        let passage = std::str::from_utf8(&file[start as usize..end as usize]).unwrap();
        assert!(passage.contains(within), "{passage:?}");
        let before = file[..start as usize]
            .iter()
            .filter(|&&b| b == b'\n')
            .count() as u64;
        assert_eq!(hit["lines"][0], before + 1, "{hit}");
        let inside = passage.trim_end().lines().count() as u64;
        assert_eq!(hit["lines"][1], before + inside, "{hit}");
        assert!((before + 1..=before + inside).contains(&line));
    }
    let hit = bench.keyword("Hafenmeister")["hits"][0].clone();
    let file = std::fs::read(bench.folder().join("latin.txt")).unwrap();
    let (start, end) = (
        hit["bytes"][0].as_u64().unwrap(),
        hit["bytes"][1].as_u64().unwrap(),
    );
    let passage = &file[start as usize..end as usize];
    assert!(
        passage.starts_with(b"Gr\xfc\xdfe") && passage.ends_with(b"Hafenmeister.\n"[..13].as_ref())
            || passage.ends_with(b"\n"),
        "{hit}"
    );
}

#[test]
fn nothing_found_is_one_and_no_index_is_three() {
    let bench = Bench::indexed(&FILES);
    let done = bench.run(&["search", "--mode", "keyword", "zeppelin"]);
    assert_eq!((done.code, done.out.as_str()), (1, ""), "{done:?}");
    let done = bench.run(&["search", "--mode", "keyword", "--json", "zeppelin"]);
    assert_eq!(done.code, 1);
    assert_eq!(done.json()["hits"].as_array().unwrap().len(), 0);
    let elsewhere = Bench::empty();
    elsewhere
        .run(&["search", "wind"])
        .assert_error(3, "no index at");
    elsewhere
        .run(&["search", "wind", "--index", "nowhere"])
        .assert_error(3, "nowhere");
}

#[test]
fn wrong_use_is_two() {
    let bench = Bench::indexed(&FILES);
    assert_eq!(bench.run(&["search"]).code, 2);
    assert_eq!(bench.run(&["search", "wind", "--mode", "loud"]).code, 2);
    assert_eq!(bench.run(&["no-such-command"]).code, 2);
    bench.run(&[]).assert_error(2, "no command");
    bench
        .run(&["search", "--mode", "keyword", ""])
        .assert_error(2, "empty");
    bench
        .run(&["search", "wind", "--mode", "keyword", "--filter", "ext:"])
        .assert_error(2, "ext:");
    bench
        .run(&[
            "search",
            "wind",
            "--mode",
            "keyword",
            "--filter",
            "colour=red",
        ])
        .assert_error(2, "colour");
}

#[test]
fn filters_pages_and_limits_choose_what_is_shown() {
    let bench = Bench::indexed(&FILES);
    let found = |more: &[&str]| {
        let arguments = [&["search", "wind", "--mode", "keyword", "--json"], more].concat();
        paths(&bench.run(&arguments).json())
    };
    let all = found(&[]);
    assert_eq!(all.len(), 2);
    assert_eq!(found(&["-n", "1"]), all[..1]);
    assert_eq!(found(&["-n", "1", "--offset", "1"]), all[1..]);
    assert_eq!(found(&["--filter", "ext:txt"]), ["boats/keel.txt"]);
    assert_eq!(found(&["--filter", "not path:boats/**"]), [""; 0]);
    let explained = bench
        .run(&["search", "wind", "--mode", "keyword", "--json", "--explain"])
        .json();
    for hit in explained["hits"].as_array().unwrap() {
        let parts = hit["explanation"]["parts"].as_array().unwrap();
        let sum: f64 = parts
            .iter()
            .map(|part| part["score"].as_f64().unwrap())
            .sum();
        assert!((sum - hit["score"].as_f64().unwrap()).abs() < 1e-4, "{hit}");
    }
}

#[test]
fn an_index_is_found_from_below_by_variable_and_by_option() {
    let bench = Bench::indexed(&FILES);
    let search = ["search", "wind", "--mode", "keyword", "--json"];
    let mut below = bench.command(&search);
    let below = below
        .current_dir(bench.folder().join("boats"))
        .output()
        .unwrap();
    assert!(below.status.success());
    let other = Bench::empty();
    let mut named = other.command(&search);
    named.env("KENNING_INDEX", bench.folder().join(".kenning"));
    assert!(named.output().unwrap().status.success());
    let folder = bench.folder().join(".kenning");
    let done = other.run(&[&search[..], &["--index", folder.to_str().unwrap()]].concat());
    assert_eq!(done.code, 0, "{done:?}");
}

#[test]
fn in_indexes_the_folder_first_and_refreshes_it_later() {
    let bench = Bench::with(&FILES);
    let (folder, model) = (bench.folder(), model());
    let elsewhere = Bench::empty();
    let search = |query| {
        let (folder, model) = (folder.to_str().unwrap(), model.to_str().unwrap());
        elsewhere.run(&[
            "search", query, "--in", folder, "--model", model, "--mode", "keyword", "--json",
        ])
    };
    let first = search("keel");
    assert_eq!(paths(&first.json()), ["boats/keel.txt"], "{first:?}");
    bench.write("new.md", "A windlass hauls the anchor up.\n");
    assert_eq!(paths(&search("windlass").json()), ["new.md"]);
}

#[test]
fn another_model_is_refused_and_both_are_named() {
    let bench = Bench::indexed(&FILES);
    let other = model().with_file_name("distilbert");
    let other = other.to_str().unwrap();
    for command in [
        &["search", "wind", "--model", other][..],
        &["index", "--model", other],
    ] {
        let done = bench.run(command);
        done.assert_error(3, "distilbert");
        assert!(done.talk.contains("encoders/bert"), "{done:?}");
    }
    bench
        .run(&["search", "wind", "--model", "no-such-model"])
        .assert_error(3, "no-such-model");
}

/// Somebody else's index, or one on a medium that cannot be written.
#[cfg(unix)]
#[test]
fn an_index_that_may_only_be_read_is_searched() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    use std::path::Path;

    let bench = Bench::indexed(&[("roof.md", "# Roof\n\nThe roof is slate.\n")]);
    let folder = bench.folder();
    let readable = |path: &Path| set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    folder.parent().into_iter().for_each(readable);
    let index = folder.join(".kenning/index");
    for entry in std::fs::read_dir(&index).unwrap() {
        let path = entry.unwrap().path();
        set_permissions(path, Permissions::from_mode(0o444)).unwrap();
    }
    set_permissions(&index, Permissions::from_mode(0o555)).unwrap();
    for arguments in [&["search", "--mode", "keyword", "roof"][..], &["status"]] {
        let mut command = bench.command(arguments);
        // Root may write anything: then it is tried as nobody.
        let others = 65_534;
        let started = command.output().unwrap();
        assert!(started.status.success(), "{:?}", Done::of(started));
        match command.uid(others).gid(others).output() {
            Ok(output) => {
                let done = Done::of(output);
                assert_eq!(done.code, 0, "{done:?}");
            }
            Err(reason) => println!("not tried as another user: {reason}"),
        }
    }
    set_permissions(&index, Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_number_compared_with_what_is_none_is_wrong_usage() {
    let bench = Bench::indexed(&FILES);
    let wind = ["search", "wind", "--mode", "keyword", "--filter"];
    for filter in ["size>10kb", "size:big"] {
        let done = bench.run(&[&wind[..], &[filter]].concat());
        assert_eq!(done.code, 2, "{filter}: {done:?}");
        assert!(
            done.talk.contains("is a number in every document"),
            "{done:?}"
        );
    }
    assert_eq!(bench.run(&[&wind[..], &["size>10"]].concat()).code, 0);
}

#[test]
fn beginnings_of_words_alone_are_looked_up() {
    let bench = Bench::indexed(&[("roof.md", "The roof is slate."), ("x.md", "A door.")]);
    let done = bench.run(&["search", "--json", "sla*"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(done.json()["hits"][0]["path"], "roof.md");
    let done = bench.run(&["search", "--mode", "semantic", "sla*"]);
    assert_eq!(done.code, 2, "{done:?}");
}
