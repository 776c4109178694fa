//! Reading a time by a layout.

use jiff::civil::DateTime;

use super::layout::{DAYS, MONTHS, Part, next_part};
use super::time::{Time, Zone};
use crate::functions::quote::quote;

struct Fields {
    year: i16,
    month: Option<i8>,
    day: Option<i8>,
    year_day: Option<i16>,
    hour: i8,
    minute: i8,
    second: i8,
    nanos: i32,
    pm: Option<bool>,
    offset: Option<i32>,
    zone: Option<String>,
}

/// Go's `time.Parse`; the error is Go's.
pub(crate) fn parse(layout: &str, text: &str) -> Result<Time, String> {
    let mut fields = Fields {
        year: 0,
        month: None,
        day: None,
        year_day: None,
        hour: 0,
        minute: 0,
        second: 0,
        nanos: 0,
        pm: None,
        offset: None,
        zone: None,
    };
    let fail = |part: &str, value: &str| {
        let q = |text: &str| quote(text.as_bytes());
        format!(
            "parsing time {} as {}: cannot parse {} as {}",
            q(text),
            q(layout),
            q(value),
            q(part)
        )
    };
    let range = |what: &str| {
        format!(
            "parsing time {}: {what} out of range",
            quote(text.as_bytes())
        )
    };
    let mut value = text;
    let mut rest = layout;
    loop {
        let (prefix, part, after) = match next_part(rest) {
            Some((prefix, part, after)) => (prefix, Some(part), after),
            None => (rest, None, ""),
        };
        value = skip(value, prefix).ok_or_else(|| fail(prefix, value))?;
        let Some(part) = part else {
            if !value.is_empty() {
                return Err(format!(
                    "parsing time {}: extra text: {}",
                    quote(text.as_bytes()),
                    quote(value.as_bytes())
                ));
            }
            break;
        };
        let written = &rest[prefix.len()..rest.len() - after.len()];
        value = match fields.read(part, value, after) {
            Ok(next) => next,
            Err(Trouble::Syntax) => return Err(fail(written, value)),
            Err(Trouble::Range(what)) => return Err(range(what)),
        };
        rest = after;
    }
    fields.finish().map_err(range)
}

enum Trouble {
    Syntax,
    Range(&'static str),
}

/// Skips `prefix`; blanks in it match any number of blanks.
fn skip<'v>(value: &'v str, prefix: &str) -> Option<&'v str> {
    let mut value = value;
    let mut prefix = prefix;
    while let Some(char) = prefix.chars().next() {
        if char == ' ' {
            if !value.is_empty() && !value.starts_with(' ') {
                return None;
            }
            prefix = prefix.trim_start_matches(' ');
            value = value.trim_start_matches(' ');
            continue;
        }
        value = value.strip_prefix(char)?;
        prefix = &prefix[char.len_utf8()..];
    }
    Some(value)
}

/// Between `least` and `most` digits.
fn digits(value: &str, least: usize, most: usize) -> Result<(i32, &str), Trouble> {
    let count = value
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    if count < least {
        return Err(Trouble::Syntax);
    }
    let number = value[..count].parse().map_err(|_| Trouble::Syntax)?;
    Ok((number, &value[count..]))
}

fn name<'v>(value: &'v str, names: &[&str], short: bool) -> Result<(usize, &'v str), Trouble> {
    for (index, full) in names.iter().enumerate() {
        let wanted = if short { &full[..3] } else { full };
        if value
            .get(..wanted.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(wanted))
        {
            return Ok((index, &value[wanted.len()..]));
        }
    }
    Err(Trouble::Syntax)
}

fn within(number: i32, low: i32, high: i32, what: &'static str) -> Result<i8, Trouble> {
    if (low..=high).contains(&number) {
        Ok(number as i8)
    } else {
        Err(Trouble::Range(what))
    }
}

