//! One vector as 16-bit fixed point, in two planes.
//!
//! A component x becomes q = round(x / s) with s = max|x| / (127·256), and q is split into a high
//! byte h and a low byte l, q = 256·h + l. The high plane alone is the usual int8 quantisation: it is
//! what a scan or a graph walk reads. Both planes together are exact to s/2, some 2·10⁻⁶ for a unit
//! vector of 384 components, and rescore the few rows that matter. High bytes are stored with a bias
//! of 128 because the dot-product instructions of x86 want one unsigned operand.

/// The bias of a stored high byte.
pub const BIAS: i32 = 128;

/// The largest magnitude of a 16-bit component: its high byte stays within ±127.
const LIMIT: f32 = 127.0 * 256.0;

/// Quantises `vector` into `high` (biased) and `low`, all of one length.
///
/// Returns the scale s: component i is s · (256 · (high\[i\] − 128) + low\[i\]). A zero vector has
/// scale 0.
pub fn quantise(vector: &[f32], high: &mut [u8], low: &mut [i8]) -> f32 {
    debug_assert!(vector.len() == high.len() && vector.len() == low.len());
    let max = vector.iter().fold(0f32, |max, x| max.max(x.abs()));
    let scale = max / LIMIT;
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    for ((x, high), low) in vector.iter().zip(high).zip(low) {
        let q = (x * inverse).round().clamp(-LIMIT, LIMIT) as i32;
        let h = (q + 128) >> 8;
        *high = (h + BIAS) as u8;
        *low = (q - 256 * h) as i8;
    }
    scale
}

/// The Euclidean length of what the high plane leaves out: s · ‖low‖.
///
/// By Cauchy–Schwarz it bounds how far a score read from the high plane alone can be from the exact
/// one, for a query of unit length.
pub fn residual_norm(low: &[i8], scale: f32) -> f32 {
    let squares: i64 = low.iter().map(|&l| i64::from(l) * i64::from(l)).sum();
    scale * (squares as f32).sqrt()
}

/// A query, prepared to be compared with rows.
#[derive(Debug, Clone)]
pub struct Query {
    /// The vector itself.
    pub exact: Vec<f32>,
    /// Its int8 form, padded with zeros to a multiple of [`STRIDE`] components.
    pub codes: Vec<i8>,
    /// component i is about scale · codes\[i\].
    pub scale: f32,
    /// Sum of `codes`, which undoes the bias of the rows.
    pub sum: i32,
    /// ‖query − scale · codes‖.
    pub error: f32,
}

/// Rows are padded to a multiple of this many bytes, so that kernels need no tail.
pub const STRIDE: usize = 64;

/// The padded length of a row of `dimension` components.
pub fn stride(dimension: usize) -> usize {
    dimension.next_multiple_of(STRIDE)
}

impl Query {
    /// Prepares `vector`.
    pub fn new(vector: &[f32]) -> Self {
        let max = vector.iter().fold(0f32, |max, x| max.max(x.abs()));
        let scale = max / 127.0;
        let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
        let mut codes = vec![0i8; stride(vector.len())];
        let mut squares = 0f32;
        for (x, code) in vector.iter().zip(&mut codes) {
            *code = (x * inverse).round().clamp(-127.0, 127.0) as i8;
            let error = x - scale * f32::from(*code);
            squares += error * error;
        }
        Query {
            exact: vector.to_vec(),
            sum: codes.iter().map(|&c| i32::from(c)).sum(),
            codes,
            scale,
            error: squares.sqrt(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    pub(crate) fn unit(seed: u64, dimension: usize) -> Vec<f32> {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut vector: Vec<f32> = (0..dimension)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
            })
            .collect();
        let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.iter_mut().for_each(|x| *x /= norm);
        vector
    }

    #[test]
    fn both_planes_are_exact_to_half_a_step() {
        for seed in 0..50 {
            let vector = unit(seed, 100);
            let (mut high, mut low) = (vec![0; 100], vec![0; 100]);
            let scale = quantise(&vector, &mut high, &mut low);
            for i in 0..100 {
                let back = scale * (256 * (i32::from(high[i]) - BIAS) + i32::from(low[i])) as f32;
                assert!((back - vector[i]).abs() <= 0.51 * scale, "{i}");
            }
        }
    }

    #[test]
    fn a_zero_vector_has_scale_zero() {
        let (mut high, mut low) = (vec![0; 4], vec![7; 4]);
        assert_eq!(quantise(&[0.0; 4], &mut high, &mut low), 0.0);
        assert_eq!((high, low), (vec![128; 4], vec![0; 4]));
        let query = Query::new(&[0.0; 4]);
        assert_eq!((query.scale, query.sum, query.error), (0.0, 0, 0.0));
    }

    #[test]
    fn extremes_stay_in_range() {
        let (mut high, mut low) = (vec![0; 2], vec![0; 2]);
        quantise(&[-1.0, 1.0], &mut high, &mut low);
        assert_eq!((high, low), (vec![1, 255], vec![0, 0]));
    }
}
