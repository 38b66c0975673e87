//! Every operation on the disk fails once, and once it fails with all that follow.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::disk::{Fault, Plan, Recorder};
use super::workload::{Run, Step, history, survives};
use super::{panics, setting};

/// Longer than any run takes.
const HANG: Duration = Duration::from_secs(60);

/// Runs a history on a disk that fails by `plan`. Returns whether anything failed.
fn run(steps: &[Step], plan: Plan) -> bool {
    let disk = Recorder::default();
    disk.fail(Some(plan));
    let mut run = Run::new(&disk);
    run.take(steps);
    disk.fail(None);
    let failed = disk.failed().is_some();
    // As the next process finds it.
    let after = disk.copy();
    survives(&after, &|observed| run.is_allowed(observed));
    failed
}

/// The same, ended if it hangs; the plan is told if it fails.
fn watched(steps: &[Step], plan: Plan) -> bool {
    let (tell, told) = mpsc::channel();
    let (own, panicked) = (steps.to_vec(), panics());
    let running = thread::Builder::new().name("run".into()).spawn(move || {
        let failed = run(&own, plan);
        let _ = tell.send(failed);
    });
    let answer = told.recv_timeout(HANG);
    if let Err(mpsc::RecvTimeoutError::Timeout) = answer {
        panic!("{plan:?} hangs");
    }
    let joined = running.unwrap().join();
    assert!(joined.is_ok(), "{plan:?} fails");
    assert_eq!(panics(), panicked, "a thread panicked with {plan:?}");
    answer.unwrap()
}

fn every_operation(seed: u64, fault: Fault, count: u64) {
    let steps = history(seed, setting("KENNING_FAULT_COMMITS", 5) as usize);
    let stride = setting("KENNING_FAULT_STRIDE", 17) as usize;
    let (end, mut runs, mut failed) = (operations(&steps), 0, 0);
    for first in (0..end).step_by(stride) {
        let plan = Plan {
            fault,
            first,
            count,
        };
        runs += 1;
        failed += u64::from(watched(&steps, plan));
    }
    // Those that only read do not meet a full disk.
    assert!(3 * failed > runs, "{failed} of {runs} failed");
}

/// How many operations a history takes when nothing fails.
fn operations(steps: &[Step]) -> u64 {
    let disk = Recorder::default();
    disk.fail(None);
    Run::new(&disk).take(steps);
    disk.done()
}

#[test]
fn any_one_operation_may_fail() {
    for fault in Fault::ALL {
        every_operation(1, fault, 1);
    }
}

#[test]
fn a_disk_may_fail_for_good_at_any_operation() {
    for fault in [Fault::Io, Fault::Full] {
        every_operation(2, fault, u64::MAX);
    }
}

#[test]
fn a_disk_may_fail_for_a_while() {
    every_operation(3, Fault::Io, 3);
}
