//! `in` by way of a mirror.
