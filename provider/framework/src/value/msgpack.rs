//! MessagePack as terraform writes it, guided by the type.

use std::collections::BTreeMap;

use rmp::Marker;
use rmp::encode as write;
use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

use super::types::DEPTH_LIMIT;
use super::{Dynamic, Number, Path, Refinement, Step, Type};

/// The extension type of an unknown value with refinements.
const REFINED: i8 = 12;
/// Core refuses larger refinements.
const REFINED_LIMIT: usize = 1024;

/// Bytes that are no value of the type, or a value that does not fit it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MsgpackError {
    /// Ended too early.
    #[error("the value ends early")]
    Truncated,
    /// Bytes follow the value.
    #[error("{0} bytes follow the value")]
    Trailing(usize),
    /// Nested deeper than 128 levels.
    #[error("nested too deeply")]
    Depth,
    /// Something else than the type asks for.
    #[error("at {path:?}: {seen} where {wanted} is needed", path = path.to_string())]
    Wrong {
        /// Where.
        path: Path,
        /// What the type asks for.
        wanted: String,
        /// What is there.
        seen: String,
    },
}

/// Reads a value of the given type. Empty input is null.
///
/// # Errors
/// The bytes are no such value. No input makes it panic or take memory out of proportion.
pub fn decode(bytes: &[u8], ty: &Type) -> Result<Dynamic, MsgpackError> {
    if bytes.is_empty() {
        return Ok(Dynamic::Null);
    }
    let mut reader = Reader {
        rest: bytes,
        path: Path::root(),
        depth: 0,
    };
    let value = reader.value(ty)?;
    if reader.rest.is_empty() {
        Ok(value)
    } else {
        Err(MsgpackError::Trailing(reader.rest.len()))
    }
}

struct Reader<'b> {
    rest: &'b [u8],
    path: Path,
    depth: usize,
}

