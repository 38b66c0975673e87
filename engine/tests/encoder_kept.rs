//! What is kept of a model: vectors are the same with and without, and whatever is wrong with a file is made good.

#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use kenning::encoder::{Encoder, EncoderOptions, Precision, Role};
use kenning::models::ModelStore;

fn fixture(family: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/encoders")
        .join(family)
}

/// A model's folder of its own and a cache.
struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    fn new(family: &str) -> Scene {
        let folder = tempfile::tempdir().unwrap();
        copy(&fixture(family), &folder.path().join("model"));
        Scene { folder }
    }

    fn model(&self) -> PathBuf {
        self.folder.path().join("model")
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    fn load(&self, precision: Precision) -> Encoder {
        load(&self.model(), &self.cache(), precision)
    }

    /// Names of the files that are kept with this ending.
    fn kept(&self, ending: &str) -> Vec<PathBuf> {
        let files = fs::read_dir(self.cache().join("packed"));
        let files = files.into_iter().flatten().map(|file| file.unwrap().path());
        let mut kept: Vec<_> = files
            .filter(|path| path.extension().is_some_and(|found| found == ending))
            .collect();
        kept.sort();
        kept
    }

    fn packed(&self) -> PathBuf {
        let [packed] = self.kept("packed").try_into().unwrap();
        packed
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, name) = {
            let entry = entry.unwrap();
            (entry.path(), entry.file_name())
        };
        match from.is_dir() {
            true => copy(&from, &to.join(name)),
            false => drop(fs::write(to.join(name), fs::read(&from).unwrap())),
        }
    }
}

fn load(model: &Path, cache: &Path, precision: Precision) -> Encoder {
    let store = ModelStore {
        cache: cache.to_owned(),
        offline: true,
        ..ModelStore::from_env().unwrap()
    };
    let options = options(precision);
    Encoder::load(model.to_str().unwrap(), &store, &options, &mut |_| {}).unwrap()
}

fn options(precision: Precision) -> EncoderOptions {
    EncoderOptions {
        threads: Some(1),
        precision: Some(precision),
        ..EncoderOptions::default()
    }
}

fn vectors(encoder: &Encoder) -> Vec<Vec<f32>> {
    let texts = ["a", "the second text is longer", "1 2 3 . , a b c", ""];
    let encoded = encoder.encode(Role::Passage, &texts).unwrap();
    encoded.into_iter().map(|text| text.embedding).collect()
}

/// The vectors of a model of which nothing is kept.
fn plain(model: &Path, precision: Precision) -> Vec<Vec<f32>> {
    vectors(&Encoder::open(model, &options(precision)).unwrap())
}

/// Makes the files of a model old enough for their times to be trusted.
fn settle() {
    std::thread::sleep(Duration::from_millis(2_100));
}

#[test]
fn vectors_are_the_same_to_the_last_bit_when_they_come_from_what_is_kept() {
    // Distances between tokens, layers that share weights with a map before them, positions from an offset.
    for family in [
        "bert",
        "mpnet",
        "albert",
        "roberta",
        "electra",
        "distilbert",
    ] {
        let scene = Scene::new(family);
        for precision in [Precision::F32, Precision::Int8] {
            let expected = plain(&scene.model(), precision);
            assert_eq!(scene.cache().exists(), precision == Precision::Int8);
            let first = scene.load(precision);
            assert_eq!(vectors(&first), expected, "{family} {precision:?}");
            let spec = Encoder::open(&scene.model(), &options(precision)).unwrap();
            assert_eq!(first.spec().fingerprint(), spec.spec().fingerprint());
            let packed = scene.kept("packed");
            let before: Vec<_> = packed.iter().map(|path| identity(path)).collect();
            let second = scene.load(precision);
            assert_eq!(vectors(&second), expected, "{family} {precision:?}");
            assert_eq!(second.spec(), first.spec());
            let after: Vec<_> = packed.iter().map(|path| identity(path)).collect();
            assert_eq!(before, after, "it was packed again");
        }
        assert_eq!(scene.kept("packed").len(), 2, "{family}");
        assert!(scene.kept("part").is_empty());
    }
}

/// What tells a file from one that takes its place.
#[cfg(unix)]
fn identity(path: &Path) -> u64 {
    std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap())
}

#[cfg(not(unix))]
fn identity(path: &Path) -> std::time::SystemTime {
    fs::metadata(path).unwrap().modified().unwrap()
}

