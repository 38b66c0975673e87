//! The encoder itself.

use std::path::{Path, PathBuf};

use super::config::Layout;
use super::pooling::{normalise, pool};
use super::stages::Stages;
use super::transformer::{Sequence, Transformer, TransformerOptions};
use super::{Device, EncoderOptions, EncoderSpec, ModelError, Role, Tokens};
use crate::Result;
use crate::models::{ModelStore, Progress};

/// Turns texts into vectors. Shared by reference or `Arc`: all methods take `&self`, from any thread.
pub struct Encoder {
    spec: EncoderSpec,
    transformer: Transformer,
    passage_prompt: Vec<u32>,
    stages: Stages,
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
    /// their index), and what sentence-transformers adds. The whole of the weights is read and hashed, and nothing
    /// is written.
    pub fn open(folder: &Path, options: &EncoderOptions) -> Result<Encoder> {
        let layout = Layout::read(folder)?;
        Self::assemble(&Transformer::name_of(folder), &layout, options, None)
    }

    /// Finds the model `name_or_folder` on this machine or fetches it, and opens it, from the second time on in a
    /// fraction of the time and memory: what need not be computed at every start is kept in the store's cache,
    /// where that can be written.
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
        let layout = Layout::read(&folder)?;
        let kept = Some(store.kept());
        let mut encoder = Self::assemble(&Transformer::name_of(&folder), &layout, options, kept)?;
        let name = crate::models::display_name(name_or_folder);
        encoder.transformer.name.clone_from(&name);
        encoder.spec.model = name;
        Ok(encoder)
    }

    fn assemble(
        name: &str,
        layout: &Layout,
        options: &EncoderOptions,
        kept: Option<PathBuf>,
    ) -> Result<Encoder> {
        let how = TransformerOptions {
            threads: options.threads,
            max_tokens: options.max_tokens,
            device: options.device,
            precision: options.precision,
            kept,
        };
        let (transformer, _) = Transformer::open(name, layout, how)?;
        let shape = &transformer.shape;
        let own = |asked: &Option<String>, own: &String| asked.clone().unwrap_or(own.clone());
        let query_text = own(&options.query_prompt, &layout.query_prompt);
        let passage_text = own(&options.passage_prompt, &layout.passage_prompt);
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
        let spec = EncoderSpec {
            model: name.to_owned(),
            architecture: shape.name.to_owned(),
            settings: shape.settings.clone(),
            dimension: stages.dimension,
            max_tokens: transformer.limit,
            pooling,
            stages: stage_specs,
            normalise: options.normalise.unwrap_or(true),
            query_prompt: query_text,
            passage_prompt: passage_text,
            weights_sha256: transformer.weights_sha256.clone(),
            tokenizer_sha256: transformer.tokenizer.sha256.clone(),
            precision: transformer.precision,
        };
        Ok(Encoder {
            passage_prompt: transformer.tokenizer.ids(&spec.passage_prompt)?,
            spec,
            transformer,
            stages,
        })
    }

    /// What decides this encoder's vectors.
    pub fn spec(&self) -> &EncoderSpec {
        &self.spec
    }

    /// Size of the weights on disk, in bytes.
    pub fn weight_bytes(&self) -> u64 {
        self.transformer.weight_bytes
    }

    /// How many numbers its table of tokens has.
    pub(crate) fn token_numbers(&self) -> u64 {
        let (rows, width) = self.transformer.token_table().unwrap_or_default();
        rows as u64 * width as u64
    }

    /// How many worker threads it has.
    pub fn threads(&self) -> usize {
        self.transformer.threads()
    }

    /// What computes.
    pub fn device(&self) -> Device {
        self.transformer.device()
    }

    /// The tokens of `text`, all of them, without special tokens and without a prompt.
    pub fn tokenize(&self, text: &str) -> Result<Tokens> {
        self.transformer.tokenizer.tokens(text)
    }

    /// The piece of text that an id of the vocabulary stands for, as the vocabulary writes it.
    pub fn token(&self, id: u32) -> String {
        self.transformer.tokenizer.token(id)
    }

    /// How the tokenizer cuts words: "WordPiece", "BPE", "Unigram" or "WordLevel".
    pub fn tokenizer_kind(&self) -> &'static str {
        self.transformer.tokenizer.kind()
    }

    /// How many special tokens a sequence gets: 2 for BERT.
    pub fn special_tokens(&self) -> usize {
        self.transformer.tokenizer.special_tokens()
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
        let counts = inputs.iter().map(|input| input.ids.len()).zip(full);
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
        let framed = inputs.iter().enumerate().map(|(index, ids)| {
            let ids = self.transformer.tokenizer.framed(ids);
            self.transformer.check_length(index, ids.len())?;
            Ok(ids.into())
        });
        self.embed(&framed.collect::<Result<Vec<_>>>()?)
    }

    /// The last hidden states of `texts`, without a prompt, truncated at the limit: for tests and tools.
    pub fn hidden_states(&self, texts: &[&str]) -> Result<Vec<HiddenStates>> {
        let (inputs, _) = self.inputs("", texts)?;
        let states = self
            .transformer
            .compute(&inputs, |states| Ok(states.to_vec()))?;
        Ok(inputs
            .into_iter()
            .zip(states)
            .map(|(input, states)| HiddenStates {
                ids: input.ids,
                states,
            })
            .collect())
    }

    /// `texts`, framed and truncated, and how many tokens there were before truncation.
    fn inputs(&self, prompt: &str, texts: &[&str]) -> Result<(Vec<Sequence>, Vec<usize>)> {
        let tokenizer = &self.transformer.tokenizer;
        let special = tokenizer.special_tokens();
        let room = self.spec.max_tokens - special;
        let read = |text: &&str| -> Result<(Sequence, usize)> {
            let ids = if prompt.is_empty() {
                tokenizer.ids(text)?
            } else {
                tokenizer.ids(&format!("{prompt}{text}"))?
            };
            let kept = &ids[..ids.len().min(room)];
            Ok((tokenizer.framed(kept).into(), ids.len() + special))
        };
        let read = self.transformer.each_text(texts, read)?;
        Ok(read.into_iter().unzip())
    }

    fn embed(&self, inputs: &[Sequence]) -> Result<Vec<Vec<f32>>> {
        let width = self.transformer.shape.dimension;
        self.transformer.compute(inputs, |states| {
            let pooled = pool(states, width, &self.spec.pooling);
            let mut vector = self.stages.apply(pooled)?;
            if self.spec.normalise {
                normalise(&mut vector);
            }
            Ok(vector)
        })
    }
}
