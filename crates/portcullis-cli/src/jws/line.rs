//! Parses one line of input strictly: no repeated or unknown members, no wrong types.

use std::fmt;

use portcullis::Algorithm;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A signature to verify.
pub(super) struct Task<'a> {
    pub(super) jws: String,
    pub(super) keys: Keys<'a>,
    /// `None` if the line has no `algs`.
    pub(super) allowed: Option<Vec<Algorithm>>,
}

/// The keys of the line, not yet parsed.
pub(super) enum Keys<'a> {
    One(&'a RawValue),
    Set(&'a RawValue),
}

impl Task<'_> {
    pub(super) fn allowed(&self) -> &[Algorithm] {
        self.allowed.as_deref().unwrap_or(Algorithm::ALL)
    }
}

/// Parses a line into its `id`, if it has one, and its task or an error.
pub(super) fn read(line: &[u8]) -> (Option<&RawValue>, Result<Task<'_>, String>) {
    let Ok(text) = str::from_utf8(line) else {
        return (None, Err("not UTF-8".to_owned()));
    };
    match serde_json::from_str::<Members<'_>>(text) {
        Ok(members) => (members.id, members.task()),
        // serde's message for a wrong type would quote the value, which may be secret.
        Err(error) if error.is_data() => (None, Err("not a JSON object".to_owned())),
        Err(error) => (None, Err(format!("not JSON: {error}"))),
    }
}

/// The members by name, with values not yet parsed.
#[derive(Default)]
struct Members<'a> {
    id: Option<&'a RawValue>,
    jwk: Option<&'a RawValue>,
    jwks: Option<&'a RawValue>,
    jws: Option<&'a RawValue>,
    algs: Option<&'a RawValue>,
    /// The error about the first unknown or repeated member.
    fault: Option<String>,
}

impl<'a> Members<'a> {
    fn add(&mut self, name: &str, value: &'a RawValue) {
        let slot = match name {
            "id" => &mut self.id,
            "jwk" => &mut self.jwk,
            "jwks" => &mut self.jwks,
            "jws" => &mut self.jws,
            "algs" => &mut self.algs,
            unknown => {
                let unknown: String = unknown.chars().take(40).collect();
                let fault =
                    || format!("unknown member {unknown:?}; expected id, jwk, jwks, jws or algs");
                self.fault.get_or_insert_with(fault);
                return;
            }
        };
        if slot.replace(value).is_some() {
            self.fault.get_or_insert_with(|| format!("`{name}` is repeated"));
        }
    }

    fn task(&self) -> Result<Task<'a>, String> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        if self.id.is_none() {
            return Err("`id` is missing".to_owned());
        }
        let keys = match (self.jwk, self.jwks) {
            (Some(jwk), None) => Keys::One(object("jwk", jwk)?),
            (None, Some(jwks)) => Keys::Set(object("jwks", jwks)?),
            (None, None) => return Err("`jwk` or `jwks` is missing".to_owned()),
            (Some(_), Some(_)) => return Err("both `jwk` and `jwks`; give one".to_owned()),
        };
        let jws = self.jws.ok_or("`jws` is missing")?;
        let jws = serde_json::from_str(jws.get()).map_err(|_| "`jws` is not a string")?;
        Ok(Task { jws, keys, allowed: self.algs.map(algorithms).transpose()? })
    }
}

fn object<'a>(name: &str, value: &'a RawValue) -> Result<&'a RawValue, String> {
    if value.get().starts_with('{') {
        Ok(value)
    } else {
        Err(format!("`{name}` is not a JSON object"))
    }
}

fn algorithms(algs: &RawValue) -> Result<Vec<Algorithm>, String> {
    let names: Vec<String> =
        serde_json::from_str(algs.get()).map_err(|_| "`algs` is not an array of strings")?;
    names.iter().map(|name| name.parse().map_err(|error| format!("`algs`: {error}"))).collect()
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Members::default();
                let mut ids = 0;
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    ids += u32::from(name == "id");
                    members.add(&name, value);
                }
                if ids > 1 {
                    // If a line has several ids, its answer has the line number instead.
                    members.id = None;
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}
