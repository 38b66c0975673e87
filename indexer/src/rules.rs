//! Whether the files that say what to ignore can be read safely.
//!
//! ripgrep's walker opens `.gitignore` and its kin as it comes to a folder, whatever they are: it waits for ever on a
//! pipe, reads a device without an end, and compiles as many patterns as there are. So each folder is looked at before
//! it is entered.

use std::path::{Path, PathBuf};

use crate::input;

/// Kenning's own file of rules.
pub const OWN: &str = ".kenningignore";
/// Files of rules that a folder may hold.
const FILES: [&str; 3] = [".gitignore", ".ignore", OWN];
/// The most bytes of a file of rules: some ten thousand of them.
pub const MOST_BYTES: u64 = 256 << 10;
/// The most bytes of a file that leads to another folder: a path, and some.
const MOST_OF_PATH: u64 = 16 << 10;

/// Why the rules of `folder` must not be read, if so, in words that name the file.
pub fn trouble(folder: &Path) -> Option<String> {
    let own = FILES.iter().map(|name| folder.join(name));
    let rules = own.chain(excludes(folder));
    rules
        .map(|path| (path, MOST_BYTES))
        .chain(leads(folder).map(|path| (path, MOST_OF_PATH)))
        .find_map(|(path, most)| wrong(&path, most))
}

/// What is wrong with a file, if it is there.
fn wrong(path: &Path, most: u64) -> Option<String> {
    let metadata = std::fs::metadata(path).ok()?;
    let path = path.display();
    if metadata.is_dir() {
        // Nothing can be read of it, and nothing is.
        return None;
    }
    if !metadata.is_file() {
        return Some(format!(
            "{path} is a pipe, socket or device, expected a file of rules (--no-ignore reads none)"
        ));
    }
    let bytes = metadata.len();
    (bytes > most).then(|| {
        format!(
            "{path} has {bytes} bytes, expected at most {most} of rules (--no-ignore reads none)"
        )
    })
}

/// Where git keeps the rules of a repository that are not its own files, if `folder` is one.
fn excludes(folder: &Path) -> Option<PathBuf> {
    let git = folder.join(".git");
    let common = match git.is_file() {
        true => {
            let lead = common(folder)?;
            let named = first_line(&lead)?;
            match named.starts_with('.') {
                true => lead.parent()?.join(named),
                false => named.into(),
            }
        }
        false => git,
    };
    Some(common.join("info/exclude"))
}

/// The files that lead from a worktree to its repository, if `folder` is a worktree.
fn leads(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let git = Some(folder.join(".git")).filter(|git| git.is_file());
    git.into_iter().chain(common(folder))
}

/// The second of them.
fn common(folder: &Path) -> Option<PathBuf> {
    let git = Some(folder.join(".git")).filter(|git| git.is_file())?;
    let line = first_line(&git)?;
    Some(Path::new(line.strip_prefix("gitdir: ")?).join("commondir"))
}

fn first_line(path: &Path) -> Option<String> {
    let bytes = input::read_through(path, MOST_OF_PATH).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.lines().next().map(str::to_owned)
}
