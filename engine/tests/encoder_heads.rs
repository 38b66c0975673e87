//! Heads of tiny models of each family against logits that transformers computed.

#![allow(clippy::unwrap_used)]

#[path = "common/encoders.rs"]
mod encoders;

use std::fs;
use std::path::{Path, PathBuf};

use encoders::{assert_close, cases, each_family, expected, json};
use kenning::encoder::heads::{
    Classifier, HeadOptions, Input, MaskedLm, QuestionAnswerer, TokenClassifier,
};
use tempfile::TempDir;

/// Heads with other settings than those of the ten families.
fn others() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/heads")
}

/// The model in `folder` with the tokenizer of `family`, as one folder.
fn whole(folder: &Path, family: &str) -> TempDir {
    let whole = TempDir::new().unwrap();
    let copy = |from: PathBuf, name: &str| fs::copy(from, whole.path().join(name)).unwrap();
    copy(folder.join("config.json"), "config.json");
    copy(folder.join("model.safetensors"), "model.safetensors");
    copy(
        encoders::folder(family).join("tokenizer.json"),
        "tokenizer.json",
    );
    whole
}

fn head(family: &str, name: &str) -> TempDir {
    whole(&encoders::folder(family).join(name), family)
}

/// The texts of a family.
fn texts(family: &str) -> Vec<String> {
    cases(family).0
}

fn options() -> HeadOptions {
    HeadOptions {
        threads: Some(2),
        ..HeadOptions::default()
    }
}

/// All four heads of a family: what is expected of padding stands for nothing.
fn heads_agree(family: &str) {
    let texts = texts(family);
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let inputs: Vec<Input<'_>> = texts.iter().map(|text| Input::from(*text)).collect();

    let folder = head(family, "sequence_classification");
    let classifier = Classifier::open(folder.path(), &options()).unwrap();
    assert_eq!(classifier.labels()[3], "LABEL_3");
    let (logits, shape) = expected(family, "sequence_logits");
    let found = classifier.classify(&inputs).unwrap();
    assert_eq!(found.len(), shape[0]);
    for (found, row) in found.iter().zip(logits.chunks_exact(shape[1])) {
        assert_close(&format!("{family}, classes"), &found.logits, row);
        assert!((found.scores.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        let best = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        assert!((row[found.best] - best).abs() < encoders::TOLERANCE && !found.truncated);
    }

    let folder = head(family, "token_classification");
    let tokens = TokenClassifier::open(folder.path(), &options()).unwrap();
    let (logits, shape) = expected(family, "token_logits");
    let rows = logits.chunks_exact(shape[1] * shape[2]);
    for (found, rows) in tokens.logits(&texts).unwrap().iter().zip(rows) {
        assert_eq!(found.logits.len(), found.ids.len() * shape[2]);
        let what = format!("{family}, classes of tokens");
        assert_close(&what, &found.logits, &rows[..found.logits.len()]);
    }

    let folder = head(family, "question_answering");
    let answerer = QuestionAnswerer::open(folder.path(), &options()).unwrap();
    let (starts, shape) = expected(family, "qa_start_logits");
    let (ends, _) = expected(family, "qa_end_logits");
    let rows = starts
        .chunks_exact(shape[1])
        .zip(ends.chunks_exact(shape[1]));
    for (found, (start, end)) in answerer.logits(&inputs).unwrap().iter().zip(rows) {
        let length = found.ids.len();
        assert_close(&format!("{family}, starts"), &found.start, &start[..length]);
        assert_close(&format!("{family}, ends"), &found.end, &end[..length]);
    }

    let folder = head(family, "masked_lm");
    let masked = MaskedLm::open(folder.path(), &options()).unwrap();
    let (logits, _) = expected(family, "mlm_logits_first_row");
    let found = masked.logits(&texts[..1]).unwrap();
    assert_close(&format!("{family}, words"), &found[0].logits, &logits);
}

each_family!(heads_agree);

/// Two texts are framed as the reference frames them, and the second has its own type where there are types.
#[test]
fn pairs_of_texts() {
    let cases = json(&others().join("pairs.json"));
    let pairs: Vec<(String, String)> = serde_json::from_value(cases["pairs"].clone()).unwrap();
    let pairs: Vec<Input<'_>> = pairs.iter().map(|(a, b)| Input::Pair(a, b)).collect();
    for (family, expected) in cases["families"].as_object().unwrap() {
        let folder = head(family, "sequence_classification");
        let classifier = Classifier::open(folder.path(), &options()).unwrap();
        let found = classifier.classify(&pairs).unwrap();
        let expected = expected.as_array().unwrap();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            let expected: Vec<f32> = serde_json::from_value(expected["logits"].clone()).unwrap();
            assert_close(&format!("{family}, pairs"), &found.logits, &expected);
        }
    }
}

/// Heads with other settings than those of the ten families' fixtures.
#[test]
fn other_settings() {
    let mut seen = 0;
    for entry in fs::read_dir(others()).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        let case = json(&folder.join("expected.json"));
        let expected: Vec<f32> = serde_json::from_value(case["logits"].clone()).unwrap();
        let text = case["text"].as_str().unwrap();
        let model = whole(&folder, case["family"].as_str().unwrap());
        let model = model.path();
        let found = match case["task"].as_str().unwrap() {
            "SequenceClassification" => {
                let classifier = Classifier::open(model, &options()).unwrap();
                classifier
                    .classify(&[text.into()])
                    .unwrap()
                    .remove(0)
                    .logits
            }
            "TokenClassification" => {
                let tokens = TokenClassifier::open(model, &options()).unwrap();
                tokens.logits(&[text]).unwrap().remove(0).logits
            }
            "MaskedLM" => {
                let masked = MaskedLm::open(model, &options()).unwrap();
                masked.logits(&[text]).unwrap().remove(0).logits
            }
            task => panic!("{task}"),
        };
        assert_close(&folder.display().to_string(), &found, &expected);
        seen += 1;
    }
    assert_eq!(seen, 9);
}

