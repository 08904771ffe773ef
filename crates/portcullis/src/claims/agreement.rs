//! Compares the two readers of a payload: [`scan`](crate::json), and serde_json, which is the
//! reference.

use serde_json::Value;

use super::{Reader, Reading, RegisteredClaims, Texts};
use crate::json;
use crate::key::Payload;

/// Panics if the faster reader accepts a payload that serde_json rejects or reads differently.
/// Returns whether it accepts the payload.
pub(crate) fn readers_agree(payload: &str) -> bool {
    let (mut scanned, mut read) = (RegisteredClaims::default(), RegisteredClaims::default());
    let (mut one, mut other) = (reader(&mut scanned, payload), reader(&mut read, payload));
    let (is_accepted, result) = json::by_each_reader(payload, &mut one, &mut other);
    let texts = |reader: Reader<'_, '_>| reader.texts.into_unescaped();
    let (one, other) = (texts(one), texts(other));
    assert!(!is_accepted || result.is_ok(), "{result:?}, and accepted: {payload:?}");
    assert!(!is_accepted || (scanned == read && one == other), "read differently: {payload:?}");
    let mut whole = RegisteredClaims::default();
    let verdict = whole.read(Payload::for_test(payload));
    assert_eq!(verdict.is_ok(), result.is_ok(), "{payload:?}");
    if verdict.is_ok() {
        read.texts = Texts::new(payload.to_owned(), &other);
        assert!(whole == read, "the first reader left something behind: {payload:?}");
        assert_texts(&whole, payload);
    }
    is_accepted
}

/// Panics if a claim is not the text that the payload has there: both readers find it with the same code.
fn assert_texts(claims: &RegisteredClaims, payload: &str) {
    let Ok(value) = serde_json::from_str::<Value>(payload) else { return };
    for (name, text) in [("iss", claims.text(claims.iss)), ("sub", claims.text(claims.sub))] {
        assert_eq!(value.get(name).and_then(Value::as_str), text, "{payload:?}");
    }
    let texts = |name: &str| match value.get(name) {
        Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).collect(),
        text => Vec::from_iter(text.and_then(Value::as_str)),
    };
    assert_eq!(texts("aud"), Vec::from_iter(claims.audience().iter()), "{payload:?}");
    if claims.unreadable(super::PolicyClaim::Roles).is_none() {
        assert_eq!(texts("roles"), Vec::from_iter(claims.roles()), "{payload:?}");
    }
}

