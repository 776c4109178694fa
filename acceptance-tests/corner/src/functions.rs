//! Functions.

use framework::{Arguments, Definition, Dynamic, Function, FunctionError, Parameter, Type};

/// Joins texts; refuses an empty one.
pub struct Join;

impl Function for Join {
    fn name(&self) -> &'static str {
        "join_all"
    }

    fn definition(&self) -> Definition {
        Definition::new(Type::String, "Joins texts", "Joins texts with a separator.")
            .parameter(Parameter::new("separator", Type::String, "Goes between."))
            .variadic(Parameter::new("texts", Type::String, "The texts."))
    }

    fn call(&self, arguments: Arguments) -> Result<Dynamic, FunctionError> {
        let separator: String = arguments.get(0)?;
        let texts: Vec<String> = arguments.rest(1)?;
        if let Some(empty) = texts.iter().position(String::is_empty) {
            let argument = 1 + u32::try_from(empty).unwrap_or(0);
            return Err(FunctionError::argument(
                argument,
                "The text must not be empty.",
            ));
        }
        Ok(texts.join(&separator).into())
    }
}

/// Gives its argument back, whatever it is.
pub struct Echo;

impl Function for Echo {
    fn name(&self) -> &'static str {
        "echo"
    }

    fn definition(&self) -> Definition {
        Definition::new(
            Type::Dynamic,
            "Gives its argument back",
            "Gives its argument back.",
        )
        .parameter(
            Parameter::new("value", Type::Dynamic, "Any value.")
                .allow_null()
                .allow_unknown(),
        )
    }

    fn call(&self, arguments: Arguments) -> Result<Dynamic, FunctionError> {
        arguments.get(0)
    }
}
