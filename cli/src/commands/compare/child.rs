//! The measuring process, seen from the comparison.

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::worker::{Measured, Said};
use crate::args::{Global, PrecisionArg};
use crate::failure::{Failure, Result};
use crate::terminal::clear_line;

/// How often it is looked whether it is done, or not wanted any more.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Measures `name` in a process of its own; `None` if `stop` was set before it was done.
pub fn measure(
    global: &Global,
    name: &str,
    on: Option<&Path>,
    stop: &AtomicBool,
) -> Result<Option<Box<Measured>>> {
    let mut child = Running(start(global, name, on).map_err(Failure::MeasuringStart)?);
    let stdout = child.0.stdout.take();
    // Read beside waiting: a full pipe would keep it from ending.
    let reader = thread::spawn(move || {
        let mut text = String::new();
        stdout.map_or(Ok(0), |mut stdout| stdout.read_to_string(&mut text))?;
        Ok::<_, io::Error>(text)
    });
    let status = loop {
        if stop.load(Ordering::Relaxed) {
            drop(child);
            clear_line();
            return Ok(None);
        }
        match child.0.try_wait()? {
            Some(status) => break status,
            None => thread::sleep(LOOK_EVERY),
        }
    };
    // Ctrl-C reaches both processes: it may end before the signal is seen here.
    thread::sleep(if status.success() {
        Duration::ZERO
    } else {
        5 * LOOK_EVERY
    });
    if !status.success() && stop.load(Ordering::Relaxed) {
        clear_line();
        return Ok(None);
    }
    let said = reader.join().unwrap_or_else(|_| Ok(String::new()))?;
    match serde_json::from_str(&said) {
        Ok(Said::Measured(measured)) => Ok(Some(measured)),
        Ok(Said::Failed(told)) => Err(Failure::Measuring(told)),
        Err(_) => {
            clear_line();
            Err(Failure::MeasuringDied {
                model: name.to_owned(),
                status: status.to_string(),
            })
        }
    }
}

fn start(global: &Global, name: &str, on: Option<&Path>) -> io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("measure-worker");
    let precision = match global.precision {
        PrecisionArg::Auto => "auto",
        PrecisionArg::F32 => "f32",
    };
    command.args(["--precision", precision]);
    // With `=`, so that a text that begins with a dash is a text.
    for (flag, value) in [
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
        let _ = io::stderr().flush();
    }
}
