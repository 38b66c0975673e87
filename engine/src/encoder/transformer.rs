//! The part of a model that encoders and heads share: token ids in, hidden states out.

use std::path::{Path, PathBuf};
use std::thread;

use candle_core::Tensor;
use rayon::ThreadPool;
use rayon::prelude::*;

use super::architecture::{self, Loader, Network, Shape};
use super::batch::{Batch, Mix, Workers, plan};
use super::config::{Layout, MOST_SETTINGS, parse_json, read_file};
use super::device;
use super::kept::Shelf;
use super::tokenizer::{PairFrame, TextTokenizer};
use super::weights::Weights;
use super::{Device, ModelError, Precision, cpu};
use crate::Result;

/// What a model reads at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sequence {
    /// Token ids, special ones included.
    pub ids: Vec<u32>,
    /// To which of two texts each belongs; empty where there is one.
    pub types: Vec<u32>,
}

impl From<Vec<u32>> for Sequence {
    fn from(ids: Vec<u32>) -> Sequence {
        Sequence {
            ids,
            types: Vec::new(),
        }
    }
}

/// How a transformer is opened.
#[derive(Debug, Clone, Default)]
pub(super) struct TransformerOptions {
    /// Worker threads; as many as the machine offers.
    pub threads: Option<usize>,
    /// A token limit other than the model's own.
    pub max_tokens: Option<usize>,
    pub device: Device,
    /// How the processor computes.
    pub precision: Option<Precision>,
    /// The folder in which it is kept what need not be computed at every start.
    pub kept: Option<PathBuf>,
}

/// A transformer with its tokenizer and the threads that run it.
pub(super) struct Transformer {
    /// Its name in errors.
    pub name: String,
    pub shape: Shape,
    /// Longest input in tokens, special ones included.
    pub limit: usize,
    /// How it computes.
    pub precision: Precision,
    /// Size of the weights on disk.
    pub weight_bytes: u64,
    /// Their hash, see [`Weights::sha256`].
    pub weights_sha256: String,
    pub tokenizer: TextTokenizer,
    /// Where tensors are computed.
    pub device: candle_core::Device,
    network: Network,
    workers: Workers,
}

impl Transformer {
    /// Opens the model of `layout`, and hands over its weights.
    pub fn open(
        name: &str,
        layout: &Layout,
        options: TransformerOptions,
    ) -> Result<(Transformer, Weights)> {
        let folder = &layout.transformer;
        let config_path = folder.join("config.json");
        let config = read_file(&config_path, MOST_SETTINGS)?;
        let (shape, load) = architecture::read(&config_path, &parse_json(&config_path, &config)?)?;
        let device = options.device.open()?;
        let precision = precision(name, options.precision, &shape, &device)?;
        let mut weights = Weights::open(folder, device.clone(), precision)?;
        let shelf = options.kept.and_then(|kept| Shelf::new(&kept, folder));
        let (tokenizer, loaded) = thread::scope(|scope| {
            let tokenizer = scope.spawn(|| TextTokenizer::open(folder, name, layout.lowercase));
            let loaded = match shelf {
                Some(shelf) => load_kept(&shelf, &mut weights, &config, load),
                None => load_hashing(&weights, load),
            };
            (tokenizer.join(), loaded)
        });
        let tokenizer = tokenizer.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        let (hash, network) = loaded?;
        weights.check_unchanged()?;
        let transformer = Transformer {
            name: name.to_owned(),
            limit: limit(
                name,
                options.max_tokens,
                layout.max_tokens,
                &shape,
                &tokenizer,
            )?,
            shape,
            precision,
            weight_bytes: weights.bytes(),
            weights_sha256: hash,
            tokenizer,
            device,
            network,
            workers: Workers::start(options.threads)?,
        };
        Ok((transformer, weights))
    }

    /// The name of the model in `folder`: by its absolute path it is found again from anywhere.
    pub fn name_of(folder: &Path) -> String {
        let absolute = std::path::absolute(folder);
        let absolute = absolute.unwrap_or_else(|_| folder.to_owned());
        absolute.display().to_string()
    }

