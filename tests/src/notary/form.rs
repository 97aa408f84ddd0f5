//! The form by which an update is sent: a file for each role.

use bytes::Bytes;

/// Takes `multipart/form-data` apart; each part is named by its `filename`. None for what is no such form.
pub(crate) fn parts(content_type: &str, body: &Bytes) -> Option<Vec<(String, Bytes)>> {
    let (_, boundary) = content_type
        .strip_prefix("multipart/form-data")?
        .split_once("boundary=")?;
    let boundary = boundary.split(';').next()?.trim_matches('"');
    let (delimiter, mut parts) = (format!("--{boundary}"), Vec::new());
    let mut at = find(body, delimiter.as_bytes(), 0)? + delimiter.len();
    loop {
        let rest = &body[at..];
        if rest.starts_with(b"--") {
            return Some(parts);
        }
        let start = at + rest.strip_prefix(b"\r\n").map(|_| 2)?;
        let content = find(body, b"\r\n\r\n", start)? + 4;
        let next = format!("\r\n{delimiter}");
        let end = find(body, next.as_bytes(), content)?;
        let head = str::from_utf8(&body[start..content]).ok()?;
        parts.push((filename(head)?, body.slice(content..end)));
        at = end + next.len();
    }
}

fn find(bytes: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    let mut windows = bytes.get(from..)?.windows(wanted.len());
    windows
        .position(|window| window == wanted)
        .map(|at| from + at)
}

fn filename(head: &str) -> Option<String> {
    let is_file = head.contains("name=\"files\"");
    let (_, rest) = head.split_once("filename=\"").filter(|_| is_file)?;
    Some(rest.split_once('"')?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_taken_apart() {
        let part = |name: &str, content: &str| {
            format!(
                "--b\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n{content}\r\n"
            )
        };
        let body = part("targets/a", "one") + &part("targets", "\r\ntwo") + "--b--\r\n";
        let kind = "multipart/form-data; boundary=b";
        let parsed = |body: &str| parts(kind, &Bytes::from(body.to_owned()));
        let file = |name: &str, content: &'static str| (name.to_owned(), Bytes::from(content));
        let expected = vec![file("targets/a", "one"), file("targets", "\r\ntwo")];
        assert_eq!(parsed(&body), Some(expected));
        assert_eq!(parsed("--b--\r\n"), Some(Vec::new()));
        for broken in [
            "",
            "--b\r\n",
            &body[..body.len() - 6],
            &body.replace("files", "x"),
        ] {
            assert_eq!(parsed(broken), None, "{broken}");
        }
        assert_eq!(parts("text/plain", &Bytes::from(body)), None);
    }
}
