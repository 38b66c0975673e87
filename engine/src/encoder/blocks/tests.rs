//! Attention against the definition in plain loops, and the sum of embeddings.

#![allow(clippy::unwrap_used)]

use candle_core::{DType, Device};

use super::*;

/// Numbers of a fixed disorder between -1 and 1.
fn noise(seed: u64, shape: &[usize]) -> Tensor {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let numbers: Vec<f32> = (0..shape.iter().product()).map(|_| next()).collect();
    Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap()
}

/// Σⱼ exp(qᵢ·kⱼ + bias(i, j)) vⱼ / Σⱼ exp(qᵢ·kⱼ + bias(i, j)) for query `i` of one text and head.
fn defined(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    i: usize,
    bias: &dyn Fn(usize, usize) -> f64,
) -> Vec<f64> {
    let rows = |x: &Tensor| x.to_vec2::<f32>().unwrap();
    let (q, k, v) = (rows(q), rows(k), rows(v));
    let dot = |a: &[f32], b: &[f32]| {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum::<f64>()
    };
    let weights: Vec<f64> = (0..k.len())
        .map(|j| (dot(&q[i], &k[j]) + bias(i, j)).exp())
        .collect();
    let whole: f64 = weights.iter().sum();
    let column = |c: usize| {
        weights
            .iter()
            .zip(&v)
            .map(|(w, v)| w * f64::from(v[c]))
            .sum::<f64>()
            / whole
    };
    (0..v[0].len()).map(column).collect()
}

fn assert_rows(
    found: &Tensor,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    rows: &[usize],
    bias: &dyn Fn(usize, usize, usize) -> f64,
) {
    let (b, h, _, d) = q.dims4().unwrap();
    for text in 0..b {
        for head in 0..h {
            let part = |x: &Tensor| x.get(text).unwrap().get(head).unwrap();
            let found: Vec<Vec<f32>> = found
                .get(text)
                .unwrap()
                .narrow(1, head * d, d)
                .unwrap()
                .to_vec2()
                .unwrap();
            for &i in rows {
                let expected = defined(&part(q), &part(k), &part(v), i, &|i, j| bias(head, i, j));
                for (found, expected) in found[i].iter().zip(expected) {
                    assert!(
                        (f64::from(*found) - expected).abs() < 1e-5,
                        "text {text}, head {head}, query {i}"
                    );
                }
            }
        }
    }
}

#[test]
fn attention_is_what_it_is_defined_to_be() {
    let shape = [2, 3, 150, 4];
    let (q, k, v) = (noise(1, &shape), noise(2, &shape), noise(3, &shape));
    let all: Vec<usize> = (0..150).collect();
    let plain = attend(&q, &k, &v, &Scores::Plain).unwrap();
    assert_eq!(plain.dims(), [2, 150, 12]);
    assert_rows(&plain, &q, &k, &v, &all, &|_, _, _| 0.0);
    // Windows narrower and wider than the stretch of queries that is computed at a time, and than the text.
    for reach in [0, 1, 7, 40, 70, 149, 500] {
        let found = attend(&q, &k, &v, &Scores::Window(reach)).unwrap();
        let bias = |_: usize, i: usize, j: usize| {
            if i.abs_diff(j) <= reach {
                0.0
            } else {
                f64::NEG_INFINITY
            }
        };
        assert_rows(&found, &q, &k, &v, &all, &bias);
    }
    let table = noise(4, &[1, 3, 150, 150]);
    let numbers: Vec<Vec<Vec<f32>>> = table.get(0).unwrap().to_vec3().unwrap();
    let rows = |rows: Range<usize>| table.narrow(2, rows.start, rows.len());
    let found = attend(&q, &k, &v, &Scores::Biased(&rows)).unwrap();
    assert_rows(&found, &q, &k, &v, &all, &|head, i, j| {
        f64::from(numbers[head][i][j])
    });
}

/// A text so long that its scores do not fit at once.
#[test]
fn long_texts_are_computed_in_stretches() {
    let l = 2100;
    let shape = [1, 1, l, 2];
    assert!(l * l > MOST_SCORES);
    let (q, k, v) = (noise(5, &shape), noise(6, &shape), noise(7, &shape));
    let some = [0, 1, 1996, 1997, 1998, l - 1];
    let found = attend(&q, &k, &v, &Scores::Plain).unwrap();
    assert_rows(&found, &q, &k, &v, &some, &|_, _, _| 0.0);
    let asked = std::cell::RefCell::new(Vec::new());
    let slope = |rows: Range<usize>| {
        asked.borrow_mut().push(rows.clone());
        let bias: Vec<f32> = rows
            .clone()
            .flat_map(|i| (0..l).map(move |j| (i + j) as f32 / 900.0))
            .collect();
        Tensor::from_vec(bias, (1, 1, rows.len(), l), &Device::Cpu)
    };
    let found = attend(&q, &k, &v, &Scores::Biased(&slope)).unwrap();
    assert_rows(&found, &q, &k, &v, &some, &|_, i, j| (i + j) as f64 / 900.0);
    assert!(asked.borrow().len() > 1);
}

#[test]
fn embeddings_are_summed_as_far_as_there_are_any() {
    let tensors = std::collections::HashMap::from([
        ("word_embeddings.weight".to_owned(), noise(8, &[5, 3])),
        ("position_embeddings.weight".to_owned(), noise(9, &[6, 3])),
        (
            "token_type_embeddings.weight".to_owned(),
            noise(10, &[2, 3]),
        ),
    ]);
    let table = |name: &str| tensors[&format!("{name}.weight")].to_vec2::<f32>().unwrap();
    let (words, places, kinds) = (
        table("word_embeddings"),
        table("position_embeddings"),
        table("token_type_embeddings"),
    );
    let source = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
    let ids = [[4_u32, 1, 2], [0, 3, 1]];
    for (positions, types, padding, rows) in [
        (6, 2, None, [[0, 1, 2], [0, 1, 2]]),
        (6, 0, Some(2), [[3, 4, 2], [3, 4, 5]]),
        (6, 2, Some(1), [[2, 1, 3], [2, 3, 1]]),
        (0, 2, None, [[0; 3]; 2]),
        (0, 0, None, [[0; 3]; 2]),
    ] {
        let sizes = EmbeddingSizes {
            vocabulary: 5,
            width: 3,
            positions,
            types,
            padding,
        };
        let embeddings = Embeddings::load(&source, &sizes).unwrap();
        let input = Tensor::new(&ids, &Device::Cpu).unwrap();
        let second = Tensor::new(&[[0_u32, 1, 1], [0, 0, 1]], &Device::Cpu).unwrap();
        let typed = embeddings.forward(&input, Some(&second)).unwrap();
        let plain = embeddings.forward(&input, None).unwrap();
        let plain: Vec<Vec<Vec<f32>>> = plain.to_vec3().unwrap();
        let typed: Vec<Vec<Vec<f32>>> = typed.to_vec3().unwrap();
        for (text, at) in (0..2).flat_map(|text| (0..3).map(move |at| (text, at))) {
            for column in 0..3 {
                let mut expected = words[ids[text][at] as usize][column];
                if positions > 0 {
                    expected += places[rows[text][at]][column];
                }
                let of_type = |kind: usize| if types > 0 { kinds[kind][column] } else { 0.0 };
                let own = of_type(usize::from(at == 2 || (text, at) == (0, 1)));
                assert!((plain[text][at][column] - expected - of_type(0)).abs() < 1e-6);
                assert!((typed[text][at][column] - expected - own).abs() < 1e-6);
            }
        }
    }
}
