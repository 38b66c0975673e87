//! Kenning's own files: whatever they hold, they are refused, or what is read of them is in bounds. Where bytes are
//! under a checksum it is put right on request, since chance would never get past it.

use std::path::Path;

use tantivy::directory::OwnedBytes;
use tantivy::schema::Schema;

use super::Input;
use crate::encoder::fuzzing as kept;
use crate::index::schema;
use crate::vector::column::{Column, ColumnWriter};
use crate::vector::graph::search::walk;
use crate::vector::graph::{Graph, audit};
use crate::vector::quantise::{self, Query, pack, stride, unpack};
use crate::vector::{kernels, scan};

/// Bytes of the header of a graph before the table of sections, and where the number of levels stands in it.
const GRAPH_FIXED: usize = 28;
const GRAPH_LEVELS: usize = 20;
/// Bytes of a column's footer, and of those before its checksum.
const FOOTER: usize = 32;
const SUMMED: usize = 24;

/// A vector of unit length that a number stands for.
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
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-6);
    vector.iter_mut().for_each(|x| *x /= norm);
    vector
}

/// The two files of a vector column: rows, dimension, whether checksums are put right, the first file, the second.
pub fn column(data: &[u8]) {
    let mut input = Input(data);
    let (rows, dimension) = (u32::from(input.byte()), 1 + usize::from(input.byte()));
    let mend = input.byte() % 2 == 1;
    let codes = input.piece().to_vec();
    let mut files = [codes, input.rest().to_vec()];
    for file in files.iter_mut().filter(|file| mend && file.len() >= FOOTER) {
        let footer = file.len() - FOOTER;
        let sum = crc32fast::hash(&file[footer..footer + SUMMED]);
        file[footer + SUMMED..footer + SUMMED + 4].copy_from_slice(&sum.to_le_bytes());
    }
    let [codes, residuals] = files.map(OwnedBytes::new);
    let Ok(column) = Column::open(codes, residuals, rows, dimension) else {
        return;
    };
    let query = Query::new(&unit(7, dimension));
    let kernels = kernels::best();
    assert_eq!(column.rows(), rows);
    for row in 0..rows {
        assert_eq!(column.codes(row).len(), stride(dimension));
        if let Some(vector) = column.vector(row) {
            assert_eq!(vector.len(), dimension);
        }
        let _ = (
            column.exact(&query, &kernels, row),
            column.approximate(&query, &kernels, row),
        );
    }
    let scores = scan::approximate(&column, &query, &|row| row % 3 != 0);
    assert_eq!(scores.len(), rows as usize);
    assert!(scores.iter().step_by(3).all(|score| *score == scan::ABSENT));
    // Copied by a merge, as it stands.
    let mut copy = ColumnWriter::new(dimension, Vec::new(), Vec::new());
    for row in 0..rows {
        copy.copy(&column, row).expect("written to memory");
    }
    assert_eq!(copy.rows(), rows as usize);
}

/// The file of a frozen graph, walked over a sound column: rows, whether the checksum is put right, breadth, file.
pub fn graph(data: &[u8]) {
    let mut input = Input(data);
    let rows = u32::from(input.byte());
    let mend = input.byte() % 2 == 1;
    let breadth = 1 + usize::from(input.byte());
    let mut file = input.rest().to_vec();
    if mend && file.len() >= GRAPH_FIXED {
        let levels = usize::from(file[GRAPH_LEVELS]);
        let end = GRAPH_FIXED + 8 * (levels + 1);
        if file.len() >= end + 4 {
            let sum = crc32fast::hash(&file[..end]);
            file[end..end + 4].copy_from_slice(&sum.to_le_bytes());
        }
    }
    let Ok(graph) = Graph::open(OwnedBytes::new(file), rows) else {
        return;
    };
    let _ = graph.verify();
    const DIMENSION: usize = 8;
    let mut writer = ColumnWriter::new(DIMENSION, Vec::new(), Vec::new());
    for row in 0..rows {
        writer
            .push(&unit(u64::from(row), DIMENSION))
            .expect("written to memory");
    }
    let (codes, residuals) = writer.finish().expect("written to memory");
    let (codes, residuals) = (OwnedBytes::new(codes), OwnedBytes::new(residuals));
    let column = Column::open(codes, residuals, rows, DIMENSION).expect("a column just written");
    if rows < 12 {
        let check = audit::check(&graph, &column, breadth, &|row| row % 3 != 1);
        assert!(check.lost <= u64::from(rows) && check.recall <= 1.0);
    }
    let query = Query::new(&unit(7, DIMENSION));
    for every in [1, 3] {
        let found = walk(&graph, &column, &query, breadth, &|row| row % every == 0);
        assert!(found.compared <= u64::from(rows));
        assert!(
            found
                .rows
                .iter()
                .all(|(_, row)| *row < rows && row % every == 0)
        );
        // A row is its own and its twins' once more at most: a damaged list of twins may repeat, within its length.
        assert!(found.rows.len() <= graph.as_bytes().len() * (1 + rows as usize));
    }
}

/// A vector as the cache of embeddings keeps it.
pub fn vectors(data: &[u8]) {
    let mut input = Input(data);
    let dimension = usize::from(input.byte());
    let bytes = input.rest();
    let Some(vector) = unpack(bytes, dimension) else {
        return;
    };
    assert_eq!(vector.len(), dimension);
    let (mut high, mut low) = (vec![0; dimension], vec![0; dimension]);
    quantise::quantise(&vector, &mut high, &mut low);
    assert_eq!(pack(&vector).len(), bytes.len());
}

/// The settings of an index, which tantivy keeps among its own.
pub fn settings(data: &[u8]) {
    let meta = [b"{\"schema\":", data, b"}"].concat();
    if schema::check_names(&meta).is_err() {
        return;
    }
    let Ok(schema) = serde_json::from_slice::<Schema>(data) else {
        return;
    };
    match schema::read(&schema) {
        Ok((spec, _)) => {
            assert_eq!(spec.format, schema::FORMAT);
            assert_eq!(spec.encoder.fingerprint().len(), 64);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A file of packed weights: a number for what is put right, then the file's directory and its parts.
pub fn packed(data: &[u8]) {
    in_scratch("packed", |path| {
        let mut input = Input(data);
        let (mend, directory) = (input.byte(), input.piece());
        kept::packed(path, mend, directory, input.rest());
    });
}

/// The stamp of a model's weights: a number for whether the checksum is put right, then the file.
pub fn stamp(data: &[u8]) {
    in_scratch("stamp", |path| {
        let mut input = Input(data);
        let mend = input.byte() % 2 == 1;
        kept::stamp(path, mend, input.rest());
    });
}

fn in_scratch(name: &str, look: impl FnOnce(&Path)) {
    let folder = super::scratch();
    std::fs::create_dir_all(&folder).expect("a folder for files");
    look(&folder.join(name));
}
