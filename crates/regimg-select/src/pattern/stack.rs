//! Enough stack for what calls itself once for each level of a pattern: the compiler, and
//! comparing and copying parts of the pattern.

use std::{convert::Infallible, panic, thread};

use regex_syntax::hir::{self, Hir, Visitor};

use super::error::Fault;

/// How deeply parts may be within each other to be compiled on the caller's stack. An
/// unoptimised compiler takes about 13 KiB for each level.
pub(super) const MAX_CALLERS_LEVELS: usize = 50;

/// How many groups a pattern may have to be read and compiled on the caller's stack. Each
/// adds up to four levels.
const MAX_CALLERS_GROUPS: usize = MAX_CALLERS_LEVELS / 4;

/// Enough for [`MAX_LEVELS`].
const STACK: usize = 64 << 20;

/// How deeply parts may be within each other. This is not the limit on a pattern's depth,
/// which is lower, but a safeguard: simplifying a pattern may make it deeper.
const MAX_LEVELS: usize = 4000;

/// Runs `work`, which reads and compiles `pattern`: on a thread with a large stack if the
/// pattern might go deep.
pub(super) fn enough_for<T: Send>(
    pattern: &str,
    work: impl FnOnce() -> Result<T, Fault> + Send,
) -> Result<T, Fault> {
    if pattern.matches('(').count() <= MAX_CALLERS_GROUPS {
        return work();
    }
    thread::scope(|scope| {
        let builder = thread::Builder::new().stack_size(STACK);
        let worker = builder.spawn_scoped(scope, work);
        let worker = worker.map_err(|_| Fault::TooDeep)?;
        worker
            .join()
            .unwrap_or_else(|panic| panic::resume_unwind(panic))
    })
}

/// Counts how many parts are within each other.
pub(super) fn levels(part: &Hir) -> Result<usize, Fault> {
    let Ok(levels) = hir::visit(part, Levels::default());
    if levels > MAX_LEVELS {
        return Err(Fault::TooDeep);
    }
    Ok(levels)
}

#[derive(Default)]
struct Levels {
    current: usize,
    greatest: usize,
}

impl Visitor for Levels {
    type Output = usize;
    type Err = Infallible;

    fn visit_pre(&mut self, _: &Hir) -> Result<(), Infallible> {
        self.current += 1;
        self.greatest = self.greatest.max(self.current);
        Ok(())
    }

    fn visit_post(&mut self, _: &Hir) -> Result<(), Infallible> {
        self.current -= 1;
        Ok(())
    }

    fn finish(self) -> Result<usize, Infallible> {
        Ok(self.greatest)
    }
}
