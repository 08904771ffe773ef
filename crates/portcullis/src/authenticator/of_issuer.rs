//! Methods of [`IssuerSettings`](super::IssuerSettings) on a builder that holds such settings.

/// Implements methods that set `self.issuer`, an `IssuerSettings`; `$what` ends their documentation.
macro_rules! of_issuer {
    (
        $for:ty, $what:literal;
        $($method:ident$([$($generic:tt)*])?($($argument:ident: $type:ty)?);)*
    ) => {
        impl $for {
            $(
                #[doc = concat!(
                    "[`IssuerSettings::", stringify!($method), "`](crate::IssuerSettings::",
                    stringify!($method), ")", $what,
                )]
                pub fn $method$(<$($generic)*>)?(mut self $(, $argument: $type)?) -> Self {
                    self.issuer = self.issuer.$method($($argument)?);
                    self
                }
            )*
        }
    };
}

pub(super) use of_issuer;
