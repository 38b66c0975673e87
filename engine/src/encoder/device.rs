//! Where an encoder computes.

use super::ModelError;

/// What computes. The CPU in f32 is the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// The first NVIDIA GPU. Kenning must be built with the feature `cuda`.
    Cuda,
    /// The GPU of a Mac. Kenning must be built with the feature `metal`.
    Metal,
    /// A GPU if this build supports it and the machine has one, else the processor.
    Auto,
}

impl Device {
    /// `cpu`, `cuda`, `metal` or `auto`.
    pub fn name(self) -> &'static str {
        match self {
            Device::Cpu => "cpu",
            Device::Cuda => "cuda",
            Device::Metal => "metal",
            Device::Auto => "auto",
        }
    }

    /// The device as the tensor library knows it.
    pub(super) fn open(self) -> Result<candle_core::Device, ModelError> {
        let opened = match self {
            Device::Cpu => Ok(candle_core::Device::Cpu),
            Device::Cuda if !cfg!(feature = "cuda") => return Err(self.not_built()),
            Device::Metal if !cfg!(feature = "metal") => return Err(self.not_built()),
            Device::Cuda => candle_core::Device::new_cuda(0),
            Device::Metal => candle_core::Device::new_metal(0),
            Device::Auto => {
                let first = [Device::Cuda, Device::Metal].map(Device::open);
                let first = first.into_iter().find_map(Result::ok);
                return Ok(first.unwrap_or(candle_core::Device::Cpu));
            }
        };
        opened.map_err(|error| ModelError::Device {
            device: self,
            reason: error.to_string(),
        })
    }

    fn not_built(self) -> ModelError {
        let name = self.name();
        ModelError::Device {
            device: self,
            reason: format!("this build of Kenning was made without the feature {name}"),
        }
    }
}

/// What a device of the tensor library is called.
pub(super) fn of(device: &candle_core::Device) -> Device {
    match device {
        candle_core::Device::Cpu => Device::Cpu,
        candle_core::Device::Cuda(_) => Device::Cuda,
        candle_core::Device::Metal(_) => Device::Metal,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_device_that_was_not_built_in_is_refused_by_name() {
        for device in [Device::Cuda, Device::Metal] {
            if let Err(error) = device.open() {
                assert!(error.to_string().contains(device.name()), "{error}");
                assert!(error.hint().unwrap().contains("--device cpu"));
            }
        }
        let found = of(&Device::Auto.open().unwrap());
        let built = cfg!(any(feature = "cuda", feature = "metal"));
        assert!(found == Device::Cpu || built);
    }
}
