//! The rules for claims. They are pure functions. Each rejects a token that it cannot check.

use std::time::Duration;

use super::Audiences;
use crate::claims::{NumericDate, RegisteredClaims};
use crate::error::{Found, TokenError, UnreadableClaim};
use crate::jws::TokenType;
use crate::profile::Profile;

/// The requirements for the claims of an accepted token.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ClaimsRules {
    pub(crate) issuer: String,
    pub(crate) audiences: Audiences,
    pub(crate) leeway: Duration,
    pub(crate) max_token_lifetime: Option<Duration>,
    pub(crate) max_token_age: Option<Duration>,
    pub(crate) required_claims: Vec<String>,
    pub(crate) profile: Profile,
}

impl ClaimsRules {
    /// Warns of settings that accept tokens for other APIs of the issuer.
    pub(crate) fn warn_of_audiences(&self) {
        let issuer = self.issuer.as_str();
        match (&self.audiences, self.profile.common_audience()) {
            (Audiences::Any, _) => tracing::warn!(
                target: "portcullis",
                issuer,
                "`dangerous::any_audience` accepts tokens of this issuer for any API",
            ),
            (Audiences::Named(named), Some((audience, remedy)))
                if named.iter().any(|configured| configured == audience) =>
            {
                tracing::warn!(
                    target: "portcullis",
                    issuer, audience, remedy,
                    "the issuer uses this audience in tokens for other services, too",
                );
            }
            _ => {}
        }
    }

    /// Checks `claims` against every rule, at the time `now`. `token_type` is from the header.
    pub(crate) fn check(
        &self,
        claims: &RegisteredClaims,
        token_type: TokenType,
        now: NumericDate,
    ) -> Result<(), TokenError> {
        self.check_issuer(claims)?;
        self.check_audience(claims)?;
        self.profile.check_kind(claims, token_type)?;
        self.check_required(claims)?;
        self.check_time(claims, now)?;
        self.check_present(claims)
    }

    /// The maximum time that a token is accepted after its session was revoked, whatever the issuer
    /// does. `None` if no setting bounds this time.
    ///
    /// The leeway counts twice: an issuer whose clock is ahead dates a token into the future, and
    /// the token is then accepted beyond its expiry.
    pub(crate) fn revocation_bound(&self) -> Option<Duration> {
        let max = [self.max_token_lifetime, self.max_token_age].into_iter().flatten().min()?;
        Some(max.saturating_add(self.leeway.saturating_mul(2)))
    }

    /// RFC 7519 §4.1.1: `iss` is compared byte for byte and never normalized.
    fn check_issuer(&self, claims: &RegisteredClaims) -> Result<(), TokenError> {
        let issuer = claims.text(claims.iss).ok_or(TokenError::MissingClaim { name: "iss" })?;
        if issuer == self.issuer {
            Ok(())
        } else {
            let expected = self.issuer.clone();
            let found = Found::new(std::iter::once(issuer), std::slice::from_ref(&expected));
            Err(TokenError::Issuer { expected, found })
        }
    }

    /// RFC 7519 §4.1.3: a token "MUST be rejected" unless one of its audiences is ours. A token
    /// whose `aud` is neither a string nor an array of strings never gets here: it is rejected when
    /// it is parsed, because policies read the claim, too.
    fn check_audience(&self, claims: &RegisteredClaims) -> Result<(), TokenError> {
        let Audiences::Named(audiences) = &self.audiences else { return Ok(()) };
        if claims.aud.is_none() {
            return Err(TokenError::MissingClaim { name: "aud" });
        }
        if audiences.iter().any(|ours| claims.audience().contains(ours)) {
            Ok(())
        } else {
            let found = Found::new(claims.audience().iter(), audiences);
            let is_aud = self.profile.audience_claim() == "aud";
            let found = if is_aud { found } else { found.unshown() };
            Err(TokenError::Audience { expected: audiences.clone(), found })
        }
    }

