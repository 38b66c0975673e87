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

/// A vector as 16-bit fixed point: the scale s, and q of each component.
fn fixed_point(vector: &[f32]) -> (f32, impl Iterator<Item = i16>) {
    let max = vector.iter().fold(0f32, |max, x| max.max(x.abs()));
    let scale = max / LIMIT;
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    let code = move |x: &f32| (x * inverse).round().clamp(-LIMIT, LIMIT) as i16;
    (scale, vector.iter().map(code))
}

/// A vector as bytes, 2 a component and 4 besides, in the precision in which an index keeps it.
///
/// The scale s as f32, then q of each component as i16, all little-endian; component i is s · q. It
/// differs from the given one by s/2 at most, some 2·10⁻⁶ for a unit vector of 384 components. An
/// index stores the vector that [`unpack`] gives back exactly as it stores the given one: this is what
/// a program caches that embeds now and indexes later.
pub fn pack(vector: &[f32]) -> Vec<u8> {
    let (scale, codes) = fixed_point(vector);
    let mut bytes = Vec::with_capacity(4 + 2 * vector.len());
    bytes.extend_from_slice(&scale.to_le_bytes());
    bytes.extend(codes.flat_map(i16::to_le_bytes));
    bytes
}

/// The vector of `dimension` components that [`pack`] made bytes of; `None` if the bytes are of
/// another length or their scale is no finite number.
pub fn unpack(bytes: &[u8], dimension: usize) -> Option<Vec<f32>> {
    let (scale, codes) = bytes.split_first_chunk::<4>()?;
    let scale = f32::from_le_bytes(*scale);
    let (codes, rest) = codes.as_chunks::<2>();
    if codes.len() != dimension || !rest.is_empty() || !scale.is_finite() {
        return None;
    }
    let component = |code: &[u8; 2]| scale * f32::from(i16::from_le_bytes(*code));
    Some(codes.iter().map(component).collect())
}

/// Quantises `vector` into `high` (biased) and `low`, all of one length.
///
/// Returns the scale s: component i is s · (256 · (high\[i\] − 128) + low\[i\]). A zero vector has
/// scale 0.
pub fn quantise(vector: &[f32], high: &mut [u8], low: &mut [i8]) -> f32 {
    debug_assert!(vector.len() == high.len() && vector.len() == low.len());
    let (scale, codes) = fixed_point(vector);
    for ((q, high), low) in codes.zip(high).zip(low) {
        let q = i32::from(q);
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
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::fuzzing::unit;

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
    fn a_vector_that_was_packed_is_stored_as_the_one_that_was_not() {
        let planes = |vector: &[f32]| {
            let (mut high, mut low) = (vec![0; vector.len()], vec![0; vector.len()]);
            let scale = quantise(vector, &mut high, &mut low);
            (high, low, scale)
        };
        for seed in 0..200 {
            let vector = unit(seed, 64);
            let back = unpack(&pack(&vector), 64).unwrap();
            for (a, b) in vector.iter().zip(&back) {
                assert!((a - b).abs() < 8e-6, "{a} {b}");
            }
            assert_eq!(planes(&back), planes(&vector), "{seed}");
            assert_eq!(pack(&back), pack(&vector), "{seed}");
        }
    }

    #[test]
    fn bytes_that_are_no_vector_are_none() {
        let bytes = pack(&unit(1, 8));
        assert_eq!(bytes.len(), 20);
        assert!(unpack(&bytes, 8).is_some());
        for dimension in [0, 7, 9] {
            assert_eq!(unpack(&bytes, dimension), None);
        }
        for cut in 0..bytes.len() {
            assert_eq!(unpack(&bytes[..cut], 8), None, "cut at {cut}");
        }
        let endless = [&f32::INFINITY.to_le_bytes()[..], &bytes[4..]].concat();
        assert_eq!(unpack(&endless, 8), None);
        assert_eq!(unpack(&pack(&[]), 0), Some(Vec::new()));
        assert_eq!(unpack(&pack(&[0.0; 3]), 3), Some(vec![0.0; 3]));
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