/// Every way in which a file can be wrong that a test can think of: the vectors are those of the model, and the file
/// is put right.
#[test]
fn a_file_that_is_not_whole_is_packed_again() {
    for precision in [Precision::F32, Precision::Int8] {
        let scene = Scene::new("bert");
        let expected = vectors(&scene.load(precision));
        let path = scene.packed();
        let whole = fs::read(&path).unwrap();
        let directory = u64::from_le_bytes(whole[whole.len() - 16..][..8].try_into().unwrap());
        let flipped = |place: usize| {
            let mut bytes = whole.clone();
            bytes[place] ^= 1;
            bytes
        };
        let trailer = whole.len() - 32;
        let mut wrong: Vec<Vec<u8>> = vec![
            Vec::new(),
            b"not what was expected".to_vec(),
            vec![0; whole.len()],
            [whole.as_slice(), b"more"].concat(),
            flipped(trailer),
            // An older version, or a later one.
            flipped(trailer + 8),
            flipped(trailer + 12),
            flipped(trailer + 16),
            flipped(trailer + 24),
            flipped(directory as usize + 20),
        ];
        for share in [1, 3, 7, 9] {
            wrong.push(whole[..whole.len() * share / 10].to_vec());
        }
        wrong.extend([1, 31, 32, 33, 500].map(|less| whole[..whole.len() - less].to_vec()));
        // Places in matrices; bytes between these are not used.
        let length = directory as usize;
        wrong.extend(
            (0..length)
                .step_by(length / 20)
                .map(flipped)
                .filter(|bytes| {
                    let place = bytes.iter().zip(&whole).position(|(a, b)| a != b).unwrap();
                    whole[place] != 0
                }),
        );
        assert!(wrong.len() > 20);
        for (case, bytes) in wrong.iter().enumerate() {
            fs::write(&path, bytes).unwrap();
            assert_eq!(
                vectors(&scene.load(precision)),
                expected,
                "{precision:?} {case}"
            );
            assert!(
                fs::read(&path).unwrap() == whole,
                "{precision:?} {case}: not put right"
            );
        }
        assert!(scene.kept("part").is_empty());
    }
}

#[test]
fn a_file_of_another_model_is_not_obeyed() {
    let (bert, other) = (Scene::new("bert"), Scene::new("electra"));
    let expected = vectors(&bert.load(Precision::F32));
    other.load(Precision::F32);
    fs::copy(other.packed(), bert.packed()).unwrap();
    assert_eq!(vectors(&bert.load(Precision::F32)), expected);
    // In the same folder, with other settings: the model is another.
    let config = bert.model().join("config.json");
    let text = fs::read_to_string(&config).unwrap();
    let mut settings: serde_json::Value = serde_json::from_str(&text).unwrap();
    let layers = settings["num_hidden_layers"].as_u64().unwrap();
    assert!(layers > 1);
    settings["num_hidden_layers"] = 1.into();
    fs::write(&config, settings.to_string()).unwrap();
    let fewer = vectors(&bert.load(Precision::F32));
    assert_eq!(fewer, plain(&bert.model(), Precision::F32));
    assert_ne!(fewer, expected);
    fs::write(&config, text).unwrap();
    assert_eq!(vectors(&bert.load(Precision::F32)), expected);
    assert_eq!(bert.kept("packed").len(), 1);
}

#[test]
fn a_cache_that_cannot_be_written_costs_nothing_but_time() {
    let scene = Scene::new("bert");
    let expected = plain(&scene.model(), Precision::Int8);
    // A file where the folder should be.
    fs::write(scene.cache(), "").unwrap();
    assert_eq!(vectors(&scene.load(Precision::Int8)), expected);
    assert_eq!(fs::read(scene.cache()).unwrap(), b"");
    // A folder where the file should be.
    fs::remove_file(scene.cache()).unwrap();
    scene.load(Precision::Int8);
    let packed = scene.packed();
    fs::remove_file(&packed).unwrap();
    fs::create_dir(&packed).unwrap();
    fs::write(packed.join("x"), "").unwrap();
    assert_eq!(vectors(&scene.load(Precision::Int8)), expected);
    assert!(packed.is_dir() && scene.kept("part").is_empty());
}

/// Changes some numbers and leaves the length.
fn change(weights: &Path) {
    let mut bytes = fs::read(weights).unwrap();
    let (all, half) = (bytes.len(), bytes.len() / 2);
    for number in bytes[all - half / 4 * 4..].chunks_exact_mut(4).step_by(97) {
        number.copy_from_slice(&0.75_f32.to_le_bytes());
    }
    fs::write(weights, bytes).unwrap();
}

