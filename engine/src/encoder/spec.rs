//! What an encoder is: the plain data that decides a vector.

use sha2::{Digest, Sha256};

use super::weights::hex;
use super::{Activation, Device};

/// A way in which the vectors of a text's tokens become one. All count special tokens in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Pooling {
    /// The vector of the first token.
    Cls,
    /// The largest value of each dimension over all tokens.
    Max,
    /// The mean over all tokens.
    Mean,
    /// The sum over all tokens, divided by the square root of their number.
    #[serde(rename = "mean_sqrt_len_tokens")]
    MeanSqrtLen,
    /// The mean in which a token weighs as much as its position, counted from 1 (Muennighoff 2022,
    /// arXiv:2202.08904).
    WeightedMean,
    /// The vector of the last token.
    LastToken,
}

impl Pooling {
    /// All of them, in the order in which sentence-transformers concatenates.
    pub const ALL: [Pooling; 6] = [
        Pooling::Cls,
        Pooling::Max,
        Pooling::Mean,
        Pooling::MeanSqrtLen,
        Pooling::WeightedMean,
        Pooling::LastToken,
    ];

    /// The name that serialisation and sentence-transformers use: `mean`, `cls`, `max`,
    /// `mean_sqrt_len_tokens`, `weightedmean` or `lasttoken`.
    pub fn name(self) -> &'static str {
        match self {
            Pooling::Cls => "cls",
            Pooling::Max => "max",
            Pooling::Mean => "mean",
            Pooling::MeanSqrtLen => "mean_sqrt_len_tokens",
            Pooling::WeightedMean => "weightedmean",
            Pooling::LastToken => "lasttoken",
        }
    }

    /// The way of that name.
    pub fn named(name: &str) -> Option<Pooling> {
        Pooling::ALL.into_iter().find(|way| way.name() == name)
    }
}

/// How the vectors of a text's tokens become one: in one way, or in several whose vectors stand one after the
/// other. Serialises as names with `+` between.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Poolings(Vec<Pooling>);

impl Poolings {
    /// The ways in order; `None` if there is none.
    pub fn new(ways: Vec<Pooling>) -> Option<Poolings> {
        (!ways.is_empty()).then_some(Poolings(ways))
    }

    /// The ways in order: at least one.
    pub fn ways(&self) -> &[Pooling] {
        &self.0
    }

    /// Their names, with `+` between.
    pub fn name(&self) -> String {
        let names: Vec<&str> = self.0.iter().map(|way| way.name()).collect();
        names.join("+")
    }
}

impl From<Pooling> for Poolings {
    fn from(way: Pooling) -> Poolings {
        Poolings(vec![way])
    }
}

impl From<Poolings> for String {
    fn from(poolings: Poolings) -> String {
        poolings.name()
    }
}

impl TryFrom<String> for Poolings {
    type Error = String;

    fn try_from(names: String) -> Result<Poolings, String> {
        let ways = names.split('+').map(|name| {
            Pooling::named(name).ok_or_else(|| format!("{name:?} is no way of pooling"))
        });
        ways.collect::<Result<_, _>>().map(Poolings)
    }
}

/// What is done to a text's vector after pooling.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stage {
    /// It gets unit length.
    Normalise,
    /// Only its first numbers are kept.
    Truncate {
        /// How many.
        dimension: usize,
    },
    /// It goes through a linear map and an activation function.
    Dense {
        /// Length of the vector that comes out.
        dimension: usize,
        /// Whether the map adds a bias.
        bias: bool,
        /// The function.
        activation: Activation,
        /// SHA-256 of the map's weights, in hex.
        weights_sha256: String,
    },
}

/// The number format that the encoder computes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Precision {
    /// 32-bit floating point: the reference.
    F32,
    /// Products of linear layers in whole numbers of 8 bits, with a scale for each group of 128; all else as in
    /// [`F32`](Precision::F32). On the CPU, for layers of BERT's shape.
    Int8,
}

