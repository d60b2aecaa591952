//! A column's values in classes. Between two neighbouring values that its cells name, all values are alike; so a table
//! over infinitely many numbers becomes a finite one, which can be indexed and searched for what it leaves open.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use rust_decimal::Decimal;

use super::ranks::Ranks;
use crate::value::{Date, DateTime, DaysDuration, Kind, MonthsDuration, Time, Value};

/// The classes of one column. Every rank has at least one value that the column may take.
#[derive(Clone, Debug)]
pub struct Axis {
    /// The values that cells name; ascending where order matters.
    points: Vec<Value>,
    ordered: bool,
    by_text: HashMap<Arc<str>, usize>,
    /// For each class before empty and forbidden ones are left out: its rank.
    rank_of_slot: Vec<Option<u32>>,
    slot_of_rank: Vec<usize>,
    samples: Vec<Value>,
    /// The rank of null, where the column may be null.
    null: Option<u32>,
    kind: Kind,
}

impl Axis {
    /// The classes that these points cut out. In an ordered axis the classes are, by twos, the values between two points and
    /// the point itself; otherwise each point, and all other values if the axis is open.
    pub(super) fn new(
        mut points: Vec<Value>,
        kind: Kind,
        ordered: bool,
        open: bool,
        nullable: bool,
    ) -> Self {
        if ordered {
            points.sort_by(|a, b| a.order(b).unwrap_or(Ordering::Equal));
            points.dedup_by(|a, b| a.equals(b) == Some(true));
        } else {
            let mut seen = std::collections::HashSet::new();
            points.retain(|point| seen.insert(point.to_string()));
        }
        let samples: Vec<Option<Value>> = if ordered {
            (0..=2 * points.len())
                .map(|slot| {
                    if slot % 2 == 1 {
                        return Some(points[slot / 2].clone());
                    }
                    let below = (slot > 0).then(|| &points[slot / 2 - 1]);
                    between(below, points.get(slot / 2), kind)
                })
                .collect()
        } else {
            let other = open.then(|| another(&points));
            points
                .iter()
                .cloned()
                .map(Some)
                .chain(other.map(Some))
                .collect()
        };
        let by_text = points
            .iter()
            .enumerate()
            .filter_map(|(index, point)| match point {
                Value::String(text) if !ordered => Some((text.clone(), index)),
                _ => None,
            })
            .collect();
        let mut axis = Self {
            points,
            ordered,
            by_text,
            rank_of_slot: Vec::new(),
            slot_of_rank: Vec::new(),
            samples: Vec::new(),
            null: None,
            kind,
        };
        axis.keep(&samples, nullable);
        axis
    }

    fn keep(&mut self, samples: &[Option<Value>], nullable: bool) {
        self.rank_of_slot = vec![None; samples.len()];
        self.slot_of_rank.clear();
        self.samples.clear();
        for (slot, sample) in samples.iter().enumerate() {
            if let Some(sample) = sample {
                self.rank_of_slot[slot] = u32::try_from(self.samples.len()).ok();
                self.slot_of_rank.push(slot);
                self.samples.push(sample.clone());
            }
        }
        self.null = nullable.then_some(self.samples.len() as u32);
        if nullable {
            self.samples.push(Value::Null);
        }
    }

    /// Leaves out what the column may not be. The ranks change.
    pub(super) fn restrict(&mut self, allowed: &Ranks) {
        let mut samples = vec![None; self.rank_of_slot.len()];
        for (rank, slot) in self.slot_of_rank.iter().enumerate() {
            if allowed.contains(rank as u32) {
                samples[*slot] = Some(self.samples[rank].clone());
            }
        }
        self.keep(&samples, self.null.is_some());
    }

    /// How many ranks there are.
    pub fn count(&self) -> u32 {
        self.samples.len() as u32
    }

    /// The rank of null, where the column may be null.
    pub fn null(&self) -> Option<u32> {
        self.null
    }

