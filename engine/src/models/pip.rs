//! Python's package manager, run as the user would: mirrors, proxies and certificates are set in its own
//! configuration, and it heeds them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use super::FetchError;
use super::error::Stop;
use crate::{Error, Result};

/// How often the progress of a download is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Downloads `packages`, each `name==version`, as wheels, without what they depend on, with the first of
/// `programs` that runs. Only wheels: a source package would run its own code. Returns the wheels in the
/// order of the packages. `scratch` takes pip's temporary files too, so that nothing is left elsewhere when it is killed.
pub(super) fn download(
    programs: &[Vec<String>],
    packages: &[String],
    scratch: &Path,
    copied: &mut dyn FnMut(u64),
) -> Result<Vec<PathBuf>, Stop> {
    let names: Vec<String> = programs.iter().map(|words| words.join(" ")).collect();
    let (program, name) = programs
        .iter()
        .zip(&names)
        .find(|(words, _)| runs(words))
        .ok_or_else(|| FetchError::NoPip {
            programs: names.join(", "),
        })?;
    let (wheels, temporary, log) = (
        scratch.join("wheels"),
        scratch.join("tmp"),
        scratch.join("log"),
    );
    for folder in [&wheels, &temporary] {
        fs::create_dir_all(folder).map_err(|source| Error::io("create", folder, source))?;
    }
    let said = File::create(&log).map_err(|source| Error::io("create", &log, source))?;
    let failed = |said: String| FetchError::Pip {
        program: name.clone(),
        said,
    };
    let mut command = command(program).ok_or_else(|| failed("it has no name".into()))?;
    command
        .args([
            "download",
            "--no-deps",
            "--no-input",
            "--disable-pip-version-check",
        ])
        .args(["--only-binary", ":all:", "--progress-bar", "off", "--dest"])
        .arg(&wheels)
        .args(packages)
        .env("TMPDIR", &temporary)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(said);
    let status = watch(&mut command, || {
        copied(bytes_in(&wheels) + bytes_in(&temporary))
    })
    .map_err(|error| failed(error.to_string()))?;
    if !status.success() {
        let said = fs::read(&log).unwrap_or_default();
        return Err(failed(last_error(&String::from_utf8_lossy(&said), status)).into());
    }
    packages
        .iter()
        .map(|package| Ok(wheel_of(package, &wheels)?))
        .collect()
}

fn command(words: &[String]) -> Option<Command> {
    let (program, arguments) = words.split_first()?;
    let mut command = Command::new(program);
    command.args(arguments);
    Some(command)
}

/// Whether a program is there and is pip.
fn runs(words: &[String]) -> bool {
    let Some(mut command) = command(words) else {
        return false;
    };
    command.arg("--version").stdin(Stdio::null());
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Runs a command and calls `look` until it ends.
fn watch(command: &mut Command, mut look: impl FnMut()) -> std::io::Result<ExitStatus> {
    let mut child = command.spawn()?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        look();
        thread::sleep(LOOK_EVERY);
    }
}

/// Bytes of the files in `folder` and in the folders below.
fn bytes_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes_in(&entry.path()),
            Ok(metadata) => metadata.len(),
            // pip has just moved it.
            Err(_) => 0,
        })
        .sum()
}

/// The last line that begins with ERROR, else the last that is not empty.
fn last_error(said: &str, status: ExitStatus) -> String {
    let lines = || {
        said.lines()
            .rev()
            .map(str::trim)
            .filter(|line| !line.is_empty())
    };
    let error = lines().find_map(|line| line.strip_prefix("ERROR:"));
    match error.or_else(|| lines().next()) {
        Some(line) => line.trim().to_owned(),
        None => status.to_string(),
    }
}

/// The wheel of `package`, which is `name==version`.
fn wheel_of(package: &str, folder: &Path) -> Result<PathBuf, FetchError> {
    let (name, version) = package.split_once("==").unwrap_or((package, ""));
    let start = format!(
        "{}-{version}-",
        name.to_lowercase().replace(['-', '.'], "_")
    );
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let found = entries.map(|entry| entry.path()).find(|path| {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        name.starts_with(&start) && name.ends_with(".whl")
    });
    found.ok_or_else(|| FetchError::Package {
        file: package.to_owned(),
        reason: "pip downloaded no wheel of it".into(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_error_that_matters_is_picked_from_what_pip_says() {
        let status = Command::new("false").status().unwrap();
        let said = "WARNING: Retrying\nERROR: Could not find a version\nERROR: No matching distribution found for x\n\nnotice\n";
        assert_eq!(
            last_error(said, status),
            "No matching distribution found for x"
        );
        assert_eq!(last_error("cannot do it\n", status), "cannot do it");
        assert!(last_error("", status).contains('1'));
    }
}
