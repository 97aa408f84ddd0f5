//! Escapes that stand for one character.

use super::error::{Fault, ParsePatternErrorKind as Kind};

/// A place in a pattern.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    pub(super) pattern: &'a str,
    pub(super) at: usize,
    /// Where the last `:]` is, if there is one: it decides what any `[:` means.
    pub(super) last_posix_end: Option<usize>,
}

impl<'a> Cursor<'a> {
    /// Points at the start of a pattern.
    pub(super) fn new(pattern: &'a str) -> Self {
        Self {
            pattern,
            at: 0,
            last_posix_end: pattern.rfind(":]"),
        }
    }

    pub(super) fn rest(self) -> &'a str {
        &self.pattern[self.at..]
    }

    pub(super) fn peek(self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Skips `text` if it comes next.
    pub(super) fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        self.at += if found { text.len() } else { 0 };
        found
    }

    /// Blames what stands between `start` and here.
    pub(super) fn fault(self, kind: Kind, start: usize) -> Fault {
        Fault::At(kind, start..self.at)
    }

    /// Takes the escape that comes next and returns the code point that it stands for,
    /// which need not be a character: `\x{D800}`.
    pub(super) fn escape(&mut self) -> Result<u32, Fault> {
        let start = self.at;
        self.at += 1;
        let Some(first) = self.next() else {
            return Err(Fault::At(Kind::TrailingBackslash, self.at..self.at));
        };
        let code = match first {
            '0' => Some(self.octal(0)),
            '1'..='7' if self.rest().starts_with(|next| matches!(next, '0'..='7')) => {
                Some(self.octal(u32::from(first) - u32::from('0')))
            }
            'x' => self.hexadecimal(),
            'a' => Some(0x07),
            'f' => Some(0x0c),
            'n' => Some(0x0a),
            'r' => Some(0x0d),
            't' => Some(0x09),
            'v' => Some(0x0b),
            _ => (first.is_ascii() && !first.is_ascii_alphanumeric()).then_some(first.into()),
        };
        code.ok_or_else(|| self.fault(Kind::InvalidEscape, start))
    }

    /// Takes up to two more octal digits.
    fn octal(&mut self, first: u32) -> u32 {
        let mut code = first;
        for _ in 0..2 {
            let Some(digit) = self.peek().and_then(|next| next.to_digit(8)) else {
                break;
            };
            self.at += 1;
            code = code * 8 + digit;
        }
        code
    }

    /// Takes two hexadecimal digits, or any number of them in braces.
    fn hexadecimal(&mut self) -> Option<u32> {
        let first = self.next()?;
        if first != '{' {
            let second = self.next()?;
            return Some(first.to_digit(16)? * 16 + second.to_digit(16)?);
        }
        let mut code = None;
        loop {
            match self.next()? {
                '}' => return code,
                digit => {
                    let digit = digit.to_digit(16)?;
                    let next = code.unwrap_or(0) * 16 + digit;
                    code = Some(next).filter(|&code| code <= u32::from(char::MAX));
                    code?;
                }
            }
        }
    }
}
