//! Tests of the issuer's public interfaces: HTTP, the command line and the Rust API.

// `cfg(test)` is always true here. The attribute makes clippy treat the helpers as test code.
#[cfg(test)]
mod administration;
#[cfg(test)]
mod attempts;
#[cfg(test)]
mod audiences;
#[cfg(test)]
mod authenticator;
#[cfg(test)]
mod browsers;
#[cfg(test)]
mod budgets;
#[cfg(test)]
mod client_rights;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod clock;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod common;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod exchange;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod host;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod leaked_password;
#[cfg(test)]
mod login;
#[cfg(test)]
mod logout_delivery;
#[cfg(test)]
mod logout_processes;
#[cfg(test)]
mod logouts;
#[cfg(test)]
mod message_limits;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod migration;
#[cfg(test)]
mod openapi;
#[cfg(test)]
mod operator;
#[cfg(test)]
mod passkey_accounts;
#[cfg(test)]
mod passkey_attacks;
#[cfg(test)]
mod passkey_browser;
#[cfg(test)]
mod passkeys;
#[cfg(test)]
mod people;
#[cfg(test)]
mod planted_cookies;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod process;
#[cfg(test)]
mod rekey;
#[cfg(test)]
mod renaming;
#[cfg(test)]
mod restoring;
#[cfg(test)]
mod runbooks;
#[cfg(test)]
mod second_factor;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod settings_file;
#[cfg(test)]
mod signer;
#[cfg(test)]
mod start;
#[cfg(test)]
mod status_list_waits;
#[cfg(test)]
mod status_lists;
#[cfg(test)]
mod under_fire;
#[cfg(test)]
mod watching;
