//! A document as one value of the store.
//!
//! A table of `(field, end)` in front of the payloads lets a scan jump to the two fields a filter needs without touching
//! the others. A field is a number, so renaming one touches no row. Two forms, told apart by the first byte: `0` with
//! 16-bit ends for rows below 64 KiB, `1` with 32-bit ends.

use std::sync::Arc;

use crate::value::{Decimal, Value};

/// The number of a field in its collection.
pub(crate) type FieldId = u16;

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INT: u8 = 3;
const DEC: u8 = 4;
const FLOAT: u8 = 5;
const TEXT: u8 = 6;
const JSON: u8 = 7;

/// Encodes fields, which must be sorted by id.
pub(crate) fn encode(fields: &[(FieldId, Value)]) -> Vec<u8> {
    debug_assert!(fields.is_sorted_by(|a, b| a.0 < b.0));
    let mut payload = Vec::with_capacity(fields.len() * 12);
    let mut ends = Vec::with_capacity(fields.len());
    for (_, value) in fields {
        write_payload(value, &mut payload);
        ends.push(payload.len() as u32);
    }
    let wide = payload.len() > usize::from(u16::MAX);
    let mut row = Vec::with_capacity(3 + fields.len() * if wide { 6 } else { 4 } + payload.len());
    row.push(u8::from(wide));
    row.extend((fields.len() as u16).to_le_bytes());
    for ((id, _), end) in fields.iter().zip(ends) {
        row.extend(id.to_le_bytes());
        if wide {
            row.extend(end.to_le_bytes());
        } else {
            row.extend((end as u16).to_le_bytes());
        }
    }
    row.extend(payload);
    row
}

/// A row that is read in place.
#[derive(Clone, Copy)]
pub(crate) struct RowRef<'a> {
    table: &'a [u8],
    payload: &'a [u8],
    wide: bool,
}

impl<'a> RowRef<'a> {
    /// `None` when the bytes are no row.
    pub(crate) fn new(bytes: &'a [u8]) -> Option<Self> {
        let (head, rest) = bytes.split_at_checked(3)?;
        let wide = head[0] == 1;
        let count = usize::from(u16::from_le_bytes([head[1], head[2]]));
        let (table, payload) = rest.split_at_checked(count * if wide { 6 } else { 4 })?;
        Some(Self {
            table,
            payload,
            wide,
        })
    }

    fn step(&self) -> usize {
        if self.wide { 6 } else { 4 }
    }

    /// How many fields there are.
    pub(crate) fn len(&self) -> usize {
        self.table.len() / self.step()
    }

    fn end(&self, index: usize) -> usize {
        let at = index * self.step() + 2;
        if self.wide {
            u32::from_le_bytes([
                self.table[at],
                self.table[at + 1],
                self.table[at + 2],
                self.table[at + 3],
            ]) as usize
        } else {
            usize::from(u16::from_le_bytes([self.table[at], self.table[at + 1]]))
        }
    }

    fn id(&self, index: usize) -> FieldId {
        let at = index * self.step();
        u16::from_le_bytes([self.table[at], self.table[at + 1]])
    }

    fn payload_at(&self, index: usize) -> &'a [u8] {
        let start = if index == 0 { 0 } else { self.end(index - 1) };
        self.payload.get(start..self.end(index)).unwrap_or(&[])
    }

    /// The payload of a field: its tag and its bytes.
    pub(crate) fn raw(&self, field: FieldId) -> Option<&'a [u8]> {
        let count = self.len();
        // Fields are numbered as they appear, so most are where their number says.
        if let Some(index) = usize::from(field).checked_sub(1)
            && index < count
            && self.id(index) == field
        {
            return Some(self.payload_at(index));
        }
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = (low + high) / 2;
            match self.id(middle).cmp(&field) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(self.payload_at(middle)),
            }
        }
        None
    }

    /// The value of a field, null when it is absent.
    pub(crate) fn get(&self, field: FieldId) -> Value {
        self.raw(field).map_or(Value::Null, read_payload)
    }

    /// All fields.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (FieldId, Value)> + use<'a> {
        let row = *self;
        (0..row.len()).map(move |index| (row.id(index), read_payload(row.payload_at(index))))
    }
}

fn write_payload(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(NULL),
        Value::Bool(b) => out.push(if *b { TRUE } else { FALSE }),
        Value::Int(i) => {
            out.push(INT);
            write_short(i128::from(*i), out);
        }
        Value::Dec(d) => {
            out.extend([DEC, d.scale()]);
            write_short(d.mantissa(), out);
        }
        Value::Float(f) => {
            out.push(FLOAT);
            out.extend(f.to_bits().to_le_bytes());
        }
        Value::Text(text) => {
            out.push(TEXT);
            out.extend(text.as_bytes());
        }
        Value::Json(text) => {
            out.push(JSON);
            out.extend(text.as_bytes());
        }
    }
}

