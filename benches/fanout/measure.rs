//! What a process has used, as Linux tells it.

use std::fs;
use std::io;
use std::time::Duration;

/// This process and all that it started.
fn family(pid: u32) -> Vec<u32> {
    let mut pids = vec![pid];
    let mut next = 0;
    while let Some(pid) = pids.get(next) {
        for thread in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            pids.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
        next += 1;
    }
    pids
}

/// CPU time, user and system, of all threads of a process and of its children, from the scheduler's statistics. A thread
/// that is running is counted up to its last tick, so this is exact when the process rests.
pub(crate) fn cpu(pid: u32) -> io::Result<Duration> {
    let mut sum = 0;
    for pid in family(pid) {
        for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
            // A thread may have ended since it was listed.
            let Ok(statistics) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
            let nanos: Option<u64> = statistics.split(' ').next().and_then(|nanos| nanos.parse().ok());
            sum += nanos.ok_or_else(|| io::Error::other("no scheduler statistics"))?;
        }
    }
    Ok(Duration::from_nanos(sum))
}

/// Bytes of memory that a process and its children hold.
pub(crate) fn memory(pid: u32) -> io::Result<u64> {
    let mut sum = 0;
    for pid in family(pid) {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        sum += kib.unwrap_or(0) * 1024;
    }
    Ok(sum)
}

pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(*upper);
    }
    Some((upper + values.get(middle - 1)?) / 2.0)
}

/// So that ten thousand sockets fit into one process, and into the servers, which inherit it.
pub(crate) fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}
