//! Compiled patterns.

use std::{sync::OnceLock, thread};

use regex_automata::{
    Input,
    meta::{BuildError, Regex},
    nfa::thompson::WhichCaptures,
    util::captures::Captures as Slots,
};
use regex_syntax::hir::Hir;

use super::{error::Fault, node::Node};

/// The most bytes that a program for ASCII text may take.
const MAX_ASCII_SIZE: usize = 64 << 20;

/// The most transitions that a program for all text may have. Each takes 8 bytes, and
/// at worst a state of its own of 24 bytes.
const MAX_FULL_COST: u64 = 16 << 20;

/// How deeply parts may be within each other to be compiled on the caller's stack: the
/// compiler calls itself, and an unoptimised one takes about 13 KiB for each level.
const MAX_CALLERS_DEPTH: u32 = 50;

/// Enough for [`MAX_CALLERS_DEPTH`] times twenty.
const STACK: usize = 64 << 20;

/// Says whether a text matches.
#[derive(Debug)]
pub(super) struct Program {
    ascii: Regex,
    full: Full,
}

/// What matches all text; compiled when such text comes, since tags are ASCII.
#[derive(Debug)]
struct Full {
    source: Hir,
    regex: OnceLock<Regex>,
}

impl Program {
    pub(super) fn new(node: Node) -> Result<Self, Fault> {
        if node.cost > MAX_FULL_COST {
            return Err(Fault::TooLarge);
        }
        let deep = node.depth > MAX_CALLERS_DEPTH;
        on_enough_stack(deep, || {
            let ascii = compile(&node.ascii, Some(MAX_ASCII_SIZE), WhichCaptures::None);
            let full = Full {
                source: node.full,
                regex: OnceLock::new(),
            };
            // Later there might be no stack for it.
            if deep {
                full.get();
            }
            Ok(Self {
                ascii: ascii.map_err(|_| Fault::TooLarge)?,
                full,
            })
        })
    }

    pub(super) fn is_match(&self, text: &str) -> bool {
        let regex = if text.is_ascii() {
            &self.ascii
        } else {
            self.full.get()
        };
        regex.is_match(text)
    }
}

impl Full {
    fn get(&self) -> &Regex {
        self.regex.get_or_init(|| {
            compile(&self.source, None, WhichCaptures::None)
                .expect("the cost is limited, so the states can be numbered")
        })
    }
}

/// Says what the version in a text is.
#[derive(Debug)]
pub(super) struct Captures {
    regex: Regex,
    /// How many groups capture a version.
    groups: u32,
}

impl Captures {
    pub(super) fn new(node: Node, groups: u32) -> Result<Self, Fault> {
        let deep = node.depth > MAX_CALLERS_DEPTH;
        let regex = on_enough_stack(deep, || {
            compile(&node.ascii, Some(MAX_ASCII_SIZE), WhichCaptures::All)
                .map_err(|_| Fault::TooLarge)
        });
        Ok(Self {
            regex: regex?,
            groups,
        })
    }

    pub(super) fn version<'t>(&self, text: &'t str) -> Option<&'t str> {
        if !text.is_ascii() {
            return None;
        }
        let mut slots: Slots = self.regex.create_captures();
        self.regex.search_captures(&Input::new(text), &mut slots);
        let mut groups = 1..=self.groups as usize;
        groups
            .find_map(|group| slots.get_group(group))
            .map(|span| &text[span.range()])
    }
}

fn compile(
    source: &Hir,
    limit: Option<usize>,
    captures: WhichCaptures,
) -> Result<Regex, BuildError> {
    let config = Regex::config()
        .nfa_size_limit(limit)
        .which_captures(captures);
    Regex::builder().configure(config).build_from_hir(source)
}

/// Runs `work` on a thread with a large stack if it goes deep.
fn on_enough_stack<T: Send>(
    deep: bool,
    work: impl FnOnce() -> Result<T, Fault> + Send,
) -> Result<T, Fault> {
    if !deep {
        return work();
    }
    thread::scope(|scope| {
        let builder = thread::Builder::new().stack_size(STACK);
        let worker = builder.spawn_scoped(scope, work);
        let worker = worker.map_err(|_| Fault::TooDeep)?;
        worker.join().unwrap_or(Err(Fault::TooDeep))
    })
}
