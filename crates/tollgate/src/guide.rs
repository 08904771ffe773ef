//! Chapters: how to add it, tune it and measure it, what key sets do, and why verified tokens can be kept.

#[doc = include_str!("guide/add_it.md")]
pub mod add_it {}

#[doc = include_str!("guide/tune_it.md")]
pub mod tune_it {}

#[doc = include_str!("guide/key_sets.md")]
pub mod key_sets {}

#[doc = include_str!("guide/token_cache.md")]
pub mod token_cache {}

#[doc = include_str!("guide/measure_it.md")]
pub mod measure_it {}
