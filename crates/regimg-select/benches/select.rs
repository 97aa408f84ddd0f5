//! How many tags are selected in a second.

fn main() {}
