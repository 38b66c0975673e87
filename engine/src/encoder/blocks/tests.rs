//! Attention against the definition in plain loops.

#![allow(clippy::unwrap_used)]

use candle_core::Device;

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
