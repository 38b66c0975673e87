//! Facts about a document under common names.

use kenning::document::{Metadata, Value};
use kenning::index::civil_from_days;

use super::blocks::squeeze;

/// A fact is something to filter by: of a longer value the first so many bytes are kept.
const LONGEST: usize = 4 << 10;
/// A fact has at most so many values.
const MOST: usize = 1_000;

/// A value as it is kept.
fn kept(value: &str) -> String {
    let start = &value[..value.floor_char_boundary(2 * LONGEST)];
    let mut value = squeeze(start);
    value.truncate(value.floor_char_boundary(LONGEST));
    value
}

/// Notes a fact, unless it is empty or known already.
pub(super) fn put(metadata: &mut Metadata, name: &str, value: &str) {
    let value = kept(value);
    if !value.is_empty() {
        metadata
            .entry(name.to_owned())
            .or_insert_with(|| Value::Text(value));
    }
}

/// Notes one more value of a fact that can have several.
pub(super) fn add(metadata: &mut Metadata, name: &str, value: &str) {
    let value = kept(value);
    if value.is_empty() {
        return;
    }
    let value = Value::Text(value);
    match metadata.get_mut(name) {
        None => {
            metadata.insert(name.to_owned(), value);
        }
        Some(Value::List(values)) => {
            if values.len() < MOST && !values.contains(&value) {
                values.push(value);
            }
        }
        Some(single) if *single == value => {}
        Some(single) => {
            let first = std::mem::replace(single, Value::Bool(false));
            *single = Value::List(vec![first, value]);
        }
    }
}

/// Notes a date in the form that sorts, or nothing if it is in no form known here.
pub(super) fn put_date(metadata: &mut Metadata, name: &str, value: &str) {
    if let Some(date) = date(value) {
        put(metadata, name, &date);
    }
}

/// A date as `YYYY-MM-DD`, or with a time as `YYYY-MM-DDTHH:MM:SSZ`, from ISO 8601 and from PDF's
/// `D:YYYYMMDDHHmmSS`. A time in another zone than UTC is brought to UTC.
pub(super) fn date(value: &str) -> Option<String> {
    let value = value.trim().trim_start_matches("D:");
    let digits: Vec<u32> = value
        .chars()
        .take_while(|&c| c.is_ascii_digit() || "-/.:T ".contains(c))
        .filter_map(|c| c.to_digit(10))
        .take(14)
        .collect();
    let number = |from: usize, to: usize| {
        digits
            .get(from..to)
            .map(|digits| digits.iter().fold(0, |all, digit| all * 10 + digit))
    };
    // Only dates that begin with the year: others say too little about what comes first.
    let year_first = value.chars().take_while(char::is_ascii_digit).count();
    if year_first < 4 {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year < 1000 {
        return None;
    }
    let Some((hour, minute)) = number(8, 10).zip(number(10, 12)) else {
        return Some(format!("{year:04}-{month:02}-{day:02}"));
    };
    let second = number(12, 14).unwrap_or(0);
    if hour > 23 || minute > 59 || second > 60 {
        return Some(format!("{year:04}-{month:02}-{day:02}"));
    }
    let local = days_from_civil(i64::from(year), month, day) * 86_400
        + i64::from(hour * 3600 + minute * 60 + second);
    Some(from_unix(local - zone_seconds(value)))
}

/// Seconds east of UTC that a zone such as `+02:00`, `-0530` or `+02'00'` at the end says.
fn zone_seconds(value: &str) -> i64 {
    let Some(at) = value.rfind(['+', '-']) else {
        return 0;
    };
    // A minus among the first ten characters belongs to the date.
    if at < 11 {
        return 0;
    }
    let digits: Vec<i64> = value[at..]
        .chars()
        .filter_map(|c| c.to_digit(10).map(i64::from))
        .collect();
    let hours = digits.iter().take(2).fold(0, |all, digit| all * 10 + digit);
    let minutes = digits
        .iter()
        .skip(2)
        .take(2)
        .fold(0, |all, digit| all * 10 + digit);
    let seconds = hours * 3600 + minutes * 60;
    if value[at..].starts_with('-') {
        -seconds
    } else {
        seconds
    }
}

/// A moment in seconds since 1970 as `YYYY-MM-DDTHH:MM:SSZ`.
pub(crate) fn from_unix(seconds: i64) -> String {
    let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Days since 1970 of a date of the Gregorian calendar; the method is Howard Hinnant's
/// ("chrono-Compatible Low-Level Date Algorithms").
fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((i64::from(month) + 9) % 12) + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// A Windows FILETIME (100 ns since 1601) as a date.
pub(super) fn from_filetime(filetime: u64) -> Option<String> {
    let seconds = i64::try_from(filetime / 10_000_000).ok()? - 11_644_473_600;
    (seconds > 0 && filetime > 0).then(|| from_unix(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_in_their_forms() {
        assert_eq!(date("2021-03-04").as_deref(), Some("2021-03-04"));
        assert_eq!(
            date("2021-03-04T05:06:07Z").as_deref(),
            Some("2021-03-04T05:06:07Z")
        );
        assert_eq!(
            date("2021-03-04T00:06:07+02:00").as_deref(),
            Some("2021-03-03T22:06:07Z")
        );
        assert_eq!(
            date("D:20210304050607-05'30'").as_deref(),
            Some("2021-03-04T10:36:07Z")
        );
        assert_eq!(date("D:20210304").as_deref(), Some("2021-03-04"));
        assert_eq!(date("03/04/2021"), None);
        assert_eq!(date("2021-13-04"), None);
        assert_eq!(from_unix(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(
            from_filetime(132_592_860_000_000_000).as_deref(),
            Some("2021-03-03T23:00:00Z")
        );
    }

    #[test]
    fn several_values_become_a_list() {
        let mut metadata = Metadata::new();
        for value in ["a", "b", "a"] {
            add(&mut metadata, "author", value);
        }
        assert_eq!(
            metadata["author"],
            Value::List(vec!["a".into(), "b".into()])
        );
    }
}
