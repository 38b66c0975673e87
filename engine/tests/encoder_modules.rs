//! The modules of sentence-transformers after the transformer, and what a folder says about the tokenizer.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use kenning::encoder::{Encoder, EncoderOptions, Pooling, Role, Stage};
use safetensors::tensor::{Dtype, TensorView, serialize};
use serde_json::{Value, json};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// A copy of a family's tiny model, with these files written over it.
fn model(family: &str, files: &[(&str, Value)]) -> tempfile::TempDir {
    let source = fixtures().join("encoders").join(family);
    let folder = tempfile::tempdir().unwrap();
    for file in [
        "config.json",
        "tokenizer.json",
        "model.safetensors",
        "sentence_bert_config.json",
    ] {
        fs::copy(source.join(file), folder.path().join(file)).unwrap();
    }
    for (file, content) in files {
        write(&folder.path().join(file), content);
    }
    folder
}

fn write(path: &Path, content: &Value) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content.to_string()).unwrap();
}

fn open(folder: &Path, normalise: bool) -> kenning::Result<Encoder> {
    let options = EncoderOptions {
        threads: Some(1),
        normalise: Some(normalise),
        ..EncoderOptions::default()
    };
    Encoder::open(folder, &options)
}

fn refused(folder: &Path, parts: &[&str]) {
    let error = open(folder, true).unwrap_err().to_string();
    assert!(parts.iter().all(|part| error.contains(part)), "{error}");
}

/// The weights that the fixture's dense layers have.
fn dense_weights(folder: &Path, config: &Value) {
    let size = |name: &str| config[name].as_i64().unwrap();
    // A size that is to be refused needs no weights.
    let (to, from) = (size("out_features").min(64), size("in_features"));
    let weight =
        (0..to).flat_map(|o| (0..from).map(move |i| ((o * 31 + i * 17) % 23 - 11) as f32 / 16.0));
    let weight: Vec<u8> = weight.flat_map(f32::to_le_bytes).collect();
    let bias: Vec<u8> = (0..to)
        .map(|o| (o % 5 - 2) as f32 / 8.0)
        .flat_map(f32::to_le_bytes)
        .collect();
    let shape = |sizes: &[i64]| sizes.iter().map(|size| *size as usize).collect();
    let mut views = BTreeMap::new();
    views.insert(
        "linear.weight",
        TensorView::new(Dtype::F32, shape(&[to, from]), &weight).unwrap(),
    );
    if config["bias"] == json!(true) {
        views.insert(
            "linear.bias",
            TensorView::new(Dtype::F32, shape(&[to]), &bias).unwrap(),
        );
    }
    fs::write(
        folder.join("model.safetensors"),
        serialize(views, None).unwrap(),
    )
    .unwrap();
}

/// A model with this pooling and these stages after it.
fn staged(pooling: &Value, stages: &[Value]) -> tempfile::TempDir {
    let class = |name: &str| format!("sentence_transformers.models.{name}");
    let mut modules = vec![
        json!({ "path": "", "type": class("Transformer") }),
        json!({ "path": "1_Pooling", "type": class("Pooling") }),
    ];
    let folder = model("bert", &[("1_Pooling/config.json", pooling.clone())]);
    for (index, stage) in stages.iter().enumerate() {
        let place = format!("{}_Stage", index + 2);
        modules.push(json!({ "path": place, "type": stage["type"] }));
        if !stage["config"].is_null() {
            write(
                &folder.path().join(&place).join("config.json"),
                &stage["config"],
            );
            dense_weights(&folder.path().join(&place), &stage["config"]);
        }
    }
    write(&folder.path().join("modules.json"), &json!(modules));
    folder
}