    /// Whether neighbouring ranks hold neighbouring values.
    pub fn is_ordered(&self) -> bool {
        self.ordered
    }

    /// The kind of the values.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// A value of this rank.
    pub fn sample(&self, rank: u32) -> &Value {
        static NULL: Value = Value::Null;
        self.samples.get(rank as usize).unwrap_or(&NULL)
    }

    /// The values that the cells name, in order.
    pub fn points(&self) -> &[Value] {
        &self.points
    }

    /// The texts that cells name, where no order is asked of them.
    pub(crate) fn listed(&self) -> Vec<&str> {
        if self.ordered {
            return Vec::new();
        }
        self.points
            .iter()
            .filter_map(|point| text(Some(point)))
            .collect()
    }

    /// The rank of a value; nothing where the column may not take it.
    pub fn rank(&self, value: &Value) -> Option<u32> {
        match value {
            Value::Null => self.null,
            value if self.ordered => self.rank_of_slot[self.ordered_slot(value)?],
            Value::String(text) => match self.by_text.get(text) {
                Some(slot) => self.rank_of_slot[*slot],
                None => self.other(),
            },
            value => match self
                .points
                .iter()
                .position(|point| point.equals(value) == Some(true))
            {
                Some(slot) => self.rank_of_slot[slot],
                None => self.other(),
            },
        }
    }

    /// The rank of a text, without making a value of it.
    pub(crate) fn rank_of_text(&self, text: &str) -> Option<u32> {
        match self.by_text.get(text) {
            Some(slot) => self.rank_of_slot[*slot],
            None => self.other(),
        }
    }

    fn other(&self) -> Option<u32> {
        self.rank_of_slot.get(self.points.len()).copied().flatten()
    }

    fn ordered_slot(&self, value: &Value) -> Option<usize> {
        let (mut low, mut high) = (0, self.points.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            match value.order(&self.points[middle])? {
                Ordering::Equal => return Some(2 * middle + 1),
                Ordering::Less => high = middle,
                Ordering::Greater => low = middle + 1,
            }
        }
        // With no point to compare with, the kind alone decides.
        (!self.points.is_empty() || self.kind.takes(value.kind())).then_some(2 * low)
    }

    /// The ranks of the slots from one to another.
    fn slots(&self, from: usize, to: usize) -> Ranks {
        let range = self
            .rank_of_slot
            .get(from..to.min(self.rank_of_slot.len()))
            .unwrap_or(&[]);
        let mut ranks = range.iter().flatten();
        match ranks.next() {
            None => Ranks::none(),
            Some(first) => Ranks::of(vec![(*first, *ranks.next_back().unwrap_or(first))]),
        }
    }

    /// The ranks between two ends, each of which is a point of the axis or none.
    pub(super) fn within(
        &self,
        low: Option<(&Value, bool)>,
        high: Option<(&Value, bool)>,
    ) -> Option<Ranks> {
        let from = match low {
            None => 0,
            Some((value, closed)) => self.ordered_slot(value)? + usize::from(!closed),
        };
        let to = match high {
            None => self.rank_of_slot.len(),
            Some((value, closed)) => self.ordered_slot(value)? + usize::from(closed),
        };
        Some(if from < to {
            self.slots(from, to)
        } else {
            Ranks::none()
        })
    }

    /// The ranks equal to a value.
    pub(super) fn equal(&self, value: &Value) -> Ranks {
        match self.rank(value) {
            Some(rank) => Ranks::of(vec![(rank, rank)]),
            None => Ranks::none(),
        }
    }

    /// All ranks but that of null.
    pub fn all_values(&self) -> Ranks {
        Ranks::all(self.slot_of_rank.len() as u32)
    }

