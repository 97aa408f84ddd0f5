//! Finished parts of a pattern.

use regex_syntax::{
    hir::{Capture, Class, ClassUnicode, ClassUnicodeRange, Hir, Look, Repetition},
    utf8::Utf8Sequences,
};

use super::{repeat::Count, unicode};

/// A finished part of a pattern, in two forms, with what limits depend on.
#[derive(Debug)]
pub(super) struct Node {
    /// What matches any text.
    pub(super) full: Hir,
    /// What matches the same among ASCII texts, and captures versions.
    pub(super) ascii: Hir,
    kind: Kind,
    /// How many parts are within each other here.
    pub(super) depth: u32,
    /// How often something is repeated in here, counts within counts multiplied.
    pub(super) repeats: u32,
    /// At least the number of transitions that the full form compiles to.
    pub(super) cost: u64,
}

/// Tells sequences and alternations apart, which do not nest in themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Literal { folded: bool },
    Sequence,
    Alternation,
    Other,
}

impl Node {
    fn leaf(full: Hir, ascii: Hir, cost: u64) -> Self {
        Self {
            full,
            ascii,
            kind: Kind::Other,
            depth: 1,
            repeats: 1,
            cost,
        }
    }

    /// Matches one character. One that no text can have is 'matched' by nothing.
    pub(super) fn literal(character: Option<char>, folded: bool) -> Self {
        let mut node = match character {
            Some(character) if folded => {
                let mut class = ClassUnicode::new([ClassUnicodeRange::new(character, character)]);
                fold(&mut class);
                Self::class(class)
            }
            Some(character) => {
                let text = character.encode_utf8(&mut [0; 4]).as_bytes().to_vec();
                let ascii = if character.is_ascii() {
                    Hir::literal(text.clone())
                } else {
                    Hir::fail()
                };
                Self::leaf(Hir::literal(text), ascii, 4)
            }
            None => Self::leaf(Hir::fail(), Hir::fail(), 1),
        };
        node.kind = Kind::Literal { folded };
        node
    }

    /// Matches one character of a class.
    pub(super) fn class(class: ClassUnicode) -> Self {
        let sequences = class
            .iter()
            .flat_map(|range| Utf8Sequences::new(range.start(), range.end()));
        let cost = sequences
            .map(|sequence| sequence.len() as u64 + 1)
            .sum::<u64>()
            + 1;
        let mut ascii = class.clone();
        ascii.intersect(&ClassUnicode::new([ClassUnicodeRange::new('\0', '\x7f')]));
        Self::leaf(
            Hir::class(Class::Unicode(class)),
            Hir::class(Class::Unicode(ascii)),
            cost,
        )
    }

    /// Matches a place.
    pub(super) fn look(look: Look) -> Self {
        Self::leaf(Hir::look(look), Hir::look(look), 1)
    }

    /// Matches parts one after the other.
    pub(super) fn sequence(parts: Vec<Self>) -> Self {
        let kind = match parts.first().map(|part| part.kind) {
            Some(kind @ Kind::Literal { .. }) if parts.iter().all(|part| part.kind == kind) => kind,
            _ => Kind::Sequence,
        };
        Self::join(parts, kind, Hir::concat)
    }

    /// Matches one of the parts.
    pub(super) fn alternation(parts: Vec<Self>) -> Self {
        Self::join(parts, Kind::Alternation, Hir::alternation)
    }

    fn join(mut parts: Vec<Self>, kind: Kind, join: fn(Vec<Hir>) -> Hir) -> Self {
        if parts.len() == 1
            && let Some(part) = parts.pop()
        {
            return part;
        }
        let depth = parts.iter().map(|part| match part.kind {
            same if same == kind => part.depth,
            _ => part.depth + 1,
        });
        let depth = depth.max().unwrap_or(1);
        let repeats = parts.iter().map(|part| part.repeats).max().unwrap_or(1);
        let cost = parts.iter().fold(1, |sum: u64, part| {
            sum.saturating_add(part.cost).saturating_add(1)
        });
        let (full, ascii) = parts
            .into_iter()
            .map(|part| (part.full, part.ascii))
            .unzip();
        Self {
            full: join(full),
            ascii: join(ascii),
            kind,
            depth,
            repeats,
            cost,
        }
    }

    /// Matches the part several times; as often as possible if `greedy`.
    pub(super) fn repeated(self, count: Count, greedy: bool) -> Self {
        let repetition = |sub| {
            Hir::repetition(Repetition {
                min: count.min,
                max: count.max,
                greedy,
                sub: Box::new(sub),
            })
        };
        let copies = u64::from(count.max.unwrap_or(count.min)).max(1);
        Self {
            full: repetition(self.full),
            ascii: repetition(self.ascii),
            kind: Kind::Other,
            depth: self.depth + 1,
            repeats: count.factor(self.repeats),
            cost: self.cost.saturating_add(2).saturating_mul(copies),
        }
    }

    /// Surrounds the part with a group; `capture` is its number among those that are
    /// captured.
    pub(super) fn grouped(self, capture: Option<u32>) -> Self {
        let ascii = match capture {
            Some(index) => Hir::capture(Capture {
                index,
                name: None,
                sub: Box::new(self.ascii),
            }),
            None => self.ascii,
        };
        Self {
            ascii,
            kind: Kind::Other,
            depth: self.depth + 1,
            ..self
        }
    }
}

/// Adds what differs only in case.
///
/// Folding looks at one character after the other, so it is spared those that have no case.
pub(super) fn fold(class: &mut ClassUnicode) {
    let mut cased = class.clone();
    cased.intersect(unicode::cased());
    cased
        .try_case_fold_simple()
        .expect("the tables for case folding are built in");
    class.union(&cased);
}
