//! How much memory this process takes, where the system tells it in `/proc`: on Linux.

/// Resident now, in bytes; `None` where the system does not tell.
pub fn resident() -> Option<u64> {
    status("VmRSS:")
}

/// The most that was ever resident, in bytes; `None` where the system does not tell.
pub fn peak() -> Option<u64> {
    status("VmHWM:")
}

/// Of what is resident now, what is this process's own and no map of a file, in bytes; `None` where the
/// system does not tell.
pub fn own() -> Option<u64> {
    status("RssAnon:")
}

fn status(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn memory_grows_with_what_is_held() {
        let before = peak().unwrap();
        assert!(before >= resident().unwrap() / 2);
        let held = std::hint::black_box(vec![1u8; 64 << 20]);
        assert!(peak().unwrap() >= before + (32 << 20));
        assert!(own().unwrap() >= 32 << 20);
        drop(held);
    }
}
