//! BERT (Devlin et al. 2018, arXiv:1810.04805), as candle computes it.

use std::path::Path;

use candle_core::{DType, Tensor};
use candle_transformers::models::bert::{BertModel, Config, HiddenAct, PositionEmbeddingType};
use serde_json::Value;

use super::architecture::{Architecture, Loader, Settings, Shape, limits};
use crate::Result;

/// A loaded model.
pub(super) struct Bert {
    pub model: BertModel,
}

impl Bert {
    /// Reads `config`, the contents of `path`. Absent settings have the defaults of the reference
    /// implementation, Hugging Face's `BertConfig`.
    pub fn read(path: &Path, config: &Value) -> Result<(Shape, Loader)> {
        let settings = Settings { path, config };
        settings.refuse("is_decoder")?;
        settings.refuse("add_cross_attention")?;
        settings.one_of(
            "position_embedding_type",
            (),
            &[("absolute", ())],
            "absolute",
        )?;
        let (activation, hidden_act) = settings.one_of(
            "hidden_act",
            ("gelu", HiddenAct::Gelu),
            &[
                ("gelu", ("gelu", HiddenAct::Gelu)),
                ("gelu_new", ("gelu_tanh", HiddenAct::GeluApproximate)),
                (
                    "gelu_pytorch_tanh",
                    ("gelu_tanh", HiddenAct::GeluApproximate),
                ),
                ("relu", ("relu", HiddenAct::Relu)),
            ],
            "gelu, gelu_new, gelu_pytorch_tanh, relu",
        )?;
        let config = Config {
            vocab_size: settings.size("vocab_size", 30_522, limits::VOCABULARY)?,
            hidden_size: settings.size("hidden_size", 768, limits::DIMENSION)?,
            num_hidden_layers: settings.size("num_hidden_layers", 12, limits::LAYERS)?,
            num_attention_heads: settings.size("num_attention_heads", 12, limits::HEADS)?,
            intermediate_size: settings.size("intermediate_size", 3072, limits::INTERMEDIATE)?,
            hidden_act,
            max_position_embeddings: settings.size(
                "max_position_embeddings",
                512,
                limits::POSITIONS,
            )?,
            type_vocab_size: settings.size("type_vocab_size", 2, limits::TYPES)?,
            layer_norm_eps: settings.epsilon("layer_norm_eps", 1e-12)?,
            position_embedding_type: PositionEmbeddingType::Absolute,
            // Only the checkpoint's prefix would depend on it, and that is resolved already.
            model_type: None,
            // What remains concerns training.
            ..Config::default()
        };
        let (width, heads) = (config.hidden_size, config.num_attention_heads);
        if width % heads != 0 {
            let expected = format!("a divisor of hidden_size = {width}");
            return Err(settings.wrong_size("num_attention_heads", heads, expected));
        }
        let shape = Shape {
            name: "bert",
            settings: format!(
                "heads={heads} activation={activation} epsilon={:e}",
                config.layer_norm_eps
            ),
            dimension: width,
            vocabulary: config.vocab_size,
            positions: config.max_position_embeddings,
        };
        let load: Loader = Box::new(move |weights| {
            let prefix = weights.prefix("embeddings.word_embeddings.weight");
            let model = weights.load(prefix, |tensors| BertModel::load(tensors, &config))?;
            Ok(Box::new(Bert { model }))
        });
        Ok((shape, load))
    }
}

impl Architecture for Bert {
    fn forward(&self, ids: &Tensor) -> candle_core::Result<Tensor> {
        // One number for all: there is no padding, and candle adds the smaller mask much faster.
        let mask = Tensor::ones((1, 1), DType::F32, ids.device())?;
        self.model.forward(ids, &ids.zeros_like()?, Some(&mask))
    }
}
