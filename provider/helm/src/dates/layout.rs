//! Go's layouts: a sample of how the reference time would be written.

use super::time::Time;
use std::fmt::Write as _;

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(super) const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// An element of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    LongMonth,
    Month,
    NumMonth,
    ZeroMonth,
    LongWeekDay,
    WeekDay,
    Day,
    UnderDay,
    ZeroDay,
    UnderYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    Upper12,
    Lower12,
    Zone,
    /// A numeric offset: `Z` for UTC, colons, minutes, seconds.
    Offset {
        z: bool,
        colons: bool,
        minutes: bool,
        seconds: bool,
    },
    /// A fraction of a second: digits, whether trailing zeros go, the separator.
    Fraction {
        digits: usize,
        trim: bool,
        separator: char,
    },
}

/// The first element of `layout`: what stands before it, the element, what follows.
pub(super) fn next_part(layout: &str) -> Option<(&str, Part, &str)> {
    for (at, char) in layout.char_indices() {
        let rest = &layout[at..];
        if let Some((part, length)) = part_at(rest, char) {
            let skip = usize::from(rest.starts_with("_2006"));
            return Some((&layout[..at + skip], part, &layout[at + skip + length..]));
        }
    }
    None
}

fn lower_follows(text: &str, at: usize) -> bool {
    text.as_bytes().get(at).is_some_and(u8::is_ascii_lowercase)
}

fn part_at(rest: &str, first: char) -> Option<(Part, usize)> {
    let starts = |text: &str| rest.starts_with(text);
    let table: &[(&str, Part)] = match first {
        'J' if starts("January") => return Some((Part::LongMonth, 7)),
        'J' if starts("Jan") && !lower_follows(rest, 3) => return Some((Part::Month, 3)),
        'M' if starts("Monday") => return Some((Part::LongWeekDay, 6)),
        'M' if starts("Mon") && !lower_follows(rest, 3) => return Some((Part::WeekDay, 3)),
        '0' => &[
            ("002", Part::ZeroYearDay),
            ("01", Part::ZeroMonth),
            ("02", Part::ZeroDay),
            ("03", Part::ZeroHour12),
            ("04", Part::ZeroMinute),
            ("05", Part::ZeroSecond),
            ("06", Part::Year),
        ],
        _ => &[
            ("MST", Part::Zone),
            ("15", Part::Hour),
            ("1", Part::NumMonth),
            ("2006", Part::LongYear),
            ("2", Part::Day),
            ("_2006", Part::LongYear),
            ("_2", Part::UnderDay),
            ("__2", Part::UnderYearDay),
            ("3", Part::Hour12),
            ("4", Part::Minute),
            ("5", Part::Second),
            ("PM", Part::Upper12),
            ("pm", Part::Lower12),
        ],
    };
    for (text, part) in table {
        if starts(text) {
            let length = if *text == "_2006" { 4 } else { text.len() };
            return Some((*part, length));
        }
    }
    match first {
        '-' | 'Z' => offset_at(rest, first == 'Z'),
        '.' | ',' => fraction_at(rest, first),
        _ => None,
    }
}

fn offset_at(rest: &str, z: bool) -> Option<(Part, usize)> {
    let forms = [
        ("070000", false, true, true),
        ("07:00:00", true, true, true),
        ("0700", false, true, false),
        ("07:00", true, true, false),
        ("07", false, false, false),
    ];
    for (text, colons, minutes, seconds) in forms {
        if rest[1..].starts_with(text) {
            let part = Part::Offset {
                z,
                colons,
                minutes,
                seconds,
            };
            return Some((part, 1 + text.len()));
        }
    }
    None
}

fn fraction_at(rest: &str, separator: char) -> Option<(Part, usize)> {
    let bytes = rest.as_bytes();
    let digit = *bytes.get(1).filter(|digit| matches!(digit, b'0' | b'9'))?;
    let digits = bytes[1..].iter().take_while(|byte| **byte == digit).count();
    if bytes.get(1 + digits).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let part = Part::Fraction {
        digits,
        trim: digit == b'9',
        separator,
    };
    Some((part, 1 + digits))
}

