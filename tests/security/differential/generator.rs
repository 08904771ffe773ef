//! Valid tokens with a few mutations, from a seed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::Algorithm;
use portcullis::testing::TestKey;
use serde_json::json;

use super::members::Members;
use super::random::Random;
use super::{AUDIENCE, ISSUER};

const ALGORITHMS: [Algorithm; 4] =
    [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::Ed25519];

/// One key of each algorithm; its `kid` is the algorithm's name.
pub(crate) fn keys() -> Vec<TestKey> {
    ALGORITHMS.map(|algorithm| TestKey::generate(algorithm.as_str(), algorithm)).into()
}

/// A token and its mutations.
pub(crate) struct Sample {
    pub(crate) token: String,
    pub(crate) header: String,
    pub(crate) claims: String,
    pub(crate) mutations: Vec<&'static str>,
}

pub(crate) struct Generator<'k> {
    random: Random,
    keys: &'k [TestKey],
    strangers: Vec<TestKey>,
}

/// Values of every type, for use where another type is expected.
const ODD: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-1",
    "1.5",
    "\"\"",
    "\"x\"",
    "[]",
    "[1]",
    "[\"x\"]",
    "[null]",
    "{}",
    "{\"a\":1}",
    "18446744073709551615",
    "1e300",
];

/// Offsets of times, in seconds. No offset is within two seconds of a change of verdict, because
/// two clocks are read.
const OFFSETS: &[i64] = &[-86_400, -900, -100, -13, -7, -1, 0, 1, 7, 13, 100, 900, 86_400];

impl<'k> Generator<'k> {
    pub(crate) fn new(seed: u64, keys: &'k [TestKey]) -> Self {
        Self { random: Random(seed.max(1)), keys, strangers: self::keys() }
    }

    pub(crate) fn next(&mut self, now: u64) -> Sample {
        let key = self.random.below(self.keys.len());
        let alg = ALGORITHMS[key].as_str();
        let mut header = Members(vec![
            ("alg".to_owned(), format!("\"{alg}\"")),
            ("kid".to_owned(), format!("\"{alg}\"")),
            ("typ".to_owned(), "\"at+jwt\"".to_owned()),
        ]);
        let mut claims = Members(vec![
            ("iss".to_owned(), format!("\"{ISSUER}\"")),
            ("aud".to_owned(), format!("\"{AUDIENCE}\"")),
            ("sub".to_owned(), json!(format!("user-{}", self.random.below(1000))).to_string()),
            ("iat".to_owned(), now.to_string()),
            ("exp".to_owned(), (now + 900).to_string()),
        ]);
        let mut mutations = Vec::new();
        let count = self.random.pick(&[0, 1, 1, 1, 1, 2, 2, 3]);
        for _ in 0..count {
            mutations.push(match self.random.below(10) {
                0..=2 => self.mutate_header(&mut header, alg),
                3..=8 => self.mutate_claims(&mut claims, now),
                // The text of the signed token is mutated below.
                _ => "text",
            });
        }
        let (header, claims) = (header.text(), claims.text());
        let signer = if self.random.below(20) == 0 {
            mutations.push("another key");
            &self.strangers[self.random.below(ALGORITHMS.len())]
        } else {
            &self.keys[key]
        };
        let mut token = signer.sign(&header, &claims);
        for _ in mutations.clone().iter().filter(|&&mutation| mutation == "text") {
            token = self.mutate_text(&token);
        }
        Sample { token, header, claims, mutations }
    }