/// As few little-endian bytes as hold it with its sign.
fn write_short(value: i128, out: &mut Vec<u8>) {
    let bytes = value.to_le_bytes();
    let fill = if value < 0 { 0xff } else { 0 };
    let mut len = 16;
    while len > 0 && bytes[len - 1] == fill && (len == 1 || (bytes[len - 2] ^ fill) & 0x80 == 0) {
        len -= 1;
    }
    // A lone -1 would be no bytes at all and read as zero.
    if len == 0 && value < 0 {
        len = 1;
    }
    out.extend(&bytes[..len]);
}

fn read_short(bytes: &[u8]) -> i128 {
    if bytes.len() <= 8 {
        return i128::from(read_short_int(bytes));
    }
    let negative = bytes.last().is_some_and(|b| b & 0x80 != 0);
    let mut buffer = [if negative { 0xff } else { 0 }; 16];
    let len = bytes.len().min(16);
    buffer[..len].copy_from_slice(&bytes[..len]);
    i128::from_le_bytes(buffer)
}

fn read_short_int(bytes: &[u8]) -> i64 {
    let mut value = 0u64;
    for (index, byte) in bytes.iter().take(8).enumerate() {
        value |= u64::from(*byte) << (8 * index);
    }
    let unused = 64 - 8 * bytes.len().min(8) as u32;
    if unused == 64 {
        return 0;
    }
    ((value << unused) as i64) >> unused
}

/// The value of a payload; what is no payload is null.
pub(crate) fn read_payload(bytes: &[u8]) -> Value {
    let Some((tag, rest)) = bytes.split_first() else {
        return Value::Null;
    };
    match *tag {
        FALSE => Value::Bool(false),
        TRUE => Value::Bool(true),
        INT => Value::Int(read_short_int(rest)),
        DEC => rest
            .split_first()
            .and_then(|(scale, digits)| Decimal::new(read_short(digits), *scale))
            .map_or(Value::Null, Value::Dec),
        FLOAT => rest.try_into().map_or(Value::Null, |b| {
            Value::Float(f64::from_bits(u64::from_le_bytes(b)))
        }),
        TEXT => text(rest).map_or(Value::Null, Value::Text),
        JSON => text(rest).map_or(Value::Null, Value::Json),
        _ => Value::Null,
    }
}

fn text(bytes: &[u8]) -> Option<Arc<str>> {
    std::str::from_utf8(bytes).ok().map(Arc::from)
}

/// The integer in a payload, if it is one: the fast way of filters and sums.
pub(crate) fn as_int(payload: &[u8]) -> Option<i64> {
    match payload.split_first() {
        Some((&INT, rest)) => Some(read_short_int(rest)),
        _ => None,
    }
}

/// The text in a payload, if it is one.
pub(crate) fn as_text(payload: &[u8]) -> Option<&[u8]> {
    match payload.split_first() {
        Some((&TEXT, rest)) => Some(rest),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_row_gives_back_what_went_in(ints in prop::collection::btree_map(1u16..60, any::<i64>(), 0..12), digits in any::<i128>(), scale in 0u8..30, text in any::<String>(), big in any::<bool>()) {
            let mut fields: Vec<_> = ints.into_iter().map(|(id, i)| (id, Value::Int(i))).collect();
            fields.push((70, Value::Dec(Decimal::new(digits, scale).unwrap())));
            fields.push((80, Value::from(if big { "x".repeat(70_000) } else { text })));
            fields.push((90, Value::Null));
            let bytes = encode(&fields);
            let row = RowRef::new(&bytes).unwrap();
            prop_assert_eq!(row.fields().collect::<Vec<_>>(), fields.clone());
            for (id, value) in &fields {
                prop_assert_eq!(&row.get(*id), value);
            }
            prop_assert!(row.raw(61).is_none());
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Some(row) = RowRef::new(&bytes) {
                row.fields().count();
                row.get(3);
            }
        }
    }

    #[test]
    fn small_integers_at_the_edges_survive() {
        for i in [0, 1, -1, 127, 128, -128, -129, 255, 256, i64::MAX, i64::MIN] {
            let bytes = encode(&[(1, Value::Int(i))]);
            assert_eq!(RowRef::new(&bytes).unwrap().get(1), Value::Int(i), "{i}");
        }
    }
}
