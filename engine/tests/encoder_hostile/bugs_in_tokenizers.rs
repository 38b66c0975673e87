//! What was found in tokenizers, each by name.

use kenning::encoder::{ModelError, Role};
use serde_json::{Value, json};

use super::bugs::Model;
use super::charsmap;

#[test]
fn a_text_without_tokens_is_an_error_where_the_model_adds_none() {
    let model = Model::new("bert").tokenizer("post_processor", Value::Null);
    assert!(model.open().unwrap().encode(Role::Query, &["fox"]).is_ok());
    let error = model.fails("fox", "input 0 has no tokens");
    assert!(matches!(error, ModelError::NoTokens { .. }));
}

/// The library of tensors takes the largest id for a row of zeros.
#[test]
fn ids_beyond_the_vocabulary_are_named() {
    for id in [400, u32::MAX] {
        let model = Model::new("bert").change("tokenizer.json", |json| {
            json["post_processor"]["special_tokens"]["[CLS]"]["ids"] = json!([id]);
        });
        let error = model.fails("fox", &format!("token id {id}"));
        assert!(matches!(
            error,
            ModelError::TokenId {
                vocabulary: 400,
                ..
            }
        ));
    }
}

fn template(single: Value) -> Value {
    json!({ "type": "TemplateProcessing", "single": single, "pair": [],
        "special_tokens": { "[CLS]": { "id": "[CLS]", "ids": [2], "tokens": ["[CLS]"] }, "x": { "id": "x", "ids": [2, 3], "tokens": ["x"] } } })
}

#[test]
fn templates_that_lack_something_are_refused() {
    let text = |id: &str| json!({ "Sequence": { "id": id, "type_id": 0 } });
    let token = |id: &str| json!({ "SpecialToken": { "id": id, "type_id": 0 } });
    for (single, part) in [
        (
            json!([token("[SEP]"), text("A")]),
            "no special token \"[SEP]\"",
        ),
        (json!([token("x"), text("A")]), "no special token \"x\""),
        (json!([text("A"), text("B")]), "a second text"),
        (json!([token("[CLS]")]), "the text 0 times"),
        (json!([text("A"), text("A")]), "the text 2 times"),
    ] {
        Model::new("bert")
            .tokenizer("post_processor", template(single))
            .refused(part);
    }
    let one = template(json!([token("[CLS]"), text("A")]));
    let model = Model::new("bert").tokenizer("post_processor", one.clone());
    assert_eq!(model.open().unwrap().special_tokens(), 1);
    let two = json!({ "type": "Sequence", "processors": [one.clone(), { "type": "Sequence", "processors": [one] }] });
    Model::new("bert")
        .tokenizer("post_processor", two)
        .refused("special tokens twice");
}

/// A text of which nothing is left says nothing about what stands before it and what after.
#[test]
fn special_tokens_are_found_where_an_a_has_no_tokens() {
    let model = json!({ "type": "BPE", "unk_token": null, "vocab": { "[CLS]": 0, "[SEP]": 1, "1": 2, "b": 3 }, "merges": [] });
    let spoilt = Model::new("bert")
        .tokenizer("model", model)
        .change("tokenizer.json", |json| {
            json["post_processor"] =
                json!({ "type": "BertProcessing", "cls": ["[CLS]", 0], "sep": ["[SEP]", 1] });
            json["added_tokens"] = json!([]);
        });
    let states = spoilt.open().unwrap().hidden_states(&["b"]).unwrap();
    assert_eq!(states[0].ids, [0, 3, 1]);
    let nothing = json!({ "type": "BPE", "unk_token": null, "vocab": { "b": 3 }, "merges": [] });
    spoilt
        .tokenizer("model", nothing)
        .refused("tokens for one of a, 1");
}

fn precompiled(map: Value) -> Value {
    json!({ "type": "Sequence", "normalizers": [{ "type": "Precompiled", "precompiled_charsmap": map }] })
}

#[test]
fn maps_of_characters_that_lead_astray_are_refused() {
    let model = |map: Value| Model::new("xlm-roberta").tokenizer("normalizer", precompiled(map));
    let astray = {
        let mut units = vec![0_u32; 512];
        units[0] = 256 << 10;
        // From "a" on to children beyond the end.
        units[256 ^ 97] = 97 | (5000 << 10);
        units
    };
    let text = |place: u32, texts: &[u8]| {
        let mut units = vec![0_u32; 1024];
        units[0] = 256 << 10;
        units[256 ^ 97] = 97 | 1 << 8 | ((256 ^ 97 ^ 512) << 10);
        units[512] = place;
        charsmap::encode(&units, texts)
    };
    for map in [
        Value::Null,
        json!(""),
        json!("AAA"),
        json!(charsmap::base64(&u32::MAX.to_le_bytes())),
        json!(charsmap::encode(&[], b"x\0")),
        json!(charsmap::encode(&[0; 64], b"x\0")),
        json!(charsmap::encode(&astray, b"x\0")),
        json!(text(9, b"x\0")),
        json!(text(1, "é\0".as_bytes())),
        json!(text(0, "x".repeat(100_000).as_bytes())),
    ] {
        model(map).refused("no map of characters");
    }
    assert_eq!(
        model(json!(text(1, b"xb\0"))).tokens("a"),
        model(json!(charsmap::small())).tokens("a")
    );
    assert_eq!(
        model(json!(charsmap::small())).tokens("a"),
        Model::new("xlm-roberta").tokens("b")
    );
}

