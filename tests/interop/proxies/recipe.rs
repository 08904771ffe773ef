//! One text, not two: what the guide shows is what the tests run.

use crate::proxy::{CADDY, NGINX};

#[test]
fn chapter_shows_the_files_as_they_are() {
    const CHAPTER: &str = include_str!("../../../crates/portcullis/src/guide/behind_a_proxy.md");
    const AUTHORITY: &str = include_str!("authority.rs");
    for (language, file) in [("nginx", NGINX), ("caddyfile", CADDY), ("rs", AUTHORITY)] {
        assert!(
            CHAPTER.contains(&format!("\n```{language}\n{file}```\n")),
            "not as shown:\n{file}"
        );
    }
}
