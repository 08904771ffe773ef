//! Resolved issuers under a flood of forged tokens.

use super::*;

const TENANTS: usize = 1100;
const HONEST: usize = 900;
const FORGED: u32 = 40_000;
const FLOOD: Duration = Duration::from_secs(60);

/// The bound that `IssuerResolver` documents: 1,024 fetches at once, and 10 per second.
const BOUND: usize = 1024 + 10 * 60;

/// Trusts every tenant.
struct Tenants(ScriptedFetch);

impl IssuerResolver for Tenants {
    fn resolve(&self, issuer: &str) -> Option<IssuerSettings> {
        let settings = IssuerSettings::new(issuer, "https://api.example");
        let settings = settings.jwks_url(format!("{issuer}/keys")).without_background_refresh();
        Some(settings.fetch(self.0.clone()))
    }
}

#[tokio::test]
async fn flood_of_forged_tokens_causes_few_fetches_and_honest_tenants_are_accepted() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let forger = TestKey::generate("unknown", Algorithm::Es256);
    let (fetch, clock) = (ScriptedFetch::default(), ManualClock::at(NOW));
    let builder = builder(&key).clock(clock.clone()).token_cache_bytes(0);
    let auth = builder.issuer_resolver(Tenants(fetch.clone())).build().await.unwrap();
    let token = |key: &TestKey, tenant: usize| {
        let mut claims = claims();
        claims["iss"] = json!(format!("https://tenants.example/{tenant}"));
        bearer(&key.token(&claims))
    };
    for tenant in 0..TENANTS {
        let url = format!("https://tenants.example/{tenant}/keys");
        fetch.set(&url, Answer::ok(TestKey::jwks([&key])));
    }
    let honest: Vec<_> = (0..HONEST).map(|tenant| token(&key, tenant)).collect();
    let forged: Vec<_> = (0..TENANTS).map(|tenant| token(&forger, tenant)).collect();
    for headers in &honest {
        auth.authenticate(headers).await.unwrap();
    }
    let (mut unknown, mut limited, mut accepted) = (0, 0, 0);
    for (headers, number) in forged.iter().cycle().zip(0..FORGED) {
        let refusal = auth.authenticate(headers).await.unwrap_err();
        match (refusal.kind(), refusal.retry_after()) {
            (RefusalKind::InvalidToken, None) => unknown += 1,
            (RefusalKind::KeyBudgetSpent, Some(_)) => limited += 1,
            other => panic!("{other:?} for {number}"),
        }
        if number % 10 == 0 {
            auth.authenticate(&honest[accepted % HONEST]).await.unwrap();
            accepted += 1;
        }
        clock.advance(FLOOD / FORGED);
    }
    let fetches = fetch.requests().len();
    println!(
        "{FORGED} forged tokens of {TENANTS} tenants: {fetches} fetches, {unknown} times 401, \
         {limited} times 429; {accepted} honest tokens of {HONEST} tenants accepted"
    );
    assert!(fetches <= BOUND, "{fetches} fetches");
}
