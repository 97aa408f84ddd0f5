//! Extended headers (POSIX pax): records that override fields of the entry that follows.

use std::collections::BTreeMap;

use crate::error::Error;

use super::sparse::{self, Region};
use super::time::Time;

/// What an extended header says. An empty value leaves the header's own in force, as
/// Go's reader has it.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    pub(super) mtime: Option<Time>,
    pub(super) atime: Option<Time>,
    pub(super) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) sparse: SparseRecords,
}

/// The three ways of pax to describe holes.
#[derive(Debug, Default)]
pub(super) struct SparseRecords {
    major: Option<u64>,
    minor: Option<u64>,
    /// The file's own name: `path` then is a stand-in for readers that know no holes.
    name: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    /// How many regions versions 0.0 and 0.1 promise.
    count: Option<u64>,
    /// Version 0.0 in pairs of records, 0.1 in one.
    numbers: Vec<u64>,
}

/// Where a map of regions is to be found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Map {
    /// In the records themselves: versions 0.0 and 0.1.
    Records(Vec<Region>),
    /// Before the content: version 1.0.
    Content,
}

impl SparseRecords {
    /// Returns the map; none for a file that is not sparse. What is sparse is decided as in
    /// Go's reader, and so is which records count then.
    pub(super) fn map(&self) -> Result<Option<Map>, Error> {
        match (self.major, self.minor) {
            (Some(1), Some(0)) => Ok(Some(Map::Content)),
            (None, None) if self.numbers.is_empty() => Ok(None),
            (None, None) | (Some(0), Some(0 | 1)) => self.regions().map(Map::Records).map(Some),
            _ => Err(Error::archive("sparse file of an unknown version")),
        }
    }

    /// Returns the name of a sparse file, if it has one of its own. Without a map some readers
    /// take the name and others do not.
    pub(super) fn name(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if self.map()?.is_none() && self.name.is_some() {
            return Err(Error::archive("name of a sparse file without a map"));
        }
        Ok(self.name.take())
    }

    fn regions(&self) -> Result<Vec<Region>, Error> {
        let (pairs, rest) = self.numbers.as_chunks::<2>();
        if !rest.is_empty() || self.count != Some(pairs.len() as u64) {
            return Err(Error::archive(
                "sparse map has another number of regions than it says",
            ));
        }
        sparse::within_limit(pairs.len())?;
        let regions = pairs.iter();
        Ok(regions
            .map(|&[offset, length]| Region { offset, length })
            .collect())
    }

    /// Takes one number of version 0.0, where an offset and a length take turns.
    fn push(&mut self, value: &[u8], is_offset: bool) -> Result<(), Error> {
        if self.numbers.len().is_multiple_of(2) != is_offset {
            return Err(Error::archive("sparse map has its numbers out of order"));
        }
        self.numbers.push(decimal(value, "sparse map")?);
        Ok(())
    }
}

impl Extensions {
    /// Reads the records of one extended header: `LENGTH KEY=VALUE\n`, the length
    /// counting the whole record, the value being any bytes.
    pub(super) fn parse(mut records: &[u8]) -> Result<Self, Error> {
        let mut extensions = Self::default();
        while !records.is_empty() {
            let (key, value, rest) =
                record(records).ok_or_else(|| Error::archive("malformed extended header"))?;
            extensions.set(key, value)?;
            records = rest;
        }
        Ok(extensions)
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
            self.xattrs.insert(name.to_owned(), value.to_owned());
            return Ok(());
        }
        if value.is_empty() {
            self.forget(key);
            return Ok(());
        }
        match key {
            b"path" => self.path = Some(text(value, "path")?),
            b"GNU.sparse.name" => self.sparse.name = Some(text(value, "sparse name")?),
            b"linkpath" => self.link = Some(text(value, "linkpath")?),
            b"size" => self.size = Some(decimal(value, "size")?),
            b"uid" => self.uid = Some(decimal(value, "uid")?),
            b"gid" => self.gid = Some(decimal(value, "gid")?),
            b"mtime" => self.mtime = Some(time(value, "mtime")?),
            b"atime" => self.atime = Some(time(value, "atime")?),
            b"GNU.sparse.major" => self.sparse.major = Some(decimal(value, "sparse version")?),
            b"GNU.sparse.minor" => self.sparse.minor = Some(decimal(value, "sparse version")?),
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => {
                self.sparse.size = Some(decimal(value, "sparse size")?);
            }
            b"GNU.sparse.numblocks" => self.sparse.count = Some(decimal(value, "sparse map")?),
            b"GNU.sparse.offset" => self.sparse.push(value, true)?,
            b"GNU.sparse.numbytes" => self.sparse.push(value, false)?,
            b"GNU.sparse.map" => {
                let numbers = value.split(|&byte| byte == b',');
                self.sparse.numbers = numbers
                    .map(|number| decimal(number, "sparse map"))
                    .collect::<Result<_, _>>()?;
            }
            _ => {}
        }
        Ok(())
    }
}