    fn mutate_header(&mut self, header: &mut Members, alg: &str) -> &'static str {
        let odd = self.random.pick(ODD);
        match self.random.below(14) {
            0 => {
                let names = [
                    "RS256",
                    "PS256",
                    "ES256",
                    "EdDSA",
                    "HS256",
                    "none",
                    "None",
                    "RS512",
                    "ES384",
                    "rs256",
                    "",
                    "ES256K",
                    "ML-DSA-65",
                ];
                header.put("alg", format!("\"{}\"", self.random.pick(&names)));
                "alg"
            }
            1 => {
                header.put("alg", odd);
                "alg of another type"
            }
            2 if alg == "EdDSA" => {
                header.put("alg", "\"Ed25519\"");
                "alg Ed25519"
            }
            2 => {
                header.remove("alg");
                "no alg"
            }
            3 => {
                header.remove("kid");
                "no kid"
            }
            4 => {
                let kids = ["\"RS256\"", "\"ES256\"", "\"other\"", "\"\"", "\"rs256\"", odd];
                header.put("kid", self.random.pick(&kids));
                "kid"
            }
            5 => {
                let types = [
                    "\"JWT\"",
                    "\"jwt\"",
                    "\"application/at+jwt\"",
                    "\"logout+jwt\"",
                    "\"dpop+jwt\"",
                    "\"\"",
                    "\"AT+JWT\"",
                    odd,
                ];
                header.put("typ", self.random.pick(&types));
                "typ"
            }
            6 => {
                header.remove("typ");
                "no typ"
            }
            7 => {
                let crit =
                    self.random.pick(&["[\"exp\"]", "[]", "[\"b64\"]", "[\"x\",\"x\"]", odd]);
                header.put("crit", crit);
                "crit"
            }
            8 => {
                header.put("b64", self.random.pick(&["false", "true", odd]));
                "b64"
            }
            9 => {
                let name = self.random.pick(&["alg", "kid", "typ", "x"]);
                header.add(name, "\"ES256\"");
                header.add(name, odd);
                "header member twice"
            }
            10 => {
                let names = [
                    "jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "cty", "zip", "enc", "url",
                    "nonce",
                ];
                header.put(self.random.pick(&names), odd);
                "ignored header"
            }
            11 => {
                let stranger = self.strangers[self.random.below(ALGORITHMS.len())].jwk();
                header.put("jwk", stranger.to_string());
                "embedded key"
            }
            12 => {
                header.put("http://example.com/x", odd);
                "unknown header"
            }
            _ => {
                header.put("x", format!("\"{}\"", "a".repeat(9000)));
                "long header"
            }
        }
    }

    fn mutate_claims(&mut self, claims: &mut Members, now: u64) -> &'static str {
        let odd = self.random.pick(ODD);
        let date = now.saturating_add_signed(self.random.pick(OFFSETS));
        match self.random.below(20) {
            0..=2 => {
                let name = self.random.pick(&["exp", "exp", "nbf", "iat"]);
                claims.put(name, date.to_string());
                "date"
            }
            3 => {
                let name = self.random.pick(&["exp", "nbf", "iat"]);
                claims.put(name, odd);
                "date of another type"
            }
            4 => {
                let name = self.random.pick(&["exp", "nbf"]);
                let text = self.random.pick(&[".0", ".25", ".5", ".75", ".999"]);
                let form = self.random.pick(&[text, "e0"]);
                claims.put(name, format!("{date}{form}"));
                "fraction"
            }
            5 => {
                let dates = ["253402300799", "253402300800", "9223372036854775807", "0", "-0.0"];
                claims.put(self.random.pick(&["exp", "nbf", "iat"]), self.random.pick(&dates));
                "extreme date"
            }
            6 => {
                let name = self.random.pick(&["exp", "nbf", "iat"]);
                claims.put(name, format!("\"{date}\""));
                "date as text"
            }
            7 => {
                claims.remove(self.random.pick(&["iss", "aud", "sub", "iat", "exp"]));
                "absent claim"
            }
            8 => {
                let issuers = [
                    json!("https://evil.example"),
                    json!("https://issuer.example/"),
                    json!(""),
                    json!([ISSUER]),
                    json!([ISSUER, "https://evil.example"]),
                    json!(["https://evil.example"]),
                    json!({"iss": ISSUER}),
                ];
                claims.put("iss", issuers[self.random.below(issuers.len())].to_string());
                "iss"
            }
            9 => {
                claims.put("iss", odd);
                "iss of another type"
            }
            10 => {
                let audiences = [
                    json!("https://other.example"),
                    json!("https://api.example/"),
                    json!([AUDIENCE]),
                    json!([AUDIENCE, "x"]),
                    json!(["x", AUDIENCE, AUDIENCE]),
                    json!([]),
                    json!(["x"]),
                    json!([AUDIENCE, 1]),
                    json!({AUDIENCE: true}),
                    json!([[AUDIENCE]]),
                ];
                claims.put("aud", audiences[self.random.below(audiences.len())].to_string());
                "aud"
            }
            11 => {
                claims.put("aud", odd);
                "aud of another type"
            }
            12 => {
                let name = self.random.pick(&["sub", "jti", "scope", "client_id", "sid", "roles"]);
                claims.put(name, odd);
                "another registered claim"
            }
            13 => {
                let name = self.random.pick(&["iss", "aud", "exp", "nbf", "sub", "x", "tenant"]);
                claims.add(name, odd);
                claims.add(name, odd);
                "claim twice"
            }
            14 => {
                let name =
                    self.random.pick(&["e\\u0078p", "i\\u0073s", "\\u0061ud", "Exp", "exp "]);
                claims.add(name, "9999999999");
                "claim in other letters"
            }
            15 => {
                let marks = ["cnf", "nonce", "at_hash", "events", "htm", "token_use", "typ"];
                claims.put(self.random.pick(&marks), self.random.pick(&["\"ID\"", "{}", odd]));
                "mark of another kind"
            }
            16 => {
                let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
                let values = [deep.as_str(), "\"\\ud800\"", "1e999"];
                claims.put("x", self.random.pick(&values));
                "unread claim"
            }
            17 => {
                claims.put("x", odd);
                "another claim"
            }
            18 => {
                let length = self.random.pick(&[1000, 5000, 20_000]);
                claims.put("x", format!("\"{}\"", "a".repeat(length)));
                "long claim"
            }
            _ => {
                // Damages the JSON.
                claims
                    .add("x", self.random.pick(&["", "1,", "NaN", "'x'", "01", "{", "\"\u{1}\""]));
                "damaged claims"
            }
        }
    }

    /// Mutates the characters of the token.
    fn mutate_text(&mut self, token: &str) -> String {
        let mut parts: Vec<_> = token.split('.').map(str::to_owned).collect();
        let at = self.random.below(parts.len());
        match self.random.below(12) {
            0..=2 => {
                let last = parts.len() - 1;
                if let Ok(mut bytes) = URL_SAFE_NO_PAD.decode(&parts[last])
                    && !bytes.is_empty()
                {
                    let byte = self.random.below(bytes.len());
                    bytes[byte] ^= 1 << self.random.below(8);
                    parts[last] = URL_SAFE_NO_PAD.encode(bytes);
                }
            }
            3 => {
                let length = self.random.below(token.len());
                return token.chars().take(length).collect();
            }
            4 => {
                parts[at].push_str(self.random.pick(&["=", "==", "A", "AA", "AAA", "+", "/", "~"]))
            }
            5 => {
                // Changes the bits after the last whole byte.
                if let Some(last) = parts[at].pop() {
                    let alphabet =
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
                    let other = alphabet.find(last).map_or(0, |place| place ^ 1);
                    parts[at].push(char::from(alphabet.as_bytes()[other]));
                }
            }
            6 => parts[at] = parts[at].replace('-', "+").replace('_', "/"),
            7 => parts[at].clear(),
            8 => {
                parts.remove(at);
            }
            9 => parts.insert(at, self.random.pick(&["", "e30", "AA"]).to_owned()),
            10 => {
                let other = self.random.below(parts.len());
                parts.swap(at, other);
            }
            _ => {
                let place = self.random.below(token.len());
                let character = self.random.pick(&['A', 'z', '0', '-', '.', '=', '_']);
                let change = |(index, old)| if index == place { character } else { old };
                return token.chars().enumerate().map(change).collect();
            }
        }
        parts.join(".")
    }
}
