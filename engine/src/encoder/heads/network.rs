//! Which tensors make which head.
//!
//! Every head is a few maps, one after the other, of one state or of each: linear maps, activations, norms and,
//! for masked words, the product with the embeddings of all tokens. The families call them by different names
//! and put different activations between; the tables here are those of transformers 5.23.

use candle_core::{Result as TensorResult, Tensor};
use candle_nn::{Linear, Module, VarBuilder};

use super::super::Pooling;
use super::super::activation::Activation;
use super::super::blocks::{LayerNorm, linear};
use super::super::settings::Settings;
use crate::Result;

/// What a head does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// The class of a text.
    Sequence,
    /// The class of each token.
    Tokens,
    /// Where an answer starts and ends.
    Answer,
    /// The word at each place.
    Masked,
}

/// What makes a head: which states it reads, and what is done with them.
pub struct Plan {
    /// How the states become one, where the head reads one.
    pub pooling: Option<Pooling>,
    steps: Vec<Step>,
}

/// One map. Names that begin with `~` are of tensors beside the encoder's own, under its prefix.
enum Step {
    Dense {
        name: &'static str,
        bias: bool,
        to: To,
    },
    Activation(Activation),
    Norm {
        name: &'static str,
        epsilon: f64,
        bias: bool,
    },
    /// The product with the embeddings of all tokens, or with the weights of this name where they are not tied,
    /// and a bias that has one of these names.
    Vocabulary {
        untied: Option<&'static str>,
        biases: Vec<&'static str>,
    },
}

/// How many numbers come out of a dense step.
#[derive(Clone, Copy)]
enum To {
    /// As many as a hidden state has.
    Width,
    /// As many as an embedding has.
    Embedding,
    /// One for each label.
    Labels,
}

/// The sizes of a model's head.
#[derive(Debug, Clone, Copy)]
pub struct HeadSizes {
    pub width: usize,
    pub labels: usize,
}

fn dense(name: &'static str) -> Step {
    Step::Dense {
        name,
        bias: true,
        to: To::Width,
    }
}

fn labels(name: &'static str) -> Step {
    Step::Dense {
        name,
        bias: true,
        to: To::Labels,
    }
}

fn narrow(name: &'static str) -> Step {
    Step::Dense {
        name,
        bias: true,
        to: To::Embedding,
    }
}

/// The families whose heads are known.
const FAMILIES: &str = "bert, roberta, xlm-roberta, camembert, electra, distilbert, albert, mpnet, deberta, \
     deberta-v2, modernbert";

impl Plan {
    /// The head for `task` of a model of `family`, with these settings.
    pub fn read(family: &str, task: Task, settings: &Settings<'_>) -> Result<Plan> {
        let each = |steps| {
            Ok(Plan {
                pooling: None,
                steps,
            })
        };
        if !FAMILIES.split(", ").any(|known| known == family) {
            return Err(settings.unsupported("model_type", FAMILIES));
        }
        match (family, task) {
            ("modernbert", _) => modern(task, settings),
            (_, Task::Sequence) => Ok(Plan {
                pooling: Some(Pooling::Cls),
                steps: sequence(family, settings)?,
            }),
            (_, Task::Tokens) => each(vec![labels("classifier")]),
            (_, Task::Answer) => each(vec![labels("qa_outputs")]),
            (_, Task::Masked) => each(masked(family, settings)?),
        }
    }
}

/// Classification of texts, from the state of the first token.
fn sequence(family: &str, settings: &Settings<'_>) -> Result<Vec<Step>> {
    use Activation::{Gelu, Relu, Tanh};
    Ok(match family {
        "bert" => vec![
            dense("~pooler.dense"),
            Step::Activation(Tanh),
            labels("classifier"),
        ],
        "albert" => vec![
            dense("~pooler"),
            Step::Activation(Tanh),
            labels("classifier"),
        ],
        "distilbert" => vec![
            dense("pre_classifier"),
            Step::Activation(Relu),
            labels("classifier"),
        ],
        "deberta" | "deberta-v2" => vec![
            dense("pooler.dense"),
            Step::Activation(settings.activation("pooler_hidden_act", Gelu)?),
            labels("classifier"),
        ],
        // ELECTRA's authors used another activation than RoBERTa's.
        other => vec![
            dense("classifier.dense"),
            Step::Activation(if other == "electra" { Gelu } else { Tanh }),
            labels("classifier.out_proj"),
        ],
    })
}

