//! The indexer does again only what changed, and never loses or doubles a document.

#![allow(clippy::unwrap_used)]

#[cfg(unix)]
mod changing;
mod folder;
#[cfg(unix)]
mod unreadable;

use std::ops::ControlFlow;
use std::time::{Duration, SystemTime};

use kenning_indexer::{Compared, FileState, Outcome, optimize};

use folder::{Folder, copy_folder, text};

#[test]
fn only_what_changed_is_done_again() {
    let mut folder = Folder::new();
    folder.write("one/a.md", &text(&[1, 2, 3]));
    folder.write("one/deep/b.txt", &text(&[4]));
    folder.write("one/empty.md", "");
    let first = folder.run();
    assert_eq!((first.added, first.embedded, first.failed), (2, 4, vec![]));
    assert_eq!(first.skipped.len(), 1);
    folder.holds(&[("one/a.md", &[1, 2, 3]), ("one/deep/b.txt", &[4])]);

    let again = folder.run();
    assert_eq!((again.unchanged, again.embedded, again.reused), (2, 0, 0));
    assert_eq!(again.generation, first.generation);

    // One paragraph of one file.
    folder.write("one/a.md", &text(&[1, 5, 3]));
    let changed = folder.run();
    assert_eq!((changed.changed, changed.unchanged), (1, 1));
    assert_eq!((changed.embedded, changed.reused), (1, 2));
    folder.holds(&[("one/a.md", &[1, 5, 3]), ("one/deep/b.txt", &[4])]);

    folder.rename("one/deep/b.txt", "one/c.txt");
    let renamed = folder.run();
    assert_eq!(
        (renamed.added, renamed.removed, renamed.embedded),
        (1, 1, 0)
    );
    folder.holds(&[("one/a.md", &[1, 5, 3]), ("one/c.txt", &[4])]);

    folder.touch("one/a.md");
    let touched = folder.run();
    assert_eq!((touched.changed, touched.unchanged), (0, 2));
    assert_eq!((touched.embedded, touched.reused), (0, 0));

    folder.remove("one/a.md");
    let removed = folder.run();
    assert_eq!((removed.removed, removed.embedded), (1, 0));
    folder.holds(&[("one/c.txt", &[4])]);

    // Emptied, it is in the folder and not in the index.
    folder.write("one/c.txt", "");
    assert_eq!(folder.run().skipped.len(), 2);
    folder.holds(&[]);
}

#[test]
fn a_change_within_the_tick_of_the_clock_is_seen() {
    let mut folder = Folder::new();
    folder.write("one/a.md", &text(&[1]));
    let now = SystemTime::now();
    folder.set_time("one/a.md", now);
    folder.run();
    // The same size and time, as a change in the same tick would leave them.
    folder.write("one/a.md", &text(&[2]));
    folder.set_time("one/a.md", now);
    assert_eq!(folder.run().changed, 1);
    folder.holds(&[("one/a.md", &[2])]);
    // A time in the future is never believed.
    folder.set_time("one/a.md", now + Duration::from_secs(50_000));
    folder.run();
    folder.write("one/a.md", &text(&[3]));
    folder.set_time("one/a.md", now + Duration::from_secs(50_000));
    assert_eq!(folder.run().changed, 1);
    folder.holds(&[("one/a.md", &[3])]);
}

/// One file may take the encoder minutes.
#[test]
fn a_run_is_cancelled_within_a_large_file_and_keeps_what_was_embedded() {
    let mut folder = Folder::new();
    let seeds: Vec<u64> = (0..600).collect();
    folder.write("one/large.md", &text(&seeds));
    let cancelled = folder.run_until(&folder.roots, &|p| p.tokens > 0);
    assert!(cancelled.interrupted && cancelled.documents == 0);
    let last = folder.run();
    assert!(!last.interrupted);
    let all = last.embedded + last.reused;
    assert!(
        last.reused > 0 && last.reused < all / 2,
        "{} of {all}",
        last.reused
    );
    folder.holds(&[("one/large.md", &seeds)]);
}

#[test]
fn a_cancelled_run_goes_on_where_it_was() {
    let mut folder = Folder::new();
    folder.write("one/gone.md", &text(&[1_000]));
    folder.run();
    folder.remove("one/gone.md");
    let names: Vec<String> = (0..40).map(|n| format!("one/f{n:02}.md")).collect();
    for (seed, name) in (0..).zip(&names) {
        folder.write(name, &text(&[seed]));
    }
    let mut embedded = 0;
    for found in [8, 20] {
        let cancelled = folder.run_until(&folder.roots, &|p| p.files_found >= found);
        assert!(cancelled.interrupted && cancelled.documents <= found + 1);
        // What the walk has not met is not gone.
        assert!(folder.documents().contains_key(&folder.id("one/gone.md")));
        embedded += cancelled.embedded;
    }
    let cancelled = folder.run_until(&folder.roots, &|p| p.files_done >= 3);
    let last = folder.run();
    embedded += cancelled.embedded + last.embedded;
    assert!(!last.interrupted);
    assert_eq!((embedded, last.documents), (40, 40));
    let seeds: Vec<[u64; 1]> = (0..40).map(|seed| [seed]).collect();
    let pairs = names.iter().zip(&seeds);
    let expected: Vec<(&str, &[u64])> = pairs.map(|(n, s)| (n.as_str(), &s[..])).collect();
    folder.holds(&expected);
}

