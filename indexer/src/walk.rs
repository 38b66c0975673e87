//! Which files there are: ripgrep's walker, with what it passes over counted.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use ignore::WalkBuilder;

use crate::layout::FOLDER;

/// A file that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last modified, in nanoseconds since 1970; 0 if the file system does not tell.
    pub modified: i64,
}

/// What a walk meets.
#[derive(Debug)]
pub enum Entry {
    /// A file.
    File(Found),
    /// A link, a pipe, a socket or a device.
    Special(PathBuf),
    /// A file or folder that could not be looked at. Nothing can be said of what lies below.
    Unreadable {
        /// Where, if that is known.
        path: Option<PathBuf>,
        /// What the operating system answered.
        reason: String,
    },
}

/// How to walk.
#[derive(Debug, Clone, Copy, Default)]
pub struct WalkOptions {
    /// Whether hidden files are taken too.
    pub hidden: bool,
    /// Whether .gitignore, .ignore and .kenningignore are not heeded.
    pub no_ignore: bool,
}

/// Walks `root` in the order of names, following no links.
pub fn walk(root: &Path, options: WalkOptions) -> impl Iterator<Item = Entry> {
    let mut builder = WalkBuilder::new(root);
    builder
        .hidden(!options.hidden)
        .git_ignore(!options.no_ignore)
        .git_exclude(!options.no_ignore)
        .git_global(!options.no_ignore)
        .ignore(!options.no_ignore)
        .parents(!options.no_ignore)
        // A folder of notes with a .gitignore need not be a repository.
        .require_git(false)
        .follow_links(false)
        .sort_by_file_name(|a, b| a.cmp(b))
        .filter_entry(|entry| entry.file_name() != FOLDER);
    if !options.no_ignore {
        builder.add_custom_ignore_filename(".kenningignore");
    }
    builder.build().filter_map(|entry| match entry {
        Ok(entry) => classify(&entry),
        Err(error) => Some(unreadable(&error)),
    })
}

fn classify(entry: &ignore::DirEntry) -> Option<Entry> {
    let kind = entry.file_type()?;
    if kind.is_dir() {
        return None;
    }
    if !kind.is_file() {
        return Some(Entry::Special(entry.path().to_owned()));
    }
    Some(match entry.metadata() {
        Ok(metadata) => Entry::File(Found {
            path: entry.path().to_owned(),
            size: metadata.len(),
            modified: metadata
                .modified()
                .ok()
                .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
                .and_then(|since| i64::try_from(since.as_nanos()).ok())
                .unwrap_or(0),
        }),
        Err(error) => unreadable(&error),
    })
}

fn unreadable(error: &ignore::Error) -> Entry {
    fn path(error: &ignore::Error) -> Option<PathBuf> {
        match error {
            ignore::Error::WithPath { path, .. } => Some(path.clone()),
            ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
                path(err)
            }
            ignore::Error::Loop { child, .. } => Some(child.clone()),
            _ => None,
        }
    }
    let reason = match error.io_error() {
        Some(error) => error.to_string(),
        None => error.to_string(),
    };
    Entry::Unreadable {
        path: path(error),
        reason,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn names(root: &Path, options: WalkOptions) -> Vec<String> {
        let entries = walk(root, options).filter_map(|entry| match entry {
            Entry::File(found) => Some(found.path),
            _ => None,
        });
        entries
            .map(|path| {
                path.strip_prefix(root)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned()
            })
            .collect()
    }

    #[test]
    fn ignore_files_and_hidden_files_are_heeded() {
        let temp = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = temp.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(".gitignore", "*.log\n");
        write(".kenningignore", "private/\n");
        write("b.md", "b");
        write("a.md", "a");
        write("x.log", "x");
        write("private/p.md", "p");
        write(".hidden.md", "h");
        write(".kenning/index/meta.json", "{}");
        assert_eq!(names(temp.path(), WalkOptions::default()), ["a.md", "b.md"]);
        let all = WalkOptions {
            hidden: true,
            no_ignore: true,
        };
        let found = names(temp.path(), all);
        assert!(found.contains(&"x.log".to_owned()) && found.contains(&".hidden.md".to_owned()));
        assert!(!found.iter().any(|name| name.starts_with(".kenning/")));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed() {
        let temp = tempfile::tempdir().unwrap();
        std::fs::write(temp.path().join("a.md"), "a").unwrap();
        std::os::unix::fs::symlink(temp.path(), temp.path().join("loop")).unwrap();
        let entries: Vec<Entry> = walk(temp.path(), WalkOptions::default()).collect();
        assert_eq!(entries.len(), 2);
        assert!(
            entries
                .iter()
                .any(|entry| matches!(entry, Entry::Special(_)))
        );
    }

    #[test]
    fn a_root_that_is_gone_is_unreadable() {
        let entries: Vec<Entry> = walk(Path::new("/no/such"), WalkOptions::default()).collect();
        assert!(matches!(entries[..], [Entry::Unreadable { .. }]));
    }
}
