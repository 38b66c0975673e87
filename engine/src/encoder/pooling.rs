//! From the vectors of a text's tokens to one vector.

use super::{Pooling, Poolings};

/// Pools `states`, the rows of one text without padding, each `width` long and one after the other. There is
/// at least one row. Each way of pooling gives `width` numbers; they stand one after the other.
pub(super) fn pool(states: &[f32], width: usize, poolings: &Poolings) -> Vec<f32> {
    let ways = poolings.ways().iter();
    ways.flat_map(|way| pool_one(states, width, *way)).collect()
}

fn pool_one(states: &[f32], width: usize, way: Pooling) -> Vec<f32> {
    let count = (states.len() / width) as f32;
    match way {
        Pooling::Cls => states[..width].to_vec(),
        Pooling::LastToken => states[states.len() - width..].to_vec(),
        Pooling::Max => {
            let mut top = states[..width].to_vec();
            for row in states.chunks_exact(width) {
                top.iter_mut()
                    .zip(row)
                    .for_each(|(top, x)| *top = top.max(*x));
            }
            top
        }
        Pooling::Mean => sum(states, width, |_| 1.0, count),
        Pooling::MeanSqrtLen => sum(states, width, |_| 1.0, count.sqrt()),
        Pooling::WeightedMean => {
            let whole = count * (count + 1.0) / 2.0;
            sum(states, width, |index| (index + 1) as f32, whole)
        }
    }
}

/// The weighted sum of the rows, divided by `divisor`.
fn sum(states: &[f32], width: usize, weight: impl Fn(usize) -> f32, divisor: f32) -> Vec<f32> {
    let mut sums = vec![0.0; width];
    for (index, row) in states.chunks_exact(width).enumerate() {
        let weight = weight(index);
        sums.iter_mut()
            .zip(row)
            .for_each(|(sum, x)| *sum += weight * x);
    }
    sums.iter_mut().for_each(|sum| *sum /= divisor);
    sums
}

/// Scales `vector` to unit length. A zero vector stays zero.
pub(super) fn normalise(vector: &mut [f32]) {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length.is_normal() {
        vector.iter_mut().for_each(|x| *x /= length);
        return;
    }
    // The squares of large or tiny numbers are none that f32 has.
    let squares = vector.iter().map(|x| f64::from(*x).powi(2));
    let length = squares.sum::<f64>().sqrt();
    if length > 0.0 {
        let divided = |x: f32| (f64::from(x) / length) as f32;
        vector.iter_mut().for_each(|x| *x = divided(*x));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const STATES: [f32; 6] = [1.0, -2.0, 3.0, 0.0, 5.0, -4.0];

    #[test]
    fn pools_by_hand() {
        let one = |way: Pooling| pool(&STATES, 2, &way.into());
        assert_eq!(one(Pooling::Mean), [3.0, -2.0]);
        assert_eq!(one(Pooling::Cls), [1.0, -2.0]);
        assert_eq!(one(Pooling::Max), [5.0, 0.0]);
        assert_eq!(one(Pooling::LastToken), [5.0, -4.0]);
        assert_eq!(one(Pooling::WeightedMean), [22.0 / 6.0, -14.0 / 6.0]);
        let root = 3.0_f32.sqrt();
        assert_eq!(one(Pooling::MeanSqrtLen), [9.0 / root, -6.0 / root]);
        let both = Poolings::new(vec![Pooling::Max, Pooling::Cls]).unwrap();
        assert_eq!(pool(&STATES, 2, &both), [5.0, 0.0, 1.0, -2.0]);
    }

    #[test]
    fn normalises_to_unit_length_and_leaves_zero_alone() {
        let mut vector = [3.0, 4.0];
        normalise(&mut vector);
        assert_eq!(vector, [0.6, 0.8]);
        for scale in [1e30, 1e-30] {
            let mut vector = [3.0 * scale, 4.0 * scale];
            normalise(&mut vector);
            assert_eq!(vector, [0.6, 0.8]);
        }
        let mut zero = [0.0; 3];
        normalise(&mut zero);
        assert_eq!(zero, [0.0; 3]);
    }
}
