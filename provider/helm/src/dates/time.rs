//! A point in time with a zone, as templates see it.

use std::any::Any;
use std::rc::Rc;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use super::layout::format;
use crate::value::{Object, Signature, Type, Value};

/// Where a time is shown.
#[derive(Clone, Debug)]
pub(crate) enum Zone {
    /// UTC, which is also the local zone: renderings do not depend on the machine.
    Utc,
    /// A fixed offset in seconds, with the abbreviation to show (may be empty).
    Fixed(String, i32),
    /// A zone of the IANA database.
    Named(TimeZone),
}

impl Zone {
    /// Go's `LoadLocation`; `None` for unknown names.
    pub(crate) fn load(name: &str) -> Option<Self> {
        match name {
            "" | "UTC" | "Local" => Some(Self::Utc),
            _ if name.contains("..") || name.starts_with(['/', '\\']) => None,
            _ => TimeZone::get(name).ok().map(Self::Named),
        }
    }

    /// Offset in seconds and abbreviation at a moment.
    pub(crate) fn at(&self, moment: Timestamp) -> (i32, String) {
        match self {
            Self::Utc => (0, "UTC".to_owned()),
            Self::Fixed(name, offset) => (*offset, name.clone()),
            Self::Named(zone) => {
                let info = zone.to_offset_info(moment);
                (info.offset().seconds(), info.abbreviation().to_owned())
            }
        }
    }

    /// The moment at which clocks of the zone show `civil`.
    pub(crate) fn moment(&self, civil: DateTime) -> Timestamp {
        let with = |offset: i32| {
            Offset::from_seconds(offset)
                .and_then(|offset| offset.to_timestamp(civil))
                .unwrap_or(Timestamp::UNIX_EPOCH)
        };
        match self {
            Self::Utc => with(0),
            Self::Fixed(_, offset) => with(*offset),
            Self::Named(zone) => zone
                .to_ambiguous_timestamp(civil)
                .compatible()
                .unwrap_or_else(|_| with(0)),
        }
    }
}

/// A moment and the zone it is shown in.
#[derive(Clone, Debug)]
pub(crate) struct Time {
    pub(crate) moment: Timestamp,
    pub(crate) zone: Zone,
}

impl Time {
    /// In UTC.
    pub(crate) const fn utc(moment: Timestamp) -> Self {
        Self {
            moment,
            zone: Zone::Utc,
        }
    }

    /// Go's zero time.
    pub(crate) fn zero() -> Self {
        Self::utc(Zone::Utc.moment(DateTime::constant(1, 1, 1, 0, 0, 0, 0)))
    }

    pub(crate) fn from_unix(seconds: i64) -> Self {
        Self::utc(Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH))
    }

    /// What a clock on the wall shows.
    pub(crate) fn civil(&self) -> DateTime {
        let (offset, _) = self.zone.at(self.moment);
        Offset::from_seconds(offset)
            .unwrap_or(Offset::UTC)
            .to_datetime(self.moment)
    }

    /// By a Go layout.
    pub(crate) fn format(&self, layout: &str) -> String {
        format(self, layout)
    }

    pub(crate) fn value(self) -> Value {
        Value::Object(Rc::new(self))
    }

    /// This time and `nanos` more.
    pub(crate) fn add(&self, nanos: i64) -> Self {
        Self {
            moment: self
                .moment
                .checked_add(jiff::SignedDuration::from_nanos(nanos))
                .unwrap_or(self.moment),
            zone: self.zone.clone(),
        }
    }

    /// Nanoseconds from `earlier` to this time, within the range of a duration.
    pub(crate) fn since(&self, earlier: &Self) -> i64 {
        let nanos = self.moment.as_nanosecond() - earlier.moment.as_nanosecond();
        nanos.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
    }

    fn add_date(&self, years: i64, months: i64, days: i64) -> Self {
        let civil = self.civil();
        // Go normalises an overflowing day into the next month.
        let total =
            i64::from(civil.year()) * 12 + i64::from(civil.month()) - 1 + years * 12 + months;
        let year = i16::try_from(total.div_euclid(12)).unwrap_or(9_999);
        let month = total.rem_euclid(12) as i8 + 1;
        let first = DateTime::new(
            year,
            month,
            1,
            civil.hour(),
            civil.minute(),
            civil.second(),
            civil.subsec_nanosecond(),
        );
        let moved = first.ok().and_then(|first| {
            let days = i64::from(civil.day()) - 1 + days;
            first
                .checked_add(jiff::Span::new().try_days(days).ok()?)
                .ok()
        });
        match moved {
            Some(civil) => Self {
                moment: self.zone.moment(civil),
                zone: self.zone.clone(),
            },
            None => self.clone(),
        }
    }
}

const TIME: &[Type] = &[Type::Named("time.Time")];
const DURATION: &[Type] = &[Type::Named("time.Duration")];

