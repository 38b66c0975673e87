//! Edits of `tokenizer.json` that chance would seldom find.

use serde_json::{Value, json};

use super::charsmap;
use super::noise::Noise;

/// Patterns: some take exponentially or quadratically many steps, some match nothing, some are none.
const PATTERNS: [&str; 24] = [
    "(a+)+$",
    "(x+x+)+y",
    "(x+x+)+y(?!z)",
    r"(?=(a+))\1+b",
    "(a|aa)+(?!a)b|a",
    "(?<=a+)b",
    "(.*)*(?!x)y",
    r"\s*\s*\s*x(?!y)",
    "",
    "(",
    "a{1000}{1000}",
    "(?:a{0,1000}){0,1000}",
    r"\p{Nonsense}",
    "(?=)",
    r"\b",
    "^",
    "$",
    "(a*)*b(?=c)|.",
    "(?:(?:a*)*)*(?=b)|a",
    "([a-z]+)+(?=!)|[a-z]",
    r"(\w+\s?)+(?=\d)|.",
    r"a++b|(?>x+)y",
    "(?=x)",
    r"(?s).(?=.*z)",
];

/// Changes something that a tokenizer of this kind has. Says what it did.
pub fn spoil(json: &mut Value, noise: &mut Noise) -> String {
    if !json.is_object() {
        return "no object any more".into();
    }
    match noise.below(8) {
        0 | 1 => {
            json["normalizer"] = steps(noise, "normalizers", normaliser);
            format!("normalizer {}", short(&json["normalizer"]))
        }
        2 | 3 => {
            json["pre_tokenizer"] = steps(noise, "pretokenizers", pre_tokenizer);
            format!("pre_tokenizer {}", short(&json["pre_tokenizer"]))
        }
        4 => {
            json["post_processor"] = post_processor(noise);
            format!("post_processor {}", short(&json["post_processor"]))
        }
        5 => {
            let token = added(noise);
            let shown = short(&token);
            match json["added_tokens"].as_array_mut() {
                Some(list) => list.push(token),
                None => json["added_tokens"] = json!([token]),
            }
            format!("added {shown}")
        }
        _ => model(&mut json["model"], noise),
    }
}

fn short(json: &Value) -> String {
    json.to_string().chars().take(300).collect()
}

/// One step or a few; now and then the same many times.
fn steps(noise: &mut Noise, list: &str, one: fn(&mut Noise) -> Value) -> Value {
    match noise.below(4) {
        0 => one(noise),
        1 => {
            let step = one(noise);
            json!({ "type": "Sequence", list: vec![step; 1 + noise.below(60)] })
        }
        _ => {
            let steps: Vec<Value> = (0..1 + noise.below(5)).map(|_| one(noise)).collect();
            json!({ "type": "Sequence", list: steps })
        }
    }
}

fn pattern(noise: &mut Noise) -> Value {
    match noise.below(4) {
        0 => json!({ "String": noise.pick(&["", "a", " ", "x", "é", "ab"]) }),
        _ => json!({ "Regex": noise.pick(&PATTERNS) }),
    }
}

