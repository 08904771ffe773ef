//! The cases that every adapter must answer alike, down to the last header.
//!
//! An adapter's test serves [the routes below](#the-service) behind the gates of a [`Suite`],
//! on a real socket, and hands its address to [`Suite::run`]. The names of headers compare without
//! case, and their order does not count; `date` and what belongs to a single connection
//! are left out, and everything else counts. `content-length` is compared where there is a body;
//! without one, servers say so in their own ways.
//!
//! Every case is sent once more with `content-type: application/grpc`, and must be answered alike:
//! nothing that a client sends chooses the shape of a refusal. [`Suite::grpc`] holds the same
//! service to the answers of gates that are declared gRPC.
//!
//! # The service
//!
//! A handler takes any method and answers 200 with `content-type: text/plain` and, for a body, the
//! caller's `sub` or `nobody`.
//!
//! | path | in front of the handler | the handler |
//! |---|---|---|
//! | `/` | [`Suite::strict`] | |
//! | `/health` | [`Suite::strict`], where the adapter opens this route | says `nobody` |
//! | `/optional` | [`Suite::optional`] | |
//! | `/scope` | [`Suite::strict`], a `Require` of [`scope_policy`] | |
//! | `/method` | [`Suite::strict`], for `POST` alone a `Require` of [`scope_policy`] | |
//! | `/role` | [`Suite::strict`], a `Require` of [`role_policy`] | |
//! | `/step-up` | [`Suite::strict`], a `Require` of [`step_up_policy`] | |
//! | `/inside` | [`Suite::strict`] | demands [`role_policy`] itself |
//! | `/unfit` | [`Suite::strict`] | reads [`Unfit`] from the claims |
//! | `/foreign` | [`Suite::foreign`] | says `foreign` if the request is marked as [`Foreign`](portcullis::token::Foreign) |
//! | `/foreign-maybe` | [`Suite::foreign`] | |
//! | `/foreign-scope` | [`Suite::foreign`], a `Require` of [`scope_policy`] | |
//! | `/optional-scope` | [`Suite::optional`], a `Require` of [`scope_policy`] | |
//! | `/require-alone` | a `Require` of [`scope_policy`] | |
//! | `/caller-alone` | nothing | demands a caller |
//! | `/maybe-alone` | nothing | |
//! | the metadata's path | [`Suite::strict`], which answers itself | |
//! | any other | [`Suite::strict`]: in a router, a fallback of its own | |
//!
//! Over gRPC the method `/conformance.<Name>/Who` takes the place of a path, where [`grpc_name`]
//! has one, and answers with a message that is the text.

mod cases;
mod client;
mod exchange;
mod protocol;
mod service;
mod suite;

pub use protocol::Protocol;
pub use service::{Unfit, grpc_name, role_policy, scope_policy, step_up_policy};
pub use suite::{Report, Suite};
