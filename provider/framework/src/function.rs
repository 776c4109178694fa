//! Functions: `provider::acme::name(...)`.

use crate::{Dynamic, FromValue, Path, Type};

/// One parameter of a function.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) ty: Type,
    pub(crate) description: String,
    pub(crate) allow_null: bool,
    pub(crate) allow_unknown: bool,
}

impl Parameter {
    /// The name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The type.
    pub const fn value_type(&self) -> &Type {
        &self.ty
    }

    /// What it means.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// A parameter; null and unknown arguments are kept away from the function.
    pub fn new(name: &'static str, ty: Type, description: impl Into<String>) -> Self {
        Self {
            name,
            ty,
            description: description.into(),
            allow_null: false,
            allow_unknown: false,
        }
    }

    /// The function takes null.
    pub fn allow_null(mut self) -> Self {
        self.allow_null = true;
        self
    }

    /// The function takes values that are not wholly known. Without it terraform does not call the
    /// function then, and takes its result for unknown.
    pub fn allow_unknown(mut self) -> Self {
        self.allow_unknown = true;
        self
    }
}

/// The signature of a function.
#[derive(Clone, Debug)]
pub struct Definition {
    pub(crate) summary: String,
    pub(crate) description: String,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) variadic: Option<Parameter>,
    pub(crate) returns: Type,
    pub(crate) deprecated: Option<String>,
}

impl Definition {
    /// A function without parameters.
    pub fn new(returns: Type, summary: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            summary: summary.into(),
            description: description.into(),
            parameters: Vec::new(),
            variadic: None,
            returns,
            deprecated: None,
        }
    }

    /// One phrase about it.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// What it does.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The parameters in order, the variadic one last.
    pub fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().chain(&self.variadic)
    }

    /// The type of the result.
    pub const fn returns(&self) -> &Type {
        &self.returns
    }

    /// Adds a parameter.
    pub fn parameter(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// Takes any number of further arguments.
    pub fn variadic(mut self, parameter: Parameter) -> Self {
        self.variadic = Some(parameter);
        self
    }

    /// Users are told to leave it; say what to use instead.
    pub fn deprecated(mut self, message: impl Into<String>) -> Self {
        self.deprecated = Some(message.into());
        self
    }

    /// The parameter of the argument at this position.
    pub(crate) fn parameter_at(&self, position: usize) -> Option<&Parameter> {
        self.parameters.get(position).or(self.variadic.as_ref())
    }
}

/// Why a call failed. Terraform underlines the argument that is named.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct FunctionError {
    /// What is wrong, in full sentences.
    pub text: String,
    /// The argument to blame, counted from zero.
    pub argument: Option<u32>,
}

impl FunctionError {
    /// An error about the call.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            argument: None,
        }
    }

    /// An error about an argument, counted from zero.
    pub fn argument(argument: u32, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            argument: Some(argument),
        }
    }
}

/// The arguments of a call, of the declared types.
#[derive(Clone, Debug)]
pub struct Arguments(pub(crate) Vec<Dynamic>);

impl Arguments {
    /// Arguments made by hand, for tests of functions.
    pub fn new(arguments: impl IntoIterator<Item = Dynamic>) -> Self {
        Self(arguments.into_iter().collect())
    }

    /// The argument at a position, as a Rust type.
    ///
    /// # Errors
    /// It does not fit; the error names the argument.
    pub fn get<T: FromValue>(&self, position: u32) -> Result<T, FunctionError> {
        let value = self.0.get(position as usize).unwrap_or(&Dynamic::Null);
        T::from_value(value, &Path::root()).map_err(|diagnostics| {
            let texts: Vec<_> = diagnostics
                .iter()
                .map(|d| {
                    if d.path.is_root() {
                        d.detail.clone()
                    } else {
                        format!("{}: {}", d.path, d.detail)
                    }
                })
                .collect();
            FunctionError::argument(position, texts.join(" "))
        })
    }

    /// All arguments from a position on, as Rust values: those of a variadic parameter.
    ///
    /// # Errors
    /// One does not fit; the error names the argument.
    pub fn rest<T: FromValue>(&self, position: u32) -> Result<Vec<T>, FunctionError> {
        (position..self.0.len() as u32)
            .map(|position| self.get(position))
            .collect()
    }
}

/// A function: pure, deterministic, without remote calls. It runs in a process whose provider was
/// never configured, and terraform compares the results of plan and apply.
pub trait Function: Send + Sync {
    /// The name, without prefix.
    fn name(&self) -> &'static str;

    /// The signature.
    fn definition(&self) -> Definition;

    /// Computes the result.
    ///
    /// # Errors
    /// What the user reads.
    fn call(&self, arguments: Arguments) -> Result<Dynamic, FunctionError>;
}
