//! The tiny models in `fixtures/encoders`, each with what a reference computed.

#![allow(dead_code, clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde_json::Value;

/// What every number must agree within.
pub const TOLERANCE: f32 = 1e-4;

/// The folder of a family.
pub fn folder(family: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/encoders")
        .join(family)
}

/// A file of JSON.
pub fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The texts of a family, their token ids, and the id of padding.
pub fn cases(family: &str) -> (Vec<String>, Vec<Vec<u32>>, u32) {
    let json = json(&folder(family).join("cases.json"));
    let read = |name: &str| json[name].clone();
    (
        serde_json::from_value(read("texts")).unwrap(),
        serde_json::from_value(read("input_ids")).unwrap(),
        serde_json::from_value(read("pad_token_id")).unwrap(),
    )
}

/// A tensor of the expected values, with its shape.
pub fn expected(family: &str, name: &str) -> (Vec<f32>, Vec<usize>) {
    let bytes = fs::read(folder(family).join("expected.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = file.tensor(name).unwrap();
    let (words, _) = tensor.data().as_chunks::<4>();
    let numbers = words.iter().copied().map(f32::from_le_bytes);
    (numbers.collect(), tensor.shape().to_vec())
}

pub fn assert_close(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let differences = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    let worst = differences.fold(0.0, f32::max);
    assert!(worst < TOLERANCE, "{what}: differs by {worst}");
}

/// A test for each family, which calls the functions named with the family's folder.
macro_rules! each_family {
    ($($check:ident),*) => {
        each_family! {
            @tests [$($check)*]
            bert "bert", roberta "roberta", xlm_roberta "xlm-roberta", electra "electra",
            distilbert "distilbert", albert "albert", mpnet "mpnet", deberta "deberta",
            deberta_v2 "deberta-v2", modernbert "modernbert"
        }
    };
    (@tests $checks:tt $($test:ident $family:literal),*) => {
        $( each_family!(@test $checks $test $family); )*
    };
    (@test [$($check:ident)*] $test:ident $family:literal) => {
        #[test]
        fn $test() {
            $( $check($family); )*
        }
    };
}
pub(crate) use each_family;
