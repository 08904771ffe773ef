//! All revocation checks of one stream, as for a request.

use crate::authenticated::Authenticated;
use crate::maybe_ready::MaybeReady;
use crate::refusal::RefusalKind;
use crate::revocation::Means;

/// The result of all revocation checks of a token.
pub(super) fn standing(
    who: Authenticated,
    means: Vec<Means>,
) -> MaybeReady<Result<(), RefusalKind>> {
    let mut left = means.into_iter();
    while let Some(means) = left.next() {
        match who.stands(means) {
            MaybeReady::Ready(Ok(())) => {}
            MaybeReady::Ready(Err(refused)) => return MaybeReady::Ready(Err(refused.kind())),
            MaybeReady::Pending(first) => {
                return MaybeReady::pending(async move {
                    first.await.map_err(|refused| refused.kind())?;
                    for means in left {
                        who.stands(means).await.map_err(|refused| refused.kind())?;
                    }
                    Ok(())
                });
            }
        }
    }
    MaybeReady::Ready(Ok(()))
}
