//! The encoder: texts to vectors of unit length.
//!
//! An [`Encoder`] reads a folder in the layout of Hugging Face and sentence-transformers. What decides a
//! vector is written down in its [`EncoderSpec`]. Reading path: `spec` (the plain data), `config` (what the
//! folder says), `tokenizer`, `weight_file`, `weights`, `kept` (what need not be computed at every start), `settings`,
//! `blocks`, `embeddings`, `stack`, `cpu` (the same written for speed), `rotary` and `gated` (what newer models have in a layer instead), `families` with one file each, `pooling`,
//! `stages`, `batch` (which texts are computed together, and on which thread), `encode` (the encoder itself).

mod activation;
mod architecture;
mod batch;
mod blocks;
mod config;
mod cpu;
mod device;
mod embeddings;
mod encode;
mod error;
mod families;
mod gated;
pub mod heads;
mod kept;
mod pooling;
mod rotary;
mod settings;
mod spec;
mod stack;
mod stages;
mod tokenizer;
mod transformer;
mod weight_file;
mod weights;
mod wordpiece;

pub use activation::Activation;
pub use device::Device;
pub use encode::{Encoded, Encoder, HiddenStates};
pub use error::ModelError;
pub use spec::{EncoderOptions, EncoderSpec, Pooling, Poolings, Precision, Role, Stage};
pub use tokenizer::Tokens;

pub(crate) use architecture::check;
#[cfg(test)]
pub(crate) use architecture::is_supported;
pub(crate) use config::{read_json, transformer_folder};
pub(crate) use kept::Stamp;
#[cfg(any(test, fuzzing))]
pub(crate) use kept::fuzzing;
#[cfg(feature = "hub")]
pub(crate) use weights::hex;
pub(crate) use weights::{sha256_hex, weight_files};
