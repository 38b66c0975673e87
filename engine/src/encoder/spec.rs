//! What an encoder is: the plain data that decides a vector.

use sha2::{Digest, Sha256};

use super::weights::hex;

/// How the vectors of a text's tokens become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Pooling {
    /// The mean over all tokens, special ones included.
    Mean,
    /// The vector of the first token.
    Cls,
    /// The largest value of each dimension over all tokens, special ones included.
    Max,
}

impl Pooling {
    /// The name that serialisation uses: `mean`, `cls` or `max`.
    pub fn name(self) -> &'static str {
        match self {
            Pooling::Mean => "mean",
            Pooling::Cls => "cls",
            Pooling::Max => "max",
        }
    }
}

/// The number format that the encoder computes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Precision {
    /// 32-bit floating point.
    F32,
}

impl Precision {
    /// The name that serialisation uses: `f32`.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
        }
    }
}

/// What a text is to the search. It decides which of the model's prompts goes before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// A question.
    Query,
    /// A text to be found.
    Passage,
}

/// How to open an encoder. `None` leaves the choice to the model's folder and the machine.
#[derive(Debug, Clone, Default)]
pub struct EncoderOptions {
    /// Worker threads, at least 1. `None`: as many as the machine offers.
    pub threads: Option<usize>,
    /// Pooling other than the model's own.
    pub pooling: Option<Pooling>,
    /// A token limit below the model's own or above it, up to what its position embeddings allow.
    /// Special tokens count.
    pub max_tokens: Option<usize>,
    /// Number format. `None`: [`Precision::F32`].
    pub precision: Option<Precision>,
    /// Whether embeddings get unit length. `None`: yes, whatever the folder says, for cosines need it.
    pub normalise: Option<bool>,
}

/// Everything that decides a vector: two encoders of equal [fingerprint](EncoderSpec::fingerprint) give the
/// same vector to the same text.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct EncoderSpec {
    /// A name for people. Not part of the fingerprint.
    pub model: String,
    /// The family, as `model_type` in `config.json` says.
    pub architecture: String,
    /// What the family computes with besides the weights, such as the number of heads.
    pub settings: String,
    /// Length of a vector.
    pub dimension: usize,
    /// Longest input in tokens, special ones included.
    pub max_tokens: usize,
    /// How token vectors become one.
    pub pooling: Pooling,
    /// Whether embeddings have unit length.
    pub normalise: bool,
    /// Goes before every query.
    pub query_prompt: String,
    /// Goes before every passage.
    pub passage_prompt: String,
    /// SHA-256 of the weights, in hex: of the one file, or of the hashes of its shards in order of name.
    pub weights_sha256: String,
    /// SHA-256 of the tokenizer's file, in hex.
    pub tokenizer_sha256: String,
    /// Number format of the computation.
    pub precision: Precision,
}

impl EncoderSpec {
    /// 64 hex digits that name this encoder. Stable across versions of Kenning and the order of fields:
    /// a SHA-256 over `name`, length and value of every field but [`model`](EncoderSpec::model), sorted by
    /// name.
    pub fn fingerprint(&self) -> String {
        let (dimension, limit) = (self.dimension.to_string(), self.max_tokens.to_string());
        let mut fields = [
            ("architecture", self.architecture.as_str()),
            ("settings", &self.settings),
            ("dimension", &dimension),
            ("max_tokens", &limit),
            ("pooling", self.pooling.name()),
            ("normalise", if self.normalise { "yes" } else { "no" }),
            ("query_prompt", &self.query_prompt),
            ("passage_prompt", &self.passage_prompt),
            ("weights_sha256", &self.weights_sha256),
            ("tokenizer_sha256", &self.tokenizer_sha256),
            ("precision", self.precision.name()),
        ];
        fields.sort_unstable();
        let mut hash = Sha256::new();
        hash.update(b"kenning encoder 1\n");
        for (name, value) in fields {
            // The length keeps two fields apart whatever a prompt contains.
            hash.update(format!("{name} {}\n{value}\n", value.len()));
        }
        hex(&hash.finalize())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn spec() -> EncoderSpec {
        EncoderSpec {
            model: "a".into(),
            architecture: "bert".into(),
            settings: "heads=12".into(),
            dimension: 384,
            max_tokens: 256,
            pooling: Pooling::Mean,
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

    #[test]
    fn fingerprint_ignores_the_name_and_nothing_else() {
        let base = spec().fingerprint();
        let renamed = EncoderSpec {
            model: "b".into(),
            ..spec()
        };
        assert_eq!(renamed.fingerprint(), base);
        let others = [
            EncoderSpec {
                architecture: "distilbert".into(),
                ..spec()
            },
            EncoderSpec {
                settings: "heads=6".into(),
                ..spec()
            },
            EncoderSpec {
                dimension: 383,
                ..spec()
            },
            EncoderSpec {
                max_tokens: 255,
                ..spec()
            },
            EncoderSpec {
                pooling: Pooling::Cls,
                ..spec()
            },
            EncoderSpec {
                normalise: false,
                ..spec()
            },
            EncoderSpec {
                query_prompt: "q".into(),
                ..spec()
            },
            EncoderSpec {
                passage_prompt: "q".into(),
                ..spec()
            },
            EncoderSpec {
                weights_sha256: "01".into(),
                ..spec()
            },
            EncoderSpec {
                tokenizer_sha256: "01".into(),
                ..spec()
            },
        ];
        let mut seen: Vec<String> = others.iter().map(EncoderSpec::fingerprint).collect();
        seen.push(base);
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), others.len() + 1);
    }

    #[test]
    fn spec_survives_json_in_any_field_order() {
        let json = serde_json::to_value(spec()).unwrap();
        let back: EncoderSpec = serde_json::from_value(json).unwrap();
        assert_eq!(back, spec());
    }
}
