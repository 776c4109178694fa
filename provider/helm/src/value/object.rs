//! Values with fields and methods of their own.

use std::any::Any;

use super::Value;

/// A parameter type of a template function or method, as Go's executor checks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `interface {}`: anything; no value arrives as [`Value::Nil`].
    Any,
    /// `reflect.Value`: anything, unchanged.
    Reflect,
    /// `string`
    Str,
    /// `bool`
    Bool,
    /// `int`
    Int,
    /// `int64`
    Int64,
    /// `float64`
    Float,
    /// `map[string]interface {}`: also a chart's values; no value arrives as a nil map.
    Map,
    /// `[]interface {}`
    List,
    /// `[]string`
    Strings,
    /// `[]uint8`
    Bytes,
    /// A type of its own, by its Go name: `time.Time`, `sprig.certificate`.
    Named(&'static str),
}

impl Type {
    /// The type as Go prints it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Reflect => "reflect.Value",
            Self::Str => "string",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Int64 => "int64",
            Self::Float => "float64",
            Self::Map => "map[string]interface {}",
            Self::List => "[]interface {}",
            Self::Strings => "[]string",
            Self::Bytes => "[]uint8",
            Self::Named(name) => name,
        }
    }

    /// Whether no value converts to the type's nil.
    pub const fn can_be_nil(self) -> bool {
        matches!(
            self,
            Self::Any | Self::Reflect | Self::Map | Self::List | Self::Strings | Self::Bytes
        )
    }
}

/// What a function or method takes.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    /// The fixed parameters.
    pub params: &'static [Type],
    /// The type of each further argument, when there may be more.
    pub variadic: Option<Type>,
}

impl Signature {
    /// Exactly these parameters.
    pub const fn fixed(params: &'static [Type]) -> Self {
        Self {
            params,
            variadic: None,
        }
    }

    /// These parameters and any number of `rest`.
    pub const fn variadic(params: &'static [Type], rest: Type) -> Self {
        Self {
            params,
            variadic: Some(rest),
        }
    }

    /// The type of the argument at `index`.
    pub fn at(&self, index: usize) -> Option<Type> {
        self.params.get(index).copied().or(self.variadic)
    }
}

/// A value that Go code would hand to a template as a struct or a named type with methods.
pub trait Object: 'static {
    /// Go's name of the type.
    fn type_name(&self) -> &'static str;

    /// Go's reflection kind: `struct`, `ptr`, `map`, `slice`.
    fn kind(&self) -> &'static str {
        "struct"
    }

    /// What the method of that name takes, if there is one. Methods win over fields.
    fn method(&self, name: &str) -> Option<Signature> {
        let _ = name;
        None
    }

    /// Calls a method that [`Self::method`] knows, with checked arguments.
    ///
    /// # Errors
    ///
    /// The method's own message.
    fn call(&self, name: &str, args: &[Value]) -> Result<Value, String> {
        let _ = args;
        Err(format!("no method {name}"))
    }

    /// A field.
    fn field(&self, name: &str) -> Option<Value> {
        let _ = name;
        None
    }

    /// The plain map or list below a named type: what `range`, `index` and `len` see.
    fn underlying(&self) -> Option<Value> {
        None
    }

    /// The number that a named type of one is, as a month.
    fn number(&self) -> Option<i64> {
        None
    }

    /// The text that `print` and `{{ . }}` give.
    fn print(&self) -> String;

    /// Appends that text: for values whose text is long.
    fn print_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.print().as_bytes());
    }

    /// The value as JSON encodes it.
    fn json(&self) -> Value {
        Value::Str(self.print().into())
    }

    /// For the functions that know the type.
    fn as_any(&self) -> &dyn Any;
}
