//! One line of input, read strictly: nothing twice, nothing misspelt, nothing of another type.

use std::fmt;

use portcullis::Algorithm;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A signature to verify.
pub(super) struct Task<'a> {
    pub(super) jws: String,
    pub(super) keys: Keys<'a>,
    /// `None` when the line does not say.
    pub(super) allowed: Option<Vec<Algorithm>>,
}

/// The keys as they stand in the line, not yet read.
pub(super) enum Keys<'a> {
    One(&'a RawValue),
    Set(&'a RawValue),
}

impl Task<'_> {
    pub(super) fn allowed(&self) -> &[Algorithm] {
        self.allowed.as_deref().unwrap_or(Algorithm::ALL)
    }
}

/// The line's `id`, if it has one, and its task or what is wrong with it.
pub(super) fn read(line: &[u8]) -> (Option<&RawValue>, Result<Task<'_>, String>) {
    let Ok(text) = str::from_utf8(line) else {
        return (None, Err("not UTF-8".to_owned()));
    };
    match serde_json::from_str::<Members<'_>>(text) {
        Ok(members) => (members.id, members.task()),
        // The text of a wrong type would quote the value.
        Err(error) if error.is_data() => (None, Err("not a JSON object".to_owned())),
        Err(error) => (None, Err(format!("not JSON: {error}"))),
    }
}

/// The members by their names, values not yet read.
#[derive(Default)]
struct Members<'a> {
    id: Option<&'a RawValue>,
    jwk: Option<&'a RawValue>,
    jwks: Option<&'a RawValue>,
    jws: Option<&'a RawValue>,
    algs: Option<&'a RawValue>,
    /// What is wrong with the names.
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
                let fault = || format!("{unknown:?} is not one of id, jwk, jwks, jws, algs");
                self.fault.get_or_insert_with(fault);
                return;
            }
        };
        if slot.replace(value).is_some() {
            self.fault.get_or_insert_with(|| format!("`{name}` comes twice"));
        }
    }

    fn task(&self) -> Result<Task<'a>, String> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        if self.id.is_none() {
            return Err("`id` is absent".to_owned());
        }
        let keys = match (self.jwk, self.jwks) {
            (Some(jwk), None) => Keys::One(object("jwk", jwk)?),
            (None, Some(jwks)) => Keys::Set(object("jwks", jwks)?),
            (None, None) => return Err("`jwk` or `jwks` is absent".to_owned()),
            (Some(_), Some(_)) => return Err("`jwk` and `jwks`: only one of them".to_owned()),
        };
        let jws = self.jws.ok_or("`jws` is absent")?;
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
                    // Neither of two is the line's.
                    members.id = None;
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}
