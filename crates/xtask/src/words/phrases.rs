//! The banned phrases.

/// A phrase, in lower case with single spaces.
#[derive(Debug)]
pub(super) struct Banned {
    pub(super) phrase: &'static str,
    pub(super) why: &'static str,
    pub(super) instead: &'static str,
}

const fn banned(phrase: &'static str, why: &'static str, instead: &'static str) -> Banned {
    Banned { phrase, why, instead }
}

const ARCHAIC: &str = "archaic";
const INDIRECT: &str = "says indirectly what has a name";
const PERSONIFIED: &str = "names nobody in particular";
const NOT_IDIOMATIC: &str = "not idiomatic English";

pub(super) const BANNED: [Banned; 30] = [
    banned("can not", "misspelt", "`cannot`"),
    banned("can't", "informal", "`cannot`"),
    banned("shall", ARCHAIC, "`must`, `should` or the present tense"),
    banned("whom", ARCHAIC, "a sentence whose subject is the caller, user or client"),
    banned("whomever", ARCHAIC, "the caller, user or client"),
    banned("whoever", PERSONIFIED, "the caller, client, operator or application"),
    banned("nobody", PERSONIFIED, "`no caller`, `no client`, or the rejected thing as the subject"),
    banned("somebody", PERSONIFIED, "the caller, client, user or attacker"),
    banned("thus", ARCHAIC, "`so`, or a new sentence"),
    banned("hence", ARCHAIC, "`so`, or a new sentence"),
    banned("whence", ARCHAIC, "`from which`"),
    banned("thereof", ARCHAIC, "`of it`, or the noun"),
    banned("lest", ARCHAIC, "`so that … does not`"),
    banned("to be had", INDIRECT, "`available`"),
    banned("at hand", INDIRECT, "`current`, `available`, or the noun"),
    banned("in the place of", NOT_IDIOMATIC, "`instead of`, or `replaces`"),
    banned("is told as", INDIRECT, "`is reported as`"),
    banned("are told as", INDIRECT, "`are reported as`"),
    banned("is told apart", INDIRECT, "`differs from`, `is distinguished`"),
    banned("are told apart", INDIRECT, "`differ`, `are distinguished`"),
    banned("told as such", INDIRECT, "`reported as …`"),
    banned("how manieth", NOT_IDIOMATIC, "`the number of …`"),
    banned("let past", INDIRECT, "`accepted`, `passed on`"),
    banned("lets past", INDIRECT, "`accepts`, `passes on`"),
    banned("lets anybody in", INDIRECT, "`accepts every request`"),
    banned("so that there is", INDIRECT, "`so … has`, or the verb"),
    banned("what is asked of", INDIRECT, "the request, query or requirement"),
    banned("what stands where", INDIRECT, "the header, claim or line"),
    banned("the one that", INDIRECT, "the noun"),
    banned("is good no more", NOT_IDIOMATIC, "`has expired`, `was revoked`"),
];
