//! The encoder of an index, which may be loaded only when it is needed.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::IndexError;
use crate::Result;
use crate::encoder::{Encoder, EncoderSpec};

/// What loads an encoder.
type Load = Box<dyn Fn() -> Result<Arc<Encoder>> + Send + Sync>;

/// An encoder, loaded or not.
pub struct Attached {
    loaded: OnceLock<Arc<Encoder>>,
    /// Locked while it loads: others wait rather than do the same.
    load: Mutex<Option<Load>>,
}

impl Attached {
    /// One that is loaded.
    pub fn now(encoder: Arc<Encoder>) -> Attached {
        Attached {
            loaded: encoder.into(),
            load: Mutex::new(None),
        }
    }

    /// One that `load` loads.
    pub fn later(load: Load) -> Attached {
        Attached {
            loaded: OnceLock::new(),
            load: Mutex::new(Some(load)),
        }
    }

    /// The encoder, for an index that was built with the encoder `own`. After an error the next call tries again.
    pub fn get(&self, own: &EncoderSpec) -> Result<&Arc<Encoder>> {
        if let Some(encoder) = self.loaded.get() {
            return Ok(encoder);
        }
        let load = self.load.lock().unwrap_or_else(PoisonError::into_inner);
        let encoder = match (self.loaded.get(), load.as_ref()) {
            (Some(encoder), _) => return Ok(encoder),
            (None, Some(load)) => load()?,
            (None, None) => {
                let model = own.model.clone();
                return Err(IndexError::NoEncoder { model }.into());
            }
        };
        check(own, encoder.spec())?;
        Ok(self.loaded.get_or_init(|| encoder))
    }
}

/// Refuses an encoder that is not the one that an index was built with.
pub fn check(own: &EncoderSpec, given: &EncoderSpec) -> Result<()> {
    if own.fingerprint() == given.fingerprint() {
        return Ok(());
    }
    let name = |spec: &EncoderSpec| {
        let fingerprint = spec.fingerprint();
        let short = &fingerprint[..fingerprint.len().min(12)];
        format!("{} ({short})", spec.model)
    };
    Err(IndexError::OtherEncoder {
        index: name(own),
        given: name(given),
        differences: own.differences(given),
    }
    .into())
}
