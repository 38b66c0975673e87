//! What a caller may choose about an encoder.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use kenning::encoder::{Encoder, EncoderOptions, Pooling, Role};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/encoders/bert")
}

fn open(options: &EncoderOptions) -> kenning::Result<Encoder> {
    Encoder::open(&folder(), options)
}

fn vector(encoder: &Encoder, role: Role, text: &str) -> Vec<f32> {
    let mut encoded = encoder.encode(role, &[text]).unwrap();
    encoded.remove(0).embedding
}

#[test]
fn fewer_dimensions_are_the_first_ones_at_unit_length() {
    let whole = open(&EncoderOptions::default()).unwrap();
    let cut = open(&EncoderOptions {
        dimensions: Some(10),
        ..EncoderOptions::default()
    });
    let cut = cut.unwrap();
    assert_eq!(cut.spec().dimension, 10);
    assert_ne!(cut.spec().fingerprint(), whole.spec().fingerprint());
    let (a, b) = ("a text", Role::Passage);
    let (whole_vector, cut_vector) = (vector(&whole, b, a), vector(&cut, b, a));
    assert_eq!(cut_vector.len(), 10);
    let norm = whole_vector[..10].iter().map(|x| x * x).sum::<f32>().sqrt();
    for (x, y) in whole_vector.iter().zip(&cut_vector) {
        assert!((x / norm - y).abs() < 1e-6);
    }
    let same = open(&EncoderOptions {
        dimensions: Some(whole.spec().dimension),
        ..EncoderOptions::default()
    });
    assert_eq!(
        same.unwrap().spec().fingerprint(),
        whole.spec().fingerprint()
    );
    for dimensions in [0, 33] {
        let options = EncoderOptions {
            dimensions: Some(dimensions),
            ..EncoderOptions::default()
        };
        let error = open(&options).unwrap_err().to_string();
        assert!(
            error.contains(&format!("dimensions = {dimensions}")),
            "{error}"
        );
    }
}

#[test]
fn a_prompt_of_ones_own_goes_before_its_role_alone() {
    let plain = open(&EncoderOptions::default()).unwrap();
    let prompted = open(&EncoderOptions {
        query_prompt: Some("query: ".to_owned()),
        ..EncoderOptions::default()
    });
    let prompted = prompted.unwrap();
    let passage = |encoder: &Encoder, text: &str| vector(encoder, Role::Passage, text);
    assert_eq!(passage(&prompted, "a text"), passage(&plain, "a text"));
    let asked = vector(&prompted, Role::Query, "a text");
    assert_eq!(asked, vector(&plain, Role::Query, "query: a text"));
}

#[test]
fn an_encoder_is_made_again_from_its_spec() {
    for options in [
        EncoderOptions::default(),
        EncoderOptions {
            pooling: Some(Pooling::Max),
            max_tokens: Some(40),
            query_prompt: Some("q: ".to_owned()),
            passage_prompt: Some("p: ".to_owned()),
            dimensions: Some(7),
            ..EncoderOptions::default()
        },
    ] {
        let first = open(&options).unwrap();
        let again = open(&EncoderOptions::like(first.spec())).unwrap();
        assert_eq!(first.spec(), again.spec());
    }
}
