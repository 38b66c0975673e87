//! The encoder itself.

use std::path::Path;
use std::thread;

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::architecture::{self, Architecture};
use super::batch::{Batch, Workers, plan};
use super::config::{Layout, read_json};
use super::pooling::{normalise, pool};
use super::stages::Stages;
use super::tokenizer::TextTokenizer;
use super::weights::Weights;
use super::{EncoderOptions, EncoderSpec, ModelError, Precision, Role, Tokens};
use crate::models::{ModelStore, Progress};
use crate::{Error, Result};

/// Turns texts into vectors. Shared by reference or `Arc`: all methods take `&self`, from any thread.
pub struct Encoder {
    spec: EncoderSpec,
    vocabulary: usize,
    weight_bytes: u64,
    tokenizer: TextTokenizer,
    passage_prompt: Vec<u32>,
    model: Box<dyn Architecture>,
    /// Length of a hidden state.
    width: usize,
    stages: Stages,
    workers: Workers,
}

/// A text as a vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded {
    /// `dimension` numbers, of unit length if the spec says `normalise`.
    pub embedding: Vec<f32>,
    /// Tokens that the vector stands for: special ones and the prompt's included, after truncation.
    pub tokens: usize,
    /// The same count before truncation. Larger than `tokens` if the end of the text was left out.
    pub tokens_untruncated: usize,
}

/// The last hidden states of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct HiddenStates {
    /// Token ids, special ones included.
    pub ids: Vec<u32>,
    /// A row for each id, `dimension` numbers each, one after the other.
    pub states: Vec<f32>,
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder")
            .field("spec", &self.spec)
            .finish_non_exhaustive()
    }
}

impl Encoder {
    /// Opens the model in `folder`: `config.json`, `tokenizer.json`, `model.safetensors` (or shards with
    /// their index), and what sentence-transformers adds. The whole of the weights is read and hashed.
    pub fn open(folder: &Path, options: &EncoderOptions) -> Result<Encoder> {
        let layout = Layout::read(folder)?;
        // By its absolute path it is found again from anywhere.
        let name = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        Self::assemble(&name.display().to_string(), &layout, options)
    }

