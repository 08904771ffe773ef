//! Checks that the pages in `docs/migrating` quote the apps exactly.

const PAGES: [(&str, &str, [&str; 3]); 5] = [
    (
        "from-local-keys.md",
        include_str!("../../docs/migrating/from-local-keys.md"),
        [
            include_str!("local_keys/before.rs"),
            include_str!("local_keys/both.rs"),
            include_str!("local_keys/after.rs"),
        ],
    ),
    (
        "from-actix-web-httpauth.md",
        include_str!("../../docs/migrating/from-actix-web-httpauth.md"),
        [
            include_str!("actix_web_httpauth/before.rs"),
            include_str!("actix_web_httpauth/both.rs"),
            include_str!("actix_web_httpauth/after.rs"),
        ],
    ),
    (
        "from-axum-jwt-auth.md",
        include_str!("../../docs/migrating/from-axum-jwt-auth.md"),
        [
            include_str!("axum_jwt_auth/before.rs"),
            include_str!("axum_jwt_auth/both.rs"),
            include_str!("axum_jwt_auth/after.rs"),
        ],
    ),
    (
        "from-jwt-authorizer.md",
        include_str!("../../docs/migrating/from-jwt-authorizer.md"),
        [
            include_str!("jwt_authorizer/before.rs"),
            include_str!("jwt_authorizer/both.rs"),
            include_str!("jwt_authorizer/after.rs"),
        ],
    ),
    (
        "from-axum-keycloak-auth.md",
        include_str!("../../docs/migrating/from-axum-keycloak-auth.md"),
        [
            include_str!("axum_keycloak_auth/before.rs"),
            include_str!("axum_keycloak_auth/both.rs"),
            include_str!("axum_keycloak_auth/after.rs"),
        ],
    ),
];

#[test]
fn pages_quote_the_tested_apps() {
    for (name, page, apps) in PAGES {
        let blocks = page.split("```rust\n").skip(1).map(|block| block.split("```").next());
        let blocks: Vec<&str> = blocks.map(Option::unwrap).collect();
        assert_eq!(blocks, apps, "{name}: copy the code from tests/migrations");
    }
}