    fn check_required(&self, claims: &RegisteredClaims) -> Result<(), TokenError> {
        for &name in self.profile.required_claims() {
            let present = match name {
                "sub" => claims.sub.is_some(),
                "client_id" => claims.client_id.is_some(),
                "iat" => claims.iat.is_some(),
                "jti" => claims.jti.is_some(),
                _ => false,
            };
            if !present {
                // The claim was parsed leniently, so it may be present and unreadable. The second
                // search finds the reason.
                return Err(match claims.raw().find(name) {
                    Ok(None) => TokenError::MissingClaim { name },
                    Ok(Some(_)) => TokenError::WrongType { name },
                    Err(why) => TokenError::UnreadableClaim(UnreadableClaim::new(name, why)),
                });
            }
        }
        Ok(())
    }

    /// Checks that the claims in `required_claims` are present, with any value.
    fn check_present(&self, claims: &RegisteredClaims) -> Result<(), TokenError> {
        for name in &self.required_claims {
            let unreadable = |why| TokenError::UnreadableClaim(UnreadableClaim::new(name, why));
            let claim = claims.raw().find(name).map_err(unreadable)?;
            let claim = claim.filter(|claim| !claim.is_null());
            let claim = claim.ok_or_else(|| TokenError::RequiredClaim { name: name.clone() })?;
            claim.value().map_err(unreadable)?;
        }
        Ok(())
    }

    /// Checks `exp`, `nbf` and `iat` (RFC 7519 §4.1.4 to §4.1.6), each with the leeway in the
    /// token's favour. Only these rules can reject a token that was accepted before.
    pub(crate) fn check_time(
        &self,
        claims: &RegisteredClaims,
        now: NumericDate,
    ) -> Result<(), TokenError> {
        let now = now.as_duration();
        let exp = claims.exp.ok_or(TokenError::MissingClaim { name: "exp" })?.as_duration();
        // "on or after which the JWT MUST NOT be accepted"
        if now >= exp.saturating_add(self.leeway) {
            return Err(TokenError::Expired { ago: now.saturating_sub(exp) });
        }
        if let Some(nbf) = claims.nbf {
            let ahead = nbf.as_duration().saturating_sub(now);
            if ahead > self.leeway {
                return Err(TokenError::NotYetValid { ahead });
            }
        }
        if let Some(iat) = claims.iat {
            let ahead = iat.as_duration().saturating_sub(now);
            if ahead > self.leeway {
                return Err(TokenError::IssuedInFuture { ahead });
            }
        }
        if let Some(max) = self.max_token_lifetime {
            // Without `iat`, nothing proves how long the token has been valid already, so the
            // setting could not guarantee its bound.
            let iat = claims.iat.ok_or(TokenError::MissingClaim { name: "iat" })?;
            let lifetime = exp.saturating_sub(iat.as_duration());
            if lifetime > max {
                return Err(TokenError::LifetimeTooLong { lifetime, max });
            }
        }
        if let Some(max) = self.max_token_age {
            let iat = claims.iat.ok_or(TokenError::MissingClaim { name: "iat" })?;
            let age = now.saturating_sub(iat.as_duration());
            // The limit is exclusive, as for `exp`: a token of exactly this age is not accepted.
            if age >= max.saturating_add(self.leeway) {
                return Err(TokenError::TooOld { age, max });
            }
        }
        Ok(())
    }

