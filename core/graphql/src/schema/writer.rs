//! Writes types down once, for async-graphql and for [`super::types::InputTypes`].

use std::collections::HashSet;

use async_graphql::{
    dynamic::{
        Enum, EnumItem, Field, FieldFuture, InputObject as DynamicInputObject, InputValue,
        Interface, InterfaceField, Object, Scalar as DynamicScalar, Schema, TypeRef, Union,
    },
    extensions::ExtensionFactory,
    parser::types::{BaseType, Type},
};

use crate::guard;

use super::{
    SchemaError,
    types::{InputField, InputObject, InputType, Scalar},
};

/// A field that is written as text: `first: Int`.
#[derive(Debug, Clone)]
pub(crate) struct InputDefinition {
    pub(crate) name: String,
    pub(crate) ty: String,
    pub(crate) description: Option<String>,
    pub(crate) default: Option<async_graphql::Value>,
}

impl InputDefinition {
    pub(crate) fn new(name: impl Into<String>, ty: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ty: ty.into(),
            description: None,
            default: None,
        }
    }

    pub(crate) fn described(mut self, description: Option<String>) -> Self {
        self.description = description;
        self
    }

    pub(crate) fn default_value(mut self, value: async_graphql::Value) -> Self {
        self.default = Some(value);
        self
    }

    fn input_field(&self) -> (String, InputField) {
        let field = InputField {
            ty: type_of(&self.ty),
            has_default: self.default.is_some(),
        };
        (self.name.clone(), field)
    }

    fn value(self) -> InputValue {
        let mut value = InputValue::new(self.name, type_ref(&self.ty));
        if let Some(description) = self.description {
            value = value.description(description);
        }
        if let Some(default) = self.default {
            value = value.default_value(default);
        }
        value
    }
}

/// A field of an output type.
#[derive(Debug, Clone)]
pub(crate) struct OutputDefinition {
    pub(crate) name: String,
    pub(crate) ty: String,
    pub(crate) description: Option<String>,
    pub(crate) arguments: Vec<InputDefinition>,
}

impl OutputDefinition {
    pub(crate) fn new(name: impl Into<String>, ty: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ty: ty.into(),
            description: None,
            arguments: Vec::new(),
        }
    }

    pub(crate) fn described(mut self, description: Option<String>) -> Self {
        self.description = description;
        self
    }

    pub(crate) fn about(self, description: &str) -> Self {
        self.described(Some(description.to_owned()))
    }

    pub(crate) fn arguments(mut self, arguments: Vec<InputDefinition>) -> Self {
        self.arguments = arguments;
        self
    }

    fn field(self, known: &HashSet<String>) -> Field {
        // Never called: records are read by plans, and async-graphql answers introspection alone.
        let mut field = Field::new(self.name, type_ref(&self.ty), |_| {
            FieldFuture::from_value(None)
        });
        if let Some(description) = self.description {
            field = field.description(description);
        }
        for argument in self.arguments {
            if known.contains(base_name(&argument.ty)) {
                field = field.argument(argument.value());
            }
        }
        field
    }

    fn interface_field(self, known: &HashSet<String>) -> InterfaceField {
        let mut field = InterfaceField::new(self.name, type_ref(&self.ty));
        if let Some(description) = self.description {
            field = field.description(description);
        }
        for argument in self.arguments {
            if known.contains(base_name(&argument.ty)) {
                field = field.argument(argument.value());
            }
        }
        field
    }
}

/// A value of an enum.
pub(crate) struct EnumValue {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    /// Why nobody should send it any more.
    pub(crate) deprecated: Option<&'static str>,
}

impl From<(String, Option<String>)> for EnumValue {
    fn from((name, description): (String, Option<String>)) -> Self {
        Self {
            name,
            description,
            deprecated: None,
        }
    }
}

/// A type as it is written down.
enum Definition {
    Scalar {
        specified_by: Option<String>,
    },
    Enum {
        structural: bool,
        values: Vec<EnumValue>,
    },
    Object {
        implements: Vec<String>,
        fields: Vec<OutputDefinition>,
    },
    Interface {
        implements: Vec<String>,
        fields: Vec<OutputDefinition>,
    },
    Union {
        members: Vec<String>,
    },
    Input {
        form: InputForm,
        fields: Vec<InputDefinition>,
    },
}

