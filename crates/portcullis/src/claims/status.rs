//! `status`: the status list entry that tells whether a token is revoked
//! ([draft-ietf-oauth-status-list §6]).
//!
//! [draft-ietf-oauth-status-list §6]: https://datatracker.ietf.org/doc/html/draft-ietf-oauth-status-list#section-6

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::json::{self, FromMembers, Member, Text};

/// An entry in a status list.
#[derive(Clone, Copy)]
pub(crate) struct StatusReference<'c> {
    /// The URI of the list.
    pub(crate) uri: &'c str,
    /// The index in the list.
    pub(crate) index: u64,
}

/// The `status` claim. Some issuers use a claim of this name with another meaning. Such a token is
/// still accepted; it has no status list entry, and is rejected only where a route requires one.
pub(super) struct StatusClaim<'a>(pub(super) Option<(u64, Text<'a>)>);

impl<'de> Deserialize<'de> for StatusClaim<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let AnyOr(members) = AnyOr::<Mechanisms<'de>>::deserialize(deserializer)?;
        let list = members.and_then(|members| members.status_list);
        Ok(Self(list.and_then(|AnyOr(list)| {
            let list = list?;
            Some((list.index?, list.uri?))
        })))
    }
}

/// Members of `status`: the status mechanisms.
#[derive(Default)]
struct Mechanisms<'a> {
    status_list: Option<AnyOr<Place<'a>>>,
}

impl<'de> FromMembers<'de> for Mechanisms<'de> {
    fn take<M: Member<'de>>(&mut self, name: &str, member: M) -> Result<(), M::Error> {
        match name {
            "status_list" => self.status_list = Some(member.read("status")?),
            _ => member.skip()?,
        }
        Ok(())
    }
}

/// Members of `status_list`.
#[derive(Default)]
struct Place<'a> {
    index: Option<u64>,
    uri: Option<Text<'a>>,
}

impl<'de> FromMembers<'de> for Place<'de> {
    fn take<M: Member<'de>>(&mut self, name: &str, member: M) -> Result<(), M::Error> {
        match name {
            "idx" => self.index = Some(member.read("status")?),
            "uri" => self.uri = Some(member.read("status")?),
            _ => member.skip()?,
        }
        Ok(())
    }
}

/// A `T` from an object's members, or `None` from a value of another type.
struct AnyOr<T>(Option<T>);

impl<'de, T: FromMembers<'de> + Default> Deserialize<'de> for AnyOr<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyVisitor<T>(std::marker::PhantomData<T>);

        impl<'de, T: FromMembers<'de> + Default> Visitor<'de> for AnyVisitor<T> {
            type Value = AnyOr<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<AnyOr<T>, M::Error> {
                let mut value = T::default();
                json::take_members(&mut value, map)?;
                Ok(AnyOr(Some(value)))
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<AnyOr<T>, S::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(AnyOr(None))
            }

            fn visit_str<E>(self, _: &str) -> Result<AnyOr<T>, E> {
                Ok(AnyOr(None))
            }

            fn visit_unit<E>(self) -> Result<AnyOr<T>, E> {
                Ok(AnyOr(None))
            }

            fn visit_bool<E>(self, _: bool) -> Result<AnyOr<T>, E> {
                Ok(AnyOr(None))
            }

            fn visit_i64<E>(self, _: i64) -> Result<AnyOr<T>, E> {
                Ok(AnyOr(None))
            }

            fn visit_u64<E>(self, _: u64) -> Result<AnyOr<T>, E> {
                Ok(AnyOr(None))
            }

            fn visit_f64<E>(self, _: f64) -> Result<AnyOr<T>, E> {
                Ok(AnyOr(None))
            }
        }

        deserializer.deserialize_any(AnyVisitor(std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::RegisteredClaims;
    use crate::error::TokenError;
    use crate::key::Payload;

    fn read(claims: &str) -> Result<Option<(u64, String)>, TokenError> {
        let claims = RegisteredClaims::parse(Payload::for_test(claims))?;
        Ok(claims.status().map(|StatusReference { uri, index }| (index, uri.to_owned())))
    }

    #[test]
    fn status_list_reference_is_parsed() {
        let claims = r#"{"status":{"other":{},"status_list":{"uri":"https://i/\u0031","idx":7}}}"#;
        assert_eq!(read(claims), Ok(Some((7, "https://i/1".to_owned()))));
    }

    #[test]
    fn status_claim_of_another_kind_is_ignored() {
        for status in [
            r#""active""#,
            "null",
            "true",
            "7",
            "-7",
            "1.5",
            r#"["a"]"#,
            "{}",
            r#"{"status_list":7}"#,
            r#"{"status_list":{"idx":7}}"#,
            r#"{"status_list":{"uri":"u"}}"#,
        ] {
            assert_eq!(read(&format!(r#"{{"status":{status}}}"#)), Ok(None), "{status}");
        }
    }

    #[test]
    fn ambiguous_or_mistyped_status_reference_is_none() {
        for list in [
            r#"{"idx":-1,"uri":"u"}"#,
            r#"{"idx":1.5,"uri":"u"}"#,
            r#"{"idx":"1","uri":"u"}"#,
            r#"{"idx":1,"uri":7}"#,
            r#"{"idx":1,"idx":2,"uri":"u"}"#,
        ] {
            let claims = format!(r#"{{"status":{{"status_list":{list}}}}}"#);
            assert_eq!(read(&claims), Ok(None), "{list}");
        }
    }
}
