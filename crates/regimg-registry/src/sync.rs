//! Work that many ask for and one does.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};

use crate::Error;

/// Locks, and goes on after a panic elsewhere: none of our critical sections leaves a value half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Outcome<T> = Result<Arc<T>, Error>;

/// One value, made by whoever asks first; those who ask meanwhile wait for the same making.
///
/// A failure is told to everyone who waited for it and forgotten then. The making belongs to no
/// task: when the one that began it is dropped, another that waits carries it on.
pub(crate) struct Flight<T>(Mutex<Option<Shared<BoxFuture<'static, Outcome<T>>>>>);

impl<T> Default for Flight<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Send + Sync + 'static> Flight<T> {
    /// Returns the value if it is still `usable`, and makes a new one otherwise.
    pub(crate) async fn get(
        &self,
        usable: impl Fn(&T) -> bool,
        make: impl FnOnce() -> BoxFuture<'static, Result<T, Error>>,
    ) -> Outcome<T> {
        self.join(usable, make).await
    }

    fn join(
        &self,
        usable: impl Fn(&T) -> bool,
        make: impl FnOnce() -> BoxFuture<'static, Result<T, Error>>,
    ) -> Shared<BoxFuture<'static, Outcome<T>>> {
        let mut slot = lock(&self.0);
        if let Some(shared) = slot.as_ref() {
            match shared.peek() {
                Some(Ok(value)) if usable(value) => return shared.clone(),
                // Only the slot has one that nobody waits for any more; what it waited for and
                // how long it has tried are of another time.
                None if shared.strong_count() > Some(1) => return shared.clone(),
                _ => {}
            }
        }
        let shared = make().map(|made| made.map(Arc::new)).boxed().shared();
        *slot = Some(shared.clone());
        shared
    }

    /// Forgets the value if it is this one, so that of many who found it useless only the first
    /// causes a new one.
    pub(crate) fn discard(&self, useless: &Arc<T>) {
        let is_it = |value: &Arc<T>| Arc::ptr_eq(value, useless);
        let mut slot = lock(&self.0);
        let made = slot.as_ref().and_then(Shared::peek);
        if made.is_some_and(|made| made.as_ref().is_ok_and(is_it)) {
            *slot = None;
        }
    }
}