impl Extensions {
    /// Takes an empty value as Go does: the header's own holds again, also where an earlier
    /// record had overridden it. Two readers that disagree here about a size see two archives.
    fn forget(&mut self, key: &[u8]) {
        match key {
            b"path" => self.path = None,
            b"linkpath" => self.link = None,
            b"size" => self.size = None,
            b"uid" => self.uid = None,
            b"gid" => self.gid = None,
            b"mtime" => self.mtime = None,
            b"atime" => self.atime = None,
            _ => {}
        }
    }
}

/// Splits the first record off: its key, its value and what follows it.
fn record(records: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = records.iter().take(20).position(|&byte| byte == b' ')?;
    let length = digits(&records[..space])?.try_into().ok()?;
    let (record, rest) = records.split_at_checked(length)?;
    let body = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|&byte| byte == b'=')?;
    let (key, value) = (&body[..equals], &body[equals + 1..]);
    (!key.is_empty() && !key.contains(&0)).then_some((key, value, rest))
}

fn text(value: &[u8], name: &str) -> Result<Vec<u8>, Error> {
    if value.contains(&0) {
        return Err(Error::archive(format!(
            "extended header's {name} holds a NUL"
        )));
    }
    Ok(value.to_owned())
}

fn decimal(value: &[u8], name: &str) -> Result<u64, Error> {
    digits(value).ok_or_else(|| Error::archive(format!("extended header has no valid {name}")))
}

fn time(value: &[u8], name: &str) -> Result<Time, Error> {
    Time::parse(value).ok_or_else(|| Error::archive(format!("extended header has no valid {name}")))
}

/// Reads a number of digits alone, at most 2^63 - 1.
pub(super) fn digits(text: &[u8]) -> Option<u64> {
    let all = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let number: i64 = std::str::from_utf8(text)
        .ok()
        .filter(|_| all)?
        .parse()
        .ok()?;
    number.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::{Extensions, Map};
    use crate::tar::sparse::Region;

    #[test]
    fn values_are_bytes_and_lengths_are_exact() {
        let parsed = Extensions::parse(b"27 SCHILY.xattr.user.a=1\n2\n11 path=a\n")
            .map(|it| (it.xattrs, it.path));
        assert!(parsed.is_err(), "a record that is one byte too long");
        let parsed = Extensions::parse(b"28 SCHILY.xattr.user.a=1\n\x002\n10 path=a\n")
            .expect("well-formed");
        assert_eq!(parsed.xattrs[&b"user.a"[..]], b"1\n\x002");
        assert_eq!(parsed.path.as_deref(), Some(&b"a"[..]));
    }

    #[test]
    fn an_empty_value_takes_the_earlier_one_back() {
        let records = b"11 size=12\n8 size=\n10 path=a\n8 path=\n10 path=b\n";
        let parsed = Extensions::parse(records).expect("well-formed");
        assert_eq!(parsed.size, None);
        assert_eq!(parsed.path.as_deref(), Some(&b"b"[..]));
    }

    #[test]
    fn malformed_records_are_refused() {
        let malformed: [&[u8]; 9] = [
            b"10 path=a",
            b"1",
            b"0 ",
            b"99999999999999999999999 path=a\n",
            b"7 path\n",
            b"6 =a\n",
            b"+10 path=a\n",
            b"10 size=-\n",
            b"11 path=\0a\n",
        ];
        for records in malformed {
            assert!(
                Extensions::parse(records).is_err(),
                "{}",
                records.escape_ascii()
            );
        }
    }

    /// Records, without what their keys have in common, and what they say.
    type Case = (
        &'static [(&'static str, &'static str)],
        Result<Option<Map>, ()>,
    );

    #[test]
    fn maps_say_what_they_are() {
        let region = |offset, length| Region { offset, length };
        let cases: [Case; 11] = [
            (&[], Ok(None)),
            (&[("name", "a"), ("size", "7")], Ok(None)),
            (&[("major", "1"), ("minor", "0")], Ok(Some(Map::Content))),
            (&[("major", "2"), ("minor", "0")], Err(())),
            (&[("major", "1")], Err(())),
            (
                &[("numblocks", "2"), ("map", "0,1,5,2")],
                Ok(Some(Map::Records(vec![region(0, 1), region(5, 2)]))),
            ),
            (&[("numblocks", "1"), ("map", "0,1,5,2")], Err(())),
            (&[("map", "0,1")], Err(())),
            (&[("numblocks", "1"), ("map", "0")], Err(())),
            (
                &[("numblocks", "1"), ("offset", "3"), ("numbytes", "4")],
                Ok(Some(Map::Records(vec![region(3, 4)]))),
            ),
            (
                &[("numblocks", "1"), ("numbytes", "4"), ("offset", "3")],
                Err(()),
            ),
        ];
        for (records, expected) in cases {
            let mut extensions = Extensions::default();
            let outcome = records
                .iter()
                .try_for_each(|(key, value)| {
                    let key = format!("GNU.sparse.{key}");
                    extensions.set(key.as_bytes(), value.as_bytes())
                })
                .and_then(|()| extensions.sparse.map());
            assert_eq!(outcome.map_err(drop), expected, "{records:?}");
        }
    }
}
