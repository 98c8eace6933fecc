//! Dates and times of a rules file.

use jiff::{civil, tz};
use toml::{
    Spanned,
    de::DeValue,
    value::{Datetime, Offset},
};

use crate::Timestamp;

/// A date or time of TOML, bare or in quotes. What has no offset is in UTC.
pub(super) fn moment(value: &Spanned<DeValue<'_>>) -> Option<Timestamp> {
    match value.get_ref() {
        DeValue::Datetime(Datetime { date, time, offset }) => {
            let date = (*date)?;
            let date = civil::Date::new(
                i16::try_from(date.year).ok()?,
                i8::try_from(date.month).ok()?,
                i8::try_from(date.day).ok()?,
            )
            .ok()?;
            let time = match time {
                Some(time) => civil::Time::new(
                    i8::try_from(time.hour).ok()?,
                    i8::try_from(time.minute).ok()?,
                    i8::try_from(time.second.unwrap_or(0)).ok()?,
                    0,
                )
                .ok()?,
                None => civil::Time::midnight(),
            };
            let minutes = match offset {
                Some(Offset::Custom { minutes }) => i32::from(*minutes),
                Some(Offset::Z) | None => 0,
            };
            let zone = tz::Offset::from_seconds(minutes * 60).ok()?;
            zone.to_timestamp(date.to_datetime(time)).ok()
        }
        DeValue::String(text) => text.parse().ok().or_else(|| {
            let date: civil::Date = text.parse().ok()?;
            tz::Offset::UTC
                .to_timestamp(date.to_datetime(civil::Time::midnight()))
                .ok()
        }),
        _ => None,
    }
}