struct Named {
    name: String,
    description: Option<String>,
    definition: Definition,
}

/// Collects types.
#[derive(Default)]
pub(crate) struct SchemaWriter {
    types: Vec<Named>,
    /// Fields of `Query`, in order.
    pub(crate) queries: Vec<OutputDefinition>,
    /// Fields of `Mutation`, in order.
    pub(crate) mutations: Vec<OutputDefinition>,
}

/// Known to every schema without being written down.
pub(crate) const LANGUAGE_SCALARS: [&str; 5] = ["Int", "Float", "String", "Boolean", "ID"];

impl SchemaWriter {
    fn add(&mut self, name: &str, description: Option<String>, definition: Definition) {
        self.types.push(Named {
            name: name.to_owned(),
            description,
            definition,
        });
    }

    pub(crate) fn scalar(&mut self, name: &str, description: &str, specified_by: Option<&str>) {
        let specified_by = specified_by.map(str::to_owned);
        self.add(
            name,
            Some(description.to_owned()),
            Definition::Scalar { specified_by },
        );
    }

    /// An enum of values and their descriptions.
    pub(crate) fn enumeration(
        &mut self,
        name: &str,
        description: Option<String>,
        structural: bool,
        values: Vec<impl Into<EnumValue>>,
    ) {
        let values = values.into_iter().map(Into::into).collect();
        self.add(name, description, Definition::Enum { structural, values });
    }

    pub(crate) fn object(
        &mut self,
        name: &str,
        description: Option<String>,
        implements: &[&str],
        fields: Vec<OutputDefinition>,
    ) {
        let implements = owned(implements);
        self.add(name, description, Definition::Object { implements, fields });
    }

    pub(crate) fn interface(
        &mut self,
        name: &str,
        description: &str,
        implements: &[&str],
        fields: Vec<OutputDefinition>,
    ) {
        let implements = owned(implements);
        self.add(
            name,
            Some(description.to_owned()),
            Definition::Interface { implements, fields },
        );
    }

    pub(crate) fn union(&mut self, name: &str, description: &str, members: &[&str]) {
        let members = owned(members);
        self.add(
            name,
            Some(description.to_owned()),
            Definition::Union { members },
        );
    }

    pub(crate) fn input(
        &mut self,
        name: &str,
        description: Option<String>,
        form: InputForm,
        fields: Vec<InputDefinition>,
    ) {
        self.add(name, description, Definition::Input { form, fields });
    }

