//! Pure types and decisions of Forgekeeper.
//!
//! Nothing here reads a clock, opens a socket or draws a random number: time and facts are
//! passed in, verdicts come out. Every row of the fault catalogue is a table test below.

#![cfg_attr(
    test,
    allow(
        clippy::format_collect,
        clippy::items_after_statements,
        clippy::large_stack_arrays,
        clippy::option_option,
        clippy::type_complexity,
        clippy::unnecessary_wraps,
        reason = "tables of tests are long, and as literal as the facts they hold"
    )
)]

pub mod action;
pub mod activity;
pub mod backup;
pub mod cause;
pub mod checks;
pub mod config;
pub mod container;
pub mod discovery;
pub mod document;
pub mod engine_words;
pub mod error;
pub mod facts;
pub mod gallery;
pub mod generation;
pub mod golden;
pub mod gpu;
pub mod ids;
pub mod incident;
pub mod job;
pub mod ladder;
pub mod logs;
pub mod markup;
pub mod migration;
pub mod models;
pub mod notes;
pub mod outcome;
pub mod placement;
pub mod restart;
pub mod series;
pub mod service;
pub mod suggest;

pub use jiff::Timestamp;
