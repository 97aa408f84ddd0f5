//! The fields of one header block.

use tar::Header;

use crate::error::Error;

use super::blocks::Block;
use super::number::{cut_at_nul, number, unsigned};
use super::pax::Extensions;
use super::time::Time;
use super::{Attributes, Kind};

/// Checks the header's sum, which some programs have taken over signed bytes.
pub(super) fn verify_checksum(block: &Block) -> Result<(), Error> {
    let stated = number(&block[148..156], "checksum")?;
    let counted = |index: usize| {
        if (148..156).contains(&index) {
            b' '
        } else {
            block[index]
        }
    };
    let unsigned: i64 = (0..block.len())
        .map(|index| i64::from(counted(index)))
        .sum();
    if stated == unsigned {
        return Ok(());
    }
    let signed: i64 = (0..block.len())
        .map(|index| i64::from(counted(index).cast_signed()))
        .sum();
    if stated == signed {
        Ok(())
    } else {
        Err(Error::archive(
            "header has a wrong checksum, or this is no archive",
        ))
    }
}

/// Returns the size of the content that follows.
pub(super) fn size(header: &Header) -> Result<u64, Error> {
    unsigned(&header.as_old().size, "size")
}

/// Returns the size of a file in the old GNU sparse format, holes included.
pub(super) fn sparse_size(header: &Header) -> Result<u64, Error> {
    let header = header
        .as_gnu()
        .ok_or_else(|| Error::archive("sparse file without a GNU header"))?;
    unsigned(&header.realsize, "sparse size")
}

/// Returns the name, of which POSIX keeps the beginning in a field of its own.
pub(super) fn path(header: &Header) -> Vec<u8> {
    let name = cut_at_nul(&header.as_old().name);
    let prefix = prefix(header);
    if prefix.is_empty() {
        return name.to_owned();
    }
    [prefix, name].join(&b'/')
}

fn prefix(header: &Header) -> &[u8] {
    // star's headers say so at their very end, and keep times where the prefix would end.
    let is_star = header.as_bytes()[508..] == *b"tar\0";
    match header.as_ustar() {
        Some(ustar) if is_star => cut_at_nul(&ustar.prefix[..131]),
        Some(ustar) => cut_at_nul(&ustar.prefix),
        None => &[],
    }
}

/// Returns the target of a link.
pub(super) fn link(header: &Header) -> Vec<u8> {
    cut_at_nul(&header.as_old().linkname).to_owned()
}

/// Returns everything else that is said of an entry, an extended header's word first.
pub(super) fn attributes(header: &Header, pax: Extensions) -> Result<Attributes, Error> {
    let fields = header.as_old();
    let mode = unsigned(&fields.mode, "mode")?;
    let mtime = match pax.mtime {
        Some(mtime) => mtime,
        None => Time::from_seconds(number(&fields.mtime, "mtime")?),
    };
    Ok(Attributes {
        // What lies above, type bits by some programs, says nothing that the flag does not.
        mode: u32::try_from(mode & 0o7777).expect("twelve bits"),
        uid: pax.uid.map_or_else(|| unsigned(&fields.uid, "uid"), Ok)?,
        gid: pax.gid.map_or_else(|| unsigned(&fields.gid, "gid"), Ok)?,
        mtime,
        atime: pax.atime,
        xattrs: pax.xattrs,
    })
}

/// Reads a device's numbers.
pub(super) fn device(header: &Header, block: bool) -> Result<Kind, Error> {
    let bytes = header.as_bytes();
    let field = |range: std::ops::Range<usize>, name| {
        let number = unsigned(&bytes[range], name)?;
        number
            .try_into()
            .map_err(|_| Error::archive(format!("header has no valid {name}")))
    };
    // Before ustar there were none.
    if header.as_ustar().is_none() && header.as_gnu().is_none() {
        return Ok(Kind::Device {
            block,
            major: 0,
            minor: 0,
        });
    }
    Ok(Kind::Device {
        block,
        major: field(329..337, "device number")?,
        minor: field(337..345, "device number")?,
    })
}
