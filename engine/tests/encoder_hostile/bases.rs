//! The models that are spoilt: every fixture, and what no fixture has: shards, Dense layers and prompts, a
//! `vocab.txt`, a tokenizer with regular expressions.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView, serialize};
use serde_json::{Value, json};

/// The files of a model by their paths in its folder.
pub type Files = BTreeMap<String, Vec<u8>>;

/// All of them, by name.
pub fn bases() -> Vec<(String, Files)> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut all = Vec::new();
    for folder in folders(&fixtures.join("encoders")) {
        all.push((name(&folder), read(&folder)));
    }
    for folder in folders(&fixtures.join("variants")) {
        let mut files = read(&folder);
        let cases: Value =
            serde_json::from_slice(&fs::read(folder.join("cases.json")).unwrap()).unwrap();
        let family = fixtures
            .join("encoders")
            .join(cases["tokenizer"].as_str().unwrap());
        files.insert(
            "tokenizer.json".into(),
            fs::read(family.join("tokenizer.json")).unwrap(),
        );
        all.push((name(&folder), files));
    }
    assert!(all.len() > 30, "the fixtures are not there");
    let base = |wanted: &str| {
        all.iter()
            .find(|(name, _)| name == wanted)
            .unwrap()
            .1
            .clone()
    };
    let (bert, bpe, unigram) = (base("bert"), base("modernbert"), base("xlm-roberta"));
    all.extend([
        ("sharded".to_owned(), sharded(bert.clone())),
        ("dense".to_owned(), dense(bert.clone())),
        ("vocabulary".to_owned(), vocabulary(bert)),
        ("regex".to_owned(), regex(bpe)),
        ("charsmap".to_owned(), charsmap(unigram)),
    ]);
    all
}

fn folders(below: &Path) -> Vec<std::path::PathBuf> {
    let mut all: Vec<_> = fs::read_dir(below)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    all.sort();
    all
}

fn name(folder: &Path) -> String {
    folder.file_name().unwrap().to_string_lossy().into_owned()
}

/// The files that the encoder may read in `folder`.
fn read(folder: &Path) -> Files {
    let known = [
        "config.json",
        "tokenizer.json",
        "modules.json",
        "sentence_bert_config.json",
        "1_Pooling/config.json",
        "model.safetensors",
    ];
    let there = known
        .iter()
        .filter_map(|file| Some(((*file).to_owned(), fs::read(folder.join(file)).ok()?)));
    there.collect()
}

/// The JSON in a file.
pub fn json_of(files: &Files, name: &str) -> Value {
    serde_json::from_slice(&files[name]).unwrap()
}

fn put(files: &mut Files, name: &str, json: &Value) {
    files.insert(name.to_owned(), json.to_string().into_bytes());
}

fn sharded(mut files: Files) -> Files {
    let bytes = files.remove("model.safetensors").unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let (mut map, mut shards) = (json!({}), [Vec::new(), Vec::new()]);
    let mut named = tensors.tensors();
    named.sort_by(|a, b| a.0.cmp(&b.0));
    for (index, (name, view)) in named.into_iter().enumerate() {
        map[&name] = json!(format!("model-0000{}-of-00002.safetensors", index % 2 + 1));
        shards[index % 2].push((name, view));
    }
    for (index, shard) in shards.into_iter().enumerate() {
        let file = format!("model-0000{}-of-00002.safetensors", index + 1);
        files.insert(file, serialize(shard, None).unwrap());
    }
    put(
        &mut files,
        "model.safetensors.index.json",
        &json!({ "metadata": { "total_size": 1 }, "weight_map": map }),
    );
    files
}

fn dense(mut files: Files) -> Files {
    let modules = [
        ("", "Transformer"),
        ("1_Pooling", "Pooling"),
        ("2_Dense", "Dense"),
        ("3_Normalize", "Normalize"),
        ("4_Dense", "Dense"),
    ];
    let modules: Vec<Value> = modules
        .iter()
        .enumerate()
        .map(|(index, (path, class))| json!({ "idx": index, "name": index.to_string(), "path": path, "type": format!("sentence_transformers.models.{class}") }))
        .collect();
    put(&mut files, "modules.json", &json!(modules));
    for (folder, from, to) in [("2_Dense", 32, 24), ("4_Dense", 24, 8)] {
        let numbers = |count: usize| -> Vec<u8> {
            (0..count)
                .flat_map(|i| ((i * 7919 % 1000) as f32 / 500.0 - 1.0).to_le_bytes())
                .collect()
        };
        let (weight, bias) = (numbers(from * to), numbers(to));
        let views = [
            (
                "linear.weight",
                TensorView::new(Dtype::F32, vec![to, from], &weight).unwrap(),
            ),
            (
                "linear.bias",
                TensorView::new(Dtype::F32, vec![to], &bias).unwrap(),
            ),
        ];
        files.insert(
            format!("{folder}/model.safetensors"),
            serialize(views, None).unwrap(),
        );
        let config = json!({ "in_features": from, "out_features": to, "bias": true, "activation_function": "torch.nn.modules.activation.Tanh" });
        put(&mut files, &format!("{folder}/config.json"), &config);
    }
    let prompts = json!({ "prompts": { "query": "search: ", "document": "passage: " }, "default_prompt_name": null, "similarity_fn_name": "cosine" });
    put(&mut files, "config_sentence_transformers.json", &prompts);
    files
}

fn vocabulary(mut files: Files) -> Files {
    let tokenizer = json_of(&files, "tokenizer.json");
    files.remove("tokenizer.json");
    let mut tokens: Vec<(u64, &String)> = tokenizer["model"]["vocab"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(token, id)| (id.as_u64().unwrap(), token))
        .collect();
    tokens.sort_unstable();
    let lines: Vec<&str> = tokens.iter().map(|(_, token)| token.as_str()).collect();
    files.insert("vocab.txt".into(), lines.join("\n").into_bytes());
    let config = json!({ "do_lower_case": true, "strip_accents": null, "tokenize_chinese_chars": true, "model_max_length": 128, "cls_token": "[CLS]", "sep_token": { "content": "[SEP]" } });
    put(&mut files, "tokenizer_config.json", &config);
    put(
        &mut files,
        "special_tokens_map.json",
        &json!({ "unk_token": "[UNK]", "pad_token": "[PAD]" }),
    );
    files
}

/// The steps of many byte-level models: a Split with look-ahead, then bytes.
fn regex(mut files: Files) -> Files {
    let mut tokenizer = json_of(&files, "tokenizer.json");
    let pattern = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    tokenizer["normalizer"] = json!({ "type": "Sequence", "normalizers": [
        { "type": "NFC" }, { "type": "Replace", "pattern": { "Regex": " {2,}" }, "content": " " }] });
    tokenizer["pre_tokenizer"] = json!({ "type": "Sequence", "pretokenizers": [
        { "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false },
        { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false }] });
    put(&mut files, "tokenizer.json", &tokenizer);
    files
}

/// The steps of many SentencePiece models. The map turns "a" into "b" and "c" into "xyz".
fn charsmap(mut files: Files) -> Files {
    let mut tokenizer = json_of(&files, "tokenizer.json");
    tokenizer["normalizer"] = json!({ "type": "Sequence", "normalizers": [
        { "type": "Precompiled", "precompiled_charsmap": super::charsmap::small() },
        { "type": "Replace", "pattern": { "Regex": " {2,}" }, "content": "▁" }] });
    put(&mut files, "tokenizer.json", &tokenizer);
    files
}
