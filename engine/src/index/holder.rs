//! Who writes: a note beside a lock, for people.
//!
//! The lock is the system's, and ends with the process that holds it, however that ends. The note says who it is, and
//! decides nothing: it may be out of date, and it may hold anything.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// More bytes than a note has.
const MOST_BYTES: u64 = 4_096;
/// Longer names of machines are not believed.
const LONGEST_HOST: usize = 253;
/// The last second of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

/// The process that writes to an index, as it tells itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its number on its machine.
    pub process: u32,
    /// The name of its machine, where the system tells one.
    pub host: Option<String>,
    /// Since when it holds the lock, in seconds since 1970.
    pub since: u64,
}

impl Holder {
    /// This process, from now on.
    pub fn this_process() -> Holder {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Holder {
            process: std::process::id(),
            host: host(),
            since: now.map_or(0, |now| now.as_secs()),
        }
    }

    /// Reads a note. `None` if there is none, or one that no holder wrote.
    pub fn read(path: &Path) -> Option<Holder> {
        // What is no file could be waited on for ever.
        if !fs::symlink_metadata(path).ok()?.is_file() {
            return None;
        }
        let mut bytes = Vec::new();
        let file = File::open(path).ok()?;
        file.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
        let holder: Holder = serde_json::from_slice(&bytes).ok()?;
        let plain = holder.host.as_deref().is_none_or(is_plain);
        (plain && holder.since <= LAST_SECOND).then_some(holder)
    }

    /// What to do about it.
    pub(super) fn hint(&self) -> String {
        let (process, own) = (self.process, host());
        match &self.host {
            host if *host == own && process == std::process::id() => {
                "it is this process: let its other writer go first".to_owned()
            }
            Some(host) if Some(host) != own.as_ref() => {
                format!(
                    "wait until it has finished, or stop process {process} on {host}: what it committed stays"
                )
            }
            _ => format!(
                "wait until it has finished, or stop it with `kill {process}`: what it committed stays"
            ),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}", self.process)?;
        if let Some(host) = &self.host {
            write!(f, " on {host}")?;
        }
        let (day, second) = ((self.since / 86_400) as i64, self.since % 86_400);
        let (year, month, day) = civil_from_days(day);
        let (hour, minute) = (second / 3_600, second / 60 % 60);
        write!(
            f,
            " since {year}-{month:02}-{day:02} {hour:02}:{minute:02}:{:02} UTC",
            second % 60
        )
    }
}

/// Year, month and day of the Gregorian calendar of a day counted from 1970-01-01; the method is Howard Hinnant's
/// ("chrono-Compatible Low-Level Date Algorithms").
pub fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Whether a name is one that a machine may have: it is shown as it is.
fn is_plain(host: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !host.is_empty() && host.len() <= LONGEST_HOST && host.chars().all(plain)
}

fn host() -> Option<String> {
    let kernel = || fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let variable = |name| move || std::env::var(name).ok();
    let name = kernel()
        .or_else(variable("HOSTNAME"))
        .or_else(variable("COMPUTERNAME"))?;
    Some(name.trim().to_owned()).filter(|name| is_plain(name))
}

/// A note that this process holds a lock. It is removed when it is let go, which must be before the lock is.
#[derive(Debug)]
pub struct Note {
    path: PathBuf,
}

impl Note {
    /// Puts a note at `path`. Whoever calls holds the lock. Where it cannot be written, others are not told who.
    pub fn put(path: PathBuf) -> Note {
        let _ = write(&path, &Holder::this_process());
        Note { path }
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// By another file that takes its place: what lies there may be a link to something that must stay as it is.
fn write(path: &Path, holder: &Holder) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    // A writer of an index removes what begins so and was left.
    let fresh = folder.join(format!(".tmp-holder-{}", holder.process));
    let _ = fs::remove_file(&fresh);
    let written = || -> io::Result<()> {
        let mut file = File::create_new(&fresh)?;
        file.write_all(&serde_json::to_vec(holder)?)?;
        fs::rename(&fresh, path)
    };
    written().inspect_err(|_| {
        let _ = fs::remove_file(&fresh);
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_holder_is_told_in_words() {
        let holder = |host: Option<&str>, since| Holder {
            process: 7,
            host: host.map(str::to_owned),
            since,
        };
        let told = |host, since| holder(host, since).to_string();
        assert_eq!(
            told(Some("box"), 951_782_400),
            "process 7 on box since 2000-02-29 00:00:00 UTC"
        );
        assert_eq!(
            told(None, 1_798_761_599),
            "process 7 since 2026-12-31 23:59:59 UTC"
        );
        assert_eq!(told(None, 0), "process 7 since 1970-01-01 00:00:00 UTC");
        assert!(told(None, LAST_SECOND).contains("9999-12-31 23:59:59"));
        assert!(
            holder(Some("elsewhere.example"), 0)
                .hint()
                .contains("on elsewhere.example")
        );
        assert!(Holder::this_process().hint().contains("this process"));
    }

    #[test]
    fn a_note_is_read_back_and_gone_with_what_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("note");
        let note = Note::put(path.clone());
        let read = Holder::read(&path).unwrap();
        assert_eq!((read.process, read.host), (std::process::id(), host()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        drop(note);
        assert_eq!(Holder::read(&path), None);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_no_holder_wrote_is_no_note() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("note");
        let long = format!(
            "{}{}",
            " ".repeat(5_000),
            r#"{"process":1,"host":null,"since":1}"#
        );
        for text in [
            "",
            "{",
            "\0\x1b[2J",
            r#"{"process":-1,"host":null,"since":1}"#,
            r#"{"process":1,"host":"\u001b[2Jbox","since":1}"#,
            r#"{"process":1,"host":"a\nhint: run rm -r","since":1}"#,
            r#"{"process":1,"host":"\u202eexample","since":1}"#,
            r#"{"process":1,"host":"","since":1}"#,
            r#"{"process":1,"host":null,"since":18446744073709551615}"#,
            &long,
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(Holder::read(&path), None, "{text:?}");
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(Holder::read(&path), None);
    }

    /// Whoever hands over an index may have put links into it.
    #[cfg(unix)]
    #[test]
    fn a_note_is_not_written_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (path, target) = (folder.path().join("note"), folder.path().join("precious"));
        fs::write(&target, "stays").unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        let fresh = format!(".tmp-holder-{}", std::process::id());
        std::os::unix::fs::symlink(&target, folder.path().join(fresh)).unwrap();
        let note = Note::put(path.clone());
        assert!(Holder::read(&path).is_some());
        drop(note);
        assert_eq!(fs::read_to_string(&target).unwrap(), "stays");
    }
}