fn normaliser(noise: &mut Noise) -> Value {
    let content = noise
        .pick(&["", "a", "aa", "▁", " x "])
        .repeat(1 << (noise.below(18) * noise.below(2)));
    match noise.below(12) {
        0..4 => json!({ "type": "Replace", "pattern": pattern(noise), "content": content }),
        4 => json!({ "type": "Prepend", "prepend": content }),
        5 | 6 => json!({ "type": "Precompiled", "precompiled_charsmap": charsmap(noise) }),
        7 => {
            json!({ "type": "Strip", "strip_left": noise.one_in(2), "strip_right": noise.one_in(2) })
        }
        8 => json!({ "type": "ByteLevel" }),
        9 => {
            json!({ "type": "BertNormalizer", "clean_text": noise.one_in(2), "handle_chinese_chars": noise.one_in(2), "strip_accents": null, "lowercase": noise.one_in(2) })
        }
        10 => json!({ "type": "Sequence", "normalizers": [] }),
        _ => {
            json!({ "type": noise.pick(&["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "Nonsense"]) })
        }
    }
}

/// A map of characters that lies in one way or another.
fn charsmap(noise: &mut Noise) -> String {
    let random = |noise: &mut Noise, count: usize| -> Vec<u32> {
        (0..count)
            .map(|_| (noise.below(1 << 22) << 9 | noise.below(512)) as u32)
            .collect()
    };
    match noise.below(6) {
        0 => charsmap::base64(&u32::MAX.to_le_bytes()),
        1 => charsmap::base64(&[0xFF, 0xFF, 0xFF, 0xFE, 1, 2, 3]),
        2 => charsmap::encode(&[], b"x\0"),
        3 => {
            let count = noise.below(3000);
            charsmap::encode(&random(noise, count), b"abc\0\xC3\xA9\0")
        }
        4 => noise.pick(&["", "!", "AAA", "é"]).to_string(),
        _ => {
            // A valid one, one letter of it another.
            let mut text = charsmap::small().into_bytes();
            let at = noise.below(text.len());
            text[at] = *noise.pick(b"AZaz09+/=!");
            String::from_utf8_lossy(&text).into_owned()
        }
    }
}

fn pre_tokenizer(noise: &mut Noise) -> Value {
    let behaviour = noise.pick(&[
        "Removed",
        "Isolated",
        "MergedWithPrevious",
        "MergedWithNext",
        "Contiguous",
        "X",
    ]);
    match noise.below(12) {
        0..4 => {
            json!({ "type": "Split", "pattern": pattern(noise), "behavior": behaviour, "invert": noise.one_in(2) })
        }
        4 => json!({ "type": "FixedLength", "length": noise.pick(&[0_u64, 1, 5, u64::MAX]) }),
        5 => json!({ "type": "CharDelimiterSplit", "delimiter": "a" }),
        6 => {
            json!({ "type": "Metaspace", "replacement": noise.pick(&["▁", "_", "a", "🦀", ""]), "prepend_scheme": noise.pick(&["always", "first", "never"]), "split": noise.one_in(2) })
        }
        7 => {
            json!({ "type": "ByteLevel", "add_prefix_space": noise.one_in(2), "trim_offsets": noise.one_in(2), "use_regex": noise.one_in(2) })
        }
        8 => json!({ "type": "Punctuation", "behavior": behaviour }),
        9 => json!({ "type": "Digits", "individual_digits": noise.one_in(2) }),
        10 => json!({ "type": "Sequence", "pretokenizers": [] }),
        _ => {
            json!({ "type": noise.pick(&["Whitespace", "WhitespaceSplit", "BertPreTokenizer", "UnicodeScripts", "Nonsense"]) })
        }
    }
}

fn post_processor(noise: &mut Noise) -> Value {
    let piece = |noise: &mut Noise| match noise.below(3) {
        0 => {
            json!({ "Sequence": { "id": noise.pick(&["A", "A", "B"]), "type_id": noise.pick(&[0, 0, 1]) } })
        }
        _ => json!({ "SpecialToken": { "id": noise.pick(&["[CLS]", "x", "y"]), "type_id": 0 } }),
    };
    let single: Vec<Value> = (0..noise.below(6)).map(|_| piece(noise)).collect();
    let ids = |noise: &mut Noise| -> Vec<u64> {
        (0..noise.below(4))
            .map(|_| *noise.pick(&[0, 1, 2, 399, 100_000, u64::from(u32::MAX)]))
            .collect()
    };
    let template = json!({ "type": "TemplateProcessing", "single": single, "pair": [], "special_tokens": {
        "[CLS]": { "id": "[CLS]", "ids": ids(noise), "tokens": ["[CLS]"] },
        "x": { "id": "z", "ids": ids(noise), "tokens": vec!["x"; noise.below(4)] } } });
    match noise.below(4) {
        0 => json!({ "type": "Sequence", "processors": [template.clone(), template] }),
        1 => {
            json!({ "type": "RobertaProcessing", "sep": ["x", noise.pick(&[0_u32, 5000, u32::MAX])], "cls": ["", 0], "trim_offsets": true, "add_prefix_space": noise.one_in(2) })
        }
        2 => {
            json!({ "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": noise.one_in(2), "use_regex": true })
        }
        _ => template,
    }
}

fn added(noise: &mut Noise) -> Value {
    let content = noise
        .pick(&["", " ", "a", "the", "é", "\u{0}", "[CLS]", "aaaa"])
        .repeat(1 << (noise.below(16) * noise.below(2)));
    json!({ "id": noise.pick(&[0, 5, 400, 1 << 20, u64::from(u32::MAX), u64::MAX]), "content": content,
        "single_word": noise.one_in(2), "lstrip": noise.one_in(2), "rstrip": noise.one_in(2), "normalized": noise.one_in(2), "special": noise.one_in(2) })
}

/// Another vocabulary, other merges, other settings.
fn model(model: &mut Value, noise: &mut Noise) -> String {
    if !model.is_object() {
        *model = json!({});
    }
    let huge = *noise.pick(&[u64::from(u32::MAX), u64::MAX, 1 << 31, 401, 100_000]);
    let long = noise
        .pick(&["a", "é", "aaaaaaaab"])
        .repeat(1 << noise.below(18));
    match noise.below(10) {
        0 => {
            let vocabulary: Vec<Value> = (0..noise.below(600))
                .map(|length| json!(["a".repeat(length), -1.0]))
                .collect();
            *model = json!({ "type": "Unigram", "unk_id": noise.pick(&[0, 1, u64::MAX]), "vocab": vocabulary, "byte_fallback": noise.one_in(2) });
            return "model of a, aa, aaa".into();
        }
        1 => {
            *model = json!({ "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": noise.pick(&["##", "", "é", "a"]),
                "max_input_chars_per_word": noise.pick(&[100_u64, 0, 1000, u64::MAX]), "vocab": { "[UNK]": 0, "a": 1, "##a": 2, "": 3, "aa": 4, "": 5 } });
            return "model of letters".into();
        }
        2 => {
            let prefix = noise.pick(&["", "é", "abc", "a"]);
            let merges = noise.pick(&["a b", "é é", "a aa", "aa aa", "ab é", "b ab"]);
            *model = json!({ "type": "BPE", "dropout": noise.pick(&[Value::Null, json!(0.0), json!(0.5), json!(1.0), json!(2)]), "unk_token": noise.pick(&["a", "nowhere"]),
                "continuing_subword_prefix": prefix, "end_of_word_suffix": prefix, "fuse_unk": noise.one_in(2), "byte_fallback": noise.one_in(2), "ignore_merges": noise.one_in(2),
                "vocab": { "a": 0, "b": 1, "ab": 2, "é": 3, "éé": 4, "aa": 5, "aaa": 6 }, "merges": [merges, "a a"] });
            return format!("model with prefix {prefix} and merge {merges}");
        }
        3 => {
            *model = json!({ "type": "WordLevel", "vocab": { "a": 0, "the": huge }, "unk_token": noise.pick(&["a", "nowhere"]) });
            return "model of words".into();
        }
        4 => match model["merges"].as_array_mut() {
            Some(merges) => merges.push(json!(noise.pick(&["zzz yyy", "a", "a b c", "", " "]))),
            None => model["merges"] = json!([]),
        },
        5 => model["unk_id"] = json!(huge),
        6 => model["unk_token"] = json!(noise.pick(&["nowhere", ""])),
        7 => model["type"] = json!(noise.pick(&["BPE", "WordPiece", "WordLevel", "Unigram"])),
        _ => match &mut model["vocab"] {
            Value::Object(map) => {
                let keys: Vec<String> = map.keys().cloned().collect();
                if noise.one_in(2) {
                    map.insert(noise.pick(&keys).clone(), json!(huge));
                } else {
                    map.insert(long, json!(huge));
                }
            }
            Value::Array(list) => list.push(json!([long, noise.pick(&[-1e308, 1e308, 0.0])])),
            _ => {}
        },
    }
    format!("model, huge {huge}")
}