impl Precision {
    /// The name that serialisation uses: `f32`, `int8`.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Int8 => "int8",
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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EncoderOptions {
    /// Worker threads, at least 1. `None`: as many as the machine offers.
    pub threads: Option<usize>,
    /// Pooling other than the model's own.
    pub pooling: Option<Pooling>,
    /// A token limit below the model's own or above it, up to what its position embeddings allow.
    /// Special tokens count.
    pub max_tokens: Option<usize>,
    /// How the processor computes. `None`: [`Precision::F32`].
    pub precision: Option<Precision>,
    /// Whether embeddings get unit length. `None`: yes, whatever the folder says, for cosines need it.
    pub normalise: Option<bool>,
    /// Goes before every query instead of the model's own prompt.
    pub query_prompt: Option<String>,
    /// Goes before every passage instead of the model's own prompt.
    pub passage_prompt: Option<String>,
    /// Only so many of the first numbers of a vector are kept, for models that were trained for it
    /// ("Matryoshka", Kusupati et al. 2022, arXiv:2205.13147).
    pub dimensions: Option<usize>,
    /// What computes. Not part of the fingerprint: a GPU computes the same, but for rounding.
    pub device: Device,
}

impl EncoderOptions {
    /// What makes of the same model the encoder that `spec` describes: an index that was built with
    /// choices of its own is searched with the same.
    pub fn like(spec: &EncoderSpec) -> EncoderOptions {
        let cut = spec.stages.iter().rev().find_map(|stage| match stage {
            Stage::Truncate { dimension } => Some(*dimension),
            _ => None,
        });
        EncoderOptions {
            // Several ways at once only a folder can ask for.
            pooling: match spec.pooling.ways() {
                [way] => Some(*way),
                _ => None,
            },
            max_tokens: Some(spec.max_tokens),
            precision: Some(spec.precision),
            normalise: Some(spec.normalise),
            query_prompt: Some(spec.query_prompt.clone()),
            passage_prompt: Some(spec.passage_prompt.clone()),
            dimensions: cut,
            ..EncoderOptions::default()
        }
    }
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
    pub pooling: Poolings,
    /// What is done to that one, in order, before [`normalise`](EncoderSpec::normalise).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
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
        let mut fields = self.fields();
        // Indexes from before there were stages know their encoder without this field.
        fields.retain(|(name, value)| *name != "stages" || !value.is_empty());
        let mut hash = Sha256::new();
        hash.update(b"kenning encoder 1\n");
        for (name, value) in fields {
            // The length keeps two fields apart whatever a prompt contains.
            hash.update(format!("{name} {}\n{value}\n", value.len()));
        }
        hex(&hash.finalize())
    }

    /// In what `other` differs from this, as in `dimension 384, not 128`; empty if their fingerprints are equal.
    pub fn differences(&self, other: &EncoderSpec) -> String {
        let (ours, theirs) = (self.fields(), other.fields());
        let differing = ours.iter().zip(&theirs).filter(|(a, b)| a.1 != b.1);
        let named = differing.map(|((name, a), (_, b))| match name.ends_with("sha256") {
            true => format!("other {}", name.trim_end_matches("_sha256")),
            false => format!("{name} {a:?}, not {b:?}"),
        });
        named.collect::<Vec<_>>().join("; ")
    }

    /// Names and values of the fields that decide a vector, by name.
    fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![
            ("architecture", self.architecture.clone()),
            ("settings", self.settings.clone()),
            ("dimension", self.dimension.to_string()),
            ("max_tokens", self.max_tokens.to_string()),
            ("pooling", self.pooling.name()),
            ("stages", self.stage_names()),
            (
                "normalise",
                if self.normalise { "yes" } else { "no" }.to_owned(),
            ),
            ("query_prompt", self.query_prompt.clone()),
            ("passage_prompt", self.passage_prompt.clone()),
            ("weights_sha256", self.weights_sha256.clone()),
            ("tokenizer_sha256", self.tokenizer_sha256.clone()),
            ("precision", self.precision.name().to_owned()),
        ];
        fields.sort_unstable();
        fields
    }

    /// The stages as text.
    fn stage_names(&self) -> String {
        let name = |stage: &Stage| match stage {
            Stage::Normalise => "normalise".to_owned(),
            Stage::Truncate { dimension } => format!("truncate {dimension}"),
            Stage::Dense {
                dimension,
                bias,
                activation,
                weights_sha256,
            } => {
                let activation = activation.name();
                format!("dense {dimension} bias={bias} activation={activation} {weights_sha256}")
            }
        };
        self.stages.iter().map(name).collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests;
