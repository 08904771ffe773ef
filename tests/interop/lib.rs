//! Tests that run several parts together. Here: the README's examples, as documentation tests.

#![cfg_attr(doctest, doc = include_str!("../../README.md"))]
