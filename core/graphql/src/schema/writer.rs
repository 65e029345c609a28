//! Writes types down once, for async-graphql and for [`InputTypes`].

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
    types::{InputField, InputObject, InputType, InputTypes, Scalar},
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

    fn field(self) -> Field {
        // Never called: records are read by plans, and async-graphql answers introspection alone.
        let mut field = Field::new(self.name, type_ref(&self.ty), |_| {
            FieldFuture::from_value(None)
        });
        if let Some(description) = self.description {
            field = field.description(description);
        }
        for argument in self.arguments {
            field = field.argument(argument.value());
        }
        field
    }

    fn interface_field(self) -> InterfaceField {
        let mut field = InterfaceField::new(self.name, type_ref(&self.ty));
        if let Some(description) = self.description {
            field = field.description(description);
        }
        for argument in self.arguments {
            field = field.argument(argument.value());
        }
        field
    }
}

/// Collects types.
#[derive(Default)]
pub(crate) struct SchemaWriter {
    types: Vec<async_graphql::dynamic::Type>,
    inputs: InputTypes,
    /// Fields of `Query`, in order.
    pub(crate) queries: Vec<OutputDefinition>,
    /// Fields of `Mutation`, in order.
    pub(crate) mutations: Vec<OutputDefinition>,
}

impl SchemaWriter {
    /// `Int`, `String` …: known to async-graphql, not yet to us.
    pub(crate) fn language_scalars(&mut self) {
        for name in ["Int", "Float", "String", "Boolean", "ID"] {
            if let Some(scalar) = Scalar::named(name) {
                self.inputs.insert(name, InputType::Scalar(scalar));
            }
        }
    }

    pub(crate) fn scalar(&mut self, name: &str, description: &str, specified_by: Option<&str>) {
        let mut scalar = DynamicScalar::new(name).description(description);
        if let Some(url) = specified_by {
            scalar = scalar.specified_by_url(url);
        }
        self.types.push(scalar.into());
        if let Some(scalar) = Scalar::named(name) {
            self.inputs.insert(name, InputType::Scalar(scalar));
        }
    }

    /// An enum of values and their descriptions.
    pub(crate) fn enumeration(
        &mut self,
        name: &str,
        description: Option<String>,
        structural: bool,
        values: Vec<(String, Option<String>)>,
    ) {
        let mut enumeration = Enum::new(name);
        if let Some(description) = description {
            enumeration = enumeration.description(description);
        }
        self.inputs.insert(
            name,
            InputType::Enum {
                values: values.iter().map(|(value, _)| value.clone()).collect(),
                structural,
            },
        );
        for (value, description) in values {
            let mut item = EnumItem::new(value);
            if let Some(description) = description {
                item = item.description(description);
            }
            enumeration = enumeration.item(item);
        }
        self.types.push(enumeration.into());
    }

    pub(crate) fn object(
        &mut self,
        name: &str,
        description: Option<String>,
        implements: &[&str],
        fields: Vec<OutputDefinition>,
    ) {
        let mut object = Object::new(name);
        if let Some(description) = description {
            object = object.description(description);
        }
        for interface in implements {
            object = object.implement(*interface);
        }
        for field in fields {
            object = object.field(field.field());
        }
        self.types.push(object.into());
    }

    pub(crate) fn interface(
        &mut self,
        name: &str,
        description: &str,
        implements: &[&str],
        fields: Vec<OutputDefinition>,
    ) {
        let mut interface = Interface::new(name).description(description);
        for parent in implements {
            interface = interface.implement(*parent);
        }
        for field in fields {
            interface = interface.field(field.interface_field());
        }
        self.types.push(interface.into());
    }

    pub(crate) fn union(&mut self, name: &str, description: &str, members: &[&str]) {
        let union = members.iter().fold(
            Union::new(name).description(description),
            |union, member| union.possible_type(*member),
        );
        self.types.push(union.into());
    }

    pub(crate) fn input(
        &mut self,
        name: &str,
        description: Option<String>,
        form: InputForm,
        fields: Vec<InputDefinition>,
    ) {
        let mut input = DynamicInputObject::new(name);
        if let Some(description) = description {
            input = input.description(description);
        }
        if form == InputForm::OneOf || form == InputForm::OpaqueOneOf {
            input = input.oneof();
        }
        self.inputs.insert(
            name,
            InputType::Object(InputObject {
                one_of: form == InputForm::OneOf || form == InputForm::OpaqueOneOf,
                opaque: form == InputForm::Opaque || form == InputForm::OpaqueOneOf,
                fields: fields
                    .iter()
                    .map(|field| {
                        (
                            field.name.clone(),
                            InputField {
                                ty: type_of(&field.ty),
                                has_default: field.default.is_some(),
                            },
                        )
                    })
                    .collect(),
            }),
        );
        for field in fields {
            input = input.field(field.value());
        }
        self.types.push(input.into());
    }

    /// The schema, what may be sent to it, and whether it has mutations.
    pub(crate) fn finish(
        mut self,
        extensions: Vec<Box<dyn ExtensionFactory>>,
        suggestions: bool,
    ) -> Result<(Schema, InputTypes, bool), SchemaError> {
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
        self.inputs.suggestions = suggestions;
        for extension in extensions {
            builder = builder.extension(Shared(extension.into()));
        }
        for ty in self.types {
            builder = builder.register(ty);
        }
        let schema = builder
            .finish()
            .map_err(|error| SchemaError(error.to_string()))?;
        Ok((schema, self.inputs, has_mutations))
    }
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