    /// Finds the model `name_or_folder` on this machine or fetches it, and opens it.
    pub fn load(
        name_or_folder: &str,
        store: &ModelStore,
        options: &EncoderOptions,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Encoder> {
        let folder = match store.find(name_or_folder)? {
            Some(folder) => folder,
            None => store.fetch(name_or_folder, progress)?,
        };
        let mut encoder = Self::open(&folder, options)?;
        encoder.spec.model = crate::models::display_name(name_or_folder);
        Ok(encoder)
    }

    fn assemble(name: &str, layout: &Layout, options: &EncoderOptions) -> Result<Encoder> {
        let config_path = layout.transformer.join("config.json");
        let (shape, load) = architecture::read(&config_path, &read_json(&config_path)?)?;
        let weights = Weights::open(&layout.transformer)?;
        let (hash, tokenizer, model) = thread::scope(|scope| {
            let hash = scope.spawn(|| weights.sha256());
            let tokenizer =
                scope.spawn(|| TextTokenizer::open(&layout.transformer, name, layout.lowercase));
            let model = load(&weights);
            (hash.join(), tokenizer.join(), model)
        });
        let hash = hash.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let tokenizer = tokenizer.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        let own = |asked: &Option<String>, own: &String| asked.clone().unwrap_or(own.clone());
        let query_text = own(&options.query_prompt, &layout.query_prompt);
        let passage_text = own(&options.passage_prompt, &layout.passage_prompt);
        let passage_prompt = tokenizer.ids(&passage_text)?;
        let limit = match options.max_tokens {
            Some(asked) => asked,
            None => layout
                .max_tokens
                .unwrap_or(shape.positions)
                .min(shape.positions),
        };
        let least = tokenizer.special_tokens() + 1;
        if limit < least || limit > shape.positions {
            let (model, asked, most) = (name.to_owned(), limit, shape.positions);
            return Err(ModelError::TokenLimit {
                model,
                asked,
                least,
                most,
            }
            .into());
        }
        let pooling = options.pooling.map_or(layout.pooling.clone(), Into::into);
        let pooled = shape.dimension * pooling.ways().len();
        let (mut stages, mut stage_specs) = Stages::load(&layout.stages, pooled)?;
        if let Some(asked) = options
            .dimensions
            .filter(|&asked| asked != stages.dimension)
        {
            let (model, most) = (name.to_owned(), stages.dimension);
            if asked == 0 || asked > most {
                return Err(ModelError::Dimensions { model, asked, most }.into());
            }
            stage_specs.push(stages.truncate(asked));
        }
        Ok(Encoder {
            spec: EncoderSpec {
                model: name.to_owned(),
                architecture: shape.name.to_owned(),
                settings: shape.settings,
                dimension: stages.dimension,
                max_tokens: limit,
                pooling,
                stages: stage_specs,
                normalise: options.normalise.unwrap_or(true),
                query_prompt: query_text,
                passage_prompt: passage_text,
                weights_sha256: hash,
                tokenizer_sha256: tokenizer.sha256.clone(),
                precision: options.precision.unwrap_or(Precision::F32),
            },
            weight_bytes: weights.bytes(),
            vocabulary: shape.vocabulary,
            tokenizer,
            passage_prompt,
            model: model?,
            width: shape.dimension,
            stages,
            workers: Workers::start(options.threads)?,
        })
    }

    /// What decides this encoder's vectors.
    pub fn spec(&self) -> &EncoderSpec {
        &self.spec
    }

    /// Size of the weights on disk, in bytes.
    pub fn weight_bytes(&self) -> u64 {
        self.weight_bytes
    }

    /// How many worker threads it has.
    pub fn threads(&self) -> usize {
        self.workers.threads()
    }

    /// The tokens of `text`, all of them, without special tokens and without a prompt.
    pub fn tokenize(&self, text: &str) -> Result<Tokens> {
        self.tokenizer.tokens(text)
    }

    /// The piece of text that an id of the vocabulary stands for, as the vocabulary writes it.
    pub fn token(&self, id: u32) -> String {
        self.tokenizer.token(id)
    }

    /// How the tokenizer cuts words: "WordPiece", "BPE", "Unigram" or "WordLevel".
    pub fn tokenizer_kind(&self) -> &'static str {
        self.tokenizer.kind()
    }

    /// How many special tokens a sequence gets: 2 for BERT.
    pub fn special_tokens(&self) -> usize {
        self.tokenizer.special_tokens()
    }

    /// The token ids of the passage prompt, without special tokens; empty for most models.
    pub fn passage_prompt_ids(&self) -> &[u32] {
        &self.passage_prompt
    }

    /// Encodes `texts`, each with the prompt of its role before it. A text over the limit is cut at the end,
    /// and its [`Encoded`] says so. The order of the results is that of the texts; a result does not depend
    /// on the other texts of the call.
    pub fn encode(&self, role: Role, texts: &[&str]) -> Result<Vec<Encoded>> {
        let prompt = match role {
            Role::Query => &self.spec.query_prompt,
            Role::Passage => &self.spec.passage_prompt,
        };
        let (inputs, full) = self.inputs(prompt, texts)?;
        let embeddings = self.embed(&inputs)?;
        let counts = inputs.iter().map(Vec::len).zip(full);
        Ok(embeddings
            .into_iter()
            .zip(counts)
            .map(|(embedding, (tokens, tokens_untruncated))| Encoded {
                embedding,
                tokens,
                tokens_untruncated,
            })
            .collect())
    }

    /// Encodes token ids as they are: special tokens are added, a prompt is not. An input over the limit is
    /// an error, as is an id outside the vocabulary. The order of the results is that of the inputs.
    pub fn encode_ids(&self, inputs: &[&[u32]]) -> Result<Vec<Vec<f32>>> {
        let framed: Vec<Vec<u32>> = inputs
            .iter()
            .map(|ids| self.tokenizer.framed(ids))
            .collect();
        for (index, ids) in framed.iter().enumerate() {
            if ids.len() > self.spec.max_tokens {
                return Err(Error::Model(ModelError::InputTooLong {
                    model: self.spec.model.clone(),
                    index,
                    tokens: ids.len(),
                    limit: self.spec.max_tokens,
                }));
            }
        }
        self.embed(&framed)
    }

