//! The twelve classes of bugs that JWT validators have had. Each class has the tokens, key sets and
//! traffic of its published vulnerabilities, all of which are rejected here. There are ten more
//! classes: a revoked token that is accepted; a cookie that another site's page uses; a policy that is
//! met by an unreadable claim; a token's text in debug output; a request that is treated as something
//! else; a tenant's token at another tenant's host; a tenant's URL that leads into the service's own
//! network; a stream that outlives its session; a logout token that is not the issuer's; and a
//! signature that is not verified by the chosen crypto provider.
//!
//! A module is a class. Its first comment states what makes the class impossible by construction;
//! the tests detect a change of that construction.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod class_01_algorithm_confusion;
mod class_02_no_signature;
mod class_03_key_from_the_token;
mod class_04_keys_in_der;
mod class_04_weak_key;
mod class_05_signature_arithmetic;
mod class_06_format_confusion;
mod class_07_claims;
mod class_08_crit;
mod class_09_kept_keys;
mod class_09_key_cache;
mod class_10_token_cache;
mod class_11_sender_constraint;
mod class_12_resource_exhaustion;
mod class_13_revocation;
mod class_13_revocation_faults;
mod class_13_revocation_feed;
mod class_13_revocation_feed_age;
mod class_13_revocation_feed_faults;
mod class_13_revocation_live;
mod class_14_cross_site;
mod class_15_policy;
mod class_16_disclosure;
mod class_17_foreign;
mod class_17_gate;
mod class_18_rule_sets;
mod class_19_tenant_urls;
mod class_20_streams;
mod class_20_streams_feed;
mod class_20_streams_renewed;
mod class_21_logout_tokens;
mod class_21_security_events;
mod class_22_crypto_provider;
mod support;
