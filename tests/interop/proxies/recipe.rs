//! The guide and the tests use the same files.

use crate::proxy::{CADDY, ENVOY, NGINX};

#[test]
fn guide_contains_the_tested_files() {
    const CHAPTER: &str = include_str!("../../../crates/portcullis/src/guide/behind_a_proxy.md");
    const AUTHORITY: &str = include_str!("authority.rs");
    let files = [("nginx", NGINX), ("caddyfile", CADDY), ("yaml", ENVOY), ("rs", AUTHORITY)];
    for (language, file) in files {
        assert!(
            CHAPTER.contains(&format!("\n```{language}\n{file}```\n")),
            "the chapter does not contain:\n{file}"
        );
    }
}
