//! Replacing the same documents for ever takes no more and no more space.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use kenning::Index;
use kenning::index::GraphOptions;

use super::content::{Model, document, observe, spec};
use super::setting;

const DOCUMENTS: u64 = 40;

/// Bytes and number of the files.
fn size(folder: &Path) -> (u64, usize) {
    let entries = fs::read_dir(folder).unwrap();
    let sizes: Vec<u64> = entries
        .filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len()))
        .collect();
    (sizes.iter().sum(), sizes.len())
}

#[test]
fn replacing_the_same_documents_takes_no_more_and_no_more_space() {
    let rounds = setting("KENNING_SPACE_ROUNDS", 60);
    let temp = tempfile::tempdir().unwrap();
    let index = Index::create(temp.path(), &spec()).unwrap();
    let mut writer = index.writer().unwrap();
    let options = GraphOptions { min_rows: 20 };
    let mut on = |_| ControlFlow::Continue(());
    let mut sizes = Vec::new();
    for round in 0..rounds {
        for number in 0..DOCUMENTS {
            let id = format!("d{number}");
            writer
                .add(document(&id, round * DOCUMENTS + number, 2))
                .unwrap();
        }
        writer.commit().unwrap();
        if round % 10 == 0 {
            writer.build_graphs(&options, &mut on).unwrap();
        }
        if round % 17 == 0 {
            // What an interrupted process leaves.
            writer.add(document("d0", 9_999_999, 2)).unwrap();
            drop(writer);
            writer = index.writer().unwrap();
        }
        index.snapshot().unwrap();
        sizes.push(size(temp.path()));
    }
    writer.close().unwrap();
    let expected: Model = (0..DOCUMENTS)
        .map(|number| (format!("d{number}"), ((rounds - 1) * DOCUMENTS + number, 2)))
        .collect();
    assert_eq!(observe(&index).unwrap(), expected);
    let most = |sizes: &[(u64, usize)]| {
        let (bytes, files): (Vec<u64>, Vec<usize>) = sizes.iter().copied().unzip();
        (
            bytes.into_iter().max().unwrap(),
            files.into_iter().max().unwrap(),
        )
    };
    let (early, late) = sizes.split_at(sizes.len() / 2);
    let ((early_bytes, early_files), (bytes, files)) = (most(early), most(late));
    // Segments that wait to be merged come and go.
    assert!(
        bytes <= 2 * early_bytes,
        "{early_bytes} bytes became {bytes}"
    );
    assert!(
        files <= early_files + 20,
        "{early_files} files became {files}"
    );
}