#[test]
fn pooling_and_stages_are_those_of_sentence_transformers() {
    let json: Value =
        serde_json::from_slice(&fs::read(fixtures().join("modules.json")).unwrap()).unwrap();
    let texts: Vec<String> = serde_json::from_value(json["texts"].clone()).unwrap();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut fingerprints = Vec::new();
    for case in json["cases"].as_array().unwrap() {
        let stages = case["stages"].as_array().unwrap();
        let folder = staged(&case["pooling"], stages);
        let last = stages.last().and_then(|stage| stage["type"].as_str());
        let normalise = last.is_some_and(|class| class.ends_with("Normalize"));
        let encoder = open(folder.path(), normalise).unwrap();
        let expected: Vec<Vec<f32>> = serde_json::from_value(case["embeddings"].clone()).unwrap();
        assert_eq!(
            encoder.spec().dimension,
            expected[0].len(),
            "{}",
            case["name"]
        );
        for (found, expected) in encoder
            .encode(Role::Passage, &texts)
            .unwrap()
            .iter()
            .zip(&expected)
        {
            let gaps = found
                .embedding
                .iter()
                .zip(expected)
                .map(|(a, b)| (a - b).abs());
            let worst = gaps.fold(0.0, f32::max);
            assert!(worst < 1e-5, "{}: differs by {worst}", case["name"]);
        }
        let spec = serde_json::to_value(encoder.spec()).unwrap();
        assert_eq!(
            &serde_json::from_value::<kenning::encoder::EncoderSpec>(spec).unwrap(),
            encoder.spec()
        );
        fingerprints.push(encoder.spec().fingerprint());
    }
    let all = fingerprints.len();
    fingerprints.sort_unstable();
    fingerprints.dedup();
    // One case says in the new way what another says in the old.
    assert_eq!(fingerprints.len(), all - 1);
}

#[test]
fn the_weights_of_a_dense_layer_are_in_the_fingerprint() {
    let config = json!({ "in_features": 32, "out_features": 4, "bias": false });
    let dense = json!({ "type": "sentence_transformers.models.Dense", "config": config });
    let folder = staged(&json!({ "pooling_mode": "mean" }), &[dense]);
    let before = open(folder.path(), true).unwrap().spec().clone();
    assert!(matches!(
        &before.stages[..],
        [Stage::Dense {
            dimension: 4,
            bias: false,
            ..
        }]
    ));
    let file = folder.path().join("2_Stage/model.safetensors");
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, bytes).unwrap();
    assert_ne!(
        open(folder.path(), true).unwrap().spec().fingerprint(),
        before.fingerprint()
    );
}

#[test]
fn stages_that_cannot_be_computed_are_refused_by_name() {
    let mean = json!({ "pooling_mode": "mean" });
    let dense = |config: Value| {
        let mut all = json!({ "in_features": 32, "out_features": 4, "bias": true });
        all.as_object_mut()
            .unwrap()
            .extend(config.as_object().unwrap().clone());
        vec![json!({ "type": "sentence_transformers.models.Dense", "config": all })]
    };
    for (config, parts) in [
        (json!({ "in_features": 31 }), ["in_features = 31", "32"]),
        (json!({ "out_features": 0 }), ["out_features", "1 to"]),
        (
            json!({ "out_features": 4_000_000_000_u64 }),
            ["out_features", "4000000000"],
        ),
        (
            json!({ "activation_function": "torch.nn.PReLU" }),
            ["activation_function", "PReLU"],
        ),
        (
            json!({ "module_input_name": "token_embeddings" }),
            ["module_input_name", "token_embeddings"],
        ),
    ] {
        refused(staged(&mean, &dense(config)).path(), &parts);
    }
    let folder = staged(&mean, &dense(json!({})));
    write(
        &folder.path().join("2_Stage/config.json"),
        &json!({ "in_features": 32, "out_features": 5 }),
    );
    refused(folder.path(), &["linear.weight", "[5, 32]", "[4, 32]"]);
    fs::remove_file(folder.path().join("2_Stage/model.safetensors")).unwrap();
    fs::write(folder.path().join("2_Stage/pytorch_model.bin"), "").unwrap();
    refused(folder.path(), &["pytorch_model.bin"]);
    let layer_norm = json!({ "type": "sentence_transformers.models.LayerNorm" });
    refused(staged(&mean, &[layer_norm]).path(), &["LayerNorm"]);
    for strange in [
        json!({ "pooling_mode": "median" }),
        json!({ "pooling_mode_median": true }),
    ] {
        refused(staged(&strange, &[]).path(), &["median"]);
    }
}

