//! One tar entry as bytes: the header, extended headers where they are needed, and the data.

use super::BLOCK;

/// 2020-01-01T00:00:00Z: neither the start of time nor now, so that a lost mtime shows.
const DEFAULT_MTIME: &str = "1577836800";

/// How names, numbers and attributes that do not fit the header are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Pax,
    Gnu,
    V7,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) kind: u8,
    pub(super) path: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) mode: u32,
    pub(super) owner: (u64, u64),
    pub(super) owner_names: (Vec<u8>, Vec<u8>),
    pub(super) device: (u64, u64),
    /// Seconds as they were written, perhaps with a sign or a fraction.
    pub(super) mtime: String,
    pub(super) data: Vec<u8>,
    pub(super) records: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) format: Format,
    pub(super) header_size: Option<u64>,
    pub(super) checksum: Option<u64>,
    /// Bytes of the header that are to be these, and where they begin.
    pub(super) patches: Vec<(usize, Vec<u8>)>,
}

impl Entry {
    pub(super) fn new(kind: u8, path: Vec<u8>) -> Self {
        Self {
            kind,
            path,
            link: Vec::new(),
            mode: default_mode(kind),
            owner: (0, 0),
            owner_names: (Vec::new(), Vec::new()),
            device: (0, 0),
            mtime: DEFAULT_MTIME.to_owned(),
            data: Vec::new(),
            records: Vec::new(),
            format: Format::Pax,
            header_size: None,
            checksum: None,
            patches: Vec::new(),
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self.format {
            Format::Pax => self.encode_pax_records(&mut out),
            Format::Gnu => self.encode_gnu_names(&mut out),
            Format::V7 => {}
        }
        out.extend(self.header());
        append_padded(&mut out, &self.data);
        out
    }

    fn encode_pax_records(&self, out: &mut Vec<u8>) {
        let mut records = self.records.clone();
        let mut add = |key: &str, value: Vec<u8>| records.push((key.into(), value));
        if self.path.len() > 100 {
            add("path", self.path.clone());
        }
        if self.link.len() > 100 {
            add("linkpath", self.link.clone());
        }
        for (key, id) in [("uid", self.owner.0), ("gid", self.owner.1)] {
            if id > 0o7_777_777 {
                add(key, id.to_string().into());
            }
        }
        if self.whole_seconds().is_none() {
            add("mtime", self.mtime.clone().into());
        }
        if !records.is_empty() {
            out.extend(extended_header(b'x', &records));
        }
    }

    fn encode_gnu_names(&self, out: &mut Vec<u8>) {
        for (kind, name) in [(b'L', &self.path), (b'K', &self.link)] {
            if name.len() > 100 {
                let data = [name, &b"\0"[..]].concat();
                let long = Self {
                    data,
                    format: Format::Gnu,
                    ..Self::new(kind, "././@LongLink".into())
                };
                out.extend(long.encode());
            }
        }
    }

    /// The time when an octal field of eleven digits can hold it.
    fn whole_seconds(&self) -> Option<u64> {
        self.mtime.parse().ok().filter(|&seconds| seconds < 1 << 33)
    }

    fn header(&self) -> [u8; BLOCK] {
        let mut header = [0; BLOCK];
        text(&mut header[0..100], &self.path);
        octal(&mut header[100..108], u64::from(self.mode));
        octal(&mut header[108..116], self.owner.0 & 0o7_777_777);
        octal(&mut header[116..124], self.owner.1 & 0o7_777_777);
        octal(
            &mut header[124..136],
            self.header_size.unwrap_or(self.data.len() as u64),
        );
        octal(
            &mut header[136..148],
            self.whole_seconds().unwrap_or_default(),
        );
        header[156] = self.kind;
        text(&mut header[157..257], &self.link);
        match self.format {
            Format::Pax => header[257..265].copy_from_slice(b"ustar\x0000"),
            Format::Gnu => header[257..265].copy_from_slice(b"ustar  \0"),
            Format::V7 => {}
        }
        text(&mut header[265..297], &self.owner_names.0);
        text(&mut header[297..329], &self.owner_names.1);
        if matches!(self.kind, b'3' | b'4') {
            octal(&mut header[329..337], self.device.0);
            octal(&mut header[337..345], self.device.1);
        }
        for (offset, bytes) in &self.patches {
            header[*offset..offset + bytes.len()].copy_from_slice(bytes);
        }
        header[148..156].fill(b' ');
        let sum = header.iter().map(|&byte| u64::from(byte)).sum();
        octal(&mut header[148..155], self.checksum.unwrap_or(sum));
        header
    }
}

/// Writes a PAX header, `x` for the next entry or `g` for all that follow.
pub(super) fn extended_header(kind: u8, records: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let data = records
        .iter()
        .flat_map(|(key, value)| record(key, value))
        .collect();
    let header = Entry {
        data,
        ..Entry::new(kind, "PaxHeaders/entry".into())
    };
    header.encode()
}

/// `LENGTH KEY=VALUE\n`, where the length counts its own digits.
fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = [b" ", key, b"=", value, b"\n"].concat();
    let mut length = rest.len() + 1;
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    [length.to_string().as_bytes(), &rest].concat()
}

fn default_mode(kind: u8) -> u32 {
    match kind {
        b'2' => 0o777,
        b'5' => 0o755,
        _ => 0o644,
    }
}

fn text(field: &mut [u8], value: &[u8]) {
    let count = value.len().min(field.len());
    field[..count].copy_from_slice(&value[..count]);
}

/// Fills all but the last byte, which stays zero, with octal digits.
fn octal(field: &mut [u8], value: u64) {
    let width = field.len() - 1;
    let digits = format!("{value:0width$o}");
    field[..width].copy_from_slice(&digits.as_bytes()[digits.len() - width..]);
    field[width] = 0;
}

fn append_padded(out: &mut Vec<u8>, data: &[u8]) {
    out.extend(data);
    out.resize(out.len().next_multiple_of(BLOCK), 0);
}
