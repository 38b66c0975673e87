//! The measuring process, seen from the comparison.

use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use clap::ValueEnum;

use super::worker::{Measured, Said};
use crate::args::Global;
use crate::failure::{Failure, Result};
use crate::terminal::clear_line;

/// How often it is looked whether it is done, or not wanted any more.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What came of a measuring process: all that was asked for, or what it had said when it was interrupted.
#[derive(Default)]
pub struct Heard {
    pub measured: Option<Box<Measured>>,
    /// nDCG@10 of the semantic and of the hybrid ranking.
    pub quality: Option<[f64; 2]>,
}

/// Measures `name` in a process of its own, which ends when `stop` is set.
pub fn measure(global: &Global, name: &str, on: Option<&Path>, stop: &AtomicBool) -> Result<Heard> {
    let mut child = Running(start(global, name, on).map_err(Failure::MeasuringStart)?);
    let stdout = child.0.stdout.take();
    // Read beside waiting: a full pipe would keep it from ending.
    let reader = thread::spawn(move || {
        let mut text = String::new();
        stdout.map_or(Ok(0), |mut stdout| stdout.read_to_string(&mut text))?;
        Ok::<_, io::Error>(text)
    });
    let status = loop {
        if let Some(status) = child.0.try_wait()? {
            break Some(status);
        }
        if stop.load(Ordering::Relaxed) {
            break None;
        }
        thread::sleep(LOOK_EVERY);
    };
    drop(child);
    if status.is_none_or(|status| !status.success()) {
        clear_line();
        // Ctrl-C reaches both processes: that one may end before the signal is seen here.
        thread::sleep(5 * LOOK_EVERY);
    }
    let said = reader.join().unwrap_or_else(|_| Ok(String::new()))?;
    let heard = hear(&said)?;
    let complete = heard.measured.is_some() && (on.is_none() || heard.quality.is_some());
    match status {
        Some(status) if !complete && !stop.load(Ordering::Relaxed) => Err(Failure::MeasuringDied {
            model: name.to_owned(),
            status: status.to_string(),
        }),
        _ => Ok(heard),
    }
}

/// What was said. A line that was cut off by the end of the process is none.
fn hear(said: &str) -> Result<Heard> {
    let mut heard = Heard::default();
    for line in said.lines() {
        match serde_json::from_str(line) {
            Ok(Said::Measured(measured)) => heard.measured = Some(measured),
            Ok(Said::Quality(quality)) => heard.quality = Some(quality),
            Ok(Said::Failed(told)) => return Err(Failure::Measuring(told)),
            Err(_) => break,
        }
    }
    Ok(heard)
}

fn start(global: &Global, name: &str, on: Option<&Path>) -> io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("measure-worker");
    let named = |value: Option<clap::builder::PossibleValue>| {
        value.map(|value| value.get_name().to_owned())
    };
    let precision = named(global.precision.to_possible_value());
    let device = named(global.device.to_possible_value());
    // With `=`, so that a text that begins with a dash is a text.
    for (flag, value) in [
        ("--precision", precision),
        ("--device", device),
        ("--query-prompt", global.query_prompt.clone()),
        ("--passage-prompt", global.passage_prompt.clone()),
        ("--dimensions", global.dimensions.map(|n| n.to_string())),
        ("--threads", global.threads.map(|n| n.to_string())),
    ] {
        if let Some(value) = value {
            command.arg(format!("{flag}={value}"));
        }
    }
    if global.quiet {
        command.arg("--quiet");
    }
    if let Some(on) = on {
        command.arg("--on").arg(on);
    }
    // Progress and fetching it shows itself: standard error is the same.
    command
        .args(["--", name])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
}

/// A process that does not outlive the wish for it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // What has ended already cannot be killed: that is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
