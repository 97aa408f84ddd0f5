//! The language of layer lines.

use super::entry::{Entry, Format, extended_header};

/// A word of a line, and whether it began with a quote: then it is data and never a mode or an owner.
struct Word {
    bytes: Vec<u8>,
    quoted: bool,
}

impl Word {
    fn text(&self) -> &str {
        if self.quoted {
            ""
        } else {
            std::str::from_utf8(&self.bytes).unwrap_or_default()
        }
    }
}

/// Turns a line into the bytes of its entry.
pub(super) fn parse(line: &str) -> Result<Vec<u8>, String> {
    let words = words(line)?;
    let (kind, rest) = words.split_first().ok_or("is empty")?;
    if kind.text() == "pax" {
        let records = rest
            .iter()
            .map(|word| pair(&word.bytes))
            .collect::<Result<Vec<_>, _>>()?;
        return Ok(extended_header(b'g', &records));
    }
    let (path, rest) = rest.split_first().ok_or("has no path")?;
    let mut entry = start(kind.text(), &path.bytes)?;
    let mut words = rest.iter().peekable();
    while let Some(word) = words.next() {
        if word.text() == "->" {
            let target = words.next().ok_or("has no target after `->`")?;
            entry.link.clone_from(&target.bytes);
        } else if word.quoted {
            entry.data.clone_from(&word.bytes);
        } else {
            argument(&mut entry, word)?;
        }
    }
    Ok(entry.encode())
}

fn start(kind: &str, path: &[u8]) -> Result<Entry, String> {
    let entry = |kind: u8| Entry::new(kind, path.to_vec());
    Ok(match kind {
        "file" | "entry" => entry(b'0'),
        "hardlink" => entry(b'1'),
        "symlink" => entry(b'2'),
        "char" => entry(b'3'),
        "block" => entry(b'4'),
        "dir" => entry(b'5'),
        "fifo" => entry(b'6'),
        "whiteout" => Entry {
            mode: 0,
            ..Entry::new(b'0', whiteout(path))
        },
        "opaque" => Entry {
            mode: 0,
            ..Entry::new(b'0', [path, b"/.wh..wh..opq"].concat())
        },
        _ => return Err(format!("no kind of entry is called `{kind}`")),
    })
}

/// `a/b` becomes `a/.wh.b`.
fn whiteout(path: &[u8]) -> Vec<u8> {
    let name = path
        .iter()
        .rposition(|&byte| byte == b'/')
        .map_or(0, |slash| slash + 1);
    [&path[..name], b".wh.", &path[name..]].concat()
}

fn argument(entry: &mut Entry, word: &Word) -> Result<(), String> {
    let text = word.text();
    if text.starts_with('0') && !text.contains(':') {
        entry.mode = u32::from_str_radix(text, 8).map_err(|_| format!("`{text}` is no mode"))?;
    } else if word.bytes.contains(&b'=') {
        let (key, value) = pair(&word.bytes)?;
        attribute(entry, &key, value)?;
    } else if let Some((first, second)) = text.split_once(':') {
        let numbers = (number(first)?, number(second)?);
        if matches!(entry.kind, b'3' | b'4') && entry.device == (0, 0) {
            entry.device = numbers;
        } else {
            entry.owner = numbers;
        }
    } else {
        return Err(format!("`{text}` is not understood"));
    }
    Ok(())
}

fn attribute(entry: &mut Entry, key: &[u8], value: Vec<u8>) -> Result<(), String> {
    let text = String::from_utf8_lossy(&value).into_owned();
    match String::from_utf8_lossy(key).as_ref() {
        "mtime" => entry.mtime = text,
        "uname" => entry.owner_names.0 = value,
        "gname" => entry.owner_names.1 = value,
        "zeros" => entry.data = vec![0; length(&text)?],
        "random" => entry.data = noise(&entry.path, length(&text)?),
        "type" => entry.kind = *value.first().ok_or("`type=` is empty")?,
        "header-size" => entry.header_size = Some(number(&text)?),
        "checksum" => entry.checksum = Some(number(&text)?),
        "format" => entry.format = format_named(&text)?,
        other => {
            let record = if let Some(name) = other.strip_prefix("xattr:") {
                format!("SCHILY.xattr.{name}")
            } else if let Some(offset) = other.strip_prefix("at:") {
                entry.patches.push((within_header(offset, &value)?, value));
                return Ok(());
            } else if let Some(name) = other.strip_prefix("pax:") {
                name.to_owned()
            } else {
                return Err(format!("`{other}=` is not understood"));
            };
            entry.records.push((record.into(), value));
        }
    }
    Ok(())
}

fn within_header(offset: &str, value: &[u8]) -> Result<usize, String> {
    let offset = length(offset)?;
    if offset + value.len() > super::BLOCK {
        return Err(format!("`at:{offset}` leads out of the header"));
    }
    Ok(offset)
}

fn format_named(name: &str) -> Result<Format, String> {
    match name {
        "pax" => Ok(Format::Pax),
        "gnu" => Ok(Format::Gnu),
        "v7" => Ok(Format::V7),
        _ => Err(format!("no format is called `{name}`")),
    }
}

/// Bytes that do not compress and are the same in every run: xorshift seeded by the path.
fn noise(path: &[u8], length: usize) -> Vec<u8> {
    let seed = path.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut state = seed | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn pair(word: &[u8]) -> Result<(Vec<u8>, Vec<u8>), String> {
    let equals = word.iter().position(|&byte| byte == b'=');
    let equals = equals.ok_or_else(|| format!("`{}` has no `=`", word.escape_ascii()))?;
    Ok((word[..equals].to_vec(), word[equals + 1..].to_vec()))
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`{text}` is no number"))
}

fn length(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("`{text}` is no length"))
}

fn words(line: &str) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut bytes = line.bytes().peekable();
    while let Some(&first) = bytes.peek() {
        if first.is_ascii_whitespace() {
            bytes.next();
            continue;
        }
        let mut word = Word {
            bytes: Vec::new(),
            quoted: first == b'"',
        };
        let mut in_quotes = false;
        while let Some(byte) = bytes.next_if(|byte| in_quotes || !byte.is_ascii_whitespace()) {
            match byte {
                b'"' => in_quotes = !in_quotes,
                b'\\' if in_quotes => word.bytes.push(escape(&mut bytes)?),
                other => word.bytes.push(other),
            }
        }
        if in_quotes {
            return Err("a quote is not closed".to_owned());
        }
        words.push(word);
    }
    Ok(words)
}

fn escape(bytes: &mut impl Iterator<Item = u8>) -> Result<u8, String> {
    Ok(match bytes.next() {
        Some(b'n') => b'\n',
        Some(b't') => b'\t',
        Some(b'0') => 0,
        Some(other @ (b'"' | b'\\')) => other,
        Some(b'x') => {
            let digits: Vec<u8> = bytes.take(2).collect();
            let digits = String::from_utf8_lossy(&digits).into_owned();
            u8::from_str_radix(&digits, 16).map_err(|_| format!("`\\x{digits}` is no byte"))?
        }
        other => return Err(format!("no escape begins with {other:?}")),
    })
}
