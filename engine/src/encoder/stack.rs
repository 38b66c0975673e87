//! Models of BERT's shape: embeddings, then layers of the Transformer's encoder (Vaswani et al. 2017,
//! arXiv:1706.03762). Computed tensor by tensor, or on the CPU by code that was written for speed.

use candle_core::{Result, Tensor};
use candle_nn::{Linear, Module, VarBuilder};

use super::architecture::{Architecture, Network};
use super::blocks::{Attention, LayerNames, LayerNorm, LayerSizes, PostNorm, Scores};
use super::cpu;
use super::embeddings::{self, EmbeddingSizes, Embeddings};
use super::kept::Packs;

/// All that tells one model of this shape from another.
pub(super) struct Stack<'a> {
    /// What was packed for the CPU.
    pub packs: &'a Packs,
    /// Where the tables of embeddings are among the tensors.
    pub embeddings: VarBuilder<'a>,
    pub tables: EmbeddingSizes,
    /// From the width of the embeddings to that of the layers, where they differ.
    pub project: Option<Linear>,
    /// Where each layer is.
    pub layers: Vec<VarBuilder<'a>>,
    /// Which layer runs after which: one may run several times.
    pub order: Vec<usize>,
    pub names: &'static LayerNames,
    pub sizes: LayerSizes,
    pub distances: Option<Distances>,
}

/// What attention adds to its scores by how far the key stands after the query, the same in all layers.
pub(super) struct Distances {
    /// `[buckets, h]`.
    pub biases: Tensor,
    /// The bucket of a distance.
    pub bucket: fn(i64) -> u32,
    /// The longest text.
    pub most: usize,
}

impl Stack<'_> {
    /// Loads the model for its device.
    pub fn load(self) -> Result<Network> {
        let on_cpu = self.embeddings.device().is_cpu() && cpu::is_computed(self.sizes.activation);
        if on_cpu {
            return Ok(Network::Cpu(Box::new(self.load_for_cpu()?)));
        }
        Ok(Network::Tensors(Box::new(self.load_as_tensors()?)))
    }

    fn embedding_norm(&self) -> Result<LayerNorm> {
        let (width, epsilon) = (self.tables.width, self.sizes.epsilon);
        LayerNorm::load(&self.embeddings, "LayerNorm", width, epsilon, true)
    }

    fn layer(&self, tensors: &VarBuilder<'_>) -> Result<(Attention, PostNorm)> {
        let attention = Attention::load(tensors, self.names.attention, &self.sizes)?;
        Ok((attention, PostNorm::load(tensors, self.names, &self.sizes)?))
    }

    fn load_as_tensors(self) -> Result<Tensors> {
        let layers = self.layers.iter().map(|tensors| self.layer(tensors));
        Ok(Tensors {
            norm: self.embedding_norm()?,
            embeddings: Embeddings::load(&self.embeddings, &self.tables)?,
            layers: layers.collect::<Result<_>>()?,
            project: self.project,
            order: self.order,
            distances: self.distances,
        })
    }

    /// Matrix by matrix, so that the weights are not in memory twice.
    fn load_for_cpu(self) -> Result<cpu::Network> {
        let machine = cpu::Machine::new();
        let norm = cpu_norm(&self.embedding_norm()?)?;
        let (rows, width) = (self.tables.vocabulary, self.tables.width);
        let tokens = self.packs.table("tokens", rows * width, || {
            numbers(&embeddings::tokens(&self.embeddings, &self.tables)?)
        })?;
        let others = embeddings::Others::load(&self.embeddings, &self.tables)?;
        let layers = self.layers.iter().enumerate();
        let layers = layers.map(|(number, tensors)| self.cpu_layer(machine, number, tensors));
        Ok(cpu::Network {
            machine,
            embeddings: others.on_cpu(tokens, width, norm)?,
            layers: layers.collect::<Result<_>>()?,
            project: self
                .project
                .map(|map| cpu_linear(machine, &map))
                .transpose()?,
            distances: self
                .distances
                .map(|distances| distances.on_cpu())
                .transpose()?,
            order: self.order,
        })
    }

    /// The tensors of a layer as [`cpu`] wants them.
    fn cpu_layer(
        &self,
        machine: cpu::Machine,
        number: usize,
        tensors: &VarBuilder<'_>,
    ) -> Result<cpu::Layer> {
        let (sizes, names) = (&self.sizes, self.names);
        let format = sizes.precision.into();
        let (d, inner) = (sizes.width, sizes.intermediate);
        // The maps of these names, with their results side by side.
        let linear = |name: &str, maps: &[&str], from: usize, to: usize| {
            let all = |what: &str, shape: &[usize]| -> Result<Vec<f32>> {
                let mut all = Vec::with_capacity(maps.len() * shape.iter().product::<usize>());
                for map in maps {
                    all.extend(numbers(&tensors.pp(map).get(shape, what)?)?);
                }
                Ok(all)
            };
            let (name, shape) = (format!("{number} {name}"), (from, maps.len() * to));
            let weights = self.packs.matrix(&name, (machine, format), shape, || {
                all("weight", &[to, from])
            })?;
            Ok::<_, candle_core::Error>(cpu::Linear::new(weights, all("bias", &[to])?))
        };
        let norm = |name: &str| cpu_norm(&LayerNorm::load(tensors, name, d, sizes.epsilon, true)?);
        Ok(cpu::Layer {
            width: d,
            heads: sizes.heads,
            scale: sizes.scale() as f32,
            activation: sizes.activation,
            qkv: linear("qkv", &names.attention, d, d)?,
            attention_out: linear("out", &[names.output], d, d)?,
            attention_norm: norm(names.output_norm)?,
            up: linear("up", &[names.up], d, inner)?,
            down: linear("down", &[names.down], inner, d)?,
            norm: norm(names.norm)?,
        })
    }
}

