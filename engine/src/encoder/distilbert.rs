//! DistilBERT (Sanh et al. 2019, arXiv:1910.01108): BERT without token types, under other names.
//!
//! candle has a DistilBERT of its own, but that computes the GELU by its approximation with tanh, where the
//! reference takes the exact one. Its BERT does either, so the tensors are handed to that.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use candle_transformers::models::bert::{BertModel, Config, HiddenAct, PositionEmbeddingType};
use serde_json::Value;

use super::architecture::{Architecture, Loader, Settings, Shape, limits};
use super::bert::Bert;
use crate::Result;

/// The reader of the family.
pub(super) struct DistilBert;

impl DistilBert {
    /// Reads `config`, the contents of `path`. Absent settings have the defaults of the reference
    /// implementation, Hugging Face's `DistilBertConfig`.
    pub fn read(path: &Path, config: &Value) -> Result<(Shape, Loader)> {
        let settings = Settings { path, config };
        settings.refuse("sinusoidal_pos_embds")?;
        let (activation, hidden_act) = settings.one_of(
            "activation",
            ("gelu", HiddenAct::Gelu),
            &[
                ("gelu", ("gelu", HiddenAct::Gelu)),
                ("relu", ("relu", HiddenAct::Relu)),
            ],
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
        let config = Config {
            vocab_size: vocabulary,
            hidden_size: dimension,
            num_hidden_layers: settings.size("n_layers", 6, limits::LAYERS)?,
            num_attention_heads: heads,
            intermediate_size: settings.size("hidden_dim", 3072, limits::INTERMEDIATE)?,
            hidden_act,
            max_position_embeddings: positions,
            type_vocab_size: 1,
            // Not a setting: the reference implementation has this number in its code.
            layer_norm_eps: 1e-12,
            position_embedding_type: PositionEmbeddingType::Absolute,
            model_type: None,
            ..Config::default()
        };
        let shape = Shape {
            name: "distilbert",
            settings: format!("heads={heads} activation={activation}"),
            dimension,
            vocabulary,
            positions,
        };
        let load: Loader = Box::new(move |weights| {
            let prefix = weights.prefix("embeddings.word_embeddings.weight");
            let model = weights.load(prefix, |tensors| {
                let tensors = Box::new(AsBert(tensors));
                let tensors = VarBuilder::from_backend(tensors, DType::F32, Device::Cpu);
                BertModel::load(tensors, &config)
            })?;
            Ok(Box::new(Bert { model }) as Box<dyn Architecture>)
        });
        Ok((shape, load))
    }
}

/// DistilBERT's tensors under the names that BERT has for them.
struct AsBert<'a>(VarBuilder<'a>);

/// What BERT calls a part of a layer, and what DistilBERT does. The longer ones come first.
const PARTS: [(&str, &str); 8] = [
    (".attention.self.query.", ".attention.q_lin."),
    (".attention.self.key.", ".attention.k_lin."),
    (".attention.self.value.", ".attention.v_lin."),
    (".attention.output.dense.", ".attention.out_lin."),
    (".attention.output.LayerNorm.", ".sa_layer_norm."),
    (".intermediate.dense.", ".ffn.lin1."),
    (".output.dense.", ".ffn.lin2."),
    (".output.LayerNorm.", ".output_layer_norm."),
];

/// DistilBERT's name of a tensor of BERT.
fn renamed(name: &str) -> String {
    let Some(layer) = name.strip_prefix("encoder.layer.") else {
        return name.to_owned();
    };
    let name = format!("transformer.layer.{layer}");
    match PARTS.iter().find(|(bert, _)| name.contains(bert)) {
        Some((bert, distilbert)) => name.replace(bert, distilbert),
        None => name,
    }
}

impl SimpleBackend for AsBert<'_> {
    fn get(
        &self,
        shape: candle_core::Shape,
        name: &str,
        _: Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        if name == "embeddings.token_type_embeddings.weight" {
            return Tensor::zeros(shape, dtype, device);
        }
        self.0.get(shape, &renamed(name))
    }

    fn get_unchecked(&self, name: &str, dtype: DType, _: &Device) -> candle_core::Result<Tensor> {
        self.0.get_unchecked_dtype(&renamed(name), dtype)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.0.contains_tensor(&renamed(name))
    }
}