/// The word at each place.
fn masked(family: &str, settings: &Settings<'_>) -> Result<Vec<Step>> {
    use Activation::{Gelu, GeluTanh};
    let tied = settings.flag("tie_word_embeddings", true)?;
    let legacy = settings.flag("legacy", true)?;
    let epsilon = settings.epsilon("layer_norm_eps", 1e-12)?;
    let norm = |name, epsilon| Step::Norm {
        name,
        epsilon,
        bias: true,
    };
    // Two names of one bias where weights are tied; else the second is the one that is added.
    let vocabulary = |untied: &'static str, mut biases: Vec<&'static str>| {
        if !tied {
            biases.reverse();
        }
        Step::Vocabulary {
            untied: (!tied).then_some(untied),
            biases,
        }
    };
    let hidden = |absent| {
        settings
            .activation("hidden_act", absent)
            .map(Step::Activation)
    };
    Ok(match family {
        "bert" => vec![
            dense("cls.predictions.transform.dense"),
            hidden(Gelu)?,
            norm("cls.predictions.transform.LayerNorm", epsilon),
            vocabulary("cls.predictions.decoder.weight", BERT_BIASES.to_vec()),
        ],
        "deberta" | "deberta-v2" if legacy => vec![
            narrow("cls.predictions.transform.dense"),
            hidden(Gelu)?,
            norm(
                "cls.predictions.transform.LayerNorm",
                deberta_epsilon(settings)?,
            ),
            vocabulary("cls.predictions.decoder.weight", BERT_BIASES.to_vec()),
        ],
        // Here the embeddings are an argument of the head: tied whatever the settings say.
        "deberta" | "deberta-v2" => vec![
            dense("lm_predictions.lm_head.dense"),
            hidden(Gelu)?,
            norm(
                "lm_predictions.lm_head.LayerNorm",
                deberta_epsilon(settings)?,
            ),
            Step::Vocabulary {
                untied: None,
                biases: vec!["lm_predictions.lm_head.bias"],
            },
        ],
        "albert" => vec![
            narrow("predictions.dense"),
            hidden(GeluTanh)?,
            norm("predictions.LayerNorm", epsilon),
            vocabulary(
                "predictions.decoder.weight",
                vec!["predictions.bias", "predictions.decoder.bias"],
            ),
        ],
        "electra" => vec![
            narrow("generator_predictions.dense"),
            Step::Activation(Gelu),
            norm("generator_predictions.LayerNorm", epsilon),
            vocabulary("generator_lm_head.weight", vec!["generator_lm_head.bias"]),
        ],
        "distilbert" => vec![
            dense("vocab_transform"),
            Step::Activation(settings.activation("activation", Gelu)?),
            // Not a setting: the reference implementation has this number in its code.
            norm("vocab_layer_norm", 1e-12),
            vocabulary("vocab_projector.weight", vec!["vocab_projector.bias"]),
        ],
        _ => vec![
            dense("lm_head.dense"),
            Step::Activation(Gelu),
            norm("lm_head.layer_norm", epsilon),
            vocabulary(
                "lm_head.decoder.weight",
                vec!["lm_head.bias", "lm_head.decoder.bias"],
            ),
        ],
    })
}

const BERT_BIASES: [&str; 2] = ["cls.predictions.bias", "cls.predictions.decoder.bias"];

/// DeBERTa's own default differs from BERT's.
fn deberta_epsilon(settings: &Settings<'_>) -> Result<f64> {
    settings.epsilon("layer_norm_eps", 1e-7)
}

