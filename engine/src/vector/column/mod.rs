//! The vector column of one segment: row number = document number of tantivy.
//!
//! Two files, both written through tantivy's directory, which gives them a checksum and collects
//! them with their segment:
//!
//! ```text
//! <segment>.vec   rows × stride bytes   high plane, biased by 128, padded with 128
//!                 rows × f32            scale of each row; 0 = the row has no vector
//!                 footer, 32 bytes
//! <segment>.res   rows × dimension      low plane, i8
//!                 footer, 32 bytes
//!
//! footer          magic "KENNVEC1" | kind u32 | dimension u32 | rows u32 | residual f32
//!                 | crc32 of the above u32 | zero u32                          little-endian
//! ```
//!
//! `residual` is the largest [`residual_norm`](super::quantise::residual_norm) of the rows. The files
//! are split so that a scan maps and reads the high plane alone.

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use tantivy::directory::OwnedBytes;

use super::kernels::{self, Kernels};
use super::quantise::{self, BIAS, Query, stride};

/// The file of the high plane.
pub const CODES: &str = "vec";
/// The file of the low plane.
pub const RESIDUALS: &str = "res";

const MAGIC: &[u8; 8] = b"KENNVEC1";
const FOOTER: usize = 32;

/// A column cannot be read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ColumnError {
    /// The file is not a column, is cut short, or its footer is damaged.
    #[error("the .{file} file is damaged: {reason}")]
    Damaged {
        /// Extension of the file.
        file: &'static str,
        /// What was found.
        reason: String,
    },
    /// The file belongs to vectors of another dimension or to a segment of another size.
    #[error("the .{file} file holds {found}, expected {expected}")]
    Mismatch {
        /// Extension of the file.
        file: &'static str,
        /// "rows × dimension" in the file.
        found: String,
        /// "rows × dimension" by the segment and the schema.
        expected: String,
    },
}

/// Writes the two files of a column, a row at a time.
pub struct ColumnWriter<W: Write> {
    dimension: usize,
    codes: W,
    residuals: W,
    scales: Vec<f32>,
    residual: f32,
    high: Vec<u8>,
    low: Vec<i8>,
}

impl<W: Write> ColumnWriter<W> {
    /// A writer of rows of `dimension` components.
    pub fn new(dimension: usize, codes: W, residuals: W) -> Self {
        ColumnWriter {
            dimension,
            codes,
            residuals,
            scales: Vec::new(),
            residual: 0.0,
            high: vec![BIAS as u8; stride(dimension)],
            low: vec![0; dimension],
        }
    }

    /// How many rows were written.
    pub fn rows(&self) -> usize {
        self.scales.len()
    }

    /// Appends a vector; an empty one stands for "no vector".
    pub fn push(&mut self, vector: &[f32]) -> io::Result<()> {
        let high = &mut self.high[..self.dimension];
        let scale = if vector.is_empty() {
            high.fill(BIAS as u8);
            self.low.fill(0);
            0.0
        } else {
            quantise::quantise(vector, high, &mut self.low)
        };
        let (high, low) = (
            std::mem::take(&mut self.high),
            std::mem::take(&mut self.low),
        );
        let result = self.push_row(&high, &low, scale);
        (self.high, self.low) = (high, low);
        result
    }

    /// Appends row `row` of another column, byte for byte.
    pub fn copy(&mut self, column: &Column, row: u32) -> io::Result<()> {
        self.push_row(column.codes(row), column.low(row), column.scale(row))
    }

    fn push_row(&mut self, high: &[u8], low: &[i8], scale: f32) -> io::Result<()> {
        self.codes.write_all(high)?;
        // The bytes of an i8 are those of the u8 of the same bits.
        let mut buffer = [0u8; 256];
        for part in low.chunks(buffer.len()) {
            for (byte, l) in buffer.iter_mut().zip(part) {
                *byte = *l as u8;
            }
            self.residuals.write_all(&buffer[..part.len()])?;
        }
        self.residual = self.residual.max(quantise::residual_norm(low, scale));
        self.scales.push(scale);
        Ok(())
    }

    /// Writes scales and footers and hands the two files back, to be closed.
    pub fn finish(mut self) -> io::Result<(W, W)> {
        for scale in &self.scales {
            self.codes.write_all(&scale.to_le_bytes())?;
        }
        let (rows, dimension) = (self.scales.len() as u32, self.dimension as u32);
        for (kind, file) in [(0u32, &mut self.codes), (1, &mut self.residuals)] {
            let mut footer = Vec::with_capacity(FOOTER);
            footer.extend_from_slice(MAGIC);
            for word in [kind, dimension, rows, self.residual.to_bits()] {
                footer.extend_from_slice(&word.to_le_bytes());
            }
            let crc = crc32fast::hash(&footer);
            footer.extend_from_slice(&crc.to_le_bytes());
            footer.extend_from_slice(&[0; 4]);
            file.write_all(&footer)?;
        }
        Ok((self.codes, self.residuals))
    }
}

/// An open column. Cloning shares the mapped files.
#[derive(Clone)]
pub struct Column {
    dimension: usize,
    stride: usize,
    rows: u32,
    residual: f32,
    codes: OwnedBytes,
    scales: OwnedBytes,
    residuals: OwnedBytes,
}

