//! What the search begins with: one or a few valid inputs for each function.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::models::FILES;
use crate::encoder::{Encoder, EncoderOptions};
use crate::index::IndexSpec;
use crate::index::schema;
use crate::vector::column::ColumnWriter;
use crate::vector::graph::{Adjacency, file};
use crate::vector::pack;

/// A function by the name of its target, and what it begins with.
pub type Target = (&'static str, fn(&[u8]), fn() -> Vec<Vec<u8>>);

/// All of them.
pub const TARGETS: [Target; 9] = [
    ("query", super::query, queries),
    ("chunks", super::chunks, chunks),
    ("column", super::column, columns),
    ("graph", super::graph, graphs),
    ("vectors", super::vectors, vectors),
    ("settings", super::settings, settings),
    ("packed", super::packed, packed),
    ("stamp", super::stamp, stamps),
    ("model", super::model, models),
];

fn fixture() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/encoders/bert")
}

/// A piece with its length before it.
fn piece(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_le_bytes(), bytes].concat()
}

fn queries() -> Vec<Vec<u8>> {
    let typed = [
        "how do plants eat -snake \"exact words\" title:\"the book\" path:docs/** -ext:pdf owner* aa*",
        "year>=2020 and (not author:a* or path:\"x y\") size<3.5",
        "the of and -\"\" \"\" -\"a \u{1b}[31m 日本語 👩‍👩‍👧‍👦 e\u{301} naïve Straße",
        "((((not not a=1))))",
    ];
    typed.map(|text| text.as_bytes().to_vec()).to_vec()
}

fn chunks() -> Vec<Vec<u8>> {
    let texts = [
        "A sentence. Another one?\n\nA paragraph with a word: 日本語の文章です。\n",
        "# Head\n\ntext *of* [a](b)\n\n- one\n  - two\n\n```\ncode\n```\n\n| a | b |\n|---|---|\n| c | d |\n",
        "Title\n=====\n\n.. note:: text\n\n::\n\n  code\n",
        "fn main() {\n    let x = 1;\n}\n\n/// Doc\nstruct A;\n",
        "",
        "A text in blocks, which lie where they lie, or in order.\nA second line.\n",
    ];
    let mut all = Vec::new();
    for (kind, text) in (0u8..).zip(texts) {
        for tokens in 0..3 {
            let sizes = [64u16, 40, 10, 20].map(u16::to_le_bytes).concat();
            let places = [6u16, 0, 9, 11, 30, 31, 55].map(u16::to_le_bytes).concat();
            let places = if kind == 5 { places } else { Vec::new() };
            let head = [
                &[kind + 252 * u8::from(kind == 5 && tokens == 1) / 2, tokens],
                &sizes[..],
            ]
            .concat();
            all.push([head, piece(b"A title"), places, text.as_bytes().to_vec()].concat());
        }
    }
    all
}

fn columns() -> Vec<Vec<u8>> {
    let column = |rows: u8, dimension: u8| {
        let mut writer = ColumnWriter::new(usize::from(dimension), Vec::new(), Vec::new());
        for row in 0..rows {
            let vector = super::files::unit(u64::from(row), usize::from(dimension));
            let vector = if row == 2 { &[][..] } else { &vector };
            writer.push(vector).expect("written to memory");
        }
        let (codes, residuals) = writer.finish().expect("written to memory");
        [&[rows, dimension - 1, 1], &piece(&codes)[..], &residuals].concat()
    };
    vec![column(5, 12), column(0, 1), column(70, 65)]
}

fn graphs() -> Vec<Vec<u8>> {
    let rows = 9u32;
    let adjacency = Adjacency {
        entry: 4,
        members: (0..rows).filter(|row| *row != 7).collect(),
        base: (0..rows)
            .map(|row| match row {
                7 => Vec::new(),
                row => vec![(row + 1) % 7, (row + 3) % 7],
            })
            .collect(),
        upper: vec![
            BTreeMap::from([(2, vec![4]), (4, vec![2, 8])]),
            BTreeMap::from([(4, vec![])]),
        ],
        twins: BTreeMap::from([(3, vec![7])]),
    };
    let file = file::bytes(&adjacency);
    [0, 1]
        .map(|mend| [&[rows as u8, mend, 4], &file[..]].concat())
        .to_vec()
}

fn vectors() -> Vec<Vec<u8>> {
    vec![[&[12], &pack(&super::files::unit(1, 12))[..]].concat()]
}

fn settings() -> Vec<Vec<u8>> {
    let encoder = Encoder::open(&fixture(), &EncoderOptions::default()).expect("a fixture");
    let spec = IndexSpec {
        format: schema::FORMAT,
        encoder: encoder.spec().clone(),
    };
    let (schema, _) = schema::build(&spec).expect("a schema");
    vec![serde_json::to_vec(&schema).expect("a schema is JSON")]
}

fn packed() -> Vec<Vec<u8>> {
    let directory = br#"{"identity":{"model":"/model","weights_sha256":"w","config_sha256":"c","layout":"l"},"entries":[
        {"name":"a","used":"Whole","parts":[{"at":0,"bytes":512,"crc32":0},{"at":64,"bytes":8,"crc32":0}]},
        {"name":"b","used":"Rows","parts":[{"at":64,"bytes":32,"crc32":0}]}]}"#;
    [0, 1, 7]
        .map(|mend| [&[mend], &piece(directory)[..], &[7; 1100]].concat())
        .to_vec()
}

fn stamps() -> Vec<Vec<u8>> {
    let json = br#"{"version":1,"model":"/model","files":[["model.safetensors",{"length":7,"modified":1,"changed":2,"device":3,"inode":4}]],"weights_sha256":"ab"}"#;
    [0, 1]
        .map(|mend| [&[mend], &json[..], b"\n00000000\n"].concat())
        .to_vec()
}

fn models() -> Vec<Vec<u8>> {
    let made: [(&str, &[u8]); 4] = [
        ("tokenizer_config.json", br#"{"model_max_length":64,"do_lower_case":true}"#),
        ("sentence_bert_config.json", br#"{"max_seq_length":48,"do_lower_case":false}"#),
        (
            "config_sentence_transformers.json",
            br#"{"prompts":{"query":"query: ","document":"passage: "},"default_prompt_name":"query"}"#,
        ),
        ("model.safetensors.index.json", br#"{"weight_map":{"a":"model-00001-of-00001.safetensors"}}"#),
    ];
    let seed = |(which, name): (u8, &&str)| {
        let made = made.iter().find(|(known, _)| known == name);
        let bytes = match made {
            Some((_, bytes)) => bytes.to_vec(),
            None => fs::read(fixture().join(name)).ok()?,
        };
        Some([&[which], &bytes[..]].concat())
    };
    (0u8..).zip(&FILES).filter_map(seed).collect()
}