/// ModernBERT puts one small network before every head.
fn modern(task: Task, settings: &Settings<'_>) -> Result<Plan> {
    let mut steps = vec![
        Step::Dense {
            name: "head.dense",
            bias: settings.flag("classifier_bias", false)?,
            to: To::Width,
        },
        Step::Activation(settings.activation("classifier_activation", Activation::Gelu)?),
        Step::Norm {
            name: "head.norm",
            epsilon: settings.epsilon("norm_eps", 1e-5)?,
            bias: settings.flag("norm_bias", false)?,
        },
    ];
    if task == Task::Masked {
        let tied = settings.flag("tie_word_embeddings", true)?;
        let bias = settings.flag("decoder_bias", true)?;
        steps.push(Step::Vocabulary {
            untied: (!tied).then_some("decoder.weight"),
            biases: bias.then_some("decoder.bias").into_iter().collect(),
        });
    } else {
        steps.push(labels("classifier"));
    }
    let poolings = [("cls", Pooling::Cls), ("mean", Pooling::Mean)];
    let pooling = settings.one_of("classifier_pooling", Pooling::Cls, &poolings, "cls, mean")?;
    Ok(Plan {
        pooling: (task == Task::Sequence).then_some(pooling),
        steps,
    })
}

/// A head with its weights.
pub struct Network(Vec<Map>);

enum Map {
    Dense(Linear),
    Activation(Activation),
    Norm(LayerNorm),
    /// The product with the embeddings of all tokens, or with weights of its own, and a bias.
    Vocabulary(Tensor, Option<Tensor>),
}

impl Network {
    /// Loads what `plan` names. `beside` holds the encoder under `prefix`, which is empty or ends in a dot;
    /// `table`, `[vocabulary, width]`, is the shape of its embeddings of tokens, and `tokens` gives them.
    pub fn load(
        plan: Plan,
        beside: &VarBuilder<'_>,
        prefix: &str,
        sizes: HeadSizes,
        table: (usize, usize),
        tokens: &dyn Fn() -> TensorResult<Tensor>,
    ) -> TensorResult<Network> {
        let mut width = sizes.width;
        let mut maps = Vec::new();
        for step in plan.steps {
            maps.push(match step {
                Step::Activation(activation) => Map::Activation(activation),
                Step::Dense { name, bias, to } => {
                    let to = match to {
                        To::Width => sizes.width,
                        To::Embedding => table.1,
                        To::Labels => sizes.labels,
                    };
                    let from = std::mem::replace(&mut width, to);
                    let name = match name.strip_prefix('~') {
                        Some(name) => &format!("{prefix}{name}"),
                        None => name,
                    };
                    Map::Dense(linear(beside, name, from, to, bias)?)
                }
                Step::Norm {
                    name,
                    epsilon,
                    bias,
                } => Map::Norm(LayerNorm::load(beside, name, width, epsilon, bias)?),
                Step::Vocabulary { untied, biases } => {
                    let there = |name: &&&'static str| beside.contains_tensor(name);
                    let bias = biases.iter().find(there).or(biases.first());
                    let own = untied.map(|name| beside.get((table.0, width), name));
                    Map::Vocabulary(
                        own.unwrap_or_else(tokens)?,
                        bias.map(|name| beside.get(table.0, name)).transpose()?,
                    )
                }
            });
        }
        Ok(Network(maps))
    }

    /// `[n, width]` states to `[n, k]` logits.
    pub fn forward(&self, states: &Tensor) -> TensorResult<Tensor> {
        let mut x = states.clone();
        for map in &self.0 {
            x = match map {
                Map::Dense(map) => map.forward(&x)?,
                Map::Activation(activation) => activation.forward(&x)?,
                Map::Norm(norm) => norm.forward(&x)?,
                Map::Vocabulary(weights, bias) => {
                    let logits = x.matmul(&weights.t()?)?;
                    match bias {
                        Some(bias) => logits.broadcast_add(bias)?,
                        None => logits,
                    }
                }
            };
        }
        Ok(x)
    }
}
