//! Watching: one task per service asks its program and its API; the overseer turns what they
//! and the hosts report into the one published state.

pub(crate) mod facts;
pub(crate) mod overseer;
pub(crate) mod service;