    /// A set of ranks as unary tests that can be written into a cell.
    pub fn describe(&self, ranks: &Ranks) -> String {
        if ranks.len() == self.count() {
            return "-".to_owned();
        }
        let has_null = self.null.is_some_and(|null| ranks.contains(null));
        let values = self.slot_of_rank.len() as u32;
        let kept: Vec<u32> = ranks.iter().filter(|rank| *rank < values).collect();
        let mut parts = Vec::new();
        if self.ordered {
            let mut index = 0;
            while index < kept.len() {
                let start = index;
                while index + 1 < kept.len() && kept[index + 1] == kept[index] + 1 {
                    index += 1;
                }
                parts.push(self.interval(kept[start], kept[index]));
                index += 1;
            }
        } else {
            let other = self.other();
            let named = |inside: bool| -> Vec<String> {
                (0..values)
                    .filter(|rank| Some(*rank) != other && ranks.contains(*rank) == inside)
                    .map(|rank| self.sample(rank).to_string())
                    .collect()
            };
            if kept.len() as u32 == values {
                return "not(null)".to_owned();
            }
            if other.is_some_and(|other| ranks.contains(other)) {
                let mut excluded = named(false);
                if self.null.is_some() && !has_null {
                    excluded.push("null".to_owned());
                }
                return format!("not({})", excluded.join(", "));
            }
            parts = named(true);
        }
        if has_null {
            parts.push("null".to_owned());
        }
        parts.join(", ")
    }

    fn interval(&self, first: u32, last: u32) -> String {
        let (from, to) = (
            self.slot_of_rank[first as usize],
            self.slot_of_rank[last as usize],
        );
        // A slot without a value beside an end belongs to no rank, so that the end may be written at its other side.
        let low = (from > 0).then(|| (&self.points[(from - 1) / 2], from % 2 == 1));
        let low = low.map(|(point, closed)| {
            if closed {
                (&self.points[from / 2], true)
            } else {
                (point, false)
            }
        });
        let high = (to < 2 * self.points.len()).then(|| (&self.points[to / 2], to % 2 == 1));
        let lowest = first == 0;
        let highest = last as usize + 1 == self.slot_of_rank.len();
        match (low, high) {
            (Some((a, true)), Some((b, true))) if a == b => a.to_string(),
            (Some((a, _)), Some((b, closed))) if lowest && !highest => {
                let _ = a;
                format!("{} {b}", if closed { "<=" } else { "<" })
            }
            (Some((a, closed)), Some(_)) if highest && !lowest => {
                format!("{} {a}", if closed { ">=" } else { ">" })
            }
            (Some((a, a_closed)), Some((b, b_closed))) => {
                let (open, close) = (
                    if a_closed { "[" } else { "(" },
                    if b_closed { "]" } else { ")" },
                );
                format!("{open}{a}..{b}{close}")
            }
            (Some((a, closed)), None) => format!("{} {a}", if closed { ">=" } else { ">" }),
            (None, Some((b, closed))) => format!("{} {b}", if closed { "<=" } else { "<" }),
            (None, None) => "not(null)".to_owned(),
        }
    }
}

/// A value strictly between two, if the kind has one.
fn between(low: Option<&Value>, high: Option<&Value>, kind: Kind) -> Option<Value> {
    let found = match low.or(high) {
        None => any_of(kind),
        Some(Value::Number(_)) => {
            number_between(number(low), number(high), kind == Kind::Integer).map(Value::Number)
        }
        Some(Value::String(_)) => {
            text_between(text(low), text(high)).map(|text| Value::string(&text))
        }
        Some(
            Value::Boolean(_) | Value::Null | Value::List(_) | Value::Context(_) | Value::Range(_),
        ) => None,
        Some(sample) => {
            let fixed = match sample {
                Value::Time(time) => time.is_fixed(),
                Value::DateTime(at) => at.is_fixed(),
                _ => false,
            };
            let step = match sample {
                Value::Date(_) | Value::Months(_) => 1,
                _ => 1_000_000_000,
            };
            let made = |at: i128| -> Option<Value> {
                match sample {
                    Value::Date(_) => Date::of_days(i64::try_from(at).ok()?).map(Value::Date),
                    Value::Months(_) => i64::try_from(at)
                        .ok()
                        .map(|at| Value::Months(MonthsDuration(at))),
                    Value::Days(_) => Some(Value::Days(DaysDuration(at))),
                    Value::Time(_) if !(0..86_400_000_000_000).contains(&at) => None,
                    Value::Time(_) => Time::of_nanoseconds(at, fixed).map(Value::Time),
                    _ => DateTime::of_nanoseconds(at, fixed).map(Value::DateTime),
                }
            };
            match (low.and_then(position), high.and_then(position)) {
                (Some(low), Some(high)) if low + step < high => made(low + step),
                (Some(low), Some(high)) => made(low + (high - low) / 2).filter(|_| high - low > 1),
                (Some(low), None) => made(low + step),
                (None, Some(high)) => made(high - step),
                (None, None) => None,
            }
        }
    }?;
    let above = low.is_none_or(|low| found.order(low) == Some(Ordering::Greater));
    let below = high.is_none_or(|high| found.order(high) == Some(Ordering::Less));
    (above && below).then_some(found)
}

