//! Watching: one task per service asks its program and its API; the overseer turns what they
//! and the hosts report into the one published state. Another task per service looks at what
//! configures it.

pub(crate) mod config;
pub(crate) mod facts;
pub(crate) mod overseer;
pub(crate) mod service;