    /// Returns the time from which [`check_time`](Self::check_time) rejects a token that it
    /// accepts now.
    pub(crate) fn end_of(&self, claims: &RegisteredClaims) -> Duration {
        let exp = claims.expires_at().as_duration();
        let oldest = self.max_token_age.zip(claims.iat);
        let end = oldest.map_or(exp, |(max, iat)| exp.min(iat.as_duration().saturating_add(max)));
        end.saturating_add(self.leeway)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dangerous;
    use crate::key::Payload;
    use crate::testing;

    const NOW: NumericDate = NumericDate::from_secs(testing::NOW);

    fn rules() -> ClaimsRules {
        ClaimsRules {
            issuer: "https://issuer.example".to_owned(),
            audiences: Audiences::Named(vec![
                "https://api.example".to_owned(),
                "https://api2.example".to_owned(),
            ]),
            leeway: Duration::from_secs(10),
            max_token_lifetime: None,
            max_token_age: None,
            required_claims: Vec::new(),
            profile: Profile::default(),
        }
    }

    fn check_at(rules: &ClaimsRules, claims: &RegisteredClaims, now: u64) -> bool {
        rules.check(claims, TokenType::Jwt, NumericDate::from_secs(now)).is_ok()
    }

    /// The verdict on a valid token with some claims set (JSON) or removed (`""`).
    fn verdict(rules: &ClaimsRules, changes: &[(&str, &str)]) -> Result<(), TokenError> {
        let mut members = vec![
            ("iss", r#""https://issuer.example""#),
            ("aud", r#""https://api.example""#),
            ("exp", "1800000900"),
            ("iat", "1800000000"),
        ];
        for &(name, value) in changes {
            members.retain(|(other, _)| *other != name);
            if !value.is_empty() {
                members.push((name, value));
            }
        }
        let members: Vec<_> =
            members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        let payload = Payload::for_test(&format!("{{{}}}", members.join(",")));
        rules.check(&RegisteredClaims::parse(payload).unwrap(), TokenType::Jwt, NOW)
    }

    #[test]
    fn valid_token_is_accepted() {
        assert_eq!(verdict(&rules(), &[]), Ok(()));
        assert_eq!(verdict(&rules(), &[("aud", r#"["x","https://api2.example"]"#)]), Ok(()));
        assert_eq!(verdict(&rules(), &[("token_use", r#""access""#)]), Ok(()));
        assert_eq!(verdict(&rules(), &[("typ", r#""Bearer""#)]), Ok(()));
        // Access tokens of known providers carry these values, which mark no other kind of token.
        assert_eq!(verdict(&rules(), &[("auth_time", "1"), ("azp", r#""c""#)]), Ok(()));
    }

    #[test]
    fn absent_issuer_audience_or_expiry_is_rejected() {
        for name in ["iss", "aud", "exp"] {
            assert_eq!(verdict(&rules(), &[(name, "")]), Err(TokenError::MissingClaim { name }));
        }
    }

    #[test]
    fn issuer_is_compared_byte_for_byte() {
        for iss in [
            r#""https://issuer.example/""#,
            r#""https://ISSUER.example""#,
            r#""http://issuer.example""#,
            r#""https://issuer.example.evil.example""#,
            r#""""#,
        ] {
            let error = verdict(&rules(), &[("iss", iss)]).unwrap_err();
            assert_eq!(error.rule(), "iss", "{iss}");
        }
    }

    #[test]
    fn token_without_this_audience_is_rejected() {
        for aud in [r#""https://other.example""#, "[]", r#"["https://api.example/"]"#, r#""""#] {
            let error = verdict(&rules(), &[("aud", aud)]).unwrap_err();
            assert_eq!(error.rule(), "aud", "{aud}");
        }
    }

    #[test]
    fn times_are_compared_in_seconds_with_the_leeway() {
        let rule = |changes: &[(&str, &str)]| {
            verdict(&rules(), changes).map_err(|error| error.rule().to_owned())
        };
        assert_eq!(rule(&[("exp", "1799999991")]), Ok(()));
        assert_eq!(rule(&[("exp", "1799999990")]), Err("exp".to_owned()));
        assert_eq!(rule(&[("exp", "1799999990.5")]), Ok(()));
        assert_eq!(rule(&[("nbf", "1800000010")]), Ok(()));
        assert_eq!(rule(&[("nbf", "1800000011")]), Err("nbf".to_owned()));
        assert_eq!(rule(&[("iat", "1800000010")]), Ok(()));
        assert_eq!(rule(&[("iat", "1800000010.5")]), Err("iat".to_owned()));
        assert_eq!(rule(&[("iat", "")]), Ok(()));
        // Extreme values do not overflow.
        assert_eq!(rule(&[("exp", "253402300799")]), Ok(()));
    }

    #[test]
    fn clock_at_1970_rejects_every_token() {
        let payload = Payload::for_test(
            r#"{"iss":"https://issuer.example","aud":"https://api.example","exp":10}"#,
        );
        let claims = RegisteredClaims::parse(payload).unwrap();
        let before_1970 = std::time::SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert!(rules().check(&claims, TokenType::Jwt, NumericDate::from(before_1970)).is_err());
    }

    #[test]
    fn token_over_the_maximum_lifetime_is_rejected() {
        let rules = ClaimsRules { max_token_lifetime: Some(Duration::from_secs(900)), ..rules() };
        assert_eq!(verdict(&rules, &[]), Ok(()));
        assert_eq!(verdict(&rules, &[("exp", "1800000901")]).unwrap_err().rule(), "lifetime");
        // A token with too long a lifetime is rejected even shortly before it expires.
        let near_end = [("iat", "1799900000"), ("exp", "1800000001")];
        assert_eq!(verdict(&rules, &near_end).unwrap_err().rule(), "lifetime");
        let no_iat = [("iat", "")];
        assert_eq!(verdict(&rules, &no_iat), Err(TokenError::MissingClaim { name: "iat" }));
    }

    #[test]
    fn token_past_the_revocation_bound_is_rejected() {
        let max = Duration::from_secs(900);
        let rules = ClaimsRules { max_token_lifetime: Some(max), ..rules() };
        let bound = rules.revocation_bound().unwrap().as_secs();
        assert_eq!(bound, 920);
        // The worst case: `iat` is the latest one that is accepted now.
        let payload = Payload::for_test(
            r#"{"iss":"https://issuer.example","aud":"https://api.example",
                "iat":1800000010,"exp":1800000910}"#,
        );
        let claims = RegisteredClaims::parse(payload).unwrap();
        let at = |secs| check_at(&rules, &claims, testing::NOW + secs);
        assert!(at(0) && at(bound - 1) && !at(bound));
    }

    #[test]
    fn token_over_the_maximum_age_is_rejected() {
        let rules = ClaimsRules { max_token_age: Some(Duration::from_secs(600)), ..rules() };
        let day = ("exp", "1800086400");
        for (iat, expected) in [
            ("1800000000", Ok(())),
            ("1800000010", Ok(())),
            ("1799999391", Ok(())),
            ("1799999390.5", Ok(())),
            ("1799999390", Err("token_age")),
            ("0", Err("token_age")),
            ("", Err("missing_claim")),
        ] {
            let verdict = verdict(&rules, &[day, ("iat", iat)]);
            assert_eq!(verdict.map_err(|error| error.rule()), expected, "{iat}");
        }
    }

    #[test]
    fn revocation_bound_is_that_of_the_stricter_limit() {
        let secs = |secs| Some(Duration::from_secs(secs));
        for (max_token_lifetime, max_token_age, bound) in [
            (None, None, None),
            (secs(900), None, secs(920)),
            (None, secs(600), secs(620)),
            (secs(900), secs(600), secs(620)),
            (secs(300), secs(600), secs(320)),
        ] {
            let rules = ClaimsRules { max_token_lifetime, max_token_age, ..rules() };
            assert_eq!(rules.revocation_bound(), bound);
        }
        // Like `token_past_the_revocation_bound_is_rejected`, with a token that never expires.
        let rules = ClaimsRules { max_token_age: secs(600), ..rules() };
        let payload = Payload::for_test(
            r#"{"iss":"https://issuer.example","aud":"https://api.example",
                "iat":1800000010,"exp":1808000000}"#,
        );
        let claims = RegisteredClaims::parse(payload).unwrap();
        let at = |secs: u64| check_at(&rules, &claims, testing::NOW + secs);
        assert!(at(0) && at(619) && !at(620));
    }

    #[test]
    fn absent_or_null_required_claim_is_rejected() {
        let required_claims = vec!["sub".to_owned(), "tenant".to_owned()];
        let rules = ClaimsRules { required_claims, ..rules() };
        let present = |text: &str| {
            let claims = RegisteredClaims::parse(Payload::for_test(text));
            rules.check_present(&claims.unwrap())
        };
        assert_eq!(present(r#"{"tenant":0,"sub":""}"#), Ok(()));
        for (text, absent) in [
            (r#"{"sub":"s"}"#, "tenant"),
            (r#"{"sub":"s","tenant":null}"#, "tenant"),
            (r#"{"sub":"s","Tenant":1,"x":{"tenant":1}}"#, "tenant"),
            (r#"{"tenant":1}"#, "sub"),
        ] {
            let name = absent.to_owned();
            assert_eq!(present(text), Err(TokenError::RequiredClaim { name }), "{text}");
        }
    }

    /// The marks that nothing overrides, and the two that an explicit token type overrides.
    #[test]
    fn token_of_another_kind_is_rejected_by_its_marks() {
        let typed = |name: &str, value: &str, token_type, type_claim: &str| {
            let claims = format!(
                r#"{{"iss":"https://issuer.example","aud":"https://api.example","exp":1800000900,
                    "{name}":{value}{type_claim}}}"#
            );
            let claims = RegisteredClaims::parse(Payload::for_test(&claims)).unwrap();
            rules().check(&claims, token_type, NOW).map_err(|error| error.rule())
        };
        let bearer = r#","typ":"Bearer""#;
        for (name, value, rule) in [
            ("c_hash", r#""x""#, "access_token"),
            ("s_hash", r#""x""#, "access_token"),
            (
                "events",
                r#"{"http://schemas.openid.net/event/backchannel-logout":{}}"#,
                "access_token",
            ),
            ("htm", r#""GET""#, "access_token"),
            ("token_use", r#""id""#, "access_token"),
            ("token_use", r#""refresh""#, "access_token"),
            ("cnf", r#"{"jkt":"x"}"#, "cnf"),
        ] {
            for (token_type, claim) in [
                (TokenType::Jwt, ""),
                (TokenType::Absent, ""),
                (TokenType::AccessToken, ""),
                (TokenType::Jwt, bearer),
            ] {
                assert_eq!(typed(name, value, token_type, claim), Err(rule), "{name} {value}");
            }
        }
        for typ in ["ID", "id", "Refresh", "Offline", "Logout", "Serialized-ID", "DPoP"] {
            let value = format!("{typ:?}");
            for token_type in [TokenType::Jwt, TokenType::AccessToken] {
                assert_eq!(typed("typ", &value, token_type, ""), Err("access_token"), "{typ}");
            }
        }
        for (name, value) in
            [("nonce", r#""n""#), ("nonce", "null"), ("at_hash", r#""x""#), ("at_hash", "{}")]
        {
            for (token_type, claim, verdict) in [
                (TokenType::Jwt, "", Err("access_token")),
                (TokenType::Absent, "", Err("access_token")),
                (TokenType::Absent, r#","typ":"access""#, Err("access_token")),
                (TokenType::Absent, r#","typ":"bearer""#, Err("access_token")),
                (TokenType::AccessToken, "", Ok(())),
                (TokenType::Jwt, bearer, Ok(())),
                (TokenType::Absent, bearer, Ok(())),
            ] {
                assert_eq!(typed(name, value, token_type, claim), verdict, "{name} {claim}");
            }
        }
    }

    /// Spring's ID token may have no `nonce`, because the code flow does not require one.
    #[test]
    fn untyped_token_that_looks_like_an_id_token_is_rejected() {
        let like = [("azp", r#""https://api.example""#), ("auth_time", "1")];
        let with = |changes: &[(&str, &str)]| {
            let all: Vec<_> = like.iter().chain(changes).copied().collect();
            verdict(&rules(), &all)
        };
        assert_eq!(with(&[]), Err(TokenError::LikeIdToken));
        for changes in [
            &[("sid", r#""s""#)][..],
            &[("aud", r#"["x","https://api.example"]"#)],
            &[("scope", "null")],
            &[("auth_time", r#""2027-01-15T08:00:00Z""#)],
            &[("roles", r#"["r"]"#)],
            &[("typ", r#""access""#)],
            &[("azp", "7")],
            &[("scope", "[]")],
        ] {
            assert_eq!(with(changes), Err(TokenError::LikeIdToken), "{changes:?}");
        }
        for changes in [
            &[("azp", "")][..],
            &[("azp", r#""another-client""#)],
            &[("auth_time", "")],
            &[("auth_time", "null")],
            &[("scope", r#""openid""#)],
            &[("scope", r#"["openid"]"#)],
            &[("scp", r#"["openid"]"#)],
            &[("typ", r#""Bearer""#)],
        ] {
            assert_eq!(with(changes), Ok(()), "{changes:?}");
        }
        let opted = dangerous::accept_id_tokens(Profile::jwt());
        assert_eq!(verdict(&ClaimsRules { profile: opted, ..rules() }, &like), Ok(()));
    }

    #[test]
    fn mismatched_iss_and_aud_are_found_but_not_in_the_message() {
        let error = verdict(&rules(), &[("iss", r#""https://s3cret.example""#)]).unwrap_err();
        assert_eq!(error.found().unwrap().to_string(), r#""https://s3cret.example""#);
        assert!(!format!("{error} {error:?} {:?}", error.found()).contains("s3cret"));
        let error =
            verdict(&rules(), &[("aud", r#"["s3cret","https://api.example/"]"#)]).unwrap_err();
        assert_eq!(error.found().unwrap().to_string(), r#""s3cret", "https://api.example/""#);
        let shown = format!("{error} {error:?} {:?}", error.found());
        assert!(shown.contains("trailing slash") && !shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn durations_in_messages_are_seconds() {
        let error = verdict(&rules(), &[("exp", "1799999987.6")]).unwrap_err();
        assert_eq!(error.to_string(), "the token expired 12.4 s ago (`exp`)");
        let error = verdict(&rules(), &[("nbf", "1800000012")]).unwrap_err();
        assert_eq!(error.to_string(), "`nbf` is 12 s in the future");
    }

    #[test]
    fn rfc_9068_profile_requires_all_of_its_claims() {
        let rules = ClaimsRules { profile: Profile::rfc9068(), ..rules() };
        let whole = [("sub", r#""s""#), ("client_id", r#""c""#), ("jti", r#""j""#)];
        assert_eq!(verdict(&rules, &whole), Ok(()));
        for name in ["sub", "client_id", "jti", "iat"] {
            let changes: Vec<_> = whole.into_iter().chain([(name, "")]).collect();
            assert_eq!(verdict(&rules, &changes), Err(TokenError::MissingClaim { name }));
        }
        // Only this profile reads these two claims.
        for name in ["client_id", "jti"] {
            let changes: Vec<_> = whole.into_iter().chain([(name, "7")]).collect();
            assert_eq!(verdict(&rules, &changes), Err(TokenError::WrongType { name }));
            let twice = [("x", r#"1,"jti":"j","client_id":"c""#)];
            let changes: Vec<_> = whole.into_iter().chain(twice).collect();
            assert_eq!(verdict(&rules, &changes).unwrap_err().rule(), "duplicate_member");
        }
    }
}
