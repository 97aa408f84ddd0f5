//! Flags, and what they make of a character.

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange, Look};

use super::node::Node;

/// Says how what follows is read. All are off at first.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "these are four switches")]
pub(super) struct Flags {
    /// `i`: upper and lower case are the same.
    pub(super) fold: bool,
    /// `m`: `^` and `$` match at lines.
    pub(super) lines: bool,
    /// `s`: `.` matches line ends, too.
    pub(super) dot_all: bool,
    /// `U`: repetitions take as little as possible.
    pub(super) lazy: bool,
}

impl Flags {
    /// Switches a flag; returns none if there is no such flag.
    pub(super) fn set(&mut self, letter: u8, on: bool) -> Option<()> {
        let flag = match letter {
            b'i' => &mut self.fold,
            b'm' => &mut self.lines,
            b's' => &mut self.dot_all,
            b'U' => &mut self.lazy,
            _ => return None,
        };
        *flag = on;
        Some(())
    }

    /// Returns what `^` matches.
    pub(super) fn start(self) -> Node {
        Node::look(if self.lines {
            Look::StartLF
        } else {
            Look::Start
        })
    }

    /// Returns what `$` matches: never before a line end at the end of the text.
    pub(super) fn end(self) -> Node {
        Node::look(if self.lines { Look::EndLF } else { Look::End })
    }

    /// Returns what `.` matches.
    pub(super) fn dot(self) -> Node {
        let mut class = ClassUnicode::new([ClassUnicodeRange::new('\0', char::MAX)]);
        if !self.dot_all {
            class.difference(&ClassUnicode::new([ClassUnicodeRange::new('\n', '\n')]));
        }
        Node::class(class)
    }
}
