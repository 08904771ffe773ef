//! Delegates methods of [`IssuerSettings`](super::IssuerSettings) to the settings that a builder
//! holds.

/// Implements methods that change the settings through `self.of_issuer`. `$what` is the end of the
/// rustdoc of each method.
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
                pub fn $method$(<$($generic)*>)?(self $(, $argument: $type)?) -> Self {
                    self.of_issuer(stringify!($method), |issuer| issuer.$method($($argument)?))
                }
            )*
        }
    };
}

pub(super) use of_issuer;
