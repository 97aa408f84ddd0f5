//! `cargo xtask docs`: the tables of the guide, made from the protocol's types.
//!
//! The documentation of a field is written once, where the field is. It is a meaning, an
//! empty line, and `Default: ...` or `Required.`, then `Example: ...`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail, ensure};

use crate::workspace::Workspace;

const TYPES: &str = "crates/regimg-resource/src/protocol/request.rs";
const GUIDE: &str = "docs/guide.md";

/// Writes the tables into the guide; with `check`, fails if that would change it.
pub(crate) fn run(workspace: &Workspace, check: bool) -> anyhow::Result<()> {
    let root = workspace.sh().current_dir();
    let read =
        |path: &str| fs::read_to_string(root.join(path)).with_context(|| format!("reading {path}"));
    let (types, guide) = (read(TYPES)?, read(GUIDE)?);
    let made = fill(&guide, &types)?;
    if made == guide {
        return Ok(());
    }
    ensure!(
        !check,
        "{GUIDE} is not what {TYPES} says; run `cargo xtask docs`"
    );
    write(&root.join(GUIDE), &made)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

/// Replaces what stands between `<!-- fields of NAME -->` and `<!-- end -->`.
fn fill(guide: &str, types: &str) -> anyhow::Result<String> {
    const START: &str = "<!-- fields of ";
    const END: &str = "<!-- end -->";
    let mut made = String::new();
    let mut rest = guide;
    while let Some((before, after)) = rest.split_once(START) {
        let (name, after) = after.split_once(" -->").context("a marker has an end")?;
        let (_, after) = after
            .split_once(END)
            .with_context(|| format!("the fields of {name} have no {END}"))?;
        let table = table(&fields(types, name)?);
        write!(made, "{before}{START}{name} -->\n{table}{END}")?;
        rest = after;
    }
    Ok(made + rest)
}

/// A field of a request.
#[derive(Debug, PartialEq, Eq)]
struct Field {
    name: String,
    kind: &'static str,
    meaning: String,
    default: String,
    example: String,
}

/// Reads the fields of a struct, as rustfmt leaves them: one on a line.
fn fields(types: &str, name: &str) -> anyhow::Result<Vec<Field>> {
    let (_, body) = types
        .split_once(&format!("pub struct {name} {{\n"))
        .with_context(|| format!("{TYPES} has no struct {name}"))?;
    let (body, _) = body.split_once("\n}").context("a struct has an end")?;
    let (mut fields, mut document) = (Vec::new(), Vec::new());
    for line in body.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            document.push(text.trim());
        } else if let Some(declaration) = line.strip_prefix("pub ") {
            let document = std::mem::take(&mut document);
            let field =
                field(declaration, &document).with_context(|| format!("{name}: {declaration}"))?;
            fields.push(field);
        }
    }
    Ok(fields)
}

fn field(declaration: &str, document: &[&str]) -> anyhow::Result<Field> {
    let (name, kind) = declaration
        .trim_end_matches(',')
        .split_once(": ")
        .context("a field has a type")?;
    let mut paragraphs = document.split(|line| line.is_empty());
    let (Some(meaning), Some(facts), None) =
        (paragraphs.next(), paragraphs.next(), paragraphs.next())
    else {
        bail!("its document is not a meaning, an empty line, and default and example");
    };
    let facts = facts.join(" ");
    let (default, example) = facts
        .split_once(" Example: ")
        .context("it has no example")?;
    let default = match default.strip_prefix("Default: ") {
        Some(default) => default.trim_end_matches('.'),
        None if default == "Required." => "required",
        None => bail!("it has neither a default nor is it required"),
    };
    Ok(Field {
        name: name.to_owned(),
        kind: kind_of(kind)?,
        meaning: meaning.join(" "),
        default: default.to_owned(),
        example: example.trim_end_matches('.').to_owned(),
    })
}

/// Names a type as the writer of a pipeline knows it.
fn kind_of(rust: &str) -> anyhow::Result<&'static str> {
    Ok(match rust {
        "String" | "TagValue" | "MaybeSecret" => "text",
        "bool" => "`true` or `false`",
        "Option<u64>" => "number",
        "Vec<String>" | "Vec<TagValue>" => "list of texts",
        "Option<RegistryMirror>" | "Option<ContentTrust>" | "Option<PlatformSpec>" => "object",
        other => bail!("nothing is known of the type {other}"),
    })
}

fn table(fields: &[Field]) -> String {
    const HEAD: &str =
        "\n| Field | Is | Meaning | Default | Example |\n| --- | --- | --- | --- | --- |\n";
    let rows = fields.iter().map(row);
    [HEAD.to_owned()]
        .into_iter()
        .chain(rows)
        .chain(["\n".to_owned()])
        .collect()
}

fn row(field: &Field) -> String {
    let name = format!("`{}`", field.name);
    let cells = [
        name.as_str(),
        field.kind,
        &field.meaning,
        &field.default,
        &field.example,
    ];
    let cells = cells.map(|cell| cell.replace('|', "\\|"));
    format!("| {} |\n", cells.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPES: &str = "\
pub struct Source {
    /// Matches `a|b`, or
    /// not.
    ///
    /// Default: none. Example: `a|b`.
    #[serde(rename = \"x\")]
    pub pattern: String,
    /// Counts.
    ///
    /// Required. Example: `3`.
    pub count: Option<u64>,
}
";

    #[test]
    fn a_table_has_a_row_for_each_field() {
        let made = fill("a\n<!-- fields of Source -->old<!-- end -->\nb\n", TYPES).unwrap();
        assert_eq!(
            made,
            "a\n<!-- fields of Source -->\n\n\
             | Field | Is | Meaning | Default | Example |\n| --- | --- | --- | --- | --- |\n\
             | `pattern` | text | Matches `a\\|b`, or not. | none | `a\\|b` |\n\
             | `count` | number | Counts. | required | `3` |\n\n<!-- end -->\nb\n"
        );
        assert_eq!(fill(&made, TYPES).unwrap(), made, "once is enough");
    }

    #[test]
    fn a_field_that_says_too_little_is_named() {
        for (text, instead, message) in [
            (" Example: `3`", "", "it has no example"),
            ("Required.", "Perhaps.", "it has neither a default"),
            (
                "    /// Counts.\n    ///\n",
                "",
                "its document is not a meaning",
            ),
        ] {
            let types = TYPES.replace(text, instead);
            let error = format!("{:#}", fields(&types, "Source").unwrap_err());
            assert!(
                error.contains("count") && error.contains(message),
                "{error}"
            );
        }
    }
}
