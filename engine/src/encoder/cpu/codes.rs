//! Numbers as bytes, with a scale for each group of them.
//!
//! Activations get a range for each group of a row, weights a scale for each group of a column: one large number
//! makes only its own group coarse.

/// The most numbers that share a scale.
pub const GROUP: usize = 128;

/// How many numbers of `depth` share a scale: even parts of at most [`GROUP`], a multiple of 4.
pub fn group(depth: usize) -> usize {
    depth.div_ceil(depth.div_ceil(GROUP)).next_multiple_of(4)
}

/// What codes stand for: `least` + code · `scale`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Range {
    pub scale: f32,
    pub least: f32,
}

/// Rows as codes.
#[derive(Default)]
pub struct Codes {
    /// Rows of `stride` codes.
    pub numbers: Vec<u8>,
    pub stride: usize,
    /// What the codes of each group stand for: rows of `groups`.
    pub ranges: Vec<Range>,
    pub groups: usize,
}

/// Writes a group of numbers as codes, and returns what these stand for.
pub type Encode = fn(numbers: &[f32], codes: &mut [u8]) -> Range;

impl Codes {
    /// Takes over rows of `depth` numbers, in the memory of those before.
    pub fn fill(&mut self, encode: Encode, rows: &[f32], depth: usize) {
        let group = group(depth);
        let count = rows.len() / depth;
        self.stride = depth.next_multiple_of(4);
        self.groups = depth.div_ceil(group);
        self.numbers.resize(count * self.stride, 0);
        self.ranges.resize(count * self.groups, Range::default());
        let codes = self.numbers.chunks_exact_mut(self.stride);
        let ranges = self.ranges.chunks_exact_mut(self.groups);
        for ((row, codes), ranges) in rows.chunks_exact(depth).zip(codes).zip(ranges) {
            let groups = row.chunks(group).zip(codes.chunks_mut(group));
            for ((numbers, codes), range) in groups.zip(ranges) {
                *range = encode(numbers, codes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::elementwise::Elementwise;
    use super::*;

    #[test]
    fn groups_are_even_and_short() {
        let found = [1, 32, 128, 129, 312, 384, 768, 1536].map(group);
        assert_eq!(found, [4, 32, 128, 68, 104, 128, 128, 128]);
    }

    #[test]
    fn codes_stand_for_the_numbers_to_half_a_step() {
        let numbers: Vec<f32> = (0..300)
            .map(|i| ((i * 37) % 101) as f32 / 50.0 - 0.6)
            .collect();
        let mut codes = Codes::default();
        codes.fill(Elementwise::best().encode, &numbers, 150);
        assert_eq!((codes.stride, codes.groups), (152, 2));
        for (place, x) in numbers.iter().enumerate() {
            let (row, at) = (place / 150, place % 150);
            let Range { scale, least } = codes.ranges[row * 2 + at / group(150)];
            let code = f32::from(codes.numbers[row * 152 + at]);
            assert!((code * scale + least - x).abs() <= 0.5001 * scale);
        }
    }
}