fn position(value: &Value) -> Option<i128> {
    match value {
        Value::Date(date) => Some(date.days().into()),
        Value::Months(months) => Some(months.0.into()),
        Value::Days(days) => Some(days.0),
        Value::Time(time) => Some(time.nanoseconds()),
        Value::DateTime(at) => Some(at.nanoseconds()),
        _ => None,
    }
}

fn number(value: Option<&Value>) -> Option<Decimal> {
    match value {
        Some(Value::Number(number)) => Some(*number),
        _ => None,
    }
}

fn text(value: Option<&Value>) -> Option<&str> {
    match value {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

/// A short number, because people read witnesses.
fn number_between(low: Option<Decimal>, high: Option<Decimal>, whole: bool) -> Option<Decimal> {
    match (low, high) {
        (None, None) => Some(Decimal::ZERO),
        (Some(low), None) => low.floor().checked_add(Decimal::ONE),
        (None, Some(high)) => high.ceil().checked_sub(Decimal::ONE),
        (Some(low), Some(high)) => {
            let middle = low.checked_add(high)?.checked_div(Decimal::TWO)?;
            let next = low.floor().checked_add(Decimal::ONE)?;
            if middle.floor() > low {
                return Some(middle.floor());
            }
            if next < high || whole {
                return (next < high).then_some(next);
            }
            let short = middle.round_dp(low.scale().max(high.scale()) + 1);
            Some(if short > low && short < high {
                short
            } else {
                middle
            })
        }
    }
}

fn text_between(low: Option<&str>, high: Option<&str>) -> Option<String> {
    match (low, high) {
        (None, Some("")) => None,
        (None, _) => Some(String::new()),
        (Some(low), None) => Some(format!("{low}z")),
        (Some(low), Some(high)) => ["z", "m", "a", "0", " ", "\u{0}"]
            .into_iter()
            .map(|suffix| format!("{low}{suffix}"))
            .find(|text| text.as_str() > low && text.as_str() < high),
    }
}

fn any_of(kind: Kind) -> Option<Value> {
    match kind {
        Kind::Number | Kind::Integer => Some(Value::Number(Decimal::ONE)),
        Kind::Date => Date::of_days(0).map(Value::Date),
        Kind::Time => Time::of_nanoseconds(0, false).map(Value::Time),
        Kind::DateTime => DateTime::of_nanoseconds(0, false).map(Value::DateTime),
        Kind::Days => Some(Value::Days(DaysDuration(0))),
        Kind::Months => Some(Value::Months(MonthsDuration(0))),
        Kind::Boolean => Some(Value::Boolean(true)),
        _ => Some(Value::string("any")),
    }
}

/// A text that is none of the points.
fn another(points: &[Value]) -> Value {
    let mut text = "other".to_owned();
    while points
        .iter()
        .any(|point| matches!(point, Value::String(known) if **known == *text))
    {
        text.push('-');
    }
    Value::string(&text)
}
