//! Reading.

use std::collections::BTreeMap;

use rmp::Marker;

use super::{MsgpackError, REFINED, REFINED_LIMIT, Trail, wrong};
use crate::value::types::DEPTH_LIMIT;
use crate::value::{Dynamic, Number, Refinement, Step, Type};

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
        trail: Trail::default(),
        depth: 0,
    };
    let value = match reader.value(ty) {
        Ok(value) => value,
        Err(error) => return Err(reader.trail.locate(error)),
    };
    if reader.rest.is_empty() {
        Ok(value)
    } else {
        Err(MsgpackError::Trailing(reader.rest.len()))
    }
}

struct Reader<'b> {
    rest: &'b [u8],
    trail: Trail,
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
                other => Err(wrong("a bool", &name(other))),
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
            trail: Trail::default(),
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
            return Err(wrong("a bound", "another array"));
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
                .map_err(|_| wrong(wanted, "not UTF-8")),
            None => Err(wrong(wanted, &name(marker))),
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
                Number::from_f64(value.into()).ok_or_else(|| wrong("a number", "NaN"))
            }
            Marker::F64 => {
                let value = f64::from_bits(self.uint(8)?);
                Number::from_f64(value).ok_or_else(|| wrong("a number", "NaN"))
            }
            _ => {
                let text = self.text(marker, "a number")?;
                text.parse().map_err(|_| wrong("a number", "another text"))
            }
        }
    }

    fn array_length(&mut self, marker: Marker) -> Result<usize, MsgpackError> {
        match marker {
            Marker::FixArray(length) => Ok(length.into()),
            Marker::Array16 => self.length(2),
            Marker::Array32 => self.length(4),
            other => Err(wrong("an array", &name(other))),
        }
    }

    fn map_length(&mut self, marker: Marker) -> Result<usize, MsgpackError> {
        match marker {
            Marker::FixMap(length) => Ok(length.into()),
            Marker::Map16 => self.length(2),
            Marker::Map32 => self.length(4),
            other => Err(wrong("a map", &name(other))),
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
            let element = self.value(ty);
            let step = || {
                if set {
                    Step::Element
                } else {
                    Step::Index(position as u64)
                }
            };
            elements.push(self.trail.step(element, step)?);
        }
        Ok(elements)
    }

    fn tuple(&mut self, marker: Marker, types: &[Type]) -> Result<Dynamic, MsgpackError> {
        let length = self.array_length(marker)?;
        if length != types.len() {
            let seen = format!("an array of {length}");
            return Err(wrong(&format!("a tuple of {}", types.len()), &seen));
        }
        let mut elements = Vec::with_capacity(length);
        for (position, ty) in types.iter().enumerate() {
            let element = self.value(ty);
            let step = || Step::Index(position as u64);
            elements.push(self.trail.step(element, step)?);
        }
        Ok(Dynamic::Tuple(elements))
    }

    fn map(&mut self, marker: Marker, ty: &Type) -> Result<Dynamic, MsgpackError> {
        let mut members = BTreeMap::new();
        for _ in 0..self.map_length(marker)? {
            let marker = self.marker()?;
            let key = self.text(marker, "a map key")?;
            let member = self.value(ty);
            let member = self.trail.step(member, || Step::Key(key.clone()))?;
            members.insert(key, member);
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
                return Err(wrong("an attribute of the schema", &format!("{name:?}")));
            };
            let member = self.value(ty);
            let step = || Step::Attribute(name.clone().into());
            let member = self.trail.step(member, step)?;
            members.insert(name, member);
        }
        match types.keys().find(|name| !members.contains_key(*name)) {
            None => Ok(Dynamic::Object(members)),
            Some(missing) => Err(wrong(&format!("attribute {missing:?}"), "nothing")),
        }
    }

    fn dynamic(&mut self, marker: Marker) -> Result<Dynamic, MsgpackError> {
        if self.array_length(marker)? != 2 {
            return Err(wrong("type and value", "another array"));
        }
        let marker = self.marker()?;
        let Some(json) = self.bytes(marker)? else {
            return Err(wrong("a type", &name(marker)));
        };
        let ty = Type::from_json(json).map_err(|_| wrong("a type", "other text"))?;
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
