//! What all heads share: a transformer, the network on top, and the labels.

use std::path::Path;

use candle_core::{Result as TensorResult, Tensor};
use serde_json::Value;

use super::super::config::{Layout, read_json};
use super::super::settings::Settings;
use super::super::transformer::{Sequence, Transformer, TransformerOptions};
use super::super::weights::Weights;
use super::super::{Device, ModelError, Pooling, Precision};
use super::network::{HeadSizes, Network, Plan, Task};
use crate::Result;

/// How to open a head. `None` leaves the choice to the model's folder and the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct HeadOptions {
    /// Worker threads, at least 1. `None`: as many as the machine offers.
    pub threads: Option<usize>,
    /// A token limit below the model's own or above it, up to what its positions allow. Special tokens count.
    pub max_tokens: Option<usize>,
    /// What computes.
    pub device: Device,
}

/// The logits of each token of a text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TokenLogits {
    /// Token ids, special ones included.
    pub ids: Vec<u32>,
    /// A row for each id, one after the other: a number for each label, or for each id of the vocabulary.
    pub logits: Vec<f32>,
}

/// A transformer with a network on top.
pub(super) struct Head {
    pub transformer: Transformer,
    /// Names of the classes.
    pub labels: Vec<String>,
    /// `config.json`.
    pub config: Value,
    pooling: Option<Pooling>,
    network: Network,
}

/// More labels than any model has.
const MOST_LABELS: usize = 1 << 20;

impl Head {
    /// Opens the model in `folder` with its head for `task`.
    pub fn open(folder: &Path, task: Task, options: &HeadOptions) -> Result<Head> {
        let layout = Layout::read(folder)?;
        let name = Transformer::name_of(folder);
        let path = layout.transformer.join("config.json");
        let config = read_json(&path)?;
        let settings = Settings {
            path: &path,
            config: &config,
        };
        let labels = match task {
            Task::Answer => vec!["start".to_owned(), "end".to_owned()],
            _ => labels(&settings)?,
        };
        let how = TransformerOptions {
            threads: options.threads,
            max_tokens: options.max_tokens,
            device: options.device,
            // Logits are those of the reference.
            precision: Some(Precision::F32),
            kept: None,
        };
        let (transformer, weights) = Transformer::open(&name, &layout, how)?;
        let family = transformer.shape.name;
        let plan = Plan::read(family, task, &settings)?;
        let pooling = plan.pooling;
        let network = load(&weights, &transformer, plan, labels.len())?;
        Ok(Head {
            transformer,
            labels,
            config,
            pooling,
            network,
        })
    }

    /// The logits of each input, row after row: one row where the head reads one state, else one a token.
    pub fn logits(&self, inputs: &[Sequence]) -> Result<Vec<Vec<f32>>> {
        for (index, input) in inputs.iter().enumerate() {
            self.transformer.check_length(index, input.ids.len())?;
        }
        let width = self.transformer.shape.dimension;
        self.transformer.compute(inputs, |states| {
            let shape = (states.len() / width, width);
            let states = Tensor::from_slice(states, shape, &self.transformer.device)?;
            let states = match self.pooling {
                None => states,
                Some(Pooling::Mean) => states.mean_keepdim(0)?,
                Some(_) => states.narrow(0, 0, 1)?,
            };
            rows(&self.network.forward(&states)?)
        })
    }

    /// The logits of each token of `texts`, which are within the limit.
    pub fn token_logits(&self, texts: &[&str]) -> Result<Vec<TokenLogits>> {
        let tokenizer = &self.transformer.tokenizer;
        let read = |text: &&str| Ok(tokenizer.framed(&tokenizer.ids(text)?).into());
        let inputs: Vec<Sequence> = self.transformer.each_text(texts, read)?;
        let logits = self.logits(&inputs)?;
        let both = inputs.into_iter().zip(logits);
        Ok(both
            .map(|(input, logits)| TokenLogits {
                ids: input.ids,
                logits,
            })
            .collect())
    }
}

fn rows(tensor: &Tensor) -> TensorResult<Vec<f32>> {
    tensor.flatten_all()?.to_vec1()
}

/// Loads the network of `plan`. Its tensors stand beside the encoder: where that is `model.bert.`, under
/// `model.`.
fn load(
    weights: &Weights,
    transformer: &Transformer,
    plan: Plan,
    labels: usize,
) -> Result<Network> {
    let prefix = weights.prefix(transformer.shape.anchor);
    let outer = prefix
        .trim_end_matches('.')
        .rfind('.')
        .map_or(0, |dot| dot + 1);
    let (outer, own) = prefix.split_at(outer);
    let sizes = HeadSizes {
        width: transformer.shape.dimension,
        labels,
    };
    let table = transformer.token_table().map_err(ModelError::Compute)?;
    weights.load_below(outer, |tensors| {
        Network::load(plan, &tensors, own, sizes, table, &|| transformer.tokens())
    })
}

/// The names of the classes, in order: `id2label`, or two without names as in the reference implementation.
fn labels(settings: &Settings<'_>) -> Result<Vec<String>> {
    let malformed = |reason: String| ModelError::Malformed {
        path: settings.path.to_owned(),
        reason,
    };
    let named = match &settings.config["id2label"] {
        Value::Null => {
            let count = settings.size("num_labels", 2, MOST_LABELS)?;
            return Ok((0..count).map(|label| format!("LABEL_{label}")).collect());
        }
        Value::Object(named) => named,
        _ => return Err(malformed("id2label: names by number were expected".into()).into()),
    };
    let mut labels = vec![None; named.len()];
    for (id, name) in named {
        let place = id.parse().ok().and_then(|id: usize| labels.get_mut(id));
        match (place, name.as_str()) {
            (Some(place), Some(name)) => *place = Some(name.to_owned()),
            _ => {
                let last = named.len() - 1;
                let reason =
                    format!("id2label has {id:?}: {name}, names for 0 to {last} were expected");
                return Err(malformed(reason).into());
            }
        }
    }
    let labels: Option<Vec<String>> = labels.into_iter().collect();
    let labels = labels.filter(|labels| !labels.is_empty());
    Ok(labels.ok_or_else(|| malformed("id2label leaves numbers out".into()))?)
}