    /// What may be sent, by name of its type.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = (String, InputType)> {
        self.types.iter().filter_map(|named| {
            let input = match &named.definition {
                Definition::Scalar { .. } => InputType::Scalar(Scalar::named(&named.name)?),
                Definition::Enum { structural, values } => InputType::Enum {
                    values: values.iter().map(|value| value.name.clone()).collect(),
                    structural: *structural,
                },
                Definition::Input { form, fields } => InputType::Object(InputObject {
                    one_of: form.is_one_of(),
                    opaque: matches!(form, InputForm::Opaque | InputForm::OpaqueOneOf),
                    fields: fields.iter().map(InputDefinition::input_field).collect(),
                }),
                _ => return None,
            };
            Some((named.name.clone(), input))
        })
    }

    /// The schema. What names a type that was not written down is left out: the schema of some
    /// objects has no fields that lead to others.
    pub(crate) fn finish(
        mut self,
        extensions: Vec<Box<dyn ExtensionFactory>>,
        suggestions: bool,
    ) -> Result<Schema, SchemaError> {
        let queries = std::mem::take(&mut self.queries);
        let mutations = std::mem::take(&mut self.mutations);
        let has_mutations = !mutations.is_empty();
        self.object("Query", None, &[], queries);
        if has_mutations {
            self.object("Mutation", None, &[], mutations);
        }
        let mut builder = Schema::build("Query", has_mutations.then_some("Mutation"), None)
            .limit_recursive_depth(guard::RECURSION_MAX);
        if !suggestions {
            builder = builder.disable_suggestions();
        }
        for extension in extensions {
            builder = builder.extension(Shared(extension.into()));
        }
        let known: HashSet<String> = self
            .types
            .iter()
            .map(|named| named.name.clone())
            .chain(LANGUAGE_SCALARS.map(str::to_owned))
            .collect();
        for named in self.types {
            builder = builder.register(named.registered(&known));
        }
        builder
            .finish()
            .map_err(|error| SchemaError(error.to_string()))
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

impl Named {
    /// As async-graphql has it, without what leads to unknown types.
    fn registered(self, known: &HashSet<String>) -> async_graphql::dynamic::Type {
        let Self {
            name, description, ..
        } = self;
        // Each of them has a builder of its own, with the same methods.
        macro_rules! described {
            ($made:expr) => {{
                let made = $made;
                match description {
                    Some(description) => made.description(description),
                    None => made,
                }
            }};
        }
        let outputs = |fields: Vec<OutputDefinition>| {
            fields
                .into_iter()
                .filter(|field| known.contains(base_name(&field.ty)))
        };
        match self.definition {
            Definition::Scalar { specified_by } => {
                let scalar = described!(DynamicScalar::new(name));
                match specified_by {
                    Some(url) => scalar.specified_by_url(url).into(),
                    None => scalar.into(),
                }
            }
            Definition::Enum { values, .. } => values
                .into_iter()
                .fold(described!(Enum::new(name)), |all, value| {
                    let mut item = EnumItem::new(value.name);
                    if let Some(about) = value.description {
                        item = item.description(about);
                    }
                    if let Some(reason) = value.deprecated {
                        item = item.deprecation(Some(reason));
                    }
                    all.item(item)
                })
                .into(),
            Definition::Object { implements, fields } => {
                let object = implements
                    .into_iter()
                    .fold(described!(Object::new(name)), Object::implement);
                outputs(fields)
                    .fold(object, |object, field| object.field(field.field(known)))
                    .into()
            }
            Definition::Interface { implements, fields } => {
                let interface = implements
                    .into_iter()
                    .fold(described!(Interface::new(name)), Interface::implement);
                outputs(fields)
                    .fold(interface, |interface, field| {
                        interface.field(field.interface_field(known))
                    })
                    .into()
            }
            Definition::Union { members } => members
                .into_iter()
                .filter(|member| known.contains(member))
                .fold(described!(Union::new(name)), Union::possible_type)
                .into(),
            Definition::Input { form, fields } => {
                let mut input = described!(DynamicInputObject::new(name));
                if form.is_one_of() {
                    input = input.oneof();
                }
                fields
                    .into_iter()
                    .filter(|field| known.contains(base_name(&field.ty)))
                    .fold(input, |input, field| input.field(field.value()))
                    .into()
            }
        }
    }
}

/// `Company` of `[Company!]!`.
fn base_name(ty: &str) -> &str {
    ty.trim_matches(['[', ']', '!'])
}

struct Shared(std::sync::Arc<dyn ExtensionFactory>);

impl ExtensionFactory for Shared {
    fn create(&self) -> std::sync::Arc<dyn async_graphql::extensions::Extension> {
        self.0.create()
    }
}

/// How an input object is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InputForm {
    /// Its members decide what is compiled.
    Structural,
    /// The same, and exactly one is given.
    OneOf,
    /// Handed on as it is.
    Opaque,
    /// The same, and exactly one is given.
    OpaqueOneOf,
}

impl InputForm {
    fn is_one_of(self) -> bool {
        matches!(self, Self::OneOf | Self::OpaqueOneOf)
    }
}

/// A type as the parser has it. The text is ours or has been made of checked names.
pub(crate) fn type_of(text: &str) -> Type {
    Type::new(text).unwrap_or(Type {
        base: BaseType::Named(async_graphql::Name::new(text)),
        nullable: true,
    })
}

fn type_ref(text: &str) -> TypeRef {
    fn from(ty: &Type) -> TypeRef {
        let base = match &ty.base {
            BaseType::Named(name) => TypeRef::named(name.as_str()),
            BaseType::List(inner) => TypeRef::List(Box::new(from(inner))),
        };
        if ty.nullable {
            base
        } else {
            TypeRef::NonNull(Box::new(base))
        }
    }
    from(&type_of(text))
}
