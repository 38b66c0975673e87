//! Where indexes are found, and what their files are called.

#![allow(clippy::unwrap_used)]
use super::*;

#[test]
fn an_index_is_found_from_below_and_moves_with_its_folder() {
    let temp = tempfile::tempdir().unwrap();
    let folder = absolute(temp.path()).unwrap().join("notes");
    std::fs::create_dir_all(folder.join("a/b")).unwrap();
    let layout = Layout::for_paths(std::slice::from_ref(&folder), None).unwrap();
    assert_eq!(layout.folder, folder.join(FOLDER));
    assert!(!layout.exists());
    layout.save().unwrap();
    assert_eq!(Layout::find(&folder.join("a/b")).unwrap(), Some(layout));
    let moved = folder.with_file_name("moved");
    std::fs::rename(&folder, &moved).unwrap();
    let found = Layout::find(&moved.join("a")).unwrap().unwrap();
    assert_eq!(found.base, moved);
    assert_eq!(found.roots, [moved]);
}

#[test]
fn a_folder_below_an_index_is_part_of_it() {
    let temp = tempfile::tempdir().unwrap();
    let folder = absolute(temp.path()).unwrap();
    std::fs::create_dir_all(folder.join("a/b")).unwrap();
    Layout::for_paths(std::slice::from_ref(&folder), None)
        .unwrap()
        .save()
        .unwrap();
    let below = Layout::for_paths(&[folder.join("a/b")], None).unwrap();
    assert_eq!(below.folder, folder.join(FOLDER));
    assert_eq!(below.roots, [folder]);
}

#[test]
fn several_roots_share_an_index() {
    let temp = tempfile::tempdir().unwrap();
    let top = absolute(temp.path()).unwrap();
    for name in ["one", "two", "three"] {
        std::fs::create_dir(top.join(name)).unwrap();
    }
    let paths = [top.join("one"), top.join("two")];
    let index = top.join("index");
    let layout = Layout::for_paths(&paths, Some(&index)).unwrap();
    layout.save().unwrap();
    let more = Layout::for_paths(&[top.join("three")], Some(&index)).unwrap();
    assert_eq!(more.roots.len(), 3);
    assert_eq!(more.id(&top.join("one/x.md")), "x.md");
    assert_eq!(
        more.id(&top.join("two/x.md")),
        top.join("two/x.md").to_str().unwrap()
    );
}

#[test]
fn roots_that_another_run_saved_meanwhile_stay() {
    let temp = tempfile::tempdir().unwrap();
    let top = absolute(temp.path()).unwrap();
    for name in ["one", "two"] {
        std::fs::create_dir(top.join(name)).unwrap();
    }
    let index = top.join("index");
    let [one, two] =
        ["one", "two"].map(|name| Layout::for_paths(&[top.join(name)], Some(&index)).unwrap());
    assert_eq!(one.save().unwrap(), one);
    let both = two.save().unwrap();
    assert_eq!(both.roots, [top.join("one"), top.join("two")]);
    // Ids are relative to one folder for all runs.
    assert_eq!(both.base, one.base);
    assert_eq!(Layout::open(&index).unwrap(), both);
}

#[test]
fn a_missing_path_is_named() {
    let missing = [PathBuf::from("no/such/folder")];
    let error = Layout::for_paths(&missing, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no file or folder no/such/folder"
    );
}

#[test]
fn what_lies_below_a_path_is_told_by_ids() {
    let layout = Layout {
        folder: "/x/one/.kenning".into(),
        base: "/x/one".into(),
        roots: vec!["/x/one".into(), "/x/two".into()],
    };
    for (id, path, below) in [
        ("a/b.md", "/x/one", true),
        ("a/b.md", "/x", true),
        ("a/b.md", "/", true),
        ("a/b.md", "/x/one/a", true),
        ("a/b.md", "/x/one/a/b.md", true),
        ("a/b.md", "/x/one/a/b", false),
        ("ab.md", "/x/one/a", false),
        ("a/b.md", "/x/two", false),
        ("/x/two/a.md", "/x/two", true),
        ("/x/two/a.md", "/x", true),
        ("/x/two/a.md", "/", true),
        ("/x/two/a.md", "/x/one", false),
        ("/x/two2/a.md", "/x/two", false),
    ] {
        assert_eq!(layout.is_below(id, Path::new(path)), below, "{id} {path}");
    }
}

#[cfg(unix)]
#[test]
fn settings_keep_folders_whose_names_are_no_text() {
    use std::os::unix::ffi::OsStrExt;
    let temp = tempfile::tempdir().unwrap();
    let top = absolute(temp.path()).unwrap();
    let odd = top.join(std::ffi::OsStr::from_bytes(b"odd\xFF"));
    std::fs::create_dir_all(odd.join("inner")).unwrap();
    let index = top.join("index");
    let layout = Layout::for_paths(&[odd.join("inner"), odd.clone()], Some(&index)).unwrap();
    layout.save().unwrap();
    assert_eq!(Layout::open(&index).unwrap(), layout);
    assert_eq!(layout.roots, [odd]);
}

#[cfg(unix)]
#[test]
fn settings_that_are_no_file_or_too_large_are_refused() {
    let temp = tempfile::tempdir().unwrap();
    let pipe = temp.path().join(SETTINGS);
    crate::walk::make_pipe(&pipe);
    let refused = |expected: &str| {
        let error = Layout::open(temp.path()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    };
    refused("a link, pipe, socket or device");
    std::fs::remove_file(&pipe).unwrap();
    std::fs::write(&pipe, vec![b' '; MOST_SETTINGS as usize + 1]).unwrap();
    refused("more than 1048576 bytes");
}

#[cfg(unix)]
#[test]
fn names_that_are_not_utf8_keep_different_ids() {
    use std::os::unix::ffi::OsStrExt;
    let layout = Layout {
        folder: "/x/.kenning".into(),
        base: "/x".into(),
        roots: vec!["/x".into()],
    };
    let name = |byte| Path::new("/x").join(std::ffi::OsStr::from_bytes(&[b'a', byte]));
    assert_eq!(layout.id(&name(0xFF)), "a%FF");
    assert_ne!(layout.id(&name(0xFE)), layout.id(&name(0xFF)));
}

#[test]
fn settings_with_a_flipped_bit_are_refused_and_those_without_a_checksum_read() {
    let temp = tempfile::tempdir().unwrap();
    let folder = absolute(temp.path()).unwrap();
    let layout = Layout::for_paths(std::slice::from_ref(&folder), None).unwrap();
    layout.save().unwrap();
    let path = layout.folder.join(SETTINGS);
    let sound = std::fs::read(&path).unwrap();
    for bit in 0..8 * sound.len() {
        let mut flipped = sound.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, flipped).unwrap();
        if let Ok(found) = Layout::open(&layout.folder) {
            assert_eq!(found, layout, "bit {bit}");
        }
    }
    // As somebody edits them, and as earlier versions wrote them.
    let text = String::from_utf8(sound)
        .unwrap()
        .replace("\".\"", "\"notes\"");
    std::fs::write(&path, &text).unwrap();
    let error = Layout::open(&layout.folder).unwrap_err();
    assert!(error.to_string().contains("checksum"), "{error}");
    assert!(error.hint().unwrap().contains("crc32"));
    let (body, _) = text.split_once(",\n  \"crc32\"").unwrap();
    std::fs::write(&path, format!("{body}\n}}")).unwrap();
    let edited = Layout::open(&layout.folder).unwrap();
    assert_eq!(edited.roots, [folder.join("notes")]);
}
