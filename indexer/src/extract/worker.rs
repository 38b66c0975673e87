//! Reading in a process of its own, with bounded memory and a deadline that cannot be missed.
//!
//! The protocol: the parent writes two frames to the worker's standard input, a request in JSON and
//! the bytes of the file, and the worker writes one frame to its standard output, the answer in JSON.
//! A frame is its length as eight bytes, lowest first, and then so many bytes. One worker reads one file.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::ExtractError;
use super::extractor::guarded;
use super::format::Format;
use super::limits::{Context, LEAST_MEMORY, Limits};
use super::part::Extracted;
use super::read::read;
use super::wire::Answer;

/// How a worker process is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerCommand {
    /// The program; most often the running program itself ([`std::env::current_exe`]).
    pub program: PathBuf,
    /// Arguments that make it call [`run_worker`].
    pub arguments: Vec<OsString>,
}

#[derive(Serialize, Deserialize)]
struct Request {
    format: Format,
    /// The file's name, as far as it is text: JSON knows nothing else, and its beginning and end are all that counts.
    name: String,
    limits: Limits,
}

/// Serves one request: what a program does when it was started as a worker.
///
/// On Unix it first bounds its own address space to what it has plus [`Limits::memory_bytes`], and its
/// processor time. Elsewhere only time is bounded, by the parent.
///
/// # Errors
///
/// When `input` holds no request, or `output` cannot be written.
pub fn run_worker(mut input: impl Read, mut output: impl Write) -> io::Result<()> {
    let request = read_frame(&mut input, 1 << 20)?;
    let request: Request = serde_json::from_slice(&request)?;
    let bytes = read_frame(&mut input, request.limits.file_bytes)?;
    bound_process(&request.limits);
    let limits = request.limits.clone();
    let result = guarded(request.format, &request.limits, move || {
        read(
            request.format,
            Path::new(&request.name),
            &bytes,
            &Context::new(&limits),
        )
    });
    let answer = serde_json::to_vec(&Answer::from(result))?;
    write_frame(&mut output, &answer)?;
    output.flush()
}

/// Reads a file in a worker.
pub(super) fn extract(
    command: &WorkerCommand,
    format: Format,
    path: &Path,
    bytes: &[u8],
    limits: &Limits,
) -> Result<Extracted, ExtractError> {
    let failed = |error: &dyn std::fmt::Display| ExtractError::Worker {
        program: command.program.display().to_string(),
        reason: error.to_string(),
    };
    let request = serde_json::to_vec(&Request {
        format,
        name: path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        limits: limits.clone(),
    })
    .map_err(|error| failed(&error))?;
    let mut child = Command::new(&command.program)
        .args(&command.arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(&error))?;
    let answer = talk(&mut child, &request, bytes, limits);
    // Whatever it is doing: its answer is here, or it will not come. Killing what has ended is no error.
    let _ = child.kill();
    let status = child.wait().map_err(|error| failed(&error))?;
    match answer {
        Talk::Answer(bytes) => match serde_json::from_slice::<Answer>(&bytes) {
            Ok(answer) => answer.into_result(),
            Err(error) => Err(failed(&error)),
        },
        Talk::Late => Err(ExtractError::TimedOut {
            seconds: limits.seconds,
        }),
        Talk::Silent { stderr } => Err(death(format, limits, status, &stderr)),
    }
}

enum Talk {
    Answer(Vec<u8>),
    Silent { stderr: String },
    Late,
}

fn talk(child: &mut Child, request: &[u8], bytes: &[u8], limits: &Limits) -> Talk {
    let (sender, receiver) = channel();
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let longest = limits.text_bytes.saturating_mul(8).saturating_add(1 << 24);
    // The answer is read while the file is written: neither side can wait for the other for ever.
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut stdin = stdin?;
            // A worker that dies early closes the pipe; how it died is told below.
            write_frame(&mut stdin, request)
                .and_then(|()| write_frame(&mut stdin, bytes))
                .ok()
        });
        let talk = scope.spawn(move || {
            let answer = stdout.and_then(|mut stdout| read_frame(&mut stdout, longest).ok());
            let mut words = String::new();
            if answer.is_none()
                && let Some(stderr) = stderr
            {
                // Bytes that are no text only shorten the message.
                let _ = stderr.take(4096).read_to_string(&mut words);
            }
            let _ = sender.send(match answer {
                Some(answer) => Talk::Answer(answer),
                None => Talk::Silent { stderr: words },
            });
        });
        // The worker keeps its own time too; this is for one that no longer can.
        let patience = limits.duration().saturating_add(Duration::from_secs(2));
        let heard = match receiver.recv_timeout(patience) {
            Ok(heard) => heard,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Talk::Late,
        };
        if matches!(heard, Talk::Late) {
            // Ends both threads: their pipes close.
            let _ = child.kill();
        }
        drop(talk);
        heard
    })
}

