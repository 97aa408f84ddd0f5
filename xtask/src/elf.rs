//! Reads of an executable what says whether it stands alone.
//!
//! Offsets and numbers are those of the System V ABI, chapter 4 ("Object Files") and 5
//! ("Program Loading"), for 64-bit little-endian files: `x86_64` and `aarch64`.

use anyhow::{Context, bail, ensure};

const PT_INTERP: u32 = 3;
const SHT_SYMTAB: u32 = 2;

/// What an ELF executable asks of the machine that runs it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Executable {
    /// Names a dynamic linker, so it needs shared libraries.
    pub(crate) has_interpreter: bool,
    /// Carries the symbol table that `strip` removes.
    pub(crate) has_symbols: bool,
}

impl Executable {
    /// Reads the program and section headers.
    ///
    /// # Errors
    ///
    /// The bytes are no 64-bit little-endian ELF file, or they are cut.
    pub(crate) fn parse(bytes: &[u8]) -> anyhow::Result<Self> {
        ensure!(bytes.starts_with(b"\x7fELF"), "not an ELF file");
        ensure!(
            bytes.get(4..6) == Some(&[2, 1]),
            "not a 64-bit little-endian ELF file"
        );
        // e_phoff, e_phentsize, e_phnum; e_shoff, e_shentsize, e_shnum. The type is the
        // first word of a program header and the second of a section header.
        let segments = Table {
            start: u64_at(bytes, 32)?,
            entry: u16_at(bytes, 54)?,
            count: u16_at(bytes, 56)?,
        };
        let sections = Table {
            start: u64_at(bytes, 40)?,
            entry: u16_at(bytes, 58)?,
            count: u16_at(bytes, 60)?,
        };
        ensure!(segments.count > 0, "no program headers: not an executable");
        Ok(Self {
            has_interpreter: segments.holds(bytes, 0, PT_INTERP)?,
            has_symbols: sections.holds(bytes, 4, SHT_SYMTAB)?,
        })
    }

    /// Checks that the file needs nothing but a kernel and holds no symbols.
    pub(crate) fn ensure_static_and_stripped(&self) -> anyhow::Result<()> {
        if self.has_interpreter {
            bail!("the binary is linked dynamically: it names an interpreter (PT_INTERP)");
        }
        if self.has_symbols {
            bail!("the binary is not stripped: it has a symbol table (SHT_SYMTAB)");
        }
        Ok(())
    }
}

/// A table of headers.
struct Table {
    start: u64,
    entry: u16,
    count: u16,
}

impl Table {
    /// Looks for an entry whose 32-bit field at `offset` has a value.
    fn holds(&self, bytes: &[u8], offset: u64, value: u32) -> anyhow::Result<bool> {
        for index in 0..u64::from(self.count) {
            let field = index
                .checked_mul(u64::from(self.entry))
                .and_then(|distance| self.start.checked_add(distance)?.checked_add(offset))
                .context("a header table beyond 2^64")?;
            if u32::from_le_bytes(array_at(bytes, field)?) == value {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn u16_at(bytes: &[u8], offset: u64) -> anyhow::Result<u16> {
    array_at(bytes, offset).map(u16::from_le_bytes)
}

fn u64_at(bytes: &[u8], offset: u64) -> anyhow::Result<u64> {
    array_at(bytes, offset).map(u64::from_le_bytes)
}

fn array_at<const N: usize>(bytes: &[u8], offset: u64) -> anyhow::Result<[u8; N]> {
    let rest = usize::try_from(offset)
        .ok()
        .and_then(|offset| bytes.get(offset..));
    rest.and_then(|rest| rest.first_chunk())
        .copied()
        .context("the ELF file is cut")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lays out a header, one program header and one section header.
    fn file(segment: u32, section: u32) -> Vec<u8> {
        let mut file = vec![0; 64 + 56 + 64];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[32..40].copy_from_slice(&64u64.to_le_bytes());
        file[40..48].copy_from_slice(&120u64.to_le_bytes());
        for (offset, value) in [(54, 56u16), (56, 1), (58, 64), (60, 1)] {
            file[offset..offset + 2].copy_from_slice(&value.to_le_bytes());
        }
        file[64..68].copy_from_slice(&segment.to_le_bytes());
        file[124..128].copy_from_slice(&section.to_le_bytes());
        file
    }

    #[track_caller]
    fn check(file: &[u8], expected: &str) {
        let verdict =
            Executable::parse(file).and_then(|executable| executable.ensure_static_and_stripped());
        let actual = verdict
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        assert_eq!(actual, expected);
    }

    #[test]
    fn only_a_static_and_stripped_file_passes() {
        check(&file(1, 3), "");
        check(
            &file(PT_INTERP, 3),
            "the binary is linked dynamically: it names an interpreter (PT_INTERP)",
        );
        check(
            &file(1, SHT_SYMTAB),
            "the binary is not stripped: it has a symbol table (SHT_SYMTAB)",
        );
    }

    #[test]
    fn other_files_are_refused() {
        check(b"#!/bin/sh\n", "not an ELF file");
        check(b"\x7fELF\x01\x01", "not a 64-bit little-endian ELF file");
        check(&file(1, 3)[..100], "the ELF file is cut");
        check(&file(1, 3)[..40], "the ELF file is cut");
        let mut far = file(1, 3);
        far[32..40].copy_from_slice(&u64::MAX.to_le_bytes());
        check(&far, "the ELF file is cut");
    }

    #[test]
    fn this_test_runs_from_an_executable_with_symbols() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(Executable::parse(&bytes).unwrap().has_symbols);
    }
}
