//! Conformance cases that every adapter must answer identically, down to the last header.
//!
//! An adapter's test serves [the routes below](#the-service) behind the gates of a [`Suite`], on a
//! real socket, and passes the address to [`Suite::run`]. Header names are compared without case,
//! and their order is ignored. `date` and the headers of a single connection are left out;
//! everything else is compared. `content-length` is compared only if there is a body, because
//! servers signal an empty body differently.
//!
//! Every case is sent a second time with `content-type: application/grpc` and must get the same
//! response: a client must not be able to choose the format of a refusal. [`Suite::grpc`] checks
//! the same service with gates that are declared as gRPC.
//!
//! # The service
//!
//! A handler accepts any method and answers 200 with `content-type: text/plain`. The body is the
//! caller's `sub`, or `anonymous`.
//!
//! | path | in front of the handler | the handler |
//! |---|---|---|
//! | `/` | [`Suite::strict`] | |
//! | `/health` | [`Suite::strict`], with this route opened by the adapter | answers `anonymous` |
//! | `/optional` | [`Suite::optional`] | |
//! | `/scope` | [`Suite::strict`], a `Require` of [`scope_policy`] | |
//! | `/method` | [`Suite::strict`], for `POST` only a `Require` of [`scope_policy`] | |
//! | `/role` | [`Suite::strict`], a `Require` of [`role_policy`] | |
//! | `/step-up` | [`Suite::strict`], a `Require` of [`step_up_policy`] | |
//! | `/inside` | [`Suite::strict`] | requires [`role_policy`] itself |
//! | `/unfit` | [`Suite::strict`] | reads [`Unfit`] from the claims |
//! | `/foreign` | [`Suite::foreign`] | answers `foreign` if the request is marked as [`Foreign`](portcullis::token::Foreign) |
//! | `/foreign-maybe` | [`Suite::foreign`] | |
//! | `/foreign-scope` | [`Suite::foreign`], a `Require` of [`scope_policy`] | |
//! | `/optional-scope` | [`Suite::optional`], a `Require` of [`scope_policy`] | |
//! | `/require-alone` | a `Require` of [`scope_policy`] | |
//! | `/caller-alone` | nothing | requires a caller |
//! | `/maybe-alone` | nothing | |
//! | the metadata's path | [`Suite::strict`], which answers itself | |
//! | any other | [`Suite::strict`]: in a router, a fallback of its own | |
//!
//! Over gRPC the method `/conformance.<Name>/Who` replaces a path that has a [`grpc_name`], and
//! answers with a message that contains the text.

mod cases;
mod client;
mod exchange;
mod protocol;
mod service;
mod suite;

pub use protocol::Protocol;
pub use service::{Unfit, grpc_name, role_policy, scope_policy, step_up_policy};
pub use suite::{Report, Suite};