fn reader<'c, 'a>(claims: &'c mut RegisteredClaims, payload: &'a str) -> Reader<'c, 'a> {
    Reader { claims, texts: Reading::new(payload) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Payloads as issuers write them, with each claim that is read.
    const PAYLOADS: [&str; 4] = [
        r#"{"iss":"https://issuer.example","sub":"8f3a","aud":["https://a.example","b"],"exp":1800000900,
"iat":1800000000,"nbf":1800000000,"jti":"0b7c","client_id":"c","scope":"a b","sid":"d",
"roles":["r","s"]}"#,
        r#"{"exp": 1800000900, "iss": "i", "aud": "a", "azp": "c", "typ": "Bearer", "acr": "1",
"realm_access": {"roles": ["r", "s"]}, "resource_access": {"a": {"roles": []}}, "name": "J\u00fcrg",
"email_verified": true, "auth_time": 1800000000}"#,
        r#"{"iss":"i","token_use":"access","permissions":["p"],"scp":["a"],"status":{"status_list":
{"idx":7,"uri":"https://s.example"}},"nonce":null,"cnf":{"jkt":"x"},"amr":[["a"],-1.5e3,0]}"#,
        r#"{"alg":"RS256","kid":"2026-10-a","typ":"at+jwt"}"#,
    ];

    /// Fragments in which JSON readers differ.
    const FRAGMENTS: [&str; 40] = [
        "\"",
        "\\",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        " ",
        "\n",
        "\t",
        "\u{1f}",
        "\0",
        "\u{e9}",
        "\u{feff}",
        "0",
        "1",
        "-",
        ".",
        "e",
        "E",
        "+",
        "01",
        "-0",
        "1.0",
        "1e9",
        "1e999",
        "18446744073709551616",
        "999999999999999999",
        "253402300800",
        "null",
        "true",
        "false",
        "\\u0069ss",
        "\\ud800",
        "\\/",
        "\"iss\":\"x\",",
        "\"aud\":[],",
        "\"a\":{\"b\":[1,{\"a\":null}]},",
        "[[[[[[[[[[[[[[[[[[[[[[",
    ];

    /// A xorshift generator: each run makes the same payloads.
    struct Random(u64);

    impl Random {
        fn below(&mut self, end: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 % end as u64).unwrap()
        }
    }

    /// Changes a payload in one to three places: a fragment replaces some characters, or a part is
    /// repeated.
    fn changed(payload: &str, random: &mut Random) -> String {
        let mut characters: Vec<char> = payload.chars().collect();
        for _ in 0..=random.below(3) {
            let start = random.below(characters.len() + 1);
            let end = (start + random.below(4)).min(characters.len());
            if random.below(4) == 0 {
                let end = (start + random.below(40)).min(characters.len());
                let part = characters[start..end].to_vec();
                let to = random.below(characters.len() + 1);
                characters.splice(to..to, part);
            } else {
                let fragment = FRAGMENTS[random.below(FRAGMENTS.len())];
                characters.splice(start..end, fragment.chars());
            }
        }
        characters.into_iter().collect()
    }

    #[test]
    fn both_readers_read_the_same_claims() {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let (mut accepted, mut all) = (0, 0);
        for payload in PAYLOADS {
            let compact: String = payload.lines().collect();
            assert_eq!(
                readers_agree(&compact),
                !compact.contains('\\') && !compact.contains("-1.5")
            );
            for _ in 0..10_000 {
                let changed = changed(&compact, &mut random);
                accepted += u32::from(readers_agree(&changed));
                crate::jws::readers_agree(&changed);
                all += 1;
            }
        }
        assert!(accepted > 2_000 && accepted < all - 2_000, "{accepted} of {all} are accepted");
    }

    /// Forms that the faster reader must leave to serde_json, or read as serde_json does.
    #[test]
    fn both_readers_agree_on_forms_at_the_limits() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let many = |count: usize| {
            let members = (0..count).map(|number| format!("\"m{number}\":{number}"));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        };
        for (payload, is_accepted) in [
            ("{}".to_owned(), true),
            (" { } ".to_owned(), true),
            ("{}\n".to_owned(), false),
            ("{} {}".to_owned(), false),
            ("[]".to_owned(), false),
            (r#"{"iss":"a","iss":"a"}"#.to_owned(), false),
            (r#"{"x":1,"x":1}"#.to_owned(), false),
            ("{\"sub\":\"\u{e9}\u{20ac}\u{1f600}\",\"\u{e9}\u{e9}\":\"\u{a2}\"}".to_owned(), true),
            (r#"{"exp":}"#.to_owned(), false),
            (r#"{"exp":0}"#.to_owned(), true),
            (r#"{"exp":00}"#.to_owned(), false),
            (r#"{"exp":01}"#.to_owned(), false),
            (r#"{"exp":1.0}"#.to_owned(), false),
            (r#"{"roles":7,"exp":1.5}"#.to_owned(), false),
            (r#"{"exp":253402300799}"#.to_owned(), true),
            (r#"{"exp":253402300800}"#.to_owned(), false),
            (r#"{"x":999999999999999999}"#.to_owned(), true),
            (r#"{"x":9999999999999999999}"#.to_owned(), false),
            (r#"{ "x" : [ 1 , 2 ] , "y" : { "z" : [ ] } }"#.to_owned(), true),
            (r#"{"x":1  ,  "y":2}"#.to_owned(), true),
            (r#"{"seven_c":1,"eight__c":2,"nine____c":3}"#.to_owned(), true),
            (r#"{"eight__c":1,"eight__c":2}"#.to_owned(), false),
            (r#"{"aud":["seven_c","eight__c","nine____c",""]}"#.to_owned(), true),
            (r#"{"":""}"#.to_owned(), true),
            (r#"{"x":[,1]}"#.to_owned(), false),
            (r#"{"x":[1,,2]}"#.to_owned(), false),
            (r#"{"x"1}"#.to_owned(), false),
            (r#"{"x":"#.to_owned(), false),
            (r#"{"x"#.to_owned(), false),
            (r#"{"x":[1,]}"#.to_owned(), false),
            (r#"{"x":1,}"#.to_owned(), false),
            (r#"{,"x":1}"#.to_owned(), false),
            (r#"{"x":truefalse}"#.to_owned(), false),
            (r#"{"x":"a}"#.to_owned(), false),
            (r#"{"x":{"y":1,"y":2}}"#.to_owned(), true),
            (format!(r#"{{"x":{}}}"#, nested(16)), true),
            (format!(r#"{{"x":{}}}"#, nested(17)), false),
            (format!(r#"{{"x":{}}}"#, nested(100_000)), false),
            (many(40), true),
            (many(41), false),
        ] {
            let shown: String = payload.chars().take(40).collect();
            assert_eq!(readers_agree(&payload), is_accepted, "{shown}");
        }
    }
}
