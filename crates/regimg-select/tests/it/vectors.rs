//! The vectors: what the Go programs answered, as data.

use std::{error::Error, fs, path::Path};

use serde::{Deserialize, de::DeserializeOwned};

/// Reads the cases of one file.
#[track_caller]
pub(crate) fn cases<T: DeserializeOwned>(name: &str) -> Vec<T> {
    #[derive(Deserialize)]
    struct File<T> {
        cases: Vec<T>,
    }
    let file: File<T> = document(name);
    assert!(!file.cases.is_empty(), "{name} has cases");
    file.cases
}

#[track_caller]
pub(crate) fn document<T: DeserializeOwned>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name);
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Prints an error with its causes, as a program does.
pub(crate) fn chain(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}
