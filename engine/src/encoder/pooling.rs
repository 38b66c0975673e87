//! From the vectors of a text's tokens to one vector.

use super::Pooling;

/// Pools `states`, the rows of one text without padding, each `dimension` long and one after the other.
/// There is at least one row.
pub(super) fn pool(states: &[f32], dimension: usize, pooling: Pooling) -> Vec<f32> {
    let mut rows = states.chunks_exact(dimension);
    let mut pooled = rows.next().unwrap_or_default().to_vec();
    match pooling {
        Pooling::Cls => {}
        Pooling::Mean => {
            for row in rows {
                pooled.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
            }
            let count = (states.len() / dimension) as f32;
            pooled.iter_mut().for_each(|sum| *sum /= count);
        }
        Pooling::Max => {
            for row in rows {
                pooled
                    .iter_mut()
                    .zip(row)
                    .for_each(|(top, x)| *top = top.max(*x));
            }
        }
    }
    pooled
}

/// Scales `vector` to unit length. A zero vector stays zero.
pub(super) fn normalise(vector: &mut [f32]) {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|x| *x /= length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [f32; 6] = [1.0, -2.0, 3.0, 0.0, 5.0, -4.0];

    #[test]
    fn pools_by_hand() {
        assert_eq!(pool(&STATES, 2, Pooling::Mean), [3.0, -2.0]);
        assert_eq!(pool(&STATES, 2, Pooling::Cls), [1.0, -2.0]);
        assert_eq!(pool(&STATES, 2, Pooling::Max), [5.0, 0.0]);
    }

    #[test]
    fn normalises_to_unit_length_and_leaves_zero_alone() {
        let mut vector = [3.0, 4.0];
        normalise(&mut vector);
        assert_eq!(vector, [0.6, 0.8]);
        let mut zero = [0.0; 3];
        normalise(&mut zero);
        assert_eq!(zero, [0.0; 3]);
    }
}