impl Object for Time {
    fn type_name(&self) -> &'static str {
        "time.Time"
    }

    fn method(&self, name: &str) -> Option<Signature> {
        match name {
            "Year" | "Month" | "Day" | "Hour" | "Minute" | "Second" | "Nanosecond" | "YearDay"
            | "Weekday" | "Unix" | "UnixMilli" | "UnixMicro" | "UnixNano" | "UTC" | "Local"
            | "String" | "IsZero" => Some(Signature::fixed(&[])),
            "Format" => Some(Signature::fixed(&[Type::Str])),
            "Add" | "Round" | "Truncate" => Some(Signature::fixed(DURATION)),
            "Sub" | "Before" | "After" | "Equal" | "Compare" => Some(Signature::fixed(TIME)),
            "AddDate" => Some(Signature::fixed(&[Type::Int, Type::Int, Type::Int])),
            _ => None,
        }
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Value, String> {
        let civil = self.civil();
        let other = match args.first() {
            Some(Value::Object(object)) => object.as_any().downcast_ref::<Self>(),
            _ => None,
        };
        let number = |index: usize| match args.get(index) {
            Some(Value::Int(number) | Value::Duration(number)) => *number,
            _ => 0,
        };
        let order = other.map(|other| self.moment.cmp(&other.moment));
        Ok(match (name, order) {
            ("Year", _) => Value::Int(civil.year().into()),
            ("Month", _) => Value::Object(Rc::new(Named {
                type_name: "time.Month",
                text: super::layout::MONTHS[civil.month() as usize - 1],
                number: civil.month().into(),
            })),
            ("Weekday", _) => Value::Object(Rc::new(Named {
                type_name: "time.Weekday",
                text: super::layout::DAYS[civil.weekday().to_sunday_zero_offset() as usize],
                number: civil.weekday().to_sunday_zero_offset().into(),
            })),
            ("Day", _) => Value::Int(civil.day().into()),
            ("Hour", _) => Value::Int(civil.hour().into()),
            ("Minute", _) => Value::Int(civil.minute().into()),
            ("Second", _) => Value::Int(civil.second().into()),
            ("Nanosecond", _) => Value::Int(civil.subsec_nanosecond().into()),
            ("YearDay", _) => Value::Int(civil.day_of_year().into()),
            ("Unix", _) => {
                Value::Int64(self.moment.as_nanosecond().div_euclid(1_000_000_000) as i64)
            }
            ("UnixMilli", _) => {
                Value::Int64(self.moment.as_nanosecond().div_euclid(1_000_000) as i64)
            }
            ("UnixMicro", _) => Value::Int64(self.moment.as_nanosecond().div_euclid(1_000) as i64),
            ("UnixNano", _) => Value::Int64(self.moment.as_nanosecond() as i64),
            ("UTC" | "Local", _) => Self::utc(self.moment).value(),
            ("IsZero", _) => Value::Bool(self.moment == Self::zero().moment),
            ("Format", _) => Value::str(format(self, &crate::functions::text(args, 0).lossy())),
            ("Add", _) => self.add(number(0)).value(),
            ("AddDate", _) => self.add_date(number(0), number(1), number(2)).value(),
            ("Round" | "Truncate", _) => {
                let since = self.moment.as_nanosecond() - Self::zero().moment.as_nanosecond();
                let unit = i128::from(number(0));
                if unit <= 0 {
                    return Ok(self.clone().value());
                }
                let rest = since.rem_euclid(unit);
                let up = name == "Round" && rest * 2 >= unit;
                let change = if up { unit - rest } else { -rest };
                self.add(change as i64).value()
            }
            ("Sub", _) => Value::Duration(other.map_or(0, |other| self.since(other))),
            ("Before", Some(order)) => Value::Bool(order.is_lt()),
            ("After", Some(order)) => Value::Bool(order.is_gt()),
            ("Equal", Some(order)) => Value::Bool(order.is_eq()),
            ("Compare", Some(order)) => Value::Int(order as i64),
            _ => Value::str(self.print()),
        })
    }

    fn print(&self) -> String {
        format(self, "2006-01-02 15:04:05.999999999 -0700 MST")
    }

    fn json(&self) -> Value {
        Value::str(format(self, "2006-01-02T15:04:05.999999999Z07:00"))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A month or a day of the week.
struct Named {
    type_name: &'static str,
    text: &'static str,
    number: i64,
}

impl Object for Named {
    fn type_name(&self) -> &'static str {
        self.type_name
    }

    fn kind(&self) -> &'static str {
        "int"
    }

    fn method(&self, name: &str) -> Option<Signature> {
        (name == "String").then(|| Signature::fixed(&[]))
    }

    fn call(&self, _: &str, _: &[Value]) -> Result<Value, String> {
        Ok(Value::str(self.text))
    }

    fn number(&self) -> Option<i64> {
        Some(self.number)
    }

    fn print(&self) -> String {
        self.text.to_owned()
    }

    fn json(&self) -> Value {
        Value::Int(self.number)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
