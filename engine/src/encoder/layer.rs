//! A layer of the Transformer's encoder, as BERT has it and most families kept it (Vaswani et al. 2017,
//! arXiv:1706.03762): computed tensor by tensor, or on the CPU by code that was written for speed.

use candle_core::{Result, Tensor};
use candle_nn::{Linear, VarBuilder};

use super::blocks::{Attention, LayerNames, LayerNorm, LayerSizes, PostNorm, Scores, window};
use super::{Precision, cpu};

/// A layer of the Transformer's encoder, as BERT has it.
pub(super) enum Layer {
    /// Tensor by tensor: the reference, on any device.
    Tensors {
        attention: Attention,
        rest: PostNorm,
    },
    /// The same on the CPU, several times as fast.
    Cpu(Box<cpu::Layer>),
}

impl Layer {
    pub fn load(tensors: &VarBuilder<'_>, names: &LayerNames, sizes: &LayerSizes) -> Result<Layer> {
        let attention = Attention::load(tensors, names.attention, sizes)?;
        let rest = PostNorm::load(tensors, names, sizes)?;
        if tensors.device().is_cpu() && cpu::is_computed(sizes.activation) {
            let format = match sizes.precision {
                Precision::F32 => cpu::Format::Full,
                Precision::Int8 => cpu::Format::Bytes,
            };
            return Ok(Layer::Cpu(Box::new(on_cpu(&attention, &rest, format)?)));
        }
        Ok(Layer::Tensors { attention, rest })
    }

    pub fn forward(&self, x: &Tensor, scores: &Scores<'_>) -> Result<Tensor> {
        let layer = match self {
            Layer::Tensors { attention, rest } => {
                return rest.forward(x, &attention.forward(x, scores)?);
            }
            Layer::Cpu(layer) => layer,
        };
        let (_, l, _) = x.dims3()?;
        let bias = match scores {
            Scores::Plain => None,
            Scores::Window(reach) => Some(window(0..l, 0..l, *reach, x.device())?),
            Scores::Biased(bias) => Some(bias(0..l)?.squeeze(0)?),
        };
        let bias = bias.map(|bias| {
            let each = bias.broadcast_as((layer.heads, l, l))?;
            each.flatten_all()?.to_vec1()
        });
        let bias = bias.transpose()?;
        let mut states: Vec<f32> = x.flatten_all()?.to_vec1()?;
        layer.run(&mut states, l, bias.as_deref());
        Tensor::from_vec(states, x.shape(), x.device())
    }
}

