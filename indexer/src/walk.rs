//! Which files there are: ripgrep's walker, with what it passes over counted.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use ignore::WalkBuilder;

use crate::layout::FOLDER;
use crate::rules;

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

/// Walks `root` in the order of names, following no links. A folder is not entered whose rules of what to ignore
/// cannot be read safely.
pub fn walk(root: &Path, options: WalkOptions) -> impl Iterator<Item = Entry> {
    let refused: Refused = Arc::default();
    if !options.no_ignore
        && let Some(reason) = root.ancestors().find_map(rules::trouble)
    {
        refuse(&refused, root, reason);
        return Walk {
            entries: None,
            refused,
        };
    }
    let mut builder = WalkBuilder::new(root);
    let mine = Arc::clone(&refused);
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
        .filter_entry(move |entry| {
            if entry.file_name() == FOLDER {
                return false;
            }
            let entered = entry.file_type().is_some_and(|kind| kind.is_dir());
            if entered
                && !options.no_ignore
                && let Some(reason) = rules::trouble(entry.path())
            {
                refuse(&mine, entry.path(), reason);
                return false;
            }
            true
        });
    if !options.no_ignore {
        builder.add_custom_ignore_filename(rules::OWN);
    }
    Walk {
        entries: Some(builder.build()),
        refused,
    }
}

/// Folders that are not entered, told between the entries of a walk.
type Refused = Arc<Mutex<Vec<Entry>>>;

fn refuse(refused: &Refused, folder: &Path, reason: String) {
    let mut refused = refused.lock().unwrap_or_else(PoisonError::into_inner);
    refused.push(Entry::Unreadable {
        path: Some(folder.to_owned()),
        reason,
    });
}

/// A walk under way.
struct Walk {
    entries: Option<ignore::Walk>,
    refused: Refused,
}

impl Iterator for Walk {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        loop {
            let next = self.entries.as_mut().and_then(Iterator::next);
            let found = match next {
                Some(Ok(entry)) => classify(&entry),
                Some(Err(error)) => Some(unreadable(&error)),
                None => {
                    let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
                    return refused.pop();
                }
            };
            if found.is_some() {
                return found;
            }
        }
    }
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

