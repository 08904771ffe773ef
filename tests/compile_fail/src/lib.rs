//! Nothing: what there is to see are the tests.