#[test]
fn a_folder_without_the_head_lacks_its_tensor() {
    let folder = head("bert", "token_classification");
    let error = QuestionAnswerer::open(folder.path(), &options())
        .err()
        .unwrap();
    let message = error.to_string();
    assert!(
        message.contains("qa_outputs.weight") && message.contains("[2, 32]"),
        "{message}"
    );
}

#[test]
fn a_text_over_the_limit_is_cut_and_said_or_refused() {
    let short = HeadOptions {
        max_tokens: Some(16),
        ..options()
    };
    let texts = texts("bert");
    let long = texts[4].as_str();
    let folder = head("bert", "sequence_classification");
    let classifier = Classifier::open(folder.path(), &short).unwrap();
    let found = classifier
        .classify(&[long.into(), ("search", long).into()])
        .unwrap();
    assert!(found.iter().all(|found| found.truncated));
    // The first text of a pair is not cut for the second.
    let error = classifier.classify(&[(long, "search").into()]).unwrap_err();
    assert!(error.to_string().contains("at most 16"), "{error}");
    let folder = head("bert", "masked_lm");
    let masked = MaskedLm::open(folder.path(), &short).unwrap();
    assert!(masked.logits(&[long]).is_err());
}

#[test]
fn entities_of_a_long_text_lie_in_it_and_in_order() {
    let short = HeadOptions {
        max_tokens: Some(24),
        ..options()
    };
    for family in ["bert", "roberta", "deberta-v2"] {
        let text = texts(family).join(" ");
        let folder = head(family, "token_classification");
        let tokens = TokenClassifier::open(folder.path(), &short).unwrap();
        let entities = tokens.entities(&text).unwrap();
        assert!(!entities.is_empty());
        let mut from = 0;
        for entity in &entities {
            assert!(entity.bytes.start >= from && entity.bytes.end > entity.bytes.start);
            assert!(
                text.get(entity.bytes.clone()).is_some(),
                "{family}: {entity:?}"
            );
            assert!(tokens.labels().contains(&entity.label));
            assert!(entity.score > 0.0 && entity.score <= 1.0);
            from = entity.bytes.end;
        }
        // Every word has a label, and none of these is O: nothing but spaces lies between.
        assert_eq!(text[from..].trim(), "");
    }
}

#[test]
fn answers_lie_in_the_passage_however_long_it_is() {
    let short = HeadOptions {
        max_tokens: Some(32),
        ..options()
    };
    let passage = texts("bert").join(" ");
    let folder = head("bert", "question_answering");
    let whole = QuestionAnswerer::open(folder.path(), &options()).unwrap();
    let cut = QuestionAnswerer::open(folder.path(), &short).unwrap();
    for answerer in [&whole, &cut] {
        let answers = answerer.answers("what jumps?", &passage, 3).unwrap();
        assert_eq!(answers.len(), 3);
        assert!(answers.is_sorted_by(|a, b| a.score >= b.score));
        for answer in &answers {
            assert!(!passage[answer.bytes.clone()].is_empty());
            assert!(answer.score > 0.0 && answer.no_answer > 0.0);
        }
    }
    // The last words are within reach as well.
    let all = cut.answers("what jumps?", &passage, usize::MAX).unwrap();
    assert_eq!(
        all.iter().map(|answer| answer.bytes.end).max(),
        Some(passage.len())
    );
    assert_eq!(all.iter().map(|answer| answer.bytes.start).min(), Some(0));
    assert!(whole.answers("what?", "", 3).unwrap().is_empty());
    assert!(cut.answers(&passage, "fox", 3).is_err());
}

#[test]
fn masked_words_are_guessed_at_each_mask() {
    let folder = head("bert", "masked_lm");
    let masked = MaskedLm::open(folder.path(), &options()).unwrap();
    assert_eq!(masked.mask(), "[MASK]");
    let guesses = masked.guesses("The [MASK] fox [MASK] over.", 5).unwrap();
    assert_eq!(guesses.len(), 2);
    for guesses in guesses {
        assert_eq!(guesses.len(), 5);
        assert!(guesses.is_sorted_by(|a, b| a.score >= b.score));
        assert!(guesses.iter().all(|guess| !guess.token.is_empty()));
    }
    assert!(masked.guesses("No mask.", 5).unwrap().is_empty());
}
