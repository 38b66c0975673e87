//! What is done to a text's vector after pooling: the modules `Dense` and `Normalize` of
//! sentence-transformers.

use std::path::Path;

use candle_core::{Device, Tensor};
use candle_nn::{Linear, Module};

use super::blocks::linear;
use super::config::{StagePlace, read_json};
use super::pooling::normalise;
use super::settings::{Settings, limits};
use super::weights::Weights;
use super::{Activation, Precision, Stage};
use crate::Result;

/// The stages of a model, loaded.
pub(super) struct Stages {
    stages: Vec<Loaded>,
    /// Length of the vectors that come out.
    pub dimension: usize,
}

enum Loaded {
    Normalise,
    Truncate(usize),
    Dense(Linear, Activation),
}

/// The classes of PyTorch that a dense layer may name.
const FUNCTIONS: [(&str, Activation); 7] = [
    ("Identity", Activation::Identity),
    ("Tanh", Activation::Tanh),
    ("GELU", Activation::Gelu),
    ("ReLU", Activation::Relu),
    ("SiLU", Activation::Silu),
    ("Mish", Activation::Mish),
    ("Sigmoid", Activation::Sigmoid),
];

impl Stages {
    /// Loads the modules at `places`, into which vectors of length `dimension` go.
    pub fn load(places: &[StagePlace], mut dimension: usize) -> Result<(Stages, Vec<Stage>)> {
        let (mut stages, mut specs) = (Vec::new(), Vec::new());
        for place in places {
            let (stage, spec) = match place {
                StagePlace::Normalise => (Loaded::Normalise, Stage::Normalise),
                StagePlace::Dense(folder) => dense(folder, &mut dimension)?,
            };
            stages.push(stage);
            specs.push(spec);
        }
        Ok((Stages { stages, dimension }, specs))
    }

    /// Keeps only the first `dimension` numbers of what comes out.
    pub fn truncate(&mut self, dimension: usize) -> Stage {
        self.stages.push(Loaded::Truncate(dimension));
        self.dimension = dimension;
        Stage::Truncate { dimension }
    }

    /// Sends a pooled vector through all stages.
    pub fn apply(&self, mut vector: Vec<f32>) -> candle_core::Result<Vec<f32>> {
        for stage in &self.stages {
            match stage {
                Loaded::Normalise => normalise(&mut vector),
                Loaded::Truncate(dimension) => vector.truncate(*dimension),
                Loaded::Dense(map, activation) => {
                    let length = vector.len();
                    let row = Tensor::from_vec(vector, (1, length), &Device::Cpu)?;
                    vector = activation
                        .forward(&map.forward(&row)?)?
                        .flatten_all()?
                        .to_vec1()?;
                }
            }
        }
        Ok(vector)
    }
}

/// The dense layer in `folder`; `dimension` goes in as the length before it and comes out as that after.
fn dense(folder: &Path, dimension: &mut usize) -> Result<(Loaded, Stage)> {
    let path = folder.join("config.json");
    let config = read_json(&path)?;
    let settings = Settings {
        path: &path,
        config: &config,
    };
    for name in ["module_input_name", "module_output_name"] {
        let known = [("sentence_embedding", ())];
        settings.one_of(name, (), &known, "sentence_embedding")?;
    }
    let from = settings.size("in_features", 0, limits::DIMENSION)?;
    if from != *dimension {
        let expected = format!("{dimension}, the length of the vectors before it,");
        return Err(settings.wrong_size("in_features", from, expected));
    }
    let to = settings.size("out_features", 0, limits::DIMENSION)?;
    let bias = settings.flag("bias", true)?;
    let activation = function(&settings)?;
    let weights = Weights::open(folder, Device::Cpu, Precision::F32)?;
    let map = weights.load("linear.weight", |tensors| {
        linear(&tensors, "linear", from, to, bias)
    })?;
    *dimension = to;
    let spec = Stage::Dense {
        dimension: to,
        bias,
        activation,
        weights_sha256: weights.sha256()?,
    };
    Ok((Loaded::Dense(map, activation), spec))
}

/// The activation function, by the last part of its class's path.
fn function(settings: &Settings<'_>) -> Result<Activation> {
    let name = "activation_function";
    let value = &settings.config[name];
    if value.is_null() {
        return Ok(Activation::Tanh);
    }
    let class = value.as_str().and_then(|path| path.rsplit('.').next());
    let known = FUNCTIONS.iter().find(|(known, _)| Some(*known) == class);
    known.map(|(_, activation)| *activation).ok_or_else(|| {
        settings.unsupported(
            name,
            "Identity, Tanh, GELU, ReLU, SiLU, Mish, Sigmoid of torch.nn",
        )
    })
}
