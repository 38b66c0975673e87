//! The entrance: sizes checked, formats told apart, risky ones read where they can do no harm.

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;

use super::detect::detect;
use super::error::ExtractError;
use super::foreign;
use super::format::Format;
use super::limits::{Context, Limits};
use super::part::Extracted;
use super::read::read;
use super::worker::{self, WorkerCommand};

/// JSON above this size is read apart from the caller too.
const LARGE: usize = 4 << 20;

/// Stack of a reader's thread in bytes. Readers of ours do not recurse without bound; those of others may.
const STACK: usize = 16 << 20;

/// The name of readers' threads.
const THREAD: &str = "kenning-extract";

/// Extracts the documents that a file holds, in this process; see [`Extractor`].
///
/// # Errors
///
/// Any [`ExtractError`] but [`ExtractError::Worker`] and [`ExtractError::OutOfMemory`].
pub fn extract(path: &Path, bytes: &[u8], limits: &Limits) -> Result<Extracted, ExtractError> {
    Extractor::new(limits.clone()).extract(path, bytes)
}

/// Extracts the documents that files hold. One extractor serves any number of threads.
#[derive(Debug, Clone, Default)]
pub struct Extractor {
    limits: Limits,
    worker: Option<WorkerCommand>,
}

impl Extractor {
    /// An extractor without a worker process.
    pub fn new(limits: Limits) -> Self {
        Extractor {
            limits,
            worker: None,
        }
    }

    /// The same extractor, reading risky formats in processes that `command` starts. The program must
    /// call [`run_worker`](super::run_worker).
    pub fn with_worker(mut self, command: WorkerCommand) -> Self {
        self.worker = Some(command);
        self
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Extracts the documents that the file `bytes` holds: one for most formats, one for each message
    /// of a mailbox and each record of a JSON lines file. `path` is looked at only for its name.
    ///
    /// # Errors
    ///
    /// Any [`ExtractError`]. No panic, whatever the bytes.
    pub fn extract(&self, path: &Path, bytes: &[u8]) -> Result<Extracted, ExtractError> {
        let size = bytes.len() as u64;
        if size > self.limits.file_bytes {
            return Err(ExtractError::TooLarge {
                bytes: size,
                limit: self.limits.file_bytes,
            });
        }
        let context = Context::new(&self.limits);
        // Whether a container is one is told by parsers that others wrote, too.
        let crashed = |format, reason| ExtractError::Crashed { format, reason };
        let detected = foreign::call(|| detect(path, bytes, &context));
        let format = detected.map_err(|reason| crashed(Format::Archive, reason))??;
        let large = matches!(format, Format::Json | Format::Notebook) && bytes.len() > LARGE;
        if !format.is_risky() && !large {
            let read = foreign::call(|| read(format, path, bytes, &context));
            return read.map_err(|reason| crashed(format, reason))?;
        }
        match &self.worker {
            Some(command) => worker::extract(command, format, path, bytes, &self.limits),
            None => {
                let path = path.to_owned();
                let bytes = bytes.to_owned();
                let limits = self.limits.clone();
                guarded(format, &self.limits, move || {
                    read(format, &path, &bytes, &Context::new(&limits))
                })
            }
        }
    }
}

/// Runs `work` in a thread of its own: its panic becomes [`ExtractError::Crashed`], and when it takes
/// too long it is left behind and the answer is [`ExtractError::TimedOut`].
pub(super) fn guarded<F>(
    format: Format,
    limits: &Limits,
    work: F,
) -> Result<Extracted, ExtractError>
where
    F: FnOnce() -> Result<Extracted, ExtractError> + Send + 'static,
{
    let (sender, receiver) = sync_channel(1);
    let builder = thread::Builder::new()
        .name(THREAD.to_owned())
        .stack_size(STACK);
    let crashed = |reason: String| ExtractError::Crashed { format, reason };
    let handle = builder
        .spawn(move || {
            // Nothing of what `work` owns is seen again after a panic.
            let result = foreign::call(work);
            // The receiver is gone if the time is over; then nobody wants the answer.
            let _ = sender.send(result);
        })
        .map_err(|error| crashed(format!("no thread: {error}")))?;
    match receiver.recv_timeout(limits.duration()) {
        Ok(Ok(result)) => result,
        Ok(Err(reason)) => Err(crashed(reason)),
        Err(RecvTimeoutError::Timeout) => Err(ExtractError::TimedOut {
            seconds: limits.seconds,
        }),
        Err(RecvTimeoutError::Disconnected) => {
            drop(handle);
            Err(crashed("its thread ended early".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_panic_in_a_reader_is_contained() {
        let result = guarded(Format::Pdf, &Limits::default(), || {
            panic!("index out of bounds")
        });
        assert_eq!(
            result,
            Err(ExtractError::Crashed {
                format: Format::Pdf,
                reason: "its parser failed: index out of bounds".into()
            })
        );
    }

    #[test]
    fn a_reader_that_hangs_is_left_behind() {
        let limits = Limits {
            seconds: 0.05,
            ..Limits::default()
        };
        let begun = Instant::now();
        let result = guarded(Format::Pdf, &limits, || {
            thread::sleep(Duration::from_secs(5));
            Err(ExtractError::Binary)
        });
        assert_eq!(result, Err(ExtractError::TimedOut { seconds: 0.05 }));
        assert!(begun.elapsed() < Duration::from_secs(3));
    }

    #[test]
    fn sizes_are_limited() {
        let limits = Limits {
            file_bytes: 3,
            ..Limits::default()
        };
        let path = Path::new("a.txt");
        assert_eq!(
            extract(path, b"abcd", &limits),
            Err(ExtractError::TooLarge { bytes: 4, limit: 3 })
        );
        assert_eq!(extract(path, b"", &limits), Err(ExtractError::Empty));
        assert_eq!(
            extract(path, b" \n", &limits),
            Err(ExtractError::NoText {
                format: Format::Text
            })
        );
    }
}
