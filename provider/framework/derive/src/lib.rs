//! Derive macros of the provider framework: between HCL objects and Rust structs.

mod object;

use proc_macro::TokenStream;

/// Reads a struct from an object value.
///
/// Each field is the attribute of its name, or of `#[object(name = "...")]`. The object must have
/// no other attributes unless the struct says `#[object(partial)]`.
#[proc_macro_derive(FromValue, attributes(object))]
pub fn from_value(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    object::from_value(&input)
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}

/// Writes a struct as an object value.
#[proc_macro_derive(ToValue, attributes(object))]
pub fn to_value(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    object::to_value(&input)
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}
