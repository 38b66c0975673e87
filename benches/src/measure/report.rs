//! What was measured, as a table.

use kenning_benches::latency::Latency;
use serde::Serialize;

/// What was measured. Sizes are in bytes, times in seconds unless they say otherwise.
#[derive(Debug, Serialize)]
pub struct Report {
    pub collection: String,
    pub model: String,
    pub threads: usize,
    pub documents: u64,
    pub chunks: u64,
    pub tokens: u64,
    pub index_seconds: f64,
    /// How much of that the encoder took; `None` where it was not told.
    pub embedding_seconds: Option<f64>,
    /// A second run over unchanged files; `None` for a collection that is not a folder of files.
    pub refresh_seconds: Option<f64>,
    pub index_bytes: u64,
    /// The indexer's catalogue and its cache of embeddings.
    pub catalogue_bytes: Option<u64>,
    pub open_ms: f64,
    pub questions: usize,
    pub queries: Vec<ModeReport>,
    /// The most memory that was resident; `None` where the system does not tell.
    pub peak_bytes_indexing: Option<u64>,
    pub peak_bytes: Option<u64>,
}

/// Questions asked in one mode.
#[derive(Debug, Serialize)]
pub struct ModeReport {
    pub mode: &'static str,
    pub milliseconds: Latency,
    /// How vectors were searched.
    pub plan: &'static str,
}

impl Report {
    pub fn table(&self) -> String {
        let mut rows = vec![
            ("collection", self.collection.clone()),
            (
                "encoder",
                format!("{}, {} threads", self.model, self.threads),
            ),
            (
                "holds",
                format!(
                    "{} documents, {} chunks, {} tokens",
                    self.documents, self.chunks, self.tokens
                ),
            ),
            (
                "indexing",
                format!(
                    "{:.1} s, {:.0} tokens/s",
                    self.index_seconds,
                    self.tokens as f64 / self.index_seconds.max(1e-9)
                ),
            ),
        ];
        if let Some(seconds) = self.embedding_seconds {
            let share = 100.0 * seconds / self.index_seconds.max(1e-9);
            rows.push(("of it embedding", format!("{seconds:.1} s, {share:.0} %")));
        }
        if let Some(seconds) = self.refresh_seconds {
            rows.push(("unchanged run", format!("{seconds:.3} s")));
        }
        rows.push(("index on disk", mebibytes(Some(self.index_bytes))));
        if self.catalogue_bytes.is_some() {
            rows.push(("catalogue, cache", mebibytes(self.catalogue_bytes)));
        }
        rows.push(("memory, indexing", mebibytes(self.peak_bytes_indexing)));
        rows.push(("memory, at most", mebibytes(self.peak_bytes)));
        rows.push(("opening", format!("{:.1} ms", self.open_ms)));
        let mut table: String = rows
            .iter()
            .map(|(name, value)| format!("{name:<18}{value}\n"))
            .collect();
        table += &format!(
            "\n{:<18}{:>10}{:>10}{:>10}{:>10}  vectors\n",
            format!("ms, {} questions", self.questions),
            "first",
            "median",
            "95 %",
            "slowest"
        );
        for query in &self.queries {
            let ms = &query.milliseconds;
            table += &format!(
                "{:<18}{:>10.2}{:>10.2}{:>10.2}{:>10.2}  {}\n",
                query.mode, ms.first, ms.median, ms.p95, ms.slowest, query.plan
            );
        }
        table
    }
}

fn mebibytes(bytes: Option<u64>) -> String {
    match bytes {
        Some(bytes) => format!("{:.1} MiB", bytes as f64 / (1u64 << 20) as f64),
        None => "not measured: this system does not tell".to_owned(),
    }
}
