//! The only clock.

use forgekeeper_domain::Timestamp;
use jiff::civil::DateTime;

/// The present moment.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the clock"
)]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// The present time of the day on this machine.
pub fn local() -> DateTime {
    jiff::ZonedDateTime::now().datetime()
}

/// The time zone of this machine; UTC where it is not known.
pub fn zone() -> jiff::tz::TimeZone {
    jiff::tz::TimeZone::try_system().unwrap_or(jiff::tz::TimeZone::UTC)
}
