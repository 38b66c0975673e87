//! What a fingerprint depends on.

#![allow(clippy::unwrap_used)]
use super::*;

fn spec() -> EncoderSpec {
    EncoderSpec {
        model: "a".into(),
        architecture: "bert".into(),
        settings: "heads=12".into(),
        dimension: 384,
        max_tokens: 256,
        pooling: Pooling::Mean.into(),
        stages: Vec::new(),
        normalise: true,
        query_prompt: String::new(),
        passage_prompt: String::new(),
        weights_sha256: "00".into(),
        tokenizer_sha256: "11".into(),
        precision: Precision::F32,
    }
}

#[test]
fn fingerprint_is_pinned() {
    assert_eq!(
        spec().fingerprint(),
        "6911e9aa8a50713070649995fe4a7db6ecb0f8d8d783accfb3ffca83595ec7af"
    );
}

fn dense() -> Stage {
    Stage::Dense {
        dimension: 384,
        bias: true,
        activation: Activation::Tanh,
        weights_sha256: "02".into(),
    }
}

#[test]
fn fingerprint_ignores_the_name_and_nothing_else() {
    let changed = |change: fn(&mut EncoderSpec)| {
        let mut spec = spec();
        change(&mut spec);
        spec.fingerprint()
    };
    assert_eq!(
        changed(|spec| spec.model = "b".into()),
        spec().fingerprint()
    );
    let mut seen = vec![
        spec().fingerprint(),
        changed(|spec| spec.architecture = "distilbert".into()),
        changed(|spec| spec.settings = "heads=6".into()),
        changed(|spec| spec.dimension = 383),
        changed(|spec| spec.max_tokens = 255),
        changed(|spec| spec.pooling = Pooling::Cls.into()),
        changed(|spec| spec.pooling = Poolings(vec![Pooling::Cls, Pooling::Mean])),
        changed(|spec| spec.pooling = Poolings(vec![Pooling::Mean, Pooling::Cls])),
        changed(|spec| spec.stages = vec![dense()]),
        changed(|spec| spec.stages = vec![Stage::Normalise, dense()]),
        changed(|spec| spec.stages = vec![dense(), dense()]),
        changed(|spec| spec.normalise = false),
        changed(|spec| spec.query_prompt = "q".into()),
        changed(|spec| spec.passage_prompt = "q".into()),
        changed(|spec| spec.weights_sha256 = "01".into()),
        changed(|spec| spec.tokenizer_sha256 = "01".into()),
    ];
    let all = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), all);
}

#[test]
fn spec_survives_json_in_any_field_order() {
    let json = serde_json::to_value(spec()).unwrap();
    let back: EncoderSpec = serde_json::from_value(json).unwrap();
    assert_eq!(back, spec());
    let staged = EncoderSpec {
        pooling: Poolings(vec![Pooling::MeanSqrtLen, Pooling::LastToken]),
        stages: vec![Stage::Normalise, dense()],
        ..spec()
    };
    let json = serde_json::to_value(&staged).unwrap();
    assert_eq!(json["pooling"], "mean_sqrt_len_tokens+lasttoken");
    let back: EncoderSpec = serde_json::from_value(json).unwrap();
    assert_eq!(back, staged);
}
