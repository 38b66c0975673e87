//! Reading in a worker process, for real: this program is its own worker.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use kenning_indexer::extract::{
    ExtractError, Extractor, Format, Limits, WorkerCommand, run_worker,
};

fn main() {
    if std::env::args().any(|argument| argument == "--worker") {
        run_worker(std::io::stdin(), std::io::stdout()).unwrap();
        return;
    }
    a_file_is_read_as_without_a_worker();
    #[cfg(target_os = "linux")]
    memory_is_bounded();
    there_is_always_memory_for_a_small_file();
    println!("worker: ok");
}

fn extractor(limits: Limits) -> Extractor {
    Extractor::new(limits).with_worker(WorkerCommand {
        program: std::env::current_exe().unwrap(),
        arguments: vec!["--worker".into()],
    })
}

fn a_file_is_read_as_without_a_worker() {
    let page =
        "<title>T</title><h1>Head</h1><ul><li>item</ul><table><tr><td>a<td>b</table>".as_bytes();
    let path = Path::new("a.html");
    let here = Extractor::new(Limits::default())
        .extract(path, page)
        .unwrap();
    let there = extractor(Limits::default()).extract(path, page).unwrap();
    assert_eq!(here, there);
    assert_eq!(there.format, Format::Html);
    let error = extractor(Limits::default()).extract(Path::new("a.docx"), b"PK\x05\x06broken");
    assert!(
        matches!(error, Err(ExtractError::Damaged { .. })),
        "{error:?}"
    );
}

fn there_is_always_memory_for_a_small_file() {
    let limits = Limits {
        memory_bytes: 1,
        ..Limits::default()
    };
    let page = extractor(limits).extract(Path::new("a.html"), b"<p>text</p>");
    assert_eq!(page.unwrap().parts[0].text, "text");
}

/// A notebook of some MiB becomes a tree many times its size.
#[cfg(target_os = "linux")]
fn memory_is_bounded() {
    let cells = "[],".repeat(2 << 20);
    let book = format!("{{\"cells\": [{cells}[]]}}");
    let limits = Limits {
        memory_bytes: 40 << 20,
        ..Limits::default()
    };
    let result = extractor(limits).extract(Path::new("a.ipynb"), book.as_bytes());
    assert_eq!(result, Err(ExtractError::OutOfMemory { limit: 40 << 20 }));
}