#[test]
fn a_lost_catalogue_is_rebuilt_from_the_index() {
    let mut folder = Folder::new();
    folder.write("one/a.md", &text(&[1, 2]));
    folder.write("two/b.md", &text(&[3]));
    folder.run();
    std::fs::remove_dir_all(folder.layout.catalogue()).unwrap();
    let rebuilt = folder.run();
    assert_eq!(
        (rebuilt.unchanged, rebuilt.embedded, rebuilt.reused),
        (2, 0, 0)
    );
    folder.holds(&[("one/a.md", &[1, 2]), ("two/b.md", &[3])]);
    // It knows which files there were: one that is gone is taken out.
    std::fs::remove_dir_all(folder.layout.catalogue()).unwrap();
    folder.remove("two/b.md");
    folder.write("one/a.md", &text(&[1, 4]));
    let after = folder.run();
    assert_eq!((after.removed, after.changed, after.embedded), (1, 1, 2));
    folder.holds(&[("one/a.md", &[1, 4])]);
}

/// As after a crash between the commit and the record of it in the catalogue.
#[test]
fn a_catalogue_behind_its_index_is_rebuilt() {
    let mut folder = Folder::new();
    folder.write("one/a.md", &text(&[1]));
    folder.write("one/b.md", &text(&[2]));
    folder.write("one/c.md", &text(&[3]));
    folder.run();
    let old = folder.path("old-catalogue");
    copy_folder(&folder.layout.catalogue(), &old);
    folder.write("one/a.md", &text(&[4]));
    folder.remove("one/b.md");
    folder.write("two/d.md", &text(&[5]));
    folder.run();
    let restore = |folder: &Folder| {
        std::fs::remove_dir_all(folder.layout.catalogue()).unwrap();
        copy_folder(&old, &folder.layout.catalogue());
    };
    restore(&folder);
    let after = folder.run();
    assert_eq!((after.unchanged, after.embedded), (3, 0));
    folder.holds(&[("one/a.md", &[4]), ("one/c.md", &[3]), ("two/d.md", &[5])]);
    // The file that the old catalogue knows and the index does not comes back.
    restore(&folder);
    folder.write("one/b.md", &text(&[2]));
    let after = folder.run();
    assert_eq!((after.added, after.embedded), (1, 0));
    // And one that the index knows and the old catalogue does not is taken out.
    restore(&folder);
    folder.remove("two/d.md");
    assert_eq!(folder.run().removed, 1);
    folder.holds(&[("one/a.md", &[4]), ("one/b.md", &[2]), ("one/c.md", &[3])]);
}

#[test]
fn a_rebuilt_catalogue_does_not_forget_embeddings_when_optimized() {
    let mut folder = Folder::new();
    folder.write("one/a.md", &text(&[1, 2, 3]));
    folder.run();
    folder.mend();
    optimize(&folder.index(), &folder.catalogue(), &mut |_| {
        ControlFlow::Continue(())
    })
    .unwrap();
    folder.write("one/a.md", &text(&[1, 2, 4]));
    assert_eq!(folder.run().embedded, 1);
}

#[test]
fn optimize_forgets_embeddings_that_are_out_of_use() {
    let mut folder = Folder::new();
    folder.write("one/a.md", &text(&[1, 2]));
    folder.run();
    folder.write("one/a.md", &text(&[1]));
    folder.run();
    optimize(&folder.index(), &folder.catalogue(), &mut |_| {
        ControlFlow::Continue(())
    })
    .unwrap();
    folder.holds(&[("one/a.md", &[1])]);
    assert_eq!(folder.run().unchanged, 1, "the catalogue is up to date");
    folder.write("one/a.md", &text(&[1, 2]));
    assert_eq!(folder.run().embedded, 1);
}

#[test]
fn a_root_that_vanished_keeps_its_documents() {
    let mut folder = Folder::new();
    folder.write("one/a.md", &text(&[1]));
    folder.write("two/b.md", &text(&[2]));
    folder.run();
    folder.rename("two", "away");
    let without = folder.run();
    assert_eq!((without.removed, without.failed.len()), (0, 1));
    let all: [(&str, &[u64]); 2] = [("one/a.md", &[1]), ("two/b.md", &[2])];
    folder.holds(&all);
    // Neither does a run over the other root touch them.
    folder.write("one/a.md", &text(&[3]));
    folder.run_over(&folder.roots[..1]);
    folder.rename("away", "two");
    let back = folder.run();
    assert_eq!((back.unchanged, back.embedded), (2, 0));
    folder.holds(&[("one/a.md", &[3]), ("two/b.md", &[2])]);
}

