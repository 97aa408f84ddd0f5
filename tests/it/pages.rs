//! The pipelines of docs/registries: every field in them is one that the commands know.

use std::path::Path;

use regimg_resource::Command;
use serde_json::json;

use crate::driver::call;

/// The fields below each `source:` and `registry_mirror:` of the YAML in a page.
fn fields(page: &str) -> Vec<(&str, String)> {
    let (mut found, mut open) = (Vec::new(), Vec::<(usize, &str)>::new());
    let mut in_yaml = false;
    for line in page.lines() {
        if line.starts_with("```") {
            (in_yaml, open) = (line == "```yaml", Vec::new());
        }
        let text = line.trim_start_matches([' ', '-']);
        let Some((key, _)) = text.split_once(':').filter(|_| in_yaml) else {
            continue;
        };
        let depth = line.len() - text.len();
        open.retain(|(outer, _)| *outer < depth);
        if let Some((_, parent)) = open.last() {
            found.push((*parent, key.to_owned()));
        }
        if ["source", "registry_mirror"].contains(&key) {
            open.push((depth, key));
        }
    }
    found
}

#[test]
fn pipelines_have_no_unknown_fields() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/registries");
    let (mut pages, mut checked) = (0, 0);
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let page = std::fs::read_to_string(&path).unwrap();
        let fields = fields(&page);
        assert!(!fields.is_empty(), "{} has no pipeline", path.display());
        assert!(fields.contains(&("source", "repository".to_owned())));
        for (parent, field) in fields {
            let mut source = json!({ &field: null });
            if parent == "registry_mirror" {
                source = json!({ "registry_mirror": source });
            }
            let request = json!({ "source": source }).to_string();
            let message = call(Command::Check, &request, None).failure();
            assert!(
                message.contains("source.repository: is missing"),
                "{}: {field}: {message}",
                path.display()
            );
            checked += 1;
        }
        pages += 1;
    }
    assert!(
        pages >= 10 && checked >= 50,
        "{pages} pages, {checked} fields"
    );
}
