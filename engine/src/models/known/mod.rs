//! Well-known encoders: what is published of them, each fact with its source, for people who choose one.
//!
//! Nothing here decides how a model is loaded or computed: its folder does. `facts` holds the data,
//! `advice` draws candidates from it, `table` shows it in `engine/docs/encoders.md`.

mod advice;
mod facts;
mod table;

use serde::Serialize;

pub use advice::{Advice, Constraint, LONG, Statement, recommend};
pub use facts::KNOWN;
pub use table::table;

/// Where a fact is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The model's own page on the hub: its card, its tags and its files.
    Page,
    /// What Kenning itself reads from the model: `kenning models show`.
    Kenning,
    /// What this project says of itself.
    Project,
    /// The registry of models of the MTEB benchmark.
    Mteb,
    /// The table of models of sentence-transformers.
    Sbert,
    /// The card of gte-small, which compares models.
    Gte,
    /// The README of the BGE models, which compares models.
    Bge,
    /// The card of nomic-embed-text-v2-moe, which compares models.
    Nomic,
}

impl Source {
    /// All of them.
    pub const ALL: [Source; 8] = [
        Source::Page,
        Source::Kenning,
        Source::Project,
        Source::Mteb,
        Source::Sbert,
        Source::Gte,
        Source::Bge,
        Source::Nomic,
    ];

    /// A short name to cite it by.
    pub fn mark(self) -> &'static str {
        match self {
            Source::Page => "page",
            Source::Kenning => "show",
            Source::Project => "kenning",
            Source::Mteb => "mteb",
            Source::Sbert => "sbert",
            Source::Gte => "gte",
            Source::Bge => "bge",
            Source::Nomic => "nomic",
        }
    }

    /// What it is and where it lies, in one line.
    pub fn describe(self) -> &'static str {
        match self {
            Source::Page => "the model's page, https://huggingface.co/NAME",
            Source::Kenning => "`kenning models show NAME`",
            Source::Project => "Kenning's README.md and engine/docs/encoders.md",
            Source::Mteb => {
                "registry of the MTEB benchmark, \
                https://github.com/embeddings-benchmark/mteb/tree/main/mteb/models/model_implementations"
            }
            Source::Sbert => {
                "table of sentence-transformers, \
                https://sbert.net/docs/sentence_transformer/pretrained_models.html"
            }
            Source::Gte => "card of gte-small, https://huggingface.co/thenlper/gte-small",
            Source::Bge => {
                "README of BGE, \
                https://github.com/FlagOpen/FlagEmbedding/tree/master/research/baai_general_embedding"
            }
            Source::Nomic => {
                "card of Nomic Embed v2, https://huggingface.co/nomic-ai/nomic-embed-text-v2-moe"
            }
        }
    }
}

/// Something published, and where.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Fact<T> {
    /// What is said.
    pub value: T,
    /// Who says it.
    pub source: Source,
}

/// Which languages a model was trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Languages {
    /// English alone.
    English,
    /// Many: how many, in words.
    Many(&'static str),
}

/// What goes before texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Prompts {
    /// Goes before a question.
    pub query: &'static str,
    /// Goes before a passage; empty for many models.
    pub passage: &'static str,
}

/// A well-known encoder that Kenning can run: of a family that it computes, with weights as safetensors.
/// What could not be verified is left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KnownModel {
    /// Its name on the hub.
    pub name: &'static str,
    /// The `model_type` of its `config.json`.
    pub family: Fact<&'static str>,
    /// Numbers among its weights, in millions.
    pub parameters: Option<Fact<f64>>,
    /// How many of these, in millions, are token embeddings: they take memory and are looked up, not
    /// computed with.
    pub embedding_parameters: Option<Fact<f64>>,
    /// Length of a vector.
    pub dimension: Fact<usize>,
    /// Most tokens that it reads at once.
    pub max_tokens: Option<Fact<usize>>,
    /// Which languages it reads.
    pub languages: Fact<Languages>,
    /// What its maker wants before texts.
    pub prompts: Option<Fact<Prompts>>,
    /// Mean nDCG@10, in percent, of the 15 retrieval collections of MTEB version 1, which are those of BEIR.
    pub retrieval: Option<Fact<f64>>,
    /// The licence of its weights.
    pub licence: Fact<&'static str>,
    /// What it was made for, where that sets it apart.
    pub purpose: Option<Fact<&'static str>>,
    /// Whether Kenning's vectors for this very model were compared with those of sentence-transformers, not
    /// only those of its family.
    pub compared: bool,
}

impl KnownModel {
    /// The model of this name.
    pub fn named(name: &str) -> Option<&'static KnownModel> {
        KNOWN.iter().find(|model| model.name == name)
    }

    /// Millions of parameters that every token is computed with: those that are no embeddings. All, where it
    /// is not known how many are.
    pub fn computed(&self) -> Option<f64> {
        let embedded = self.embedding_parameters.map_or(0.0, |fact| fact.value);
        Some(self.parameters?.value - embedded)
    }

    /// Whether it reads many languages.
    pub fn is_multilingual(&self) -> bool {
        matches!(self.languages.value, Languages::Many(_))
    }
}
