//! Columns in memory: what they score, and which files are refused.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::fuzzing::unit;
use crate::vector::kernels::{self, PORTABLE};

fn column(vectors: &[Vec<f32>], dimension: usize) -> Column {
    let (codes, residuals) = files(vectors, dimension);
    let rows = vectors.len() as u32;
    Column::open(
        OwnedBytes::new(codes),
        OwnedBytes::new(residuals),
        rows,
        dimension,
    )
    .unwrap()
}

fn files(vectors: &[Vec<f32>], dimension: usize) -> (Vec<u8>, Vec<u8>) {
    let mut writer = ColumnWriter::new(dimension, Vec::new(), Vec::new());
    for vector in vectors {
        writer.push(vector).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn scores_are_exact_and_the_bound_holds() {
    let kernels = kernels::best();
    for dimension in [3, 32, 64, 100, 384] {
        let vectors: Vec<_> = (0..60).map(|seed| unit(seed, dimension)).collect();
        let column = column(&vectors, dimension);
        for seed in 1000..1010 {
            let vector = unit(seed, dimension);
            let query = Query::new(&vector);
            for (row, other) in vectors.iter().enumerate() {
                let cosine: f32 = vector.iter().zip(other).map(|(a, b)| a * b).sum();
                let exact = column.exact(&query, &kernels, row as u32);
                let step = column.scale(row as u32);
                assert!(
                    (exact - cosine).abs() <= step * (dimension as f32).sqrt(),
                    "{exact} {cosine}"
                );
                let rough = column.approximate(&query, &kernels, row as u32);
                assert!((rough - exact).abs() <= column.error_bound(&query));
            }
        }
    }
}

#[test]
fn a_row_without_a_vector_scores_nothing() {
    let column = column(&[vec![], unit(1, 8)], 8);
    assert_eq!(column.vector(0), None);
    assert_eq!(column.exact(&Query::new(&unit(2, 8)), &PORTABLE, 0), 0.0);
    assert!(column.vector(1).is_some());
}

#[test]
fn copied_rows_are_the_same_bytes() {
    let vectors: Vec<_> = (0..9).map(|seed| unit(seed, 70)).collect();
    let source = column(&vectors, 70);
    let mut writer = ColumnWriter::new(70, Vec::new(), Vec::new());
    for row in [8, 0, 3] {
        writer.copy(&source, row).unwrap();
    }
    let picked = [vectors[8].clone(), vectors[0].clone(), vectors[3].clone()];
    assert_eq!(
        writer.finish().unwrap().1[..210],
        files(&picked, 70).1[..210]
    );
}

#[test]
fn damaged_files_are_refused() {
    let vectors: Vec<_> = (0..5).map(|seed| unit(seed, 20)).collect();
    let (codes, residuals) = files(&vectors, 20);
    let open = |codes: &[u8], residuals: &[u8], rows, dimension| {
        let bytes = |b: &[u8]| OwnedBytes::new(b.to_vec());
        Column::open(bytes(codes), bytes(residuals), rows, dimension).map(|_| ())
    };
    assert_eq!(open(&codes, &residuals, 5, 20), Ok(()));
    assert!(matches!(
        open(&codes, &residuals, 6, 20),
        Err(ColumnError::Mismatch { .. })
    ));
    assert!(matches!(
        open(&codes, &residuals, 5, 21),
        Err(ColumnError::Mismatch { .. })
    ));
    assert!(open(&residuals, &codes, 5, 20).is_err());
    for cut in 0..codes.len() {
        assert!(
            open(&codes[..cut], &residuals, 5, 20).is_err(),
            "cut at {cut}"
        );
        assert!(open(&codes[cut..], &residuals, 5, 20).is_err() || cut == 0);
    }
    for at in codes.len() - FOOTER..codes.len() - 4 {
        let mut flipped = codes.clone();
        flipped[at] ^= 1;
        assert!(open(&flipped, &residuals, 5, 20).is_err(), "flipped {at}");
    }
}