#[test]
fn weights_that_changed_are_hashed_again_whatever_their_time_says() {
    let scene = Scene::new("bert");
    let weights = scene.model().join("model.safetensors");
    settle();
    let before = scene.load(Precision::F32);
    let stamped = cfg!(unix);
    assert_eq!(scene.kept("stamp").len(), usize::from(stamped));
    let time = fs::metadata(&weights).unwrap().modified().unwrap();
    change(&weights);
    File::options()
        .write(true)
        .open(&weights)
        .unwrap()
        .set_modified(time)
        .unwrap();
    let after = scene.load(Precision::F32);
    assert_ne!(after.spec().weights_sha256, before.spec().weights_sha256);
    assert_eq!(
        after.spec().weights_sha256,
        Encoder::open(&scene.model(), &options(Precision::F32))
            .unwrap()
            .spec()
            .weights_sha256
    );
    assert_eq!(vectors(&after), plain(&scene.model(), Precision::F32));
    assert_ne!(vectors(&after), vectors(&before));
    assert_eq!(scene.kept("packed").len(), 1);
}

/// A hash is taken for known only of files that were left alone for a while.
#[test]
fn weights_that_were_just_written_are_hashed_every_time() {
    let scene = Scene::new("bert");
    change(&scene.model().join("model.safetensors"));
    scene.load(Precision::F32);
    assert!(scene.kept("stamp").is_empty());
}

#[test]
#[cfg(unix)]
fn a_hash_that_is_kept_is_believed_only_if_its_record_is_whole() {
    let scene = Scene::new("bert");
    settle();
    let hash = scene.load(Precision::F32).spec().weights_sha256.clone();
    let [stamp] = scene.kept("stamp").try_into().unwrap();
    let whole = fs::read_to_string(&stamp).unwrap();
    let other = format!(
        "{}{}",
        if hash.starts_with('0') { '1' } else { '0' },
        &hash[1..]
    );
    let false_hash = whole.replace(&hash, &other);
    assert_ne!(false_hash, whole);
    for wrong in [
        false_hash,
        whole[..whole.len() / 2].to_owned(),
        String::new(),
    ] {
        fs::write(&stamp, wrong).unwrap();
        assert_eq!(scene.load(Precision::F32).spec().weights_sha256, hash);
        assert_eq!(fs::read_to_string(&stamp).unwrap(), whole);
    }
}

#[test]
fn what_belongs_to_models_that_are_gone_goes_too() {
    let (gone, stays) = (Scene::new("bert"), Scene::new("electra"));
    settle();
    load(&gone.model(), &stays.cache(), Precision::F32);
    let abandoned = stays.cache().join("packed/x.1-1.part");
    let (fresh, foreign) = (
        stays.cache().join("packed/x.1-2.part"),
        stays.cache().join("packed/readme.txt"),
    );
    for path in [&abandoned, &fresh, &foreign] {
        fs::write(path, "").unwrap();
    }
    let old = std::time::SystemTime::now() - Duration::from_secs(7_200);
    File::options()
        .write(true)
        .open(&abandoned)
        .unwrap()
        .set_modified(old)
        .unwrap();
    drop(gone);
    stays.load(Precision::F32);
    assert_eq!(stays.kept("packed").len(), 1);
    assert!(stays.kept("stamp").len() <= 1);
    assert!(fresh.exists() && foreign.exists() && !abandoned.exists());
}

#[test]
fn processes_that_load_a_model_at_once_do_not_disturb_each_other() {
    let scene = Scene::new("bert");
    let expected = plain(&scene.model(), Precision::Int8);
    let child = || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--ignored", "--test-threads=1"])
            .env("KENNING_TEST_SCENE", scene.folder.path())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    };
    let children: Vec<_> = (0..4).map(|_| child()).collect();
    for child in children {
        let ended = child.wait_with_output().unwrap();
        assert!(
            ended.status.success(),
            "{}",
            String::from_utf8_lossy(&ended.stdout)
        );
    }
    assert_eq!(vectors(&scene.load(Precision::Int8)), expected);
    assert_eq!(scene.kept("packed").len(), 1);
    assert!(scene.kept("part").is_empty());
}

/// Loads the same model again and again, while the file is removed now and then.
#[test]
#[ignore = "run by the other test, in processes of their own"]
fn child() {
    let folder = PathBuf::from(std::env::var("KENNING_TEST_SCENE").unwrap());
    let (model, cache) = (folder.join("model"), folder.join("cache"));
    let expected = plain(&model, Precision::Int8);
    for turn in 0..25 {
        if turn % 3 == 0 {
            let files = fs::read_dir(cache.join("packed")).into_iter().flatten();
            for path in files.flatten().map(|file| file.path()) {
                if path.extension().is_some_and(|ending| ending == "packed") {
                    let _ = fs::remove_file(path);
                }
            }
        }
        assert_eq!(vectors(&load(&model, &cache, Precision::Int8)), expected);
    }
}