    /// The last hidden states of `texts`, without a prompt, truncated at the limit: for tests and tools.
    pub fn hidden_states(&self, texts: &[&str]) -> Result<Vec<HiddenStates>> {
        let (inputs, _) = self.inputs("", texts)?;
        let states = self.compute(&inputs, |rows| Ok(rows.to_vec()))?;
        Ok(inputs
            .into_iter()
            .zip(states)
            .map(|(ids, states)| HiddenStates { ids, states })
            .collect())
    }

    /// The ids of `texts`, framed and truncated, and how many there were before truncation.
    fn inputs(&self, prompt: &str, texts: &[&str]) -> Result<(Vec<Vec<u32>>, Vec<usize>)> {
        let room = self.spec.max_tokens - self.special_tokens();
        let read = |text: &&str| -> Result<(Vec<u32>, usize)> {
            let ids = if prompt.is_empty() {
                self.tokenizer.ids(text)?
            } else {
                self.tokenizer.ids(&format!("{prompt}{text}"))?
            };
            let kept = &ids[..ids.len().min(room)];
            Ok((
                self.tokenizer.framed(kept),
                ids.len() + self.special_tokens(),
            ))
        };
        match texts {
            [text] => read(text).map(|(ids, full)| (vec![ids], vec![full])),
            _ => self
                .workers
                .together(|| texts.par_iter().map(read).collect()),
        }
    }

    fn embed(&self, inputs: &[Vec<u32>]) -> Result<Vec<Vec<f32>>> {
        self.compute(inputs, |rows| {
            let pooled = pool(rows, self.width, &self.spec.pooling);
            let mut vector = self.stages.apply(pooled)?;
            if self.spec.normalise {
                normalise(&mut vector);
            }
            Ok(vector)
        })
    }

    /// Runs the model on framed `inputs` and `finish` on the rows of each.
    fn compute(
        &self,
        inputs: &[Vec<u32>],
        finish: impl Fn(&[f32]) -> candle_core::Result<Vec<f32>> + Sync,
    ) -> Result<Vec<Vec<f32>>> {
        self.check(inputs)?;
        let lengths: Vec<usize> = inputs.iter().map(Vec::len).collect();
        let batches = plan(&lengths, self.workers.threads());
        let done = self.workers.each(&batches, |batch| {
            let states = self.forward(inputs, batch).map_err(ModelError::Compute)?;
            let rows = states.chunks_exact(batch.length * self.width);
            let done = rows.zip(&batch.members).map(|(rows, &index)| {
                self.finite(index, rows)?;
                let done = finish(rows).map_err(ModelError::Compute)?;
                self.finite(index, &done).map(|()| done)
            });
            done.collect::<Result<Vec<_>>>()
        })?;
        let mut results = vec![Vec::new(); inputs.len()];
        for (batch, vectors) in batches.iter().zip(done) {
            for (&member, vector) in batch.members.iter().zip(vectors) {
                results[member] = vector;
            }
        }
        Ok(results)
    }

    /// Refuses inputs that the model has no embeddings for.
    fn check(&self, inputs: &[Vec<u32>]) -> Result<()> {
        for (index, ids) in inputs.iter().enumerate() {
            let model = || self.spec.model.clone();
            if ids.is_empty() {
                let model = model();
                return Err(ModelError::NoTokens { model, index }.into());
            }
            if let Some(&id) = ids.iter().find(|&&id| id as usize >= self.vocabulary) {
                let (model, vocabulary) = (model(), self.vocabulary);
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
        let model = self.spec.model.clone();
        Err(ModelError::NotFinite { model, index }.into())
    }

    fn forward(&self, inputs: &[Vec<u32>], batch: &Batch) -> candle_core::Result<Vec<f32>> {
        let ids: Vec<u32> = batch
            .members
            .iter()
            .flat_map(|&member| inputs[member].iter().copied())
            .collect();
        let ids = Tensor::from_vec(ids, (batch.members.len(), batch.length), &Device::Cpu)?;
        self.model.forward(&ids)?.flatten_all()?.to_vec1()
    }
}
