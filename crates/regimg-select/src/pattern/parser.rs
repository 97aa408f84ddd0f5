//! The parser, one token after the other; groups are on a stack of its own.

use regex_syntax::hir::Look;

use super::{
    VersionPattern,
    error::{Fault, ParsePatternErrorKind as Kind},
    escape::Cursor,
    flags::Flags,
    group::{Group, GroupKind, Opening},
    node::Node,
    repeat::Count,
};

/// How deeply parts may be within each other.
const MAX_DEPTH: u32 = 1000;

/// The greatest cost of a pattern. Compiled for all text, each transition takes 8 bytes,
/// and at worst a state of its own of 24 bytes.
const MAX_COST: u64 = 16 << 20;

/// The cost of a part while the pattern is read: about 400 bytes, whatever it compiles to.
const PART_COST: u64 = 64;

/// A pattern that was read.
pub(super) struct Parsed {
    pub(super) node: Node,
    /// How many groups capture a version.
    pub(super) version_groups: u32,
}

/// Reads a pattern.
pub(super) fn parse(pattern: &str) -> Result<Parsed, Fault> {
    let mut parser = Parser {
        cursor: Cursor::new(pattern),
        flags: Flags::default(),
        open: Vec::new(),
        group: Group::new(GroupKind::Plain, Flags::default()),
        repetition: None,
        cost: 0,
        version_groups: 0,
    };
    while let Some(next) = parser.cursor.peek() {
        parser.token(next)?;
    }
    parser.finish()
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    flags: Flags,
    /// The groups around the current one, outermost first.
    open: Vec<Group>,
    group: Group,
    /// Where the token just before began, if it was a repetition.
    repetition: Option<usize>,
    /// What all characters, classes and places read so far cost.
    cost: u64,
    version_groups: u32,
}

impl Parser<'_> {
    fn token(&mut self, next: char) -> Result<(), Fault> {
        let repetition = self.repetition.take();
        match next {
            '(' => self.open(),
            ')' => self.close(),
            '|' => {
                self.cursor.at += 1;
                self.group.alternative();
                self.charge(PART_COST)
            }
            '^' => self.single(self.flags.start()),
            '$' => self.single(self.flags.end()),
            '.' => self.single(self.flags.dot()),
            '[' => {
                let class = self.cursor.brackets(self.flags.fold)?;
                self.leaf(Node::class(class))
            }
            '\\' => self.backslash(),
            _ => match Count::of_prefix(self.cursor.rest()) {
                Some((count, length)) => self.repeat(count, length, repetition),
                None => self.single(Node::literal(Some(next), self.flags.fold)),
            },
        }
    }

    fn push(&mut self, node: Node) -> Result<(), Fault> {
        if node.depth > MAX_DEPTH {
            return Err(Fault::TooDeep);
        }
        self.group.push(node);
        Ok(())
    }

    /// Takes the next character, which stands for `node`.
    fn single(&mut self, node: Node) -> Result<(), Fault> {
        self.cursor.next();
        self.leaf(node)
    }

    /// Adds a part that has no parts itself.
    fn leaf(&mut self, node: Node) -> Result<(), Fault> {
        self.charge(node.cost)?;
        self.push(node)
    }

    /// Counts what has been read, so that a huge pattern is refused before it takes much
    /// memory. What repetitions multiply is counted in the end.
    fn charge(&mut self, cost: u64) -> Result<(), Fault> {
        self.cost = self.cost.saturating_add(cost.max(PART_COST));
        if self.cost > MAX_COST {
            return Err(Fault::TooLarge);
        }
        Ok(())
    }

    fn open(&mut self) -> Result<(), Fault> {
        let (kind, flags) = match self.cursor.opening(self.flags)? {
            Opening::Flags(flags) => {
                self.flags = flags;
                return Ok(());
            }
            Opening::Plain(flags) => (GroupKind::Plain, flags),
            Opening::Capture {
                name: Some(VersionPattern::GROUP),
            } => {
                self.version_groups += 1;
                (GroupKind::Version(self.version_groups), self.flags)
            }
            Opening::Capture { .. } => (GroupKind::Capture, self.flags),
        };
        let group = Group::new(kind, self.flags);
        self.flags = flags;
        self.open.push(std::mem::replace(&mut self.group, group));
        self.charge(PART_COST)
    }

    fn close(&mut self) -> Result<(), Fault> {
        let Some(outer) = self.open.pop() else {
            let whole = 0..self.cursor.pattern.len();
            return Err(Fault::At(Kind::UnexpectedParen, whole));
        };
        self.cursor.at += 1;
        let group = std::mem::replace(&mut self.group, outer);
        self.flags = group.flags;
        self.push(group.finish())
    }

    fn repeat(
        &mut self,
        count: Result<Count, Kind>,
        length: usize,
        before: Option<usize>,
    ) -> Result<(), Fault> {
        let start = self.cursor.at;
        self.cursor.at += length;
        let count = count.map_err(|kind| self.cursor.fault(kind, start))?;
        let lazy = self.cursor.eat("?");
        if let Some(before) = before {
            return Err(self.cursor.fault(Kind::InvalidRepeatOp, before));
        }
        let fault = |cursor: Cursor<'_>, kind| cursor.fault(kind, start);
        let node = self.group.pop();
        let node = node.ok_or_else(|| fault(self.cursor, Kind::MissingRepeatArgument))?;
        if !count.allows(node.repeats) {
            return Err(fault(self.cursor, Kind::InvalidRepeatSize));
        }
        self.repetition = Some(start);
        self.charge(PART_COST)?;
        self.push(node.repeated(count, lazy == self.flags.lazy))
    }

    fn backslash(&mut self) -> Result<(), Fault> {
        let look = match self.cursor.rest().as_bytes().get(1) {
            Some(b'A') => Look::Start,
            Some(b'z') => Look::End,
            Some(b'b') => Look::WordAscii,
            Some(b'B') => Look::WordAsciiNegate,
            Some(b'Q') => return self.quoted(),
            _ => return self.escaped(),
        };
        self.cursor.at += 2;
        self.leaf(Node::look(look))
    }

    /// Takes `\Q`, and what stands for itself up to `\E` or the end.
    fn quoted(&mut self) -> Result<(), Fault> {
        self.cursor.at += 2;
        let rest = self.cursor.rest();
        let (text, end) = rest
            .split_once(r"\E")
            .map_or((rest, 0), |(text, _)| (text, 2));
        self.cursor.at += text.len() + end;
        let mut characters = text.chars();
        characters
            .try_for_each(|character| self.leaf(Node::literal(Some(character), self.flags.fold)))
    }

    fn escaped(&mut self) -> Result<(), Fault> {
        let node = match self.cursor.class_escape(self.flags.fold)? {
            Some(class) => Node::class(class),
            None => Node::literal(char::from_u32(self.cursor.escape()?), self.flags.fold),
        };
        self.leaf(node)
    }

    fn finish(self) -> Result<Parsed, Fault> {
        if !self.open.is_empty() {
            let whole = 0..self.cursor.pattern.len();
            return Err(Fault::At(Kind::MissingParen, whole));
        }
        let node = self.group.finish();
        if node.depth > MAX_DEPTH {
            return Err(Fault::TooDeep);
        }
        if node.cost > MAX_COST {
            return Err(Fault::TooLarge);
        }
        Ok(Parsed {
            node,
            version_groups: self.version_groups,
        })
    }
}
