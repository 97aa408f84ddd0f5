//! Compiled patterns.

use std::sync::OnceLock;

use regex_automata::{
    Input,
    meta::{Config, Regex},
    nfa::thompson::WhichCaptures,
    util::captures::Captures as Slots,
};
use regex_syntax::hir::Hir;

use super::{error::Fault, node::Node, stack};

/// The most bytes that a program for ASCII text may take.
const MAX_ASCII_SIZE: usize = 64 << 20;

/// The most bytes that a program which captures may take. A search keeps two places for
/// each group in each of its states, twice; so this is lower.
const MAX_CAPTURES_SIZE: usize = 2 << 20;

/// The most groups that may capture a version, for the same reason. With all of them, a
/// search takes up to 50 MiB.
const MAX_VERSION_GROUPS: u32 = 16;

/// The greatest cost at which matching keeps what it has found out about a pattern, in a
/// cache. Beyond, the cache would be large, and of little use because most is new.
const MAX_CACHED_COST: usize = 1 << 19;

/// The least that the cache may take.
const MIN_CACHE_SIZE: usize = 2 << 20;

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
    cost: u64,
    regex: OnceLock<Regex>,
}

impl Program {
    /// Compiles a pattern, on a stack that suffices for it.
    pub(super) fn new(node: Node) -> Result<Self, Fault> {
        let levels = stack::levels(&node.full)?.max(stack::levels(&node.ascii)?);
        let config = config(node.cost, WhichCaptures::None);
        let ascii = build(&node.ascii, config.nfa_size_limit(Some(MAX_ASCII_SIZE)));
        let full = Full {
            source: node.full,
            cost: node.cost,
            regex: OnceLock::new(),
        };
        // Later the stack might not suffice.
        if levels > stack::MAX_CALLERS_LEVELS {
            full.get();
        }
        Ok(Self {
            ascii: ascii?,
            full,
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
            let config = config(self.cost, WhichCaptures::None);
            build(&self.source, config.nfa_size_limit(None))
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
    /// Compiles a pattern, on a stack that suffices for it.
    pub(super) fn new(node: &Node, groups: u32) -> Result<Self, Fault> {
        if groups > MAX_VERSION_GROUPS {
            return Err(Fault::TooLarge);
        }
        stack::levels(&node.ascii)?;
        let config = config(node.cost, WhichCaptures::All);
        let regex = build(&node.ascii, config.nfa_size_limit(Some(MAX_CAPTURES_SIZE)));
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

fn build(source: &Hir, config: Config) -> Result<Regex, Fault> {
    let regex = Regex::builder().configure(config).build_from_hir(source);
    regex.map_err(|_| Fault::TooLarge)
}

/// Decides about the cache, in which a state of the lazy DFA is a list of states. One that
/// does not fit would make it call itself for ever, so there is room for several: all
/// states are not more than twice the cost, and each takes up to 5 bytes in a list.
fn config(cost: u64, captures: WhichCaptures) -> Config {
    let cached = usize::try_from(cost)
        .ok()
        .filter(|&cost| cost <= MAX_CACHED_COST);
    let capacity = MIN_CACHE_SIZE + 64 * cached.unwrap_or(0);
    Regex::config()
        .which_captures(captures)
        .hybrid(cached.is_some())
        .hybrid_cache_capacity(capacity)
}