#[test]
fn texts_that_a_normaliser_makes_endless_are_errors() {
    let double = json!({ "type": "Replace", "pattern": { "String": "e" }, "content": "ee" });
    let model = Model::new("bert").tokenizer(
        "normalizer",
        json!({ "type": "Sequence", "normalizers": vec![double; 60] }),
    );
    let error = model.fails("the fox", "over 32 times");
    assert!(matches!(error, ModelError::Tokenize { .. }));
    let long =
        json!({ "type": "Replace", "pattern": { "Regex": "" }, "content": "x".repeat(1 << 20) });
    Model::new("bert")
        .tokenizer("normalizer", long)
        .refused("over 32 times");
}

#[test]
fn texts_that_a_splitter_makes_endless_are_errors() {
    let steps: Vec<Value> = ["_", "-"].iter().cycle().take(50)
        .flat_map(|mark| [
            json!({ "type": "Metaspace", "replacement": mark, "prepend_scheme": "always", "split": true }),
            json!({ "type": "Split", "pattern": { "Regex": "." }, "behavior": "Isolated", "invert": false }),
        ])
        .collect();
    let model = Model::new("bert").tokenizer(
        "pre_tokenizer",
        json!({ "type": "Sequence", "pretokenizers": steps }),
    );
    model.refused("over 32 times");
}

/// The library leaves the rest of the text as it is, and says nothing.
#[test]
fn a_pattern_that_backtracks_exponentially_is_an_error() {
    let split = json!({ "type": "Split", "pattern": { "Regex": "(x+x+)+y(?!z)" }, "behavior": "Isolated", "invert": false });
    let model = Model::new("bert").tokenizer("pre_tokenizer", split);
    let error = model.fails(&"x".repeat(100), "a pattern of it");
    assert!(matches!(error, ModelError::Tokenize { .. }));
}

/// The library panics in a step after one that puts something before a text, or nothing.
#[test]
fn what_is_put_before_a_text_is_normalised_further() {
    let first = json!({ "type": "Replace", "pattern": { "Regex": "^" }, "content": "the " });
    let nothing = json!({ "type": "Prepend", "prepend": "" });
    let more = json!({ "type": "Prepend", "prepend": "the " });
    let lower = json!({ "type": "Lowercase" });
    for steps in [json!([first, lower]), json!([nothing, more, lower])] {
        let model = Model::new("bert").tokenizer(
            "normalizer",
            json!({ "type": "Sequence", "normalizers": steps }),
        );
        assert_eq!(model.tokens("FOX"), Model::new("bert").tokens("the fox"));
    }
}

#[test]
fn an_added_token_that_a_normaliser_empties_is_refused() {
    let token = json!({ "id": 5, "content": "\u{0}", "single_word": false, "lstrip": false, "rstrip": false, "normalized": true, "special": false });
    let model = Model::new("bert").change("tokenizer.json", |json| {
        json["added_tokens"] = json!([token])
    });
    model.refused("nothing is left of the added token");
}

#[test]
fn merges_that_give_no_token_are_refused() {
    let bpe = |prefix: &str, merge: Value| {
        let vocabulary = json!({ "a": 0, "b": 1, "é": 2, "ab": 3, "abb": 4 });
        let model = json!({ "type": "BPE", "continuing_subword_prefix": prefix, "vocab": vocabulary, "merges": [merge] });
        Model::new("roberta").tokenizer("model", model)
    };
    for (prefix, merge) in [
        ("ab", json!("a b")),
        ("x", json!("a é")),
        ("", json!(["ab", "abb"])),
    ] {
        bpe(prefix, merge).refused("gives no token");
    }
    bpe("", json!("a nowhere")).refused("tokenizer.json");
    bpe("", json!("a")).refused("tokenizer.json");
}

#[test]
fn a_dropout_is_refused() {
    let model = |dropout: f64| {
        Model::new("roberta").change("tokenizer.json", |json| {
            json["model"]["dropout"] = json!(dropout)
        })
    };
    model(0.1).refused("dropout");
    assert!(model(0.0).open().is_ok());
}

/// The library keeps them in a tree as deep as they are long, which took all of the stack.
#[test]
fn pieces_and_words_longer_than_any_are_refused() {
    let model = Model::new("albert").change("tokenizer.json", |json| {
        let piece = json!(["x".repeat(1 << 20), -1.0]);
        json["model"]["vocab"].as_array_mut().unwrap().push(piece);
    });
    model.refused("a piece of the vocabulary has 1048576 bytes");
    let model = Model::new("bert").change("tokenizer.json", |json| {
        json["model"]["max_input_chars_per_word"] = json!(100_000)
    });
    model.refused("max_input_chars_per_word");
}

#[test]
fn pieces_of_no_length_are_refused() {
    let step = json!({ "type": "FixedLength", "length": 0 });
    Model::new("bert")
        .tokenizer("pre_tokenizer", step)
        .refused("FixedLength");
}