    /// What goes round a pair of texts.
    pub fn pair_frame(&self) -> Result<PairFrame> {
        let model = || self.name.clone();
        let frame = self.tokenizer.pair_frame()?;
        let frame = frame.ok_or_else(|| ModelError::Tokenize {
            model: model(),
            reason: "it has no template for two texts".into(),
        })?;
        // Families without types ignore them; the others have a row for each.
        if self.shape.types > 0 && frame.most() as usize >= self.shape.types {
            let (most, types) = (frame.most(), self.shape.types);
            return Err(ModelError::Tokenize {
                model: model(),
                reason: format!("it gives type {most} to the second of two texts, and type_vocab_size is {types}"),
            }
            .into());
        }
        Ok(frame)
    }

    /// How many worker threads it has.
    pub fn threads(&self) -> usize {
        self.workers.threads()
    }

    /// What computes.
    pub fn device(&self) -> Device {
        device::of(&self.device)
    }

    /// The shape of the embeddings of its tokens, `[vocabulary, width of embeddings]`.
    pub fn token_table(&self) -> candle_core::Result<(usize, usize)> {
        match &self.network {
            Network::Tensors(network) => network.tokens().dims2(),
            Network::Cpu(network) => Ok(network.embeddings.token_table()),
        }
    }

    /// The embeddings of its tokens, of that shape: a copy where they are no tensor.
    pub fn tokens(&self) -> candle_core::Result<Tensor> {
        match &self.network {
            Network::Tensors(network) => Ok(network.tokens().clone()),
            Network::Cpu(network) => {
                let embeddings = &network.embeddings;
                Tensor::from_slice(&embeddings.tokens, embeddings.token_table(), &self.device)
            }
        }
    }

    /// `read` of each of `texts`, on all threads where there are several.
    pub fn each_text<I: Sync, T: Send>(
        &self,
        texts: &[I],
        read: impl Fn(&I) -> Result<T> + Sync + Send,
    ) -> Result<Vec<T>> {
        match texts {
            [text] => read(text).map(|done| vec![done]),
            _ => self
                .workers
                .together(|| texts.par_iter().map(read).collect()),
        }
    }

    /// The error for an input that is longer than the limit, if it is.
    pub fn check_length(&self, index: usize, tokens: usize) -> Result<()> {
        if tokens <= self.limit {
            return Ok(());
        }
        Err(ModelError::InputTooLong {
            model: self.name.clone(),
            index,
            tokens,
            limit: self.limit,
        }
        .into())
    }

    /// Refuses inputs that the model has no embeddings for.
    fn check(&self, inputs: &[Sequence]) -> Result<()> {
        let vocabulary = self.shape.vocabulary;
        for (index, input) in inputs.iter().enumerate() {
            let model = || self.name.clone();
            if input.ids.is_empty() {
                let model = model();
                return Err(ModelError::NoTokens { model, index }.into());
            }
            let strange = input.ids.iter().find(|&&id| id as usize >= vocabulary);
            if let Some(&id) = strange {
                let model = model();
                return Err(ModelError::TokenId {
                    model,
                    index,
                    id,
                    vocabulary,
                }
                .into());
            }
        }
        Ok(())
    }

    /// Refuses numbers that are none: damaged weights give them, and nothing can be found by them.
    fn finite(&self, index: usize, numbers: &[f32]) -> Result<()> {
        if numbers.iter().all(|number| number.is_finite()) {
            return Ok(());
        }
        let model = self.name.clone();
        Err(ModelError::NotFinite { model, index }.into())
    }

    /// Runs the model on `inputs`, all within the limit, and `finish` on the states of each: `dimension` numbers
    /// a token, row after row. The results come in the order of the inputs.
    pub fn compute(
        &self,
        inputs: &[Sequence],
        finish: impl Fn(&[f32]) -> candle_core::Result<Vec<f32>> + Sync,
    ) -> Result<Vec<Vec<f32>>> {
        self.check(inputs)?;
        let lengths: Vec<usize> = inputs.iter().map(|input| input.ids.len()).collect();
        let mix = match &self.network {
            Network::Tensors(_) => Mix::OneLength,
            Network::Cpu(_) => Mix::AnyLength,
        };
        let batches = plan(&lengths, self.workers.threads(), mix);
        let done = self.workers.each(&batches, |batch, pool| {
            let states = self
                .states(inputs, batch, pool)
                .map_err(ModelError::Compute)?;
            let mut rest = states.as_slice();
            let each = batch.members.iter().map(|&index| {
                let (states, after) = rest.split_at(lengths[index] * self.shape.dimension);
                rest = after;
                // Pooling by the maximum would hide them.
                self.finite(index, states)?;
                let done = finish(states).map_err(ModelError::Compute)?;
                self.finite(index, &done).map(|()| done)
            });
            each.collect::<Result<Vec<_>>>()
        })?;
        let mut results = vec![Vec::new(); inputs.len()];
        for (batch, done) in batches.iter().zip(done) {
            for (&member, result) in batch.members.iter().zip(done) {
                results[member] = result;
            }
        }
        Ok(results)
    }