fn death(format: Format, limits: &Limits, status: ExitStatus, stderr: &str) -> ExtractError {
    if stderr.contains("memory allocation of") || stderr.contains("out of memory") {
        return ExtractError::OutOfMemory {
            limit: limits.memory_bytes,
        };
    }
    #[cfg(unix)]
    if std::os::unix::process::ExitStatusExt::signal(&status) == Some(XCPU) {
        return ExtractError::TimedOut {
            seconds: limits.seconds,
        };
    }
    ExtractError::Crashed {
        format,
        reason: format!("its process ended with {status}"),
    }
}

/// The signal for too much processor time.
#[cfg(unix)]
const XCPU: i32 = 24;

#[cfg(unix)]
fn bound_process(limits: &Limits) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let lower = |resource: Resource, value: u64| {
        let before = getrlimit(resource);
        let maximum = before.maximum.map_or(value, |maximum| maximum.min(value));
        // A system that refuses leaves the limit as it was; the parent's clock still runs.
        let _ = setrlimit(
            resource,
            Rlimit {
                current: Some(maximum),
                maximum: before.maximum,
            },
        );
    };
    lower(
        Resource::As,
        address_space().saturating_add(limits.memory_bytes.max(LEAST_MEMORY)),
    );
    lower(Resource::Cpu, limits.seconds.max(0.0).ceil() as u64 + 2);
    lower(Resource::Core, 0);
}

#[cfg(not(unix))]
fn bound_process(_limits: &Limits) {}

/// Bytes of address space that the process has already, as far as the system tells.
#[cfg(unix)]
fn address_space() -> u64 {
    std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        .map_or(256 << 20, |pages| pages * rustix::param::page_size() as u64)
}

fn write_frame(output: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    output.write_all(&(bytes.len() as u64).to_le_bytes())?;
    output.write_all(bytes)?;
    output.flush()
}

fn read_frame(input: &mut impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut length = [0; 8];
    input.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > limit {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the frame is too long",
        ));
    }
    let mut bytes = Vec::new();
    input.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_protocol_carries_an_answer() {
        let request = Request {
            format: Format::Html,
            name: "a.html".into(),
            limits: Limits {
                // This test must not bound the process that it runs in.
                memory_bytes: u64::MAX / 4,
                seconds: 1e6,
                ..Limits::default()
            },
        };
        let mut input = Vec::new();
        write_frame(&mut input, &serde_json::to_vec(&request).unwrap()).unwrap();
        write_frame(&mut input, b"<title>T</title><h1>H</h1>text").unwrap();
        let mut output = Vec::new();
        run_worker(&input[..], &mut output).unwrap();
        let answer = read_frame(&mut &output[..], 1 << 20).unwrap();
        let answer: Answer = serde_json::from_slice(&answer).unwrap();
        let extracted = answer.into_result().unwrap();
        assert_eq!(extracted.parts[0].title, "T");
        assert_eq!(extracted.parts[0].text, "H\n\ntext");
    }

    #[test]
    fn a_worker_that_does_not_exist_is_an_error() {
        let command = WorkerCommand {
            program: "/no/such/program".into(),
            arguments: Vec::new(),
        };
        let path = Path::new("a.html");
        let error = extract(&command, Format::Html, path, b"x", &Limits::default()).unwrap_err();
        assert!(matches!(error, ExtractError::Worker { .. }), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_worker_that_dies_or_hangs_is_an_error() {
        let shell = |script: &str| WorkerCommand {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
        };
        let path = Path::new("a.pdf");
        let limits = Limits {
            seconds: 0.1,
            ..Limits::default()
        };
        let run = |script: &str| extract(&shell(script), Format::Pdf, path, b"x", &limits);
        assert!(matches!(
            run("kill -9 $$"),
            Err(ExtractError::Crashed { .. })
        ));
        assert_eq!(
            run("cat >/dev/null; echo 'memory allocation of 7 bytes failed' >&2; exit 1"),
            Err(ExtractError::OutOfMemory {
                limit: limits.memory_bytes
            })
        );
        assert_eq!(
            run("exec sleep 60"),
            Err(ExtractError::TimedOut { seconds: 0.1 })
        );
    }
}
