//! DistilBERT (Sanh et al. 2019, arXiv:1910.01108), as candle computes it.

use std::path::Path;

use candle_core::{DType, Tensor};
use candle_transformers::models::distilbert::{Config, DistilBertModel};
use serde_json::{Value, json};

use super::ModelError;
use super::architecture::{Architecture, Loader, Settings, Shape, limits};
use crate::Result;

/// A loaded model.
pub(super) struct DistilBert {
    model: DistilBertModel,
}

impl DistilBert {
    /// Reads `config`, the contents of `path`. Absent settings have the defaults of the reference
    /// implementation, Hugging Face's `DistilBertConfig`.
    pub fn read(path: &Path, config: &Value) -> Result<(Shape, Loader)> {
        let settings = Settings { path, config };
        settings.refuse("sinusoidal_pos_embds")?;
        let activation = settings.one_of(
            "activation",
            "gelu",
            &[("gelu", "gelu"), ("relu", "relu")],
            "gelu, relu",
        )?;
        let vocabulary = settings.size("vocab_size", 30_522, limits::VOCABULARY)?;
        let dimension = settings.size("dim", 768, limits::DIMENSION)?;
        let heads = settings.size("n_heads", 12, limits::HEADS)?;
        let positions = settings.size("max_position_embeddings", 512, limits::POSITIONS)?;
        if dimension % heads != 0 {
            let expected = format!("a divisor of dim = {dimension}");
            return Err(settings.wrong_size("n_heads", heads, expected));
        }
        // candle keeps the fields of this one private.
        let config: Config = serde_json::from_value(json!({
            "vocab_size": vocabulary,
            "dim": dimension,
            "n_layers": settings.size("n_layers", 6, limits::LAYERS)?,
            "n_heads": heads,
            "hidden_dim": settings.size("hidden_dim", 3072, limits::INTERMEDIATE)?,
            "activation": activation,
            "max_position_embeddings": positions,
            "initializer_range": 0.02,
            "pad_token_id": 0,
        }))
        .map_err(|error| ModelError::Malformed {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        let shape = Shape {
            name: "distilbert",
            settings: format!("heads={heads} activation={activation}"),
            dimension,
            vocabulary,
            positions,
        };
        let load: Loader = Box::new(move |weights| {
            let prefix = weights.prefix("embeddings.word_embeddings.weight");
            let model = weights.load(prefix, |tensors| DistilBertModel::load(tensors, &config))?;
            Ok(Box::new(DistilBert { model }))
        });
        Ok((shape, load))
    }
}

impl Architecture for DistilBert {
    fn forward(&self, ids: &Tensor) -> candle_core::Result<Tensor> {
        // Non-zero would hide a position; there is no padding to hide.
        let mask = Tensor::zeros((1, 1, 1, 1), DType::U8, ids.device())?;
        self.model.forward(ids, &mask)
    }
}
