//! One text, not two: what the guide shows is what the tests run.

use crate::proxy::{CADDY, ENVOY, NGINX};

#[test]
fn chapter_shows_the_files_as_they_are() {
    const CHAPTER: &str = include_str!("../../../crates/portcullis/src/guide/behind_a_proxy.md");
    const AUTHORITY: &str = include_str!("authority.rs");
    let files = [("nginx", NGINX), ("caddyfile", CADDY), ("yaml", ENVOY), ("rs", AUTHORITY)];
    for (language, file) in files {
        assert!(
            CHAPTER.contains(&format!("\n```{language}\n{file}```\n")),
            "not as shown:\n{file}"
        );
    }
}
