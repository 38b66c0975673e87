//! What was measured, as a table.

use kenning_benches::latency::Latency;
use serde::{Deserialize, Serialize};

/// What was measured of indexes of several sizes.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What texts and vectors are.
    pub data: String,
    pub corpus: String,
    pub model: String,
    pub seed: u64,
    pub threads: usize,
    pub sizes: Vec<Size>,
}

/// One index.
#[derive(Debug, Serialize)]
pub struct Size {
    pub built: Built,
    pub found: Found,
    /// A whole process of the command line, from its start to its end.
    pub one_shot: Vec<Leg>,
}

/// Building it. Sizes in bytes; memory is what was resident at most, maps of files included.
#[derive(Debug, Serialize, Deserialize)]
pub struct Built {
    pub chunks: u64,
    pub documents: u64,
    pub segments: usize,
    pub graphs: usize,
    /// Documents, commits and merges.
    pub write_seconds: f64,
    pub graph_seconds: f64,
    pub write_peak_bytes: Option<u64>,
    pub peak_bytes: Option<u64>,
    pub bytes_per_chunk: f64,
}

/// Searching it, in one process.
#[derive(Debug, Serialize, Deserialize)]
pub struct Found {
    pub open_ms: f64,
    /// Memory of the process's own once the index is open, before the model is.
    pub open_bytes: Option<u64>,
    pub legs: Vec<Leg>,
    pub throughput: Vec<Throughput>,
    pub recall_at_10: f64,
    /// Most memory that was resident, maps of files and the model included.
    pub peak_bytes: Option<u64>,
    /// Of what was resident after all questions, what is no map of a file.
    pub own_bytes: Option<u64>,
}

/// Questions of one kind.
#[derive(Debug, Serialize, Deserialize)]
pub struct Leg {
    pub mode: String,
    pub milliseconds: Latency,
}

/// Questions a second, vectors of the questions given.
#[derive(Debug, Serialize, Deserialize)]
pub struct Throughput {
    pub threads: usize,
    pub keyword: f64,
    pub hybrid: f64,
}

impl Report {
    pub fn table(&self) -> String {
        let mut table = format!(
            "{}\ncorpus {}, model {}, seed {}, {} threads\n\n",
            self.data, self.corpus, self.model, self.seed, self.threads
        );
        let Some(first) = self.sizes.first() else {
            return table;
        };
        let rows: Vec<Vec<(String, String)>> = self.sizes.iter().map(Size::rows).collect();
        for (place, (name, _)) in first.rows().iter().enumerate() {
            table += &format!("{name:<34}");
            for column in &rows {
                table += &format!("{:>14}", column.get(place).map_or("", |(_, value)| value));
            }
            table.push('\n');
        }
        table
    }
}

impl Size {
    fn rows(&self) -> Vec<(String, String)> {
        let (built, found) = (&self.built, &self.found);
        let mut rows = vec![
            ("chunks".into(), built.chunks.to_string()),
            ("documents".into(), built.documents.to_string()),
            (
                "segments, graphs".into(),
                format!("{}, {}", built.segments, built.graphs),
            ),
            ("writing, s".into(), format!("{:.1}", built.write_seconds)),
            (
                "  µs a chunk".into(),
                format!("{:.0}", 1e6 * built.write_seconds / built.chunks as f64),
            ),
            ("graphs, s".into(), format!("{:.1}", built.graph_seconds)),
            (
                "  µs a chunk".into(),
                format!("{:.0}", 1e6 * built.graph_seconds / built.chunks as f64),
            ),
            (
                "memory, writing, MiB".into(),
                mebibytes(built.write_peak_bytes),
            ),
            ("memory, building, MiB".into(), mebibytes(built.peak_bytes)),
            (
                "disk, bytes a chunk".into(),
                format!("{:.0}", built.bytes_per_chunk),
            ),
            ("opening, ms".into(), format!("{:.1}", found.open_ms)),
            (
                "memory, open, no model, MiB".into(),
                mebibytes(found.open_bytes),
            ),
            ("memory, searching, MiB".into(), mebibytes(found.peak_bytes)),
            ("  of its own, MiB".into(), mebibytes(found.own_bytes)),
            (
                "recall@10 as planned".into(),
                format!("{:.4}", found.recall_at_10),
            ),
        ];
        for leg in &found.legs {
            rows.push(leg.row("warm, "));
        }
        for leg in &self.one_shot {
            rows.push(leg.row("process, "));
        }
        for rate in &found.throughput {
            let name = |what: &str| format!("{what}, {} threads, a second", rate.threads);
            rows.push((name("keyword"), format!("{:.0}", rate.keyword)));
            rows.push((name("hybrid"), format!("{:.0}", rate.hybrid)));
        }
        rows
    }
}

impl Leg {
    fn row(&self, kind: &str) -> (String, String) {
        let ms = &self.milliseconds;
        let name = format!("{kind}{}, p50/p99 ms", self.mode);
        (name, format!("{:.2}/{:.2}", ms.median, ms.p99))
    }
}

fn mebibytes(bytes: Option<u64>) -> String {
    bytes.map_or("not told".into(), |bytes| {
        format!("{:.0}", bytes as f64 / (1u64 << 20) as f64)
    })
}
