//! BERT and JinaBERT against candle-transformers, another implementation of them. BERT with weights and settings
//! at random.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use candle_nn::Module;
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use candle_transformers::models::jina_bert;
use kenning::encoder::{Encoder, EncoderOptions};
use serde_json::{Value, json};

fn config(width: usize, heads: usize, layers: usize, activation: &str, types: usize) -> Value {
    json!({
        "model_type": "bert", "vocab_size": 400, "hidden_size": width, "num_attention_heads": heads,
        "num_hidden_layers": layers, "intermediate_size": 2 * width + 8, "hidden_act": activation,
        "max_position_embeddings": 64, "type_vocab_size": types, "layer_norm_eps": 1e-5,
        "hidden_dropout_prob": 0.0, "initializer_range": 0.02, "pad_token_id": 0,
    })
}

/// Random tensors under the names and with the shapes of BERT.
fn weights(config: &Value) -> HashMap<String, Tensor> {
    let size = |name: &str| config[name].as_u64().unwrap() as usize;
    let (d, inner) = (size("hidden_size"), size("intermediate_size"));
    let mut tensors = HashMap::new();
    let mut add = |name: String, shape: &[usize], mean: f32| {
        let tensor = Tensor::randn(mean, 0.3_f32, shape, &Device::Cpu).unwrap();
        tensors.insert(name, tensor);
    };
    for (name, rows) in [
        ("word_embeddings", size("vocab_size")),
        ("position_embeddings", size("max_position_embeddings")),
        ("token_type_embeddings", size("type_vocab_size")),
    ] {
        add(format!("embeddings.{name}.weight"), &[rows, d], 0.0);
    }
    let mut norms = vec!["embeddings".to_owned()];
    for layer in 0..size("num_hidden_layers") {
        let at = format!("encoder.layer.{layer}");
        for (name, to, from) in [
            ("attention.self.query", d, d),
            ("attention.self.key", d, d),
            ("attention.self.value", d, d),
            ("attention.output.dense", d, d),
            ("intermediate.dense", inner, d),
            ("output.dense", d, inner),
        ] {
            add(format!("{at}.{name}.weight"), &[to, from], 0.0);
            add(format!("{at}.{name}.bias"), &[to], 0.0);
        }
        norms.extend([format!("{at}.attention.output"), format!("{at}.output")]);
    }
    for norm in norms {
        add(format!("{norm}.LayerNorm.weight"), &[d], 1.0);
        add(format!("{norm}.LayerNorm.bias"), &[d], 0.0);
    }
    tensors
}

/// The largest difference of numbers.
fn gap(found: &[f32], expected: &Tensor) -> f32 {
    let expected: Vec<f32> = expected.flatten_all().unwrap().to_vec1().unwrap();
    assert_eq!(found.len(), expected.len());
    let gaps = found.iter().zip(&expected).map(|(a, b)| (a - b).abs());
    gaps.fold(0.0, f32::max)
}

#[test]
fn bert_agrees_with_candle_transformers() {
    let tokenizer =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/encoders/bert/tokenizer.json");
    let texts = [
        "The quick brown fox jumps over the lazy dog.",
        "",
        "Café naïve — über 3.14!",
    ];
    for config in [
        config(24, 1, 1, "relu", 1),
        config(24, 3, 3, "gelu", 2),
        config(40, 8, 2, "gelu", 4),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::copy(&tokenizer, folder.path().join("tokenizer.json")).unwrap();
        fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        let tensors = weights(&config);
        candle_core::safetensors::save(&tensors, folder.path().join("model.safetensors")).unwrap();
        let ours = Encoder::open(folder.path(), &EncoderOptions::default()).unwrap();
        let settings: Config = serde_json::from_value(config.clone()).unwrap();
        let source = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        let theirs = BertModel::load(source, &settings).unwrap();
        for state in ours.hidden_states(&texts).unwrap() {
            let ids = Tensor::new(&state.ids[..], &Device::Cpu)
                .unwrap()
                .unsqueeze(0)
                .unwrap();
            let expected = theirs
                .forward(&ids, &ids.zeros_like().unwrap(), None)
                .unwrap();
            let worst = gap(&state.states, &expected);
            assert!(worst < 1e-4, "{config}: differs by {worst}");
        }
    }
}

/// A text whose scores are computed for some queries at a time, so that the slopes start in its middle.
#[test]
fn jina_bert_agrees_with_candle_transformers_on_a_long_text() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let folder = tempfile::tempdir().unwrap();
    let variant = fixtures.join("variants/jina-base");
    let bytes = fs::read(variant.join("config.json")).unwrap();
    let mut config: Value = serde_json::from_slice(&bytes).unwrap();
    config["max_position_embeddings"] = json!(2048);
    config["initializer_range"] = json!(0.02);
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let weights = folder.path().join("model.safetensors");
    fs::copy(variant.join("model.safetensors"), &weights).unwrap();
    let tokenizer = fixtures.join("encoders/bert/tokenizer.json");
    fs::copy(tokenizer, folder.path().join("tokenizer.json")).unwrap();

    let ours = Encoder::open(folder.path(), &EncoderOptions::default()).unwrap();
    let tensors = candle_core::safetensors::load(&weights, &Device::Cpu).unwrap();
    let source = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
    let settings: jina_bert::Config = serde_json::from_value(config).unwrap();
    let theirs = jina_bert::BertModel::new(source, &settings).unwrap();
    let text = "the quick brown fox ".repeat(375);
    let state = ours.hidden_states(&[&text]).unwrap().remove(0);
    assert!(state.ids.len() > 1500, "{} tokens", state.ids.len());
    let ids = Tensor::new(&state.ids[..], &Device::Cpu).unwrap();
    let expected = theirs.forward(&ids.unsqueeze(0).unwrap()).unwrap();
    let worst = gap(&state.states, &expected);
    assert!(worst < 1e-4, "differs by {worst}");
}