#[test]
fn a_file_below_two_paths_counts_once() {
    let mut folder = Folder::new();
    folder.write("one/deep/a.md", &text(&[1]));
    folder.write("one/b.md", &text(&[2]));
    let one = folder.path("one");
    let paths = [
        folder.path("one/deep"),
        one.clone(),
        one,
        folder.path("one/b.md"),
    ];
    assert_eq!(folder.run_over(&paths).added, 2);
    let again = folder.run_over(&paths);
    assert_eq!((again.unchanged, again.added, again.changed), (2, 0, 0));
}

#[test]
fn what_catalogue_and_index_do_not_agree_about_is_found_and_mended() {
    let mut folder = Folder::new();
    folder.write("one/a.md", &text(&[1, 2]));
    folder.write("two/b.md", &text(&[3]));
    folder.write("two/empty.md", "");
    folder.run();
    let found = |folder: &Folder| {
        let check = kenning_indexer::check(&folder.layout, &folder.index()).unwrap();
        let problems = check.problems.iter().map(ToString::to_string);
        (check.catalogue, problems.collect::<Vec<_>>())
    };
    let (files, documents) = (3, 2);
    let sound = (Compared::Yes { files, documents }, vec![]);
    assert_eq!(found(&folder), sound);
    let sound_a = folder
        .catalogue()
        .get(&folder.id("one/a.md"))
        .unwrap()
        .unwrap();
    let record = |changes: &[(&str, Option<FileState>)]| {
        let changes = changes.iter().cloned();
        let changes = changes
            .map(|(name, state)| (folder.id(name), state))
            .collect();
        let generation = folder.index().snapshot().unwrap().generation();
        folder.catalogue().record(&changes, generation).unwrap();
    };
    let (mut other_hash, mut other_tokens, mut no_document) =
        (sound_a.clone(), sound_a.clone(), sound_a.clone());
    other_hash.hash = "00".into();
    if let Outcome::Indexed { tokens, .. } = &mut other_tokens.outcome {
        *tokens += 1;
    }
    no_document.outcome = Outcome::Skipped {
        reason: "empty".into(),
    };
    for (changes, expected) in [
        (("one/a.md", None), "the catalogue does not know it"),
        (
            ("one/new.md", Some(sound_a.clone())),
            "1 documents are recorded, none is there",
        ),
        (
            ("one/a.md", Some(other_hash)),
            "its content is recorded with another hash",
        ),
        (("one/a.md", Some(other_tokens)), "tokens are recorded"),
        (
            ("one/a.md", Some(no_document)),
            "0 documents are recorded, 1 are there",
        ),
    ] {
        record(&[changes]);
        let (_, problems) = found(&folder);
        assert!(
            problems.len() == 1 && problems[0].contains(expected),
            "{problems:?}"
        );
        folder.mend();
        assert_eq!(found(&folder).1, Vec::<String>::new());
    }
    // A commit that nobody recorded.
    let mut writer = folder.index().writer().unwrap();
    writer.delete(&folder.id("two/b.md")).unwrap();
    writer.commit().unwrap();
    writer.close().unwrap();
    let (_, problems) = found(&folder);
    assert!(problems.len() == 1 && problems[0].contains("the catalogue is of commit"));
    folder.mend();
    assert_eq!(found(&folder).1, Vec::<String>::new());
    // Held by somebody else.
    let held = folder.catalogue();
    assert_eq!(found(&folder), (Compared::InUse, vec![]));
    drop(held);
    std::fs::remove_dir_all(folder.layout.catalogue()).unwrap();
    assert_eq!(found(&folder), (Compared::Missing, vec![]));
    assert!(!folder.layout.catalogue().exists(), "looking makes nothing");
}

/// They stayed for ever.
#[test]
fn settings_that_a_run_was_writing_when_it_ended_are_removed_by_the_next() {
    let mut folder = Folder::new();
    folder.write("one/a.md", &text(&[1]));
    folder.run();
    let left = folder.layout.folder.join("settings.json.new-123-0");
    std::fs::write(&left, "{").unwrap();
    let check = kenning_indexer::check(&folder.layout, &folder.index()).unwrap();
    let expected = "settings.json.new-123-0 is left over from a run that was interrupted";
    assert_eq!(check.problems.len(), 1);
    assert_eq!(check.problems[0].to_string(), expected);
    folder.run();
    assert!(!left.exists());
}