/// A named pipe, which nobody writes to.
#[cfg(all(test, unix))]
pub(crate) fn make_pipe(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status();
    assert!(made.is_ok_and(|status| status.success()), "{path:?}");
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

    #[cfg(unix)]
    #[test]
    fn pipes_sockets_and_devices_are_no_files() {
        let temp = tempfile::tempdir().unwrap();
        make_pipe(&temp.path().join("pipe.md"));
        let _socket = std::os::unix::net::UnixListener::bind(temp.path().join("s.md")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", temp.path().join("zero.md")).unwrap();
        std::os::unix::fs::symlink("zero.md", temp.path().join("chain.md")).unwrap();
        let entries: Vec<Entry> = walk(temp.path(), WalkOptions::default()).collect();
        assert_eq!(entries.len(), 4);
        assert!(
            entries
                .iter()
                .all(|entry| matches!(entry, Entry::Special(_)))
        );
        for name in ["pipe.md", "s.md", "zero.md"] {
            let entries: Vec<Entry> =
                walk(&temp.path().join(name), WalkOptions::default()).collect();
            assert!(matches!(entries[..], [Entry::Special(_)]), "{entries:?}");
        }
    }

    /// ripgrep's walker opens them, and would wait for ever or fill the memory.
    #[cfg(unix)]
    #[test]
    fn a_folder_whose_rules_are_no_file_is_not_entered() {
        let temp = tempfile::tempdir().unwrap();
        let base = temp.path().canonicalize().unwrap();
        for (name, rules) in [
            ("a", ".gitignore"),
            ("b", ".ignore"),
            ("c", ".kenningignore"),
        ] {
            let folder = base.join(name).join("in");
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("file.md"), "x").unwrap();
            std::fs::write(base.join(name).join("beside.md"), "x").unwrap();
            match name {
                "a" => make_pipe(&folder.join(rules)),
                "b" => std::os::unix::fs::symlink("/dev/zero", folder.join(rules)).unwrap(),
                _ => std::fs::write(folder.join(rules), "*.x\n".repeat(200_000)).unwrap(),
            }
        }
        assert_eq!(names(&base, WalkOptions::default()).len(), 3);
        let entries: Vec<Entry> = walk(&base, WalkOptions::default()).collect();
        let refused = entries.iter().filter_map(|entry| match entry {
            Entry::Unreadable { path, reason } => Some((path.clone().unwrap(), reason.clone())),
            _ => None,
        });
        let mut refused: Vec<_> = refused.collect();
        refused.sort();
        for ((path, reason), (name, rules)) in refused.iter().zip([
            ("a", ".gitignore"),
            ("b", ".ignore"),
            ("c", ".kenningignore"),
        ]) {
            assert_eq!(*path, base.join(name).join("in"));
            assert!(reason.contains(rules), "{reason}");
        }
        assert_eq!(refused.len(), 3);
        // Of the root and of what lies above it, too.
        let below = base.join("a/in/deeper");
        std::fs::create_dir(&below).unwrap();
        for root in [base.join("a/in"), below] {
            let entries: Vec<Entry> = walk(&root, WalkOptions::default()).collect();
            assert!(
                matches!(&entries[..], [Entry::Unreadable { path: Some(path), .. }] if *path == root),
                "{entries:?}"
            );
        }
        let all = WalkOptions {
            hidden: false,
            no_ignore: true,
        };
        assert_eq!(names(&base, all).len(), 6);
    }

    #[cfg(unix)]
    #[test]
    fn a_worktree_that_leads_to_a_pipe_is_not_entered() {
        let temp = tempfile::tempdir().unwrap();
        let base = temp.path().canonicalize().unwrap();
        let (tree, elsewhere) = (base.join("tree"), base.join("elsewhere"));
        std::fs::create_dir_all(&tree).unwrap();
        std::fs::create_dir_all(elsewhere.join("info")).unwrap();
        std::fs::write(tree.join("a.md"), "a").unwrap();
        std::fs::write(
            tree.join(".git"),
            format!("gitdir: {}\n", elsewhere.display()),
        )
        .unwrap();
        let unreadable = || {
            let entries: Vec<Entry> = walk(&tree, WalkOptions::default()).collect();
            matches!(entries[..], [Entry::Unreadable { .. }])
        };
        assert!(!unreadable());
        make_pipe(&elsewhere.join("commondir"));
        assert!(unreadable());
        std::fs::remove_file(elsewhere.join("commondir")).unwrap();
        std::fs::write(elsewhere.join("commondir"), ".\n").unwrap();
        assert!(!unreadable());
        make_pipe(&elsewhere.join("info/exclude"));
        assert!(unreadable());
    }

    /// As many rules as a file of them may hold do not take long to read.
    #[test]
    fn the_most_rules_that_are_read_are_read_quickly() {
        let temp = tempfile::tempdir().unwrap();
        let line = "a*b?c**[d-f]*/{g,h}*i\n";
        let rules = line.repeat(rules::MOST_BYTES as usize / line.len());
        std::fs::write(temp.path().join(".gitignore"), rules).unwrap();
        for n in 0..50 {
            std::fs::write(temp.path().join(format!("{n}.md")), "a").unwrap();
        }
        let begun = std::time::Instant::now();
        assert_eq!(names(temp.path(), WalkOptions::default()).len(), 50);
        let spent = begun.elapsed();
        assert!(spent.as_secs() < 10, "{spent:?}");
    }

    #[test]
    fn a_root_that_is_gone_is_unreadable() {
        let entries: Vec<Entry> = walk(Path::new("/no/such"), WalkOptions::default()).collect();
        assert!(matches!(entries[..], [Entry::Unreadable { .. }]));
    }
}