/// The tensors of a layer as [`cpu`] wants them.
fn on_cpu(attention: &Attention, rest: &PostNorm, format: cpu::Format) -> Result<cpu::Layer> {
    let machine = cpu::Machine::new();
    let numbers = |tensor: &Tensor| -> Result<Vec<f32>> { tensor.flatten_all()?.to_vec1() };
    let bias = |map: &Linear| match map.bias() {
        Some(bias) => numbers(bias),
        None => Ok(vec![0.0; map.weight().dim(0)?]),
    };
    let linear = |map: &Linear| -> Result<cpu::Linear> {
        let weights = numbers(map.weight())?;
        Ok(cpu::Linear::new(machine, format, &weights, bias(map)?))
    };
    let norm = |norm: &LayerNorm| -> Result<cpu::LayerNorm> {
        Ok(cpu::LayerNorm {
            weight: numbers(&norm.weight)?,
            bias: numbers(&norm.bias)?,
            epsilon: norm.epsilon,
        })
    };
    let (mut weights, mut biases) = (Vec::new(), Vec::new());
    for map in [&attention.query, &attention.key, &attention.value] {
        weights.extend(numbers(map.weight())?);
        biases.extend(bias(map)?);
    }
    Ok(cpu::Layer {
        machine,
        width: attention.query.weight().dim(0)?,
        heads: attention.heads,
        scale: attention.scale as f32,
        activation: rest.activation,
        qkv: cpu::Linear::new(machine, format, &weights, biases),
        attention_out: linear(&rest.output)?,
        attention_norm: norm(&rest.output_norm)?,
        up: linear(&rest.up)?,
        down: linear(&rest.down)?,
        norm: norm(&rest.norm)?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashMap;

    use candle_core::{DType, Device};

    use super::super::activation::Activation;
    use super::super::blocks::BERT_NAMES;
    use super::*;

    const INTERMEDIATE: usize = 50;

    fn weights(width: usize, spread: f32) -> VarBuilder<'static> {
        let mut tensors = HashMap::new();
        let mut put = |name: &str, rows: usize, columns: usize| {
            let random =
                |shape: &[usize]| Tensor::randn(0f32, spread, shape, &Device::Cpu).unwrap();
            let weight = match columns {
                0 => random(&[rows]),
                _ => random(&[rows, columns]),
            };
            tensors.insert(format!("{name}.weight"), weight);
            tensors.insert(format!("{name}.bias"), random(&[rows]));
        };
        for name in BERT_NAMES.attention.into_iter().chain([BERT_NAMES.output]) {
            put(name, width, width);
        }
        put(BERT_NAMES.up, INTERMEDIATE, width);
        put(BERT_NAMES.down, width, INTERMEDIATE);
        put(BERT_NAMES.output_norm, width, 0);
        put(BERT_NAMES.norm, width, 0);
        VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu)
    }

    fn sizes(width: usize, heads: usize, activation: Activation) -> LayerSizes {
        LayerSizes {
            width,
            heads,
            intermediate: INTERMEDIATE,
            activation,
            epsilon: 1e-12,
            precision: Precision::F32,
        }
    }

    fn reference(tensors: &VarBuilder<'_>, sizes: &LayerSizes) -> Layer {
        Layer::Tensors {
            attention: Attention::load(tensors, BERT_NAMES.attention, sizes).unwrap(),
            rest: PostNorm::load(tensors, &BERT_NAMES, sizes).unwrap(),
        }
    }

    fn run(layer: &Layer, x: &Tensor, scores: &Scores<'_>) -> Vec<f32> {
        let y = layer.forward(x, scores).unwrap();
        y.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn the_cpu_computes_what_the_tensors_do() {
        use Activation::*;
        for (width, heads) in [(24, 3), (32, 1), (96, 2)] {
            let tensors = weights(width, 0.4);
            for activation in [Gelu, GeluTanh, GeluSigmoid, Silu, Relu] {
                let sizes = sizes(width, heads, activation);
                let quick = Layer::load(&tensors, &BERT_NAMES, &sizes).unwrap();
                assert!(matches!(quick, Layer::Cpu(_)));
                let reference = reference(&tensors, &sizes);
                for (texts, length) in [(1, 1), (1, 13), (3, 40)] {
                    let shape = (texts, length, width);
                    let x = Tensor::randn(0f32, 1.0, shape, &Device::Cpu).unwrap();
                    let shape = (1, heads, length, length);
                    let bias = Tensor::randn(0f32, 1.0, shape, &Device::Cpu).unwrap();
                    let part =
                        |rows: std::ops::Range<usize>| bias.narrow(2, rows.start, rows.len());
                    for scores in [Scores::Plain, Scores::Window(4), Scores::Biased(&part)] {
                        let expected = run(&reference, &x, &scores);
                        for (a, b) in run(&quick, &x, &scores).iter().zip(expected) {
                            assert!((a - b).abs() < 2e-5, "{activation:?} {length}: {a} {b}");
                        }
                    }
                }
            }
        }
    }

    /// Random numbers are the hardest to quantise: none stands out, and none is small.
    #[test]
    fn bytes_come_close_to_the_tensors() {
        for (width, heads) in [(24, 3), (96, 2), (320, 5)] {
            // Scores of attention that are not large: there a small error may choose another token.
            let tensors = weights(width, (width as f32).powf(-0.5));
            for activation in [Activation::Gelu, Activation::Relu] {
                let sizes = sizes(width, heads, activation);
                let bytes = LayerSizes {
                    precision: Precision::Int8,
                    ..sizes
                };
                let bytes = Layer::load(&tensors, &BERT_NAMES, &bytes).unwrap();
                let reference = reference(&tensors, &sizes);
                let x = Tensor::randn(0f32, 1.0, (2, 31, width), &Device::Cpu).unwrap();
                let found = run(&bytes, &x, &Scores::Plain);
                let expected = run(&reference, &x, &Scores::Plain);
                let norm = |x: &mut dyn Iterator<Item = f32>| x.map(|x| x * x).sum::<f32>().sqrt();
                let apart = norm(&mut found.iter().zip(&expected).map(|(a, b)| a - b));
                let share = apart / norm(&mut expected.iter().copied());
                assert!(
                    share > 0.0 && share < 0.02,
                    "{width} {activation:?}: {share}"
                );
            }
        }
    }
}
