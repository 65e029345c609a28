//! Derives for `relata-sdk`: typed positional values, and selects as enums.
//!
//! They only write down what an author would write by hand against the public traits, so nothing
//! here is needed to build a plugin.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::{Data, DeriveInput, Fields, LitStr, parse_macro_input, spanned::Spanned};

/// Makes a struct out of positional values: one field of the struct for each, in order.
///
/// A field's name in Relata is the Rust name in camel case; `#[field("otherName")]` gives another.
/// `#[fields(object = "member")]` on the struct also makes it a record that `records` reads.
#[proc_macro_derive(Fields, attributes(field, fields))]
pub fn derive_fields(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    fields(&input)
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}

/// Makes an enum without data out of a select's options.
///
/// An option is the variant's name in `UPPER_SNAKE`; `#[choice("OTHER")]` gives another.
#[proc_macro_derive(Choice, attributes(choice))]
pub fn derive_choice(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    choice(&input)
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}

fn fields(input: &DeriveInput) -> syn::Result<Tokens> {
    let Data::Struct(data) = &input.data else {
        return Err(syn::Error::new(
            input.span(),
            "#[derive(Fields)] takes a struct with named fields",
        ));
    };
    let Fields::Named(named) = &data.fields else {
        return Err(syn::Error::new(
            input.span(),
            "#[derive(Fields)] takes a struct with named fields",
        ));
    };

    let mut names = Vec::new();
    let mut members = Vec::new();
    for field in &named.named {
        let Some(member) = &field.ident else { continue };
        let given = literal_attribute(&field.attrs, "field")?;
        names.push(given.unwrap_or_else(|| camel_case(&member.to_string())));
        members.push(member);
    }
    let count = names.len();
    let structure = &input.ident;
    let (generics, arguments, conditions) = input.generics.split_for_impl();

    let record = object_attribute(&input.attrs)?.map(|object| {
        quote! {
            impl #generics ::relata_sdk::records::Record for #structure #arguments #conditions {
                const OBJECT: &'static str = #object;
            }
        }
    });

    Ok(quote! {
        impl #generics ::relata_sdk::Fields for #structure #arguments #conditions {
            const NAMES: &'static [&'static str] = &[#(#names),*];

            fn from_values(
                values: ::std::vec::Vec<::relata_sdk::Value>,
            ) -> ::core::result::Result<Self, ::relata_sdk::FieldsError> {
                ::relata_sdk::fields::expect_count(#count, values.len())?;
                #[allow(unused_mut, unused_variables)]
                let mut values = values.into_iter();
                ::core::result::Result::Ok(Self {
                    #(#members: ::relata_sdk::fields::next(&mut values, #names)?,)*
                })
            }
        }
        #record
    })
}

fn choice(input: &DeriveInput) -> syn::Result<Tokens> {
    let Data::Enum(data) = &input.data else {
        return Err(syn::Error::new(
            input.span(),
            "#[derive(Choice)] takes an enum",
        ));
    };
    let mut variants = Vec::new();
    let mut options = Vec::new();
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            return Err(syn::Error::new(
                variant.span(),
                "an option of a select carries no data",
            ));
        }
        let given = literal_attribute(&variant.attrs, "choice")?;
        options.push(given.unwrap_or_else(|| upper_snake(&variant.ident.to_string())));
        variants.push(&variant.ident);
    }
    let name = &input.ident;
    Ok(quote! {
        impl #name {
            /// The option as it is stored.
            pub const fn as_str(&self) -> &'static str {
                match self {
                    #(Self::#variants => #options,)*
                }
            }
        }

        impl ::relata_sdk::FromValue for #name {
            const EXPECTED: &'static str = concat!("one of", #(" ", #options),*);

            fn from_value(
                value: ::relata_sdk::Value,
            ) -> ::core::result::Result<Self, ::relata_sdk::Value> {
                match ::relata_sdk::fields::option(&value) {
                    #(::core::option::Option::Some(#options) => {
                        ::core::result::Result::Ok(Self::#variants)
                    })*
                    _ => ::core::result::Result::Err(value),
                }
            }
        }

        impl ::core::convert::From<#name> for ::relata_sdk::Value {
            fn from(choice: #name) -> Self {
                ::relata_sdk::Value::Text(::std::string::String::from(choice.as_str()))
            }
        }
    })
}

/// The text in `#[name("text")]`, if the attribute is there.
fn literal_attribute(attributes: &[syn::Attribute], name: &str) -> syn::Result<Option<String>> {
    attributes
        .iter()
        .find(|attribute| attribute.path().is_ident(name))
        .map(|attribute| Ok(attribute.parse_args::<LitStr>()?.value()))
        .transpose()
}

/// The object in `#[fields(object = "member")]`, if the attribute is there.
fn object_attribute(attributes: &[syn::Attribute]) -> syn::Result<Option<String>> {
    let mut object = None;
    for attribute in attributes {
        if !attribute.path().is_ident("fields") {
            continue;
        }
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("object") {
                return Err(meta.error("`object = \"…\"` is all that #[fields] takes"));
            }
            object = Some(meta.value()?.parse::<LitStr>()?.value());
            Ok(())
        })?;
    }
    Ok(object)
}

/// `close_date` → `closeDate`
fn camel_case(name: &str) -> String {
    let mut result = String::with_capacity(name.len());
    let mut capital = false;
    for character in name.trim_start_matches("r#").chars() {
        if character == '_' {
            capital = true;
        } else if capital {
            result.extend(character.to_uppercase());
            capital = false;
        } else {
            result.push(character);
        }
    }
    result
}

/// `InProgress` → `IN_PROGRESS`
fn upper_snake(name: &str) -> String {
    let mut result = String::with_capacity(name.len() + 4);
    for (position, character) in name.chars().enumerate() {
        if character.is_uppercase() && position > 0 {
            result.push('_');
        }
        result.extend(character.to_uppercase());
    }
    result
}

#[cfg(test)]
mod tests {
    use super::{camel_case, upper_snake};

    #[test]
    fn names_follow_the_conventions_of_the_catalogue() {
        assert_eq!(camel_case("close_date"), "closeDate");
        assert_eq!(camel_case("r#type"), "type");
        assert_eq!(camel_case("points"), "points");
        assert_eq!(upper_snake("InProgress"), "IN_PROGRESS");
        assert_eq!(upper_snake("Earn"), "EARN");
    }
}