impl<'b> Reader<'b> {
    fn take(&mut self, count: usize) -> Result<&'b [u8], MsgpackError> {
        let (head, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(MsgpackError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    fn uint(&mut self, width: usize) -> Result<u64, MsgpackError> {
        Ok(self
            .take(width)?
            .iter()
            .fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn length(&mut self, width: usize) -> Result<usize, MsgpackError> {
        Ok(self.uint(width)? as usize)
    }

    fn marker(&mut self) -> Result<Marker, MsgpackError> {
        Ok(Marker::from_u8(self.take(1)?[0]))
    }

    fn wrong(&self, wanted: &str, seen: &str) -> MsgpackError {
        MsgpackError::Wrong {
            path: self.path.clone(),
            wanted: wanted.to_owned(),
            seen: seen.to_owned(),
        }
    }

    fn value(&mut self, ty: &Type) -> Result<Dynamic, MsgpackError> {
        if self.depth > DEPTH_LIMIT {
            return Err(MsgpackError::Depth);
        }
        let marker = self.marker()?;
        if marker == Marker::Null {
            return Ok(Dynamic::Null);
        }
        if let Some(unknown) = self.unknown(marker)? {
            return Ok(unknown);
        }
        self.depth += 1;
        let value = self.known(marker, ty);
        self.depth -= 1;
        value
    }

    fn known(&mut self, marker: Marker, ty: &Type) -> Result<Dynamic, MsgpackError> {
        match ty {
            Type::String => self.text(marker, "a string").map(Dynamic::String),
            Type::Bool => match marker {
                Marker::True => Ok(Dynamic::Bool(true)),
                Marker::False => Ok(Dynamic::Bool(false)),
                other => Err(self.wrong("a bool", &name(other))),
            },
            Type::Number => self.number(marker).map(Dynamic::Number),
            Type::List(element) => self.elements(marker, element, false).map(Dynamic::List),
            Type::Set(element) => self.elements(marker, element, true).map(Dynamic::set),
            Type::Tuple(types) => self.tuple(marker, types),
            Type::Map(element) => self.map(marker, element),
            Type::Object(types) => self.object(marker, types),
            Type::Dynamic => self.dynamic(marker),
        }
    }

    /// Any extension is an unknown value; only type 12 says more about it.
    fn unknown(&mut self, marker: Marker) -> Result<Option<Dynamic>, MsgpackError> {
        let length = match marker {
            Marker::FixExt1 => 1,
            Marker::FixExt2 => 2,
            Marker::FixExt4 => 4,
            Marker::FixExt8 => 8,
            Marker::FixExt16 => 16,
            Marker::Ext8 => self.length(1)?,
            Marker::Ext16 => self.length(2)?,
            Marker::Ext32 => self.length(4)?,
            _ => return Ok(None),
        };
        let code = self.take(1)?[0] as i8;
        let payload = self.take(length)?;
        if code != REFINED || payload.len() > REFINED_LIMIT {
            return Ok(Some(Dynamic::UNKNOWN));
        }
        let mut reader = Reader {
            rest: payload,
            path: Path::root(),
            depth: 0,
        };
        // Refinements only add knowledge: what we cannot read may be left out.
        let refinement = reader.refinement().unwrap_or_default();
        Ok(Some(Dynamic::Unknown(
            (!refinement.is_empty()).then(|| Box::new(refinement)),
        )))
    }

    fn refinement(&mut self) -> Result<Refinement, MsgpackError> {
        let mut out = Refinement::default();
        let marker = self.marker()?;
        for _ in 0..self.map_length(marker)? {
            let marker = self.marker()?;
            let key = self.number(marker)?.to_i64();
            let marker = self.marker()?;
            match key {
                Some(1) => out.not_null = marker == Marker::False,
                Some(2) => out.prefix = Some(self.text(marker, "a prefix")?),
                Some(3) => out.lower = Some(self.bound(marker)?),
                Some(4) => out.upper = Some(self.bound(marker)?),
                Some(5) => out.min_length = self.number(marker)?.to_u64(),
                Some(6) => out.max_length = self.number(marker)?.to_u64(),
                _ => return Ok(out),
            }
        }
        Ok(out)
    }

    fn bound(&mut self, marker: Marker) -> Result<(Number, bool), MsgpackError> {
        if self.array_length(marker)? != 2 {
            return Err(self.wrong("a bound", "another array"));
        }
        let marker = self.marker()?;
        let number = self.number(marker)?;
        Ok((number, self.marker()? == Marker::True))
    }

    fn bytes(&mut self, marker: Marker) -> Result<Option<&'b [u8]>, MsgpackError> {
        let length = match marker {
            Marker::FixStr(length) => length.into(),
            Marker::Str8 | Marker::Bin8 => self.length(1)?,
            Marker::Str16 | Marker::Bin16 => self.length(2)?,
            Marker::Str32 | Marker::Bin32 => self.length(4)?,
            _ => return Ok(None),
        };
        self.take(length).map(Some)
    }

    fn text(&mut self, marker: Marker, wanted: &str) -> Result<String, MsgpackError> {
        match self.bytes(marker)? {
            Some(bytes) => std::str::from_utf8(bytes)
                .map(str::to_owned)
                .map_err(|_| self.wrong(wanted, "not UTF-8")),
            None => Err(self.wrong(wanted, &name(marker))),
        }
    }

    fn number(&mut self, marker: Marker) -> Result<Number, MsgpackError> {
        let signed = |value: i64| Ok(Number::from(value));
        match marker {
            Marker::FixPos(value) => signed(value.into()),
            Marker::FixNeg(value) => signed(value.into()),
            Marker::U8 => Ok(self.uint(1)?.into()),
            Marker::U16 => Ok(self.uint(2)?.into()),
            Marker::U32 => Ok(self.uint(4)?.into()),
            Marker::U64 => Ok(self.uint(8)?.into()),
            Marker::I8 => signed((self.uint(1)? as i8).into()),
            Marker::I16 => signed((self.uint(2)? as i16).into()),
            Marker::I32 => signed((self.uint(4)? as i32).into()),
            Marker::I64 => signed(self.uint(8)? as i64),
            Marker::F32 => {
                let value = f32::from_bits(self.uint(4)? as u32);
                Number::from_f64(value.into()).ok_or_else(|| self.wrong("a number", "NaN"))
            }
            Marker::F64 => {
                let value = f64::from_bits(self.uint(8)?);
                Number::from_f64(value).ok_or_else(|| self.wrong("a number", "NaN"))
            }
            _ => {
                let text = self.text(marker, "a number")?;
                text.parse()
                    .map_err(|_| self.wrong("a number", "another text"))
            }
        }
    }

    fn array_length(&mut self, marker: Marker) -> Result<usize, MsgpackError> {
        match marker {
            Marker::FixArray(length) => Ok(length.into()),
            Marker::Array16 => self.length(2),
            Marker::Array32 => self.length(4),
            other => Err(self.wrong("an array", &name(other))),
        }
    }

    fn map_length(&mut self, marker: Marker) -> Result<usize, MsgpackError> {
        match marker {
            Marker::FixMap(length) => Ok(length.into()),
            Marker::Map16 => self.length(2),
            Marker::Map32 => self.length(4),
            other => Err(self.wrong("a map", &name(other))),
        }
    }

    fn elements(
        &mut self,
        marker: Marker,
        ty: &Type,
        set: bool,
    ) -> Result<Vec<Dynamic>, MsgpackError> {
        let length = self.array_length(marker)?;
        // The announced length is not trusted: every element takes at least a byte.
        let mut elements = Vec::with_capacity(length.min(self.rest.len()).min(1024));
        for position in 0..length {
            self.path.push(if set {
                Step::Element
            } else {
                Step::Index(position as u64)
            });
            elements.push(self.value(ty)?);
            self.path.pop();
        }
        Ok(elements)
    }

    fn tuple(&mut self, marker: Marker, types: &[Type]) -> Result<Dynamic, MsgpackError> {
        let length = self.array_length(marker)?;
        if length != types.len() {
            let seen = format!("an array of {length}");
            return Err(self.wrong(&format!("a tuple of {}", types.len()), &seen));
        }
        let mut elements = Vec::with_capacity(length);
        for (position, ty) in types.iter().enumerate() {
            self.path.push(Step::Index(position as u64));
            elements.push(self.value(ty)?);
            self.path.pop();
        }
        Ok(Dynamic::Tuple(elements))
    }

    fn map(&mut self, marker: Marker, ty: &Type) -> Result<Dynamic, MsgpackError> {
        let mut members = BTreeMap::new();
        for _ in 0..self.map_length(marker)? {
            let marker = self.marker()?;
            let key = self.text(marker, "a map key")?;
            self.path.push(Step::Key(key.clone()));
            members.insert(key, self.value(ty)?);
            self.path.pop();
        }
        Ok(Dynamic::Map(members))
    }

    fn object(
        &mut self,
        marker: Marker,
        types: &BTreeMap<String, Type>,
    ) -> Result<Dynamic, MsgpackError> {
        let mut members = BTreeMap::new();
        for _ in 0..self.map_length(marker)? {
            let marker = self.marker()?;
            let name = self.text(marker, "an attribute name")?;
            let Some(ty) = types.get(&name) else {
                let name: String = name.chars().take(60).collect();
                return Err(self.wrong("an attribute of the schema", &format!("{name:?}")));
            };
            self.path.push(Step::Attribute(name.clone().into()));
            members.insert(name, self.value(ty)?);
            self.path.pop();
        }
        match types.keys().find(|name| !members.contains_key(*name)) {
            None => Ok(Dynamic::Object(members)),
            Some(missing) => Err(self.wrong(&format!("attribute {missing:?}"), "nothing")),
        }
    }

    fn dynamic(&mut self, marker: Marker) -> Result<Dynamic, MsgpackError> {
        if self.array_length(marker)? != 2 {
            return Err(self.wrong("type and value", "another array"));
        }
        let marker = self.marker()?;
        let Some(json) = self.bytes(marker)? else {
            return Err(self.wrong("a type", &name(marker)));
        };
        let ty = Type::from_json(json).map_err(|_| self.wrong("a type", "other text"))?;
        let value = self.value(&ty)?;
        // A known value has a concrete type; an array within an array would be the only exception.
        Ok(match (ty, value) {
            (Type::Dynamic, value) => value,
            (ty, value) => Dynamic::Typed(Box::new((ty, value))),
        })
    }
}

fn name(marker: Marker) -> String {
    match marker {
        Marker::True | Marker::False => "a bool".to_owned(),
        Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => "a string".to_owned(),
        Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => "an array".to_owned(),
        Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => "a map".to_owned(),
        Marker::Null => "null".to_owned(),
        Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => "bytes".to_owned(),
        Marker::Reserved => "an invalid byte".to_owned(),
        _ => "a number or extension".to_owned(),
    }
}

/// Writes a value of the given type. Object attributes that the value lacks are written as null.
///
/// # Errors
/// The value does not fit the type.
pub fn encode(value: &Dynamic, ty: &Type) -> Result<Vec<u8>, MsgpackError> {
    let mut writer = Writer {
        out: Vec::with_capacity(128),
        path: Path::root(),
    };
    writer.value(value, ty)?;
    Ok(writer.out)
}

struct Writer {
    out: Vec<u8>,
    path: Path,
}

/// Writing into memory cannot fail; rmp's signatures do not know that.
fn sure<T, E>(_: Result<T, E>) {}

impl Writer {
    fn wrong(&self, ty: &Type, seen: &str) -> MsgpackError {
        MsgpackError::Wrong {
            path: self.path.clone(),
            wanted: ty.to_string(),
            seen: seen.to_owned(),
        }
    }

    fn value(&mut self, value: &Dynamic, ty: &Type) -> Result<(), MsgpackError> {
        match (value, ty) {
            (Dynamic::Null, _) => sure(write::write_nil(&mut self.out)),
            (Dynamic::Unknown(refinement), ty) => self.unknown(refinement.as_deref(), ty),
            (Dynamic::Typed(typed), Type::Dynamic) => {
                sure(write::write_array_len(&mut self.out, 2));
                sure(write::write_bin(
                    &mut self.out,
                    typed.0.to_json().as_bytes(),
                ));
                self.value(&typed.1, &typed.0)?;
            }
            (value, Type::Dynamic) => {
                let ty = super::conform::infer(value);
                let typed = Dynamic::Typed(Box::new((ty, value.clone())));
                self.value(&typed, &Type::Dynamic)?;
            }
            (Dynamic::Typed(typed), ty) => self.value(&typed.1, ty)?,
            (Dynamic::Bool(flag), Type::Bool) => sure(write::write_bool(&mut self.out, *flag)),
            (Dynamic::Number(number), Type::Number) => self.number(number),
            (Dynamic::String(text), Type::String) => self.text(text),
            (
                Dynamic::List(elements) | Dynamic::Set(elements) | Dynamic::Tuple(elements),
                Type::List(ty) | Type::Set(ty),
            ) => {
                sure(write::write_array_len(&mut self.out, elements.len() as u32));
                for (position, element) in elements.iter().enumerate() {
                    self.path.push(Step::Index(position as u64));
                    self.value(element, ty)?;
                    self.path.pop();
                }
            }
            (Dynamic::List(elements) | Dynamic::Tuple(elements), Type::Tuple(types))
                if elements.len() == types.len() =>
            {
                sure(write::write_array_len(&mut self.out, elements.len() as u32));
                for (position, (element, ty)) in elements.iter().zip(types).enumerate() {
                    self.path.push(Step::Index(position as u64));
                    self.value(element, ty)?;
                    self.path.pop();
                }
            }
            (Dynamic::Map(members) | Dynamic::Object(members), Type::Map(ty)) => {
                sure(write::write_map_len(&mut self.out, members.len() as u32));
                for (key, member) in members {
                    self.text(key);
                    self.path.push(Step::Key(key.clone()));
                    self.value(member, ty)?;
                    self.path.pop();
                }
            }
            (Dynamic::Map(members) | Dynamic::Object(members), Type::Object(types)) => {
                if let Some(extra) = members.keys().find(|name| !types.contains_key(*name)) {
                    self.path.push(Step::Attribute(extra.clone().into()));
                    return Err(self.wrong(ty, "an attribute that the schema lacks"));
                }
                sure(write::write_map_len(&mut self.out, types.len() as u32));
                for (name, ty) in types {
                    self.text(name);
                    self.path.push(Step::Attribute(name.clone().into()));
                    self.value(members.get(name).unwrap_or(&Dynamic::Null), ty)?;
                    self.path.pop();
                }
            }
            (value, ty) => return Err(self.wrong(ty, value.kind())),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        if is_nfc_quick(text.chars()) == IsNormalized::Yes {
            sure(write::write_str(&mut self.out, text));
        } else {
            let normal: String = text.nfc().collect();
            sure(write::write_str(&mut self.out, &normal));
        }
    }

    fn number(&mut self, number: &Number) {
        if let Some(value) = number.to_i64() {
            sure(write::write_sint(&mut self.out, value));
            return;
        }
        let double = number.to_f64();
        // Only halves, quarters, ... are exact as doubles; other decimals keep their text.
        let exact = double.is_infinite() && Number::from_f64(double).as_ref() == Some(number)
            || (double * 1024.0).fract() == 0.0
                && double.abs() < 1e12
                && Number::from_f64(double).as_ref() == Some(number);
        if exact {
            sure(write::write_f64(&mut self.out, double));
        } else {
            sure(write::write_str(&mut self.out, &number.to_string()));
        }
    }

    fn unknown(&mut self, refinement: Option<&Refinement>, ty: &Type) {
        let payload = refinement
            .filter(|_| *ty != Type::Dynamic)
            .map(refinement_payload)
            .filter(|payload| !payload.is_empty() && payload.len() <= REFINED_LIMIT);
        if let Some(payload) = payload {
            sure(write::write_ext_meta(
                &mut self.out,
                payload.len() as u32,
                REFINED,
            ));
            self.out.extend_from_slice(&payload);
        } else {
            self.out.extend_from_slice(&[0xd4, 0, 0]);
        }
    }
}

/// The payload of extension 12; empty if there is nothing to say.
fn refinement_payload(refinement: &Refinement) -> Vec<u8> {
    let mut entries = 0;
    let mut body = Writer {
        out: Vec::new(),
        path: Path::root(),
    };
    let key = |body: &mut Writer, entries: &mut u32, key: u8| {
        *entries += 1;
        body.out.push(key);
    };
    if refinement.not_null {
        key(&mut body, &mut entries, 1);
        sure(write::write_bool(&mut body.out, false));
    }
    if let Some(prefix) = &refinement.prefix {
        key(&mut body, &mut entries, 2);
        let end = prefix.floor_char_boundary(256);
        body.text(&prefix[..end]);
    }
    for (id, bound) in [(3, &refinement.lower), (4, &refinement.upper)] {
        if let Some((number, inclusive)) = bound {
            key(&mut body, &mut entries, id);
            sure(write::write_array_len(&mut body.out, 2));
            body.number(number);
            sure(write::write_bool(&mut body.out, *inclusive));
        }
    }
    for (id, length) in [(5, refinement.min_length), (6, refinement.max_length)] {
        if let Some(length) = length {
            key(&mut body, &mut entries, id);
            sure(write::write_uint(&mut body.out, length));
        }
    }
    if entries == 0 {
        return Vec::new();
    }
    let mut payload = Vec::with_capacity(body.out.len() + 1);
    sure(write::write_map_len(&mut payload, entries));
    payload.extend_from_slice(&body.out);
    payload
}
