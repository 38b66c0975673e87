//! The bytes of a file that may have become something else since it was found.
//!
//! Between the moment when a walk meets a file and the moment when it is read, another program can put anything in
//! its place: a pipe, on which opening would wait for ever, a device without an end, a link to somewhere else, a file
//! that grows. So it is opened without waiting and without following a link, looked at once it is open, and read up to
//! a limit.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// Why there are no bytes.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// The operating system's answer.
    #[error(transparent)]
    Io(io::Error),
    /// It is no file.
    #[error("it is a link, pipe, socket or device, expected a file")]
    Special,
    /// It is larger than it may be.
    #[error("it has more than {limit} bytes")]
    TooLarge {
        /// Bytes that it may have.
        limit: u64,
        /// Bytes that it has, as far as is known.
        bytes: u64,
    },
}

/// Reads the file at `path`, of at most `limit` bytes, which is no link.
///
/// # Errors
/// [`Unread`].
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Unread> {
    read_open(open(path, false)?, limit)
}

/// The same, where a link to a file is as good.
pub fn read_through(path: &Path, limit: u64) -> Result<Vec<u8>, Unread> {
    read_open(open(path, true)?, limit)
}

fn read_open(file: File, limit: u64) -> Result<Vec<u8>, Unread> {
    let metadata = file.metadata().map_err(Unread::Io)?;
    if !metadata.is_file() {
        return Err(Unread::Special);
    }
    let expected = metadata.len();
    let mut bytes = Vec::with_capacity(expected.min(limit).min(1 << 30) as usize);
    if expected <= limit {
        // One byte more shows that it has grown.
        let most = limit.saturating_add(1);
        file.take(most)
            .read_to_end(&mut bytes)
            .map_err(Unread::Io)?;
    }
    let found = expected.max(bytes.len() as u64);
    match found > limit {
        true => Err(Unread::TooLarge {
            limit,
            bytes: found,
        }),
        false => Ok(bytes),
    }
}

#[cfg(unix)]
fn open(path: &Path, follow: bool) -> Result<File, Unread> {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt;
    let mut flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    flags.set(OFlags::NOFOLLOW, !follow);
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags.bits() as i32);
    options.open(path).map_err(|error| {
        let number = error.raw_os_error();
        let is = |errno: rustix::io::Errno| number == Some(errno.raw_os_error());
        // What a link says that must not be followed, and a socket.
        match is(rustix::io::Errno::LOOP) || is(rustix::io::Errno::NXIO) {
            true => Unread::Special,
            false => Unread::Io(error),
        }
    })
}

#[cfg(not(unix))]
fn open(path: &Path, _: bool) -> Result<File, Unread> {
    File::open(path).map_err(Unread::Io)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_limit() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("a");
        std::fs::write(&path, b"12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        assert!(matches!(
            read(&path, 4),
            Err(Unread::TooLarge { limit: 4, bytes: 5 })
        ));
        let gone = read(&temp.path().join("b"), 5);
        assert!(matches!(gone, Err(Unread::Io(_))), "{gone:?}");
        let folder = read(temp.path(), 5);
        assert!(matches!(folder, Err(Unread::Special)), "{folder:?}");
    }

    /// Each would hang, fill the memory or lead out of the folder.
    #[cfg(unix)]
    #[test]
    fn what_is_put_in_the_place_of_a_file_is_not_read() {
        use std::os::unix::fs::symlink;
        let temp = tempfile::tempdir().unwrap();
        let at = |name: &str| temp.path().join(name);
        crate::walk::make_pipe(&at("pipe"));
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        std::fs::write(at("elsewhere"), "secret").unwrap();
        symlink(at("elsewhere"), at("link")).unwrap();
        symlink(at("loop"), at("loop")).unwrap();
        for path in [
            at("pipe"),
            at("socket"),
            at("link"),
            at("loop"),
            "/dev/zero".into(),
        ] {
            let begun = std::time::Instant::now();
            let read = read(&path, 1 << 20);
            assert!(matches!(read, Err(Unread::Special)), "{path:?}: {read:?}");
            assert!(begun.elapsed().as_secs() < 5);
        }
    }

    /// The length that a file is said to have is not believed.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_is_longer_than_it_says_is_read_up_to_the_limit() {
        // Files of /proc say that they are empty.
        let path = Path::new("/proc/self/maps");
        assert!(matches!(
            read(path, 10),
            Err(Unread::TooLarge { bytes: 11, .. })
        ));
    }
}
