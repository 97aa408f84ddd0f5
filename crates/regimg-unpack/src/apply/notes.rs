//! Warnings, each once.

use std::collections::HashSet;
use std::mem::{Discriminant, discriminant};

use crate::progress::{Progress, Warning};

/// How many names of attributes are told apart: more are no help to anybody.
const NAMES: usize = 64;

/// What a caller has been told already.
pub(super) struct Notes<P> {
    pub(super) progress: P,
    /// The layer that is being applied.
    pub(super) index: usize,
    given: HashSet<(Discriminant<Warning>, Vec<u8>)>,
}

impl<P: Progress> Notes<P> {
    pub(super) fn to(progress: P) -> Self {
        Self {
            progress,
            index: 0,
            given: HashSet::new(),
        }
    }

    /// Passes a warning on, unless it was given before for the same thing.
    pub(super) fn warn(&mut self, warning: &Warning) {
        let name = match warning {
            Warning::Xattr { .. } if self.given.len() >= NAMES => return,
            Warning::Xattr { name, .. } => name.clone(),
            _ => Vec::new(),
        };
        if self.given.insert((discriminant(warning), name)) {
            self.progress.warn(self.index, warning);
        }
    }
}
