//! Writing.

use rmp::encode as write;
use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

use super::{MsgpackError, REFINED, REFINED_LIMIT, Trail, wrong};
use crate::value::{Dynamic, Number, Refinement, Step, Type, conform};

/// Writes a value of the given type. Object attributes that the value lacks are written as null.
///
/// # Errors
/// The value does not fit the type.
pub fn encode(value: &Dynamic, ty: &Type) -> Result<Vec<u8>, MsgpackError> {
    let mut writer = Writer {
        out: Vec::with_capacity(128),
        trail: Trail::default(),
    };
    match writer.value(value, ty) {
        Ok(()) => Ok(writer.out),
        Err(error) => Err(writer.trail.locate(error)),
    }
}

struct Writer {
    out: Vec<u8>,
    trail: Trail,
}

/// Writing into memory cannot fail; rmp's signatures do not know that.
fn sure<T, E>(_: Result<T, E>) {}

impl Writer {
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
                let ty = conform::infer(value);
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
                    let written = self.value(element, ty);
                    let step = || Step::Index(position as u64);
                    self.trail.step(written, step)?;
                }
            }
            (Dynamic::List(elements) | Dynamic::Tuple(elements), Type::Tuple(types))
                if elements.len() == types.len() =>
            {
                sure(write::write_array_len(&mut self.out, elements.len() as u32));
                for (position, (element, ty)) in elements.iter().zip(types).enumerate() {
                    let written = self.value(element, ty);
                    let step = || Step::Index(position as u64);
                    self.trail.step(written, step)?;
                }
            }
            (Dynamic::Map(members) | Dynamic::Object(members), Type::Map(ty)) => {
                sure(write::write_map_len(&mut self.out, members.len() as u32));
                for (key, member) in members {
                    self.text(key);
                    let written = self.value(member, ty);
                    self.trail.step(written, || Step::Key(key.clone()))?;
                }
            }
            (Dynamic::Map(members) | Dynamic::Object(members), Type::Object(types)) => {
                if let Some(extra) = members.keys().find(|name| !types.contains_key(*name)) {
                    let error = wrong(&ty.to_string(), "an attribute that the schema lacks");
                    return self
                        .trail
                        .step(Err(error), || Step::Attribute(extra.clone().into()));
                }
                sure(write::write_map_len(&mut self.out, types.len() as u32));
                for (name, ty) in types {
                    self.text(name);
                    let member = members.get(name).unwrap_or(&Dynamic::Null);
                    let written = self.value(member, ty);
                    let step = || Step::Attribute(name.clone().into());
                    self.trail.step(written, step)?;
                }
            }
            (value, ty) => return Err(wrong(&ty.to_string(), value.kind())),
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
        trail: Trail::default(),
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