impl Column {
    /// Opens the two files of a column of `rows` × `dimension`.
    pub fn open(
        codes: OwnedBytes,
        residuals: OwnedBytes,
        rows: u32,
        dimension: usize,
    ) -> Result<Self, ColumnError> {
        let (codes_body, residual) = body(codes, CODES, 0, rows, dimension)?;
        let (residuals, _) = body(residuals, RESIDUALS, 1, rows, dimension)?;
        let (count, stride) = (rows as usize, stride(dimension));
        check_length(CODES, codes_body.len(), count * (stride + 4))?;
        check_length(RESIDUALS, residuals.len(), count * dimension)?;
        Ok(Column {
            dimension,
            stride,
            rows,
            residual,
            codes: codes_body.slice(0..count * stride),
            scales: codes_body.slice(count * stride..count * (stride + 4)),
            residuals,
        })
    }

    /// Number of rows, those of deleted documents included.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// The high plane of a row, biased and padded.
    #[inline(always)]
    pub fn codes(&self, row: u32) -> &[u8] {
        &self.codes[row as usize * self.stride..][..self.stride]
    }

    /// The scale of a row; 0 where the row has no vector.
    #[inline(always)]
    pub fn scale(&self, row: u32) -> f32 {
        let at = row as usize * 4;
        let bytes = &self.scales[at..at + 4];
        f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }

    fn low(&self, row: u32) -> &[i8] {
        let bytes = &self.residuals[row as usize * self.dimension..][..self.dimension];
        // SAFETY: i8 and u8 have the same size and alignment, and every bit pattern is an i8.
        unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) }
    }

    /// How far [`Self::approximate`] can be from [`Self::exact`], for `query` of unit length.
    pub fn error_bound(&self, query: &Query) -> f32 {
        // The row's low plane against the query, the query's own error against the row's high plane
        // (of length at most 1 + residual), and the rounding of the sums.
        self.residual + (1.0 + self.residual) * query.error + 1e-5
    }

    /// The cosine read from the high plane alone.
    pub fn approximate(&self, query: &Query, kernels: &Kernels, row: u32) -> f32 {
        self.rough(query, (kernels.dot)(self.codes(row), &query.codes), row)
    }

    /// For each of `rows` the sum of products with the query that [`Self::rough`] makes a cosine of.
    pub fn products(&self, query: &Query, kernels: &Kernels, rows: &[u32], sums: &mut [i32]) {
        (kernels.gather)(&self.codes, rows, &query.codes, sums);
    }

    /// The same for the rows from `first` on, as many as there are `sums`.
    pub fn products_from(&self, query: &Query, kernels: &Kernels, first: u32, sums: &mut [i32]) {
        let begin = first as usize * self.stride;
        let rows = &self.codes[begin..begin + sums.len() * self.stride];
        (kernels.sweep)(rows, &query.codes, sums);
    }

    /// The cosine of a row that its sum of products stands for.
    #[inline(always)]
    pub fn rough(&self, query: &Query, sum: i32, row: u32) -> f32 {
        (sum - BIAS * query.sum) as f32 * (256.0 * self.scale(row) * query.scale)
    }

    /// Fetches what [`Self::products`] and [`Self::rough`] will read of a row.
    #[inline(always)]
    pub fn prefetch(&self, row: u32) {
        kernels::prefetch(&self.scales[row as usize * 4..row as usize * 4 + 4]);
    }

    /// The cosine of a row of unit length with the query, from both planes; 0 without a vector.
    pub fn exact(&self, query: &Query, kernels: &Kernels, row: u32) -> f32 {
        (kernels.exact)(&query.exact, self.codes(row), self.low(row)) * self.scale(row)
    }

    /// The vector of a row, or `None` where it has none.
    pub fn vector(&self, row: u32) -> Option<Vec<f32>> {
        let scale = self.scale(row);
        (scale > 0.0).then(|| {
            let planes = self.codes(row).iter().zip(self.low(row));
            planes
                .map(|(h, l)| scale * (256 * (i32::from(*h) - BIAS) + i32::from(*l)) as f32)
                .collect()
        })
    }
}

/// Splits a file into body and footer, and checks the footer.
fn body(
    file: OwnedBytes,
    name: &'static str,
    kind: u32,
    rows: u32,
    dimension: usize,
) -> Result<(OwnedBytes, f32), ColumnError> {
    let damaged = |reason: String| ColumnError::Damaged { file: name, reason };
    let Some(length) = file.len().checked_sub(FOOTER) else {
        return Err(damaged(format!("{} bytes are too few", file.len())));
    };
    let footer = &file[length..];
    let word = |at: usize| {
        u32::from_le_bytes([footer[at], footer[at + 1], footer[at + 2], footer[at + 3]])
    };
    if &footer[..8] != MAGIC {
        return Err(damaged("its footer has no magic number".into()));
    }
    if crc32fast::hash(&footer[..24]) != word(24) {
        return Err(damaged("its footer does not match its checksum".into()));
    }
    if word(8) != kind {
        return Err(damaged("it is the file of the other plane".into()));
    }
    if (word(16), word(12) as usize) != (rows, dimension) {
        return Err(ColumnError::Mismatch {
            file: name,
            found: format!("{} × {}", word(16), word(12)),
            expected: format!("{rows} × {dimension}"),
        });
    }
    let residual = f32::from_bits(word(20));
    if !residual.is_finite() {
        return Err(damaged("its error bound is not a number".into()));
    }
    Ok((file.slice(0..length), residual))
}

fn check_length(file: &'static str, found: usize, expected: usize) -> Result<(), ColumnError> {
    if found == expected {
        return Ok(());
    }
    Err(ColumnError::Damaged {
        file,
        reason: format!("{found} bytes, expected {expected}"),
    })
}
