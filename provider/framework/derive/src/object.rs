//! Structs with named fields.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, Ident, LitStr, Result};

struct Field {
    ident: Ident,
    name: String,
}

fn fields(input: &DeriveInput) -> Result<Vec<Field>> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(
            &input.ident,
            "only structs can be mapped to HCL objects",
        ));
    };
    let Fields::Named(named) = &data.fields else {
        return Err(Error::new_spanned(
            &input.ident,
            "the fields need names: they are the attributes",
        ));
    };
    let mut out = Vec::new();
    for field in &named.named {
        let Some(ident) = field.ident.clone() else {
            continue;
        };
        let text = ident.to_string();
        let mut name = text.strip_prefix("r#").unwrap_or(&text).to_owned();
        for attribute in field.attrs.iter().filter(|a| a.path().is_ident("object")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("name") {
                    name = meta.value()?.parse::<LitStr>()?.value();
                    Ok(())
                } else {
                    Err(meta.error("expected `name = \"...\"`"))
                }
            })?;
        }
        out.push(Field { ident, name });
    }
    Ok(out)
}

fn is_partial(input: &DeriveInput) -> Result<bool> {
    let mut partial = false;
    for attribute in input.attrs.iter().filter(|a| a.path().is_ident("object")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("partial") {
                partial = true;
                Ok(())
            } else {
                Err(meta.error("expected `partial`"))
            }
        })?;
    }
    Ok(partial)
}

pub fn from_value(input: &DeriveInput) -> Result<TokenStream> {
    let ident = &input.ident;
    let fields = fields(input)?;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    let names: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
    let idents: Vec<_> = fields.iter().map(|field| &field.ident).collect();
    let others = if is_partial(input)? {
        quote!()
    } else {
        quote! {
            ::framework::derive_support::refuse_others(__members, &[#(#names),*], __path, &mut __diagnostics);
        }
    };
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics ::framework::FromValue for #ident #type_generics #where_clause {
            fn from_value(
                __value: &::framework::Dynamic,
                __path: &::framework::Path,
            ) -> ::core::result::Result<Self, ::framework::Diagnostics> {
                let __members = ::framework::derive_support::members(__value, __path)?;
                let mut __diagnostics = ::framework::Diagnostics::new();
                #(let #idents = ::framework::derive_support::field(__members, #names, __path, &mut __diagnostics);)*
                #others
                match (#(#idents,)*) {
                    (#(::core::option::Option::Some(#idents),)*) if __diagnostics.is_empty() => {
                        ::core::result::Result::Ok(Self { #(#idents),* })
                    }
                    _ => ::core::result::Result::Err(__diagnostics),
                }
            }
        }
    })
}

pub fn to_value(input: &DeriveInput) -> Result<TokenStream> {
    let ident = &input.ident;
    let fields = fields(input)?;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    let names: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
    let idents: Vec<_> = fields.iter().map(|field| &field.ident).collect();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics ::framework::ToValue for #ident #type_generics #where_clause {
            fn to_value(&self) -> ::framework::Dynamic {
                let Self { #(#idents),* } = self;
                ::framework::Dynamic::object([
                    #((#names, ::framework::ToValue::to_value(#idents))),*
                ] as [(&str, ::framework::Dynamic); _])
            }
        }
    })
}