/// The model as tensors: the reference, on any device.
struct Tensors {
    embeddings: Embeddings,
    norm: LayerNorm,
    project: Option<Linear>,
    layers: Vec<(Attention, PostNorm)>,
    order: Vec<usize>,
    distances: Option<Distances>,
}

impl Architecture for Tensors {
    fn forward(&self, ids: &Tensor, types: Option<&Tensor>) -> Result<Tensor> {
        let distances = self.distances.as_ref();
        let bias = distances.map(|distances| distances.bias(ids.dim(1)?));
        let bias = bias.transpose()?;
        let of_queries = bias.as_ref().map(|bias| {
            move |queries: std::ops::Range<usize>| bias.narrow(2, queries.start, queries.len())
        });
        let scores = match &of_queries {
            Some(bias) => Scores::Biased(bias),
            None => Scores::Plain,
        };
        let mut x = self.norm.forward(&self.embeddings.forward(ids, types)?)?;
        if let Some(project) = &self.project {
            x = project.forward(&x)?;
        }
        for &layer in &self.order {
            let (attention, rest) = &self.layers[layer];
            x = rest.forward(&x, &attention.forward(&x, &scores)?)?;
        }
        Ok(x)
    }

    fn tokens(&self) -> &Tensor {
        self.embeddings.tokens()
    }
}

impl Distances {
    /// What is added for a text of length `l`: `[1, h, l, l]`.
    fn bias(&self, l: usize) -> Result<Tensor> {
        let of = |query: usize| (0..l).map(move |key| (self.bucket)(key as i64 - query as i64));
        let buckets: Vec<u32> = (0..l).flat_map(of).collect();
        let buckets = Tensor::from_vec(buckets, l * l, self.biases.device())?;
        let rows = self.biases.index_select(&buckets, 0)?.reshape((l, l, ()))?;
        rows.permute((2, 0, 1))?.contiguous()?.unsqueeze(0)
    }

    fn on_cpu(&self) -> Result<cpu::Distances> {
        let biases = self.biases.t()?.to_vec2::<f32>()?;
        let most = self.most as i64;
        let numbers = biases.iter().flat_map(|of_head| {
            (1 - most..most).map(|distance| of_head[(self.bucket)(distance) as usize])
        });
        Ok(cpu::Distances {
            numbers: numbers.collect(),
            most: self.most,
        })
    }
}

fn numbers(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.flatten_all()?.to_vec1()
}

fn cpu_norm(norm: &LayerNorm) -> Result<cpu::LayerNorm> {
    Ok(cpu::LayerNorm {
        weight: numbers(&norm.weight)?,
        bias: numbers(&norm.bias)?,
        epsilon: norm.epsilon,
    })
}

fn bias(map: &Linear) -> Result<Vec<f32>> {
    match map.bias() {
        Some(bias) => numbers(bias),
        None => Ok(vec![0.0; map.weight().dim(0)?]),
    }
}

/// In f32: a small product, once a text, is not worth a loss, nor a place among what is packed.
fn cpu_linear(machine: cpu::Machine, map: &Linear) -> Result<cpu::Linear> {
    let (weights, depth) = (numbers(map.weight())?, map.weight().dim(1)?);
    let weights = cpu::Matrix::new(machine, cpu::Format::Full, &weights, depth);
    Ok(cpu::Linear::new(weights, bias(map)?))
}

#[cfg(test)]
mod tests;
