//! The CPU's own code against tensors.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::OnceLock;

use candle_core::{DType, Device};
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::super::Precision;
use super::super::activation::Activation;
use super::super::blocks::{BERT_NAMES, linear};
use super::*;

static POOLS: OnceLock<[ThreadPool; 3]> = OnceLock::new();

const INTERMEDIATE: usize = 50;
const MOST: usize = 60;

fn weights(width: usize, spread: f32) -> VarBuilder<'static> {
    let mut tensors = HashMap::new();
    let random = |shape: &[usize]| Tensor::randn(0f32, spread, shape, &Device::Cpu).unwrap();
    let mut put = |name: &str, rows: usize, columns: usize| {
        let weight = match columns {
            0 => random(&[rows]),
            _ => random(&[rows, columns]),
        };
        tensors.insert(format!("{name}.weight"), weight);
        tensors.insert(format!("{name}.bias"), random(&[rows]));
    };
    for name in BERT_NAMES.attention.into_iter().chain([BERT_NAMES.output]) {
        put(&format!("layer.{name}"), width, width);
    }
    put(&format!("layer.{}", BERT_NAMES.up), INTERMEDIATE, width);
    put(&format!("layer.{}", BERT_NAMES.down), width, INTERMEDIATE);
    put(&format!("layer.{}", BERT_NAMES.output_norm), width, 0);
    put(&format!("layer.{}", BERT_NAMES.norm), width, 0);
    put("project", width, width / 2);
    put("LayerNorm", width / 2, 0);
    for (name, rows) in [("word", 30), ("position", MOST + 4), ("token_type", 2)] {
        let name = format!("{name}_embeddings.weight");
        tensors.insert(name, random(&[rows, width / 2]));
    }
    VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu)
}

/// `biases` are added by distance.
fn stack(
    tensors: &VarBuilder<'static>,
    sizes: LayerSizes,
    biases: Option<&Tensor>,
) -> Stack<'static> {
    let narrow = sizes.width / 2;
    let project = linear(tensors, "project", narrow, sizes.width, true);
    let bucket = |distance: i64| (distance.clamp(-3, 3) + 3) as u32;
    Stack {
        packs: &Packs::None,
        embeddings: tensors.clone(),
        tables: EmbeddingSizes {
            vocabulary: 30,
            width: narrow,
            positions: MOST + 4,
            types: 2,
            padding: Some(3),
        },
        project: Some(project.unwrap()),
        layers: vec![tensors.pp("layer")],
        order: vec![0, 0],
        names: &BERT_NAMES,
        sizes,
        distances: biases.map(|biases| Distances {
            biases: biases.clone(),
            bucket,
            most: MOST,
        }),
    }
}

fn biases(heads: usize) -> Tensor {
    Tensor::randn(0f32, 1.0, (7, heads), &Device::Cpu).unwrap()
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

/// Ids and types of texts; 3 is the padding token, which has a position of its own.
fn texts(lengths: &[usize]) -> Vec<(Vec<u32>, Vec<u32>)> {
    let text = |&length: &usize| {
        let ids = (0..length).map(|place| (place * 7 + length) as u32 % 30);
        let types = (0..length).map(|place| u32::from(2 * place > length));
        (ids.collect(), types.collect())
    };
    lengths.iter().map(text).collect()
}

fn by_tensors(model: &Tensors, (ids, types): &(Vec<u32>, Vec<u32>)) -> Vec<f32> {
    let tensor =
        |numbers: &Vec<u32>| Tensor::from_slice(numbers, (1, numbers.len()), &Device::Cpu).unwrap();
    let types = (!types.is_empty()).then(|| tensor(types));
    numbers(&model.forward(&tensor(ids), types.as_ref()).unwrap()).unwrap()
}

/// On one thread, and on several: to the last bit the same.
fn on_cpu(model: &cpu::Network, texts: &[(Vec<u32>, Vec<u32>)]) -> Vec<f32> {
    let texts = texts.iter().map(|(ids, types)| cpu::Text { ids, types });
    let texts: Vec<_> = texts.collect();
    let pools = POOLS.get_or_init(|| {
        let pool = |threads| ThreadPoolBuilder::new().num_threads(threads).build();
        [1, 2, 5].map(|threads| pool(threads).unwrap())
    });
    let [alone, rest @ ..] = pools.each_ref().map(|pool| model.run(&texts, pool));
    for together in rest {
        assert_eq!(alone, together);
    }
    alone
}

#[test]
fn the_cpu_computes_what_the_tensors_do() {
    use Activation::*;
    for (width, heads) in [(24, 3), (32, 1), (96, 2)] {
        let tensors = weights(width, 0.4);
        for activation in [Gelu, GeluTanh, GeluSigmoid, Silu, Relu] {
            for biases in [None, Some(&biases(heads))] {
                let load = || stack(&tensors, sizes(width, heads, activation), biases);
                let reference = load().load_as_tensors().unwrap();
                let quick = load().load_for_cpu().unwrap();
                for lengths in [[1, 13, 2].as_slice(), &[40, 1, 60], &[5]] {
                    let mut texts = texts(lengths);
                    texts[0].1.clear();
                    let expected: Vec<f32> = texts
                        .iter()
                        .flat_map(|text| by_tensors(&reference, text))
                        .collect();
                    let found = on_cpu(&quick, &texts);
                    assert_eq!(found.len(), expected.len());
                    for (a, b) in found.iter().zip(expected) {
                        assert!((a - b).abs() < 5e-5, "{activation:?} {lengths:?}: {a} {b}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_text_is_the_same_among_others() {
    let tensors = weights(64, 0.4);
    let model = stack(&tensors, sizes(64, 4, Activation::Gelu), Some(&biases(4)));
    let model = model.load_for_cpu().unwrap();
    let texts = texts(&[9, 60, 1, 33, 17]);
    let alone: Vec<f32> = texts
        .iter()
        .flat_map(|text| on_cpu(&model, std::slice::from_ref(text)))
        .collect();
    assert_eq!(on_cpu(&model, &texts), alone);
}

/// Random numbers are the hardest to quantise: none stands out, and none is small.
#[test]
fn bytes_come_close_to_the_tensors() {
    for (width, heads) in [(24, 3), (96, 2), (320, 5)] {
        // Scores of attention that are not large: there a small error may choose another token.
        let tensors = weights(width, (width as f32).powf(-0.5));
        for activation in [Activation::Gelu, Activation::Relu] {
            let sizes = |precision| LayerSizes {
                precision,
                ..sizes(width, heads, activation)
            };
            let load = |precision| stack(&tensors, sizes(precision), None);
            let bytes = load(Precision::Int8).load_for_cpu().unwrap();
            let reference = load(Precision::F32).load_as_tensors().unwrap();
            let texts = texts(&[31]);
            let found = on_cpu(&bytes, &texts);
            let expected = by_tensors(&reference, &texts[0]);
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
