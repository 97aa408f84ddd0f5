//! Groups: what stands between parentheses, and at the outermost level.

use super::{
    error::{Fault, ParsePatternErrorKind as Kind},
    escape::Cursor,
    flags::Flags,
    node::Node,
};

/// A group that is not finished.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) kind: GroupKind,
    /// The flags in front of it, which hold again behind it.
    pub(super) flags: Flags,
    alternatives: Vec<Node>,
    sequence: Vec<Node>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GroupKind {
    /// Groups only: `(?:`.
    Plain,
    /// Would capture if anybody asked: `(`.
    Capture,
    /// Captures the version; has a number among such groups, from 1.
    Version(u32),
}

/// What an opening parenthesis begins.
pub(super) enum Opening<'a> {
    Capture {
        name: Option<&'a str>,
    },
    Plain(Flags),
    /// No group, but flags for the rest of this one.
    Flags(Flags),
}

impl Group {
    pub(super) fn new(kind: GroupKind, flags: Flags) -> Self {
        Self {
            kind,
            flags,
            alternatives: Vec::new(),
            sequence: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, node: Node) {
        self.sequence.push(node);
    }

    /// Takes off what a repetition would repeat.
    pub(super) fn pop(&mut self) -> Option<Node> {
        self.sequence.pop()
    }

    /// Ends an alternative.
    pub(super) fn alternative(&mut self) {
        let sequence = std::mem::take(&mut self.sequence);
        self.alternatives.push(Node::sequence(sequence));
    }

    /// Ends the group.
    pub(super) fn finish(mut self) -> Node {
        self.alternative();
        let node = Node::alternation(self.alternatives);
        match self.kind {
            GroupKind::Plain => node,
            GroupKind::Capture => node.grouped(None),
            GroupKind::Version(index) => node.grouped(Some(index)),
        }
    }
}

impl<'a> Cursor<'a> {
    /// Takes an opening parenthesis and what belongs to it.
    pub(super) fn opening(&mut self, flags: Flags) -> Result<Opening<'a>, Fault> {
        let start = self.at;
        if !self.eat("(?") {
            self.at += 1;
            return Ok(Opening::Capture { name: None });
        }
        let rest = self.rest();
        let named = |sign: &str| rest.starts_with(sign) && rest.len() > sign.len();
        if named("P<") || named("<") {
            self.at += if rest.starts_with('P') { 2 } else { 1 };
            return self.name(start);
        }
        self.flags(start, flags)
    }

    /// Takes the name of a group that began at `start`.
    fn name(&mut self, start: usize) -> Result<Opening<'a>, Fault> {
        let Some((name, _)) = self.rest().split_once('>') else {
            self.at = self.pattern.len();
            return Err(self.fault(Kind::InvalidNamedCapture, start));
        };
        self.at += name.len() + 1;
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || !name.bytes().all(letter) {
            return Err(self.fault(Kind::InvalidNamedCapture, start));
        }
        Ok(Opening::Capture { name: Some(name) })
    }

    /// Takes flags, and the colon or parenthesis that ends them.
    fn flags(&mut self, start: usize, mut flags: Flags) -> Result<Opening<'a>, Fault> {
        let mut on = true;
        let mut any = true;
        while let Some(letter) = self.next() {
            match letter {
                ':' if any => return Ok(Opening::Plain(flags)),
                ')' if any => return Ok(Opening::Flags(flags)),
                '-' if on => (on, any) = (false, false),
                _ => {
                    let known = u8::try_from(letter)
                        .ok()
                        .and_then(|letter| flags.set(letter, on));
                    if known.is_none() {
                        break;
                    }
                    any = true;
                }
            }
        }
        Err(self.fault(Kind::InvalidPerlOp, start))
    }
}