    /// The states of a batch's texts, end to end.
    fn states(
        &self,
        inputs: &[Sequence],
        batch: &Batch,
        pool: &ThreadPool,
    ) -> candle_core::Result<Vec<f32>> {
        let members = batch.members.iter().map(|&member| &inputs[member]);
        match &self.network {
            Network::Tensors(network) => {
                let length = members.clone().next().map_or(0, |input| input.ids.len());
                let shape = (batch.members.len(), length);
                let ids: Vec<u32> = members
                    .clone()
                    .flat_map(|input| input.ids.clone())
                    .collect();
                let ids = Tensor::from_vec(ids, shape, &self.device)?;
                let typed = members.clone().any(|input| !input.types.is_empty());
                let types = (typed && self.shape.types > 1).then(|| {
                    let types = members.flat_map(|input| match input.types.as_slice() {
                        [] => vec![0; length],
                        types => types.to_vec(),
                    });
                    Tensor::from_vec(types.collect::<Vec<u32>>(), shape, &self.device)
                });
                let types = types.transpose()?;
                let states = pool.install(|| network.forward(&ids, types.as_ref()))?;
                states.flatten_all()?.to_vec1()
            }
            Network::Cpu(network) => {
                let texts = members.map(|input| cpu::Text {
                    ids: &input.ids,
                    types: &input.types,
                });
                Ok(network.run(&texts.collect::<Vec<_>>(), pool))
            }
        }
    }
}

/// The hash of the weights, and the model made of them and of what was kept. The hash comes first, for what was kept is
/// of the weights that have it.
fn load_kept(
    shelf: &Shelf,
    weights: &mut Weights,
    config: &[u8],
    load: Loader,
) -> Result<(String, Network)> {
    let hash = shelf.hash(weights)?;
    weights.packs = shelf.packs(&hash, config, weights.precision);
    let network = load(weights)?;
    weights.check_unchanged()?;
    weights.packs.finish();
    Ok((hash, network))
}

/// The same where nothing is kept, side by side.
fn load_hashing(weights: &Weights, load: Loader) -> Result<(String, Network)> {
    thread::scope(|scope| {
        let hash = scope.spawn(|| weights.sha256());
        let network = load(weights);
        let hash = hash.join();
        let hash = hash.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok((hash, network?))
    })
}

/// The limit that was asked for, else the folder's, as far as there are positions.
fn limit(
    model: &str,
    asked: Option<usize>,
    own: Option<usize>,
    shape: &Shape,
    tokenizer: &TextTokenizer,
) -> Result<usize> {
    let most = shape.positions;
    let limit = asked.unwrap_or(own.unwrap_or(most).min(most));
    let least = tokenizer.special_tokens() + 1;
    if (least..=most).contains(&limit) {
        return Ok(limit);
    }
    Err(ModelError::TokenLimit {
        model: model.to_owned(),
        asked: limit,
        least,
        most,
    }
    .into())
}

/// The precision that was asked for, else the reference.
fn precision(
    model: &str,
    asked: Option<Precision>,
    shape: &Shape,
    device: &candle_core::Device,
) -> Result<Precision> {
    let supported = if device.is_cpu() {
        shape.precisions
    } else {
        &[Precision::F32]
    };
    let asked = asked.unwrap_or(Precision::F32);
    if supported.contains(&asked) {
        return Ok(asked);
    }
    Err(ModelError::Precision {
        model: model.to_owned(),
        asked,
        device: device::of(device),
    }
    .into())
}
