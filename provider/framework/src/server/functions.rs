//! CallFunction.

use proto_plugin::tfplugin6::{self as wire, call_function};

use super::Server;
use super::call::Call;
use super::codec::{decode, encode};
use super::panics::catch;
use crate::semantics::{Blame, Finish};
use crate::{Arguments, Diagnostics, Dynamic, FunctionError, Provider};

impl<P: Provider> Server<P> {
    pub(super) async fn call_function(
        &self,
        _: Call,
        request: call_function::Request,
    ) -> call_function::Response {
        match self.call_by_name(&request) {
            Ok(result) => call_function::Response {
                result: Some(result),
                error: None,
            },
            Err(error) => call_function::Response {
                result: None,
                error: Some(wire::FunctionError {
                    text: error.text,
                    function_argument: error.argument.map(i64::from),
                }),
            },
        }
    }

    fn call_by_name(
        &self,
        request: &call_function::Request,
    ) -> Result<wire::DynamicValue, FunctionError> {
        let function = self
            .shared
            .registry()
            .functions
            .get(request.name.as_str())
            .ok_or_else(|| {
                FunctionError::new(format!("The provider has no function {:?}.", request.name))
            })?;
        let definition = function.definition();
        let mut arguments = Vec::with_capacity(request.arguments.len());
        for (position, argument) in request.arguments.iter().enumerate() {
            let parameter = definition
                .parameter_at(position)
                .ok_or_else(|| FunctionError::new("There are more arguments than parameters."))?;
            let value = decode(Some(argument), &parameter.ty, "argument")
                .map_err(|errors| FunctionError::argument(position as u32, text(&errors)))?;
            arguments.push(value);
        }
        if arguments.len() < definition.parameters.len() {
            return Err(FunctionError::new(
                "There are fewer arguments than parameters.",
            ));
        }
        let any_unknown = !arguments.iter().all(Dynamic::is_wholly_known);
        let result = catch(|| function.call(Arguments(arguments)))
            .map_err(|errors| FunctionError::new(text(&errors)))??;
        let rule = if any_unknown {
            Finish::MayBeUnknown
        } else {
            Finish::Known
        };
        let blame = Blame {
            handler: "call",
            type_name: function.name(),
        };
        rule.value(result, &definition.returns, blame)
            .and_then(|result| encode(&result, &definition.returns))
            .map_err(|errors| FunctionError::new(text(&errors)))
    }
}

fn text(diagnostics: &Diagnostics) -> String {
    let texts: Vec<_> = diagnostics.iter().map(|d| d.detail.as_str()).collect();
    texts.join(" ")
}