impl Fields {
    fn read<'v>(&mut self, part: Part, value: &'v str, after: &str) -> Result<&'v str, Trouble> {
        let rest = match part {
            Part::Year => {
                let (number, rest) = digits(value, 2, 2)?;
                self.year = (if number >= 69 {
                    1900 + number
                } else {
                    2000 + number
                }) as i16;
                rest
            }
            Part::LongYear => {
                let (number, rest) = digits(value, 4, 4)?;
                self.year = number as i16;
                rest
            }
            Part::Month | Part::LongMonth => {
                let (index, rest) = name(value, &MONTHS, part == Part::Month)?;
                self.month = Some(index as i8 + 1);
                rest
            }
            Part::NumMonth | Part::ZeroMonth => {
                let least = if part == Part::ZeroMonth { 2 } else { 1 };
                let (number, rest) = digits(value, least, 2)?;
                self.month = Some(within(number, 1, 12, "month")?);
                rest
            }
            Part::WeekDay | Part::LongWeekDay => name(value, &DAYS, part == Part::WeekDay)?.1,
            Part::Day | Part::UnderDay | Part::ZeroDay => {
                let value = if part == Part::UnderDay {
                    value.strip_prefix(' ').unwrap_or(value)
                } else {
                    value
                };
                let least = if part == Part::ZeroDay { 2 } else { 1 };
                let (number, rest) = digits(value, least, 2)?;
                self.day = Some(number as i8);
                rest
            }
            Part::UnderYearDay | Part::ZeroYearDay => {
                let trimmed = value.trim_start_matches(' ');
                let (number, rest) = digits(trimmed, 1, 3)?;
                self.year_day = Some(number as i16);
                rest
            }
            Part::Hour => {
                let (number, rest) = digits(value, 1, 2)?;
                self.hour = within(number, 0, 23, "hour")?;
                rest
            }
            Part::Hour12 | Part::ZeroHour12 => {
                let least = if part == Part::ZeroHour12 { 2 } else { 1 };
                let (number, rest) = digits(value, least, 2)?;
                self.hour = within(number, 0, 12, "hour")?;
                rest
            }
            Part::Minute | Part::ZeroMinute => {
                let least = if part == Part::ZeroMinute { 2 } else { 1 };
                let (number, rest) = digits(value, least, 2)?;
                self.minute = within(number, 0, 59, "minute")?;
                rest
            }
            Part::Second | Part::ZeroSecond => {
                let least = if part == Part::ZeroSecond { 2 } else { 1 };
                let (number, rest) = digits(value, least, 2)?;
                self.second = within(number, 0, 59, "second")?;
                let fraction_follows =
                    matches!(next_part(after), Some(("", Part::Fraction { .. }, _)));
                let has_fraction = rest.starts_with(['.', ','])
                    && rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
                if has_fraction && !fraction_follows {
                    self.fraction(rest, usize::MAX)?
                } else {
                    rest
                }
            }
            Part::Fraction { digits, trim, .. } => {
                if trim {
                    let present = value.starts_with(['.', ','])
                        && value.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
                    if present {
                        self.fraction(value, usize::MAX)?
                    } else {
                        value
                    }
                } else {
                    let count = value.bytes().skip(1).take_while(u8::is_ascii_digit).count();
                    if !value.starts_with(['.', ',']) || count < digits {
                        return Err(Trouble::Syntax);
                    }
                    self.fraction(value, digits)?
                }
            }
            Part::Upper12 | Part::Lower12 => {
                let names = if part == Part::Upper12 {
                    ["AM", "PM"]
                } else {
                    ["am", "pm"]
                };
                let index = names
                    .iter()
                    .position(|name| value.starts_with(name))
                    .ok_or(Trouble::Syntax)?;
                self.pm = Some(index == 1);
                &value[2..]
            }
            Part::Offset { z: true, .. } if value.starts_with('Z') => {
                self.offset = Some(0);
                &value[1..]
            }
            Part::Offset {
                colons,
                minutes,
                seconds,
                ..
            } => self.read_offset(value, colons, minutes, seconds)?,
            Part::Zone => self.read_zone(value)?,
        };
        Ok(rest)
    }

    fn fraction<'v>(&mut self, value: &'v str, most: usize) -> Result<&'v str, Trouble> {
        let count = value
            .bytes()
            .skip(1)
            .take_while(u8::is_ascii_digit)
            .count()
            .min(most);
        let text: String = value[1..=count]
            .chars()
            .chain(std::iter::repeat('0'))
            .take(9)
            .collect();
        self.nanos = text.parse().map_err(|_| Trouble::Syntax)?;
        Ok(&value[count + 1..])
    }

    fn read_offset<'v>(
        &mut self,
        value: &'v str,
        colons: bool,
        minutes: bool,
        seconds: bool,
    ) -> Result<&'v str, Trouble> {
        let sign = match value.as_bytes().first() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Err(Trouble::Syntax),
        };
        let (hours, mut rest) = digits(&value[1..], 2, 2)?;
        let mut total = hours * 3600;
        for (wanted, unit) in [(minutes, 60), (seconds, 1)] {
            if wanted {
                if colons {
                    rest = rest.strip_prefix(':').ok_or(Trouble::Syntax)?;
                }
                let (number, after) = digits(rest, 2, 2)?;
                total += number * unit;
                rest = after;
            }
        }
        self.offset = Some(sign * total);
        Ok(rest)
    }

    fn read_zone<'v>(&mut self, value: &'v str) -> Result<&'v str, Trouble> {
        if let Some(rest) = value.strip_prefix("UTC") {
            self.offset = Some(0);
            return Ok(rest);
        }
        let length = value
            .bytes()
            .take(5)
            .take_while(u8::is_ascii_uppercase)
            .count();
        if !(3..=5).contains(&length) {
            return Err(Trouble::Syntax);
        }
        self.zone = Some(value[..length].to_owned());
        Ok(&value[length..])
    }

    fn finish(self) -> Result<Time, &'static str> {
        let mut hour = self.hour;
        match self.pm {
            Some(true) if hour < 12 => hour += 12,
            Some(false) if hour == 12 => hour = 0,
            _ => {}
        }
        let (mut month, mut day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
        if let Some(year_day) = self.year_day {
            let first = jiff::civil::Date::new(self.year, 1, 1).map_err(|_| "year")?;
            let date = first
                .with()
                .day_of_year(year_day)
                .build()
                .map_err(|_| "day-of-year")?;
            (month, day) = (date.month(), date.day());
        }
        let civil = DateTime::new(
            self.year,
            month,
            day,
            hour,
            self.minute,
            self.second,
            self.nanos,
        )
        .map_err(|_| "day")?;
        let zone = match (self.offset, self.zone) {
            (None, None) => Zone::Utc,
            (Some(0), None) => Zone::Utc,
            (Some(offset), name) => Zone::Fixed(name.unwrap_or_default(), offset),
            (None, Some(name)) => Zone::Fixed(name, 0),
        };
        Ok(Time {
            moment: zone.moment(civil),
            zone,
        })
    }
}
