//! Tests that run several parts together. This file runs the README's examples as doc tests.

#![cfg_attr(doctest, doc = include_str!("../../README.md"))]