/// Go's `Time.Format`.
pub(super) fn format(time: &Time, layout: &str) -> String {
    let civil = time.civil();
    let (offset, abbreviation) = time.zone.at(time.moment);
    let mut out = String::with_capacity(layout.len() + 8);
    let mut rest = layout;
    while let Some((before, part, after)) = next_part(rest) {
        out.push_str(before);
        rest = after;
        let hour = civil.hour();
        let hour12 = if hour % 12 == 0 { 12 } else { hour % 12 };
        let weekday = DAYS[civil.weekday().to_sunday_zero_offset() as usize % 7];
        let month = MONTHS[(civil.month() as usize + 11) % 12];
        let text = match part {
            Part::LongMonth => month.to_owned(),
            Part::Month => month[..3].to_owned(),
            Part::NumMonth => civil.month().to_string(),
            Part::ZeroMonth => format!("{:02}", civil.month()),
            Part::LongWeekDay => weekday.to_owned(),
            Part::WeekDay => weekday[..3].to_owned(),
            Part::Day => civil.day().to_string(),
            Part::UnderDay => format!("{:>2}", civil.day()),
            Part::ZeroDay => format!("{:02}", civil.day()),
            Part::UnderYearDay => format!("{:>3}", civil.day_of_year()),
            Part::ZeroYearDay => format!("{:03}", civil.day_of_year()),
            Part::Hour => format!("{hour:02}"),
            Part::Hour12 => hour12.to_string(),
            Part::ZeroHour12 => format!("{hour12:02}"),
            Part::Minute => civil.minute().to_string(),
            Part::ZeroMinute => format!("{:02}", civil.minute()),
            Part::Second => civil.second().to_string(),
            Part::ZeroSecond => format!("{:02}", civil.second()),
            Part::LongYear => format!("{:04}", civil.year()),
            Part::Year => format!("{:02}", civil.year().rem_euclid(100)),
            Part::Upper12 => if hour >= 12 { "PM" } else { "AM" }.to_owned(),
            Part::Lower12 => if hour >= 12 { "pm" } else { "am" }.to_owned(),
            Part::Zone if abbreviation.is_empty() => {
                offset_text(offset, false, offset % 3600 != 0, false)
            }
            // Zones without letters of their own are shown as their offset already.
            Part::Zone => abbreviation.clone(),
            Part::Offset { z: true, .. } if offset == 0 => "Z".to_owned(),
            Part::Offset {
                colons,
                minutes,
                seconds,
                ..
            } => offset_text(offset, colons, minutes, seconds),
            Part::Fraction {
                digits,
                trim,
                separator,
            } => fraction(
                civil.subsec_nanosecond().unsigned_abs(),
                digits,
                trim,
                separator,
            ),
        };
        out.push_str(&text);
    }
    out.push_str(rest);
    out
}

fn offset_text(offset: i32, colons: bool, minutes: bool, seconds: bool) -> String {
    let sign = if offset < 0 { '-' } else { '+' };
    let total = offset.unsigned_abs();
    let colon = if colons { ":" } else { "" };
    let mut out = format!("{sign}{:02}", total / 3600);
    if minutes {
        let _ = write!(out, "{colon}{:02}", total / 60 % 60);
    }
    if seconds {
        let _ = write!(out, "{colon}{:02}", total % 60);
    }
    out
}

fn fraction(nanos: u32, digits: usize, trim: bool, separator: char) -> String {
    let all = format!("{nanos:09}");
    let mut shown: String = all
        .chars()
        .chain(std::iter::repeat('0'))
        .take(digits)
        .collect();
    if trim {
        shown.truncate(shown.trim_end_matches('0').len());
        if shown.is_empty() {
            return String::new();
        }
    }
    format!("{separator}{shown}")
}
