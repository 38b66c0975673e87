//! Progress on standard error: bars on a terminal, a line now and then in a pipe, nothing if quiet.

use std::borrow::Cow;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use kenning::models::Progress as Fetch;
use kenning_indexer::Progress;

use crate::terminal::{one_line, say};

/// A pipe gets a line this often.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// What is left is estimated from here on.
const LEFT_AFTER: Duration = Duration::from_secs(3);

fn bar(template: &str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸ "));
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Shows the fetching of a model.
pub struct Download {
    quiet: bool,
    bar: Option<ProgressBar>,
    file: String,
}

impl Download {
    /// Shows nothing until there is something to fetch.
    pub fn new(quiet: bool) -> Self {
        Download {
            quiet,
            bar: None,
            file: String::new(),
        }
    }

    /// Shows how far it is.
    pub fn show(&mut self, progress: &Fetch) {
        if self.quiet {
            return;
        }
        let terminal = std::io::stderr().is_terminal();
        if self.file != progress.file {
            self.file.clone_from(&progress.file);
            if !terminal {
                say(&format!("fetching {}", one_line(&progress.file)));
            }
        }
        if terminal {
            let bar = self.bar.get_or_insert_with(|| {
                bar("fetching {msg} {bar:30} {bytes} of {total_bytes}, {bytes_per_sec}")
            });
            bar.set_message(one_line(&progress.file));
            bar.set_length(progress.total.unwrap_or(progress.done));
            bar.set_position(progress.done);
        }
    }

    /// Takes the bar away.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// Shows on a terminal that something is being done, until it is dropped.
pub struct Working(Option<ProgressBar>);

impl Working {
    /// Shows `what` is being done.
    pub fn new(quiet: bool, what: impl Into<Cow<'static, str>>) -> Self {
        let terminal = std::io::stderr().is_terminal() && !quiet;
        Working(terminal.then(|| {
            let spinner = bar("{spinner} {msg} {elapsed}");
            spinner.set_message(what);
            spinner
        }))
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        if let Some(spinner) = &self.0 {
            spinner.finish_and_clear();
        }
    }
}

/// Shows how many of a known number of things are done, until it is dropped.
pub struct Counting {
    bar: Option<ProgressBar>,
    lines: bool,
    what: String,
    last_line: Instant,
}

impl Counting {
    /// Shows that `what` is being done to `all` things.
    pub fn new(quiet: bool, what: String, all: usize) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let counting = Counting {
            bar: (terminal && !quiet).then(|| bar("{bar:24} {msg}: {pos} of {len}, {elapsed}")),
            lines: !terminal && !quiet,
            what,
            last_line: Instant::now(),
        };
        if let Some(bar) = &counting.bar {
            bar.set_length(all as u64);
            bar.set_message(counting.what.clone());
        } else if counting.lines {
            say(&format!("{}: 0 of {all}", counting.what));
        }
        counting
    }

    /// Shows how far it is.
    pub fn show(&mut self, done: usize, all: usize) {
        if let Some(bar) = &self.bar {
            bar.set_position(done as u64);
        } else if self.lines && self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            say(&format!("{}: {done} of {all}", self.what));
        }
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Shows an index run.
pub struct Indexing {
    bar: Option<ProgressBar>,
    lines: bool,
    begun: Instant,
    last_line: Mutex<Instant>,
    drawn: AtomicU64,
}

impl Indexing {
    /// A display of its own kind for terminal, pipe and quiet.
    pub fn new(quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Indexing {
            bar: (terminal && !quiet).then(|| bar("{bar:24} {msg}")),
            lines: !terminal && !quiet,
            begun: Instant::now(),
            last_line: Mutex::new(Instant::now()),
            drawn: AtomicU64::new(0),
        }
    }

    /// Shows how far it is; called from several threads, many times a second.
    pub fn show(&self, progress: &Progress) {
        if let Some(bar) = &self.bar {
            // At most ten times a second: formatting costs more than drawing.
            let now = self.begun.elapsed().as_millis() as u64 / 100;
            if self.drawn.swap(now, Ordering::Relaxed) == now {
                return;
            }
            let (done, all) = match &progress.graph {
                Some(graph) => (graph.rows, graph.of),
                None => (progress.bytes_done, progress.bytes_total),
            };
            bar.set_length(all.max(1));
            bar.set_position(done);
            bar.set_message(self.describe(progress));
        } else if self.lines
            && let Ok(mut last) = self.last_line.lock()
            && last.elapsed() >= LINE_EVERY
        {
            *last = Instant::now();
            say(&format!("indexing: {}", self.describe(progress)));
        }
    }

    fn describe(&self, progress: &Progress) -> String {
        if progress.walking && progress.files_done == 0 {
            return format!("{} files found", progress.files_found);
        }
        if let Some(graph) = &progress.graph {
            return format!("graph: {}/{} passages", graph.rows, graph.of);
        }
        let mut text = format!(
            "{}/{} files  {} chunks",
            progress.files_done, progress.files_total, progress.chunks
        );
        if progress.tokens > 0 {
            let speed = progress.tokens as f64 / progress.embedding.as_secs_f64().max(1e-3);
            text += &format!("  {speed:.0} tokens/s");
        }
        let share = progress.bytes_done as f64 / progress.bytes_total.max(1) as f64;
        let spent = self.begun.elapsed();
        // The first files tell nothing about the rest.
        if !progress.walking && share > 0.02 && spent > LEFT_AFTER {
            let left = spent.as_secs_f64() * (1.0 / share - 1.0);
            text += &format!("  {} left", seconds(left.max(0.0)));
        }
        text
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// "1 file", "2 files"
pub fn counted(count: u64, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// "12.3 MiB"
pub fn bytes(count: u64) -> String {
    HumanBytes(count).to_string()
}

/// "1 minute 20 seconds" in short.
pub fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}
