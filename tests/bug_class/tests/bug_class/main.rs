//! The twelve classes of bugs that validators of JWTs have had, each with the tokens, key sets and
//! traffic of its published vulnerabilities: none of them gets through here. And two more: that a revoked token
//! is accepted where it must not be, and that a request passes for something that it is not.
//!
//! A module is a class. What makes a class impossible by construction stands at its top; the
//! tests below hold whoever changes the construction to it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod class_01_algorithm_confusion;
mod class_02_no_signature;
mod class_03_key_from_the_token;
mod class_04_weak_key;
mod class_05_signature_arithmetic;
mod class_06_format_confusion;
mod class_07_claims;
mod class_08_crit;
mod class_09_key_cache;
mod class_10_token_cache;
mod class_11_sender_constraint;
mod class_12_resource_exhaustion;
mod class_13_revocation;
mod class_13_revocation_faults;
mod class_13_revocation_live;
mod class_14_gate;
mod support;