#[test]
fn a_default_prompt_goes_before_both_and_must_exist() {
    let prompts = |json: Value| model("bert", &[("config_sentence_transformers.json", json)]);
    let both = json!({ "prompts": { "search": "search: " }, "default_prompt_name": "search" });
    let encoder = open(prompts(both).path(), true).unwrap();
    assert_eq!(encoder.spec().query_prompt, "search: ");
    assert_eq!(encoder.spec().passage_prompt, "search: ");
    let lost = json!({ "prompts": { "search": "search: " }, "default_prompt_name": "find" });
    refused(prompts(lost).path(), &["default_prompt_name", "find"]);
}

/// The lines of the `vocab.txt` that a `tokenizer.json` was made from.
fn vocabulary(folder: &Path) -> String {
    let json: Value =
        serde_json::from_slice(&fs::read(folder.join("tokenizer.json")).unwrap()).unwrap();
    let tokens = json["model"]["vocab"].as_object().unwrap();
    let mut lines: Vec<(u64, &String)> = tokens
        .iter()
        .map(|(token, id)| (id.as_u64().unwrap(), token))
        .collect();
    lines.sort_unstable();
    lines
        .into_iter()
        .map(|(_, token)| format!("{token}\n"))
        .collect()
}

#[test]
fn a_vocabulary_is_as_good_as_a_tokenizer() {
    let texts = [
        "The quick brown fox jumps over the lazy dog.",
        "Café naïve — über 3.14! 日本語 x\u{200b}y\tz",
        "a [MASK] b [SEP] <s> c unbelievable",
        "",
    ];
    for family in ["bert", "distilbert", "electra", "mpnet"] {
        let folder = model(family, &[]);
        let whole = open(folder.path(), true).unwrap();
        fs::write(folder.path().join("vocab.txt"), vocabulary(folder.path())).unwrap();
        fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
        let built = open(folder.path(), true).unwrap();
        for text in texts {
            assert_eq!(
                built.tokenize(text).unwrap(),
                whole.tokenize(text).unwrap(),
                "{family}: {text}"
            );
        }
        let ids = |encoder: &Encoder| {
            encoder
                .hidden_states(&texts)
                .unwrap()
                .into_iter()
                .map(|s| s.ids)
                .collect::<Vec<_>>()
        };
        assert_eq!(ids(&built), ids(&whole), "{family}");
        let cased = json!({ "do_lower_case": false });
        write(&folder.path().join("tokenizer_config.json"), &cased);
        let cased = open(folder.path(), true).unwrap();
        assert_ne!(
            cased.tokenize("The FOX").unwrap(),
            built.tokenize("The FOX").unwrap()
        );
        assert_ne!(cased.spec().fingerprint(), built.spec().fingerprint());
        fs::write(folder.path().join("vocab.txt"), "a\nb\n").unwrap();
        refused(folder.path(), &["vocab.txt", "[CLS]"]);
    }
}

#[test]
fn lower_case_before_the_tokenizer_keeps_the_offsets() {
    let folder = model("roberta", &[]);
    let plain = open(folder.path(), true).unwrap();
    write(
        &folder.path().join("sentence_bert_config.json"),
        &json!({ "max_seq_length": 190, "do_lower_case": true }),
    );
    let lower = open(folder.path(), true).unwrap();
    assert_eq!(
        lower.tokenize("The Fox ÜBER").unwrap(),
        plain.tokenize("the fox über").unwrap()
    );
    assert_ne!(lower.spec().fingerprint(), plain.spec().fingerprint());
    assert_eq!(lower.spec().pooling, Pooling::Mean.into());
}
