//! `in` in a directory that was used before, or that cannot be used.
