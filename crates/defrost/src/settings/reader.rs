//! TOML values as serde's derived code reads them, with mistakes that keep their place.

use std::fmt::{self, Display};

use serde::de::value::StringDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use toml::{Table, Value};

use super::Problem;
use crate::error::nearest;

/// The known key that an unknown one means: by its initials (`lr` is `learning_rate`), else by resemblance.
fn nearest_key<'a>(key: &str, known: &[&'a str]) -> Option<&'a str> {
    let initials = |name: &str| name.split('_').filter_map(|word| word.chars().next()).collect::<String>();
    known
        .iter()
        .copied()
        .find(|name| name.contains('_') && initials(name) == key)
        .or_else(|| nearest(key, known.iter().copied()))
}

/// A mistake on its way out of the nested values: the path is written innermost first.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) path: Vec<String>,
    pub(super) problem: Problem,
}

impl Fault {
    fn unexpected(expected: String, got: String) -> Fault {
        Fault { path: Vec::new(), problem: Problem::Unexpected { expected, got, nearest: None } }
    }

    fn within(mut self, key: &str) -> Fault {
        self.path.push(key.to_owned());
        self
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.problem)
    }
}

impl std::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: Display>(message: T) -> Fault {
        Fault { path: Vec::new(), problem: Problem::Conflict { says: message.to_string() } }
    }

    fn invalid_type(got: Unexpected<'_>, expected: &dyn Expected) -> Fault {
        Fault::unexpected(in_words(&expected.to_string()), described(got))
    }

    fn invalid_value(got: Unexpected<'_>, expected: &dyn Expected) -> Fault {
        Fault::unexpected(in_words(&expected.to_string()), described(got))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Fault {
        Fault::unexpected(in_words(&expected.to_string()), format!("{length} entries"))
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Fault {
        let problem = Problem::Unexpected {
            expected: format!("one of `{}`", known.join("`, `")),
            got: format!("`{variant}`"),
            nearest: nearest_key(variant, known).map(str::to_owned),
        };
        Fault { path: Vec::new(), problem }
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Fault {
        let nearest = nearest_key(field, known).map(str::to_owned);
        let problem = Problem::UnknownKey { nearest, known };
        Fault { path: vec![field.to_owned()], problem }
    }

    fn missing_field(field: &'static str) -> Fault {
        Fault { path: vec![field.to_owned()], problem: Problem::Missing }
    }
}

/// serde's name of a type, in words.
fn in_words(expected: &str) -> String {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number of at least 0",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "a table",
        other => other.strip_prefix("struct ").map_or(other, |_| "a table"),
    }
    .to_owned()
}

fn described(got: Unexpected<'_>) -> String {
    match got {
        Unexpected::Bool(value) => value.to_string(),
        Unexpected::Unsigned(value) => value.to_string(),
        Unexpected::Signed(value) => value.to_string(),
        Unexpected::Float(value) => format!("{value:?}"),
        Unexpected::Str(value) => format!("{value:?}"),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a table".to_owned(),
        other => other.to_string(),
    }
}

/// A TOML value as serde sees it, with [`Fault`] as its error.
pub(super) struct Reader(pub(super) Value);

impl Reader {
    fn unexpected(&self) -> Unexpected<'_> {
        match &self.0 {
            Value::String(value) => Unexpected::Str(value),
            Value::Integer(value) => Unexpected::Signed(*value),
            Value::Float(value) => Unexpected::Float(*value),
            Value::Boolean(value) => Unexpected::Bool(*value),
            Value::Datetime(_) => Unexpected::Other("a date"),
            Value::Array(_) => Unexpected::Seq,
            Value::Table(_) => Unexpected::Map,
        }
    }
}

impl<'de> Deserializer<'de> for Reader {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::String(value) => visitor.visit_string(value),
            Value::Integer(value) => visitor.visit_i64(value),
            Value::Float(value) => visitor.visit_f64(value),
            Value::Boolean(value) => visitor.visit_bool(value),
            Value::Datetime(_) => Err(serde::de::Error::invalid_type(self.unexpected(), &visitor)),
            Value::Array(list) => visitor.visit_seq(List(list.into_iter().enumerate())),
            Value::Table(table) => visitor.visit_map(Entries { entries: table.into_iter(), entry: None }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let choices = format!("one of `{}`", known.join("`, `"));
        match self.0 {
            Value::String(name) => visitor.visit_enum(Variant { name, content: None }),
            Value::Table(table) => {
                let mut entries = table.into_iter();
                match (entries.next(), entries.next()) {
                    (Some((name, content)), None) => visitor.visit_enum(Variant { name, content: Some(content) }),
                    (None, _) => Err(Fault::unexpected(choices, "an empty table".to_owned())),
                    (Some((first, _)), Some((second, _))) => {
                        Err(Fault::unexpected(choices, format!("`{first}` and `{second}`")))
                    }
                }
            }
            _ => Err(Fault::unexpected(choices, described(self.unexpected()))),
        }
    }

    /// serde would also take a list for the fields in their order; settings have names.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Array(_) => Err(serde::de::Error::invalid_type(self.unexpected(), &visitor)),
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

impl IntoDeserializer<'_, Fault> for Reader {
    type Deserializer = Reader;

    fn into_deserializer(self) -> Reader {
        self
    }
}

struct List(std::iter::Enumerate<std::vec::IntoIter<Value>>);

impl<'de> SeqAccess<'de> for List {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        let Some((index, value)) = self.0.next() else { return Ok(None) };
        seed.deserialize(Reader(value)).map(Some).map_err(|fault| fault.within(&index.to_string()))
    }
}

struct Entries {
    entries: toml::map::IntoIter<String, Value>,
    entry: Option<(String, Value)>,
}

impl<'de> MapAccess<'de> for Entries {
    type Error = Fault;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        self.entry = self.entries.next();
        let Some((key, _)) = &self.entry else { return Ok(None) };
        let key: StringDeserializer<Fault> = key.clone().into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let (key, value) = self.entry.take().ok_or_else(|| serde::de::Error::custom("has no value"))?;
        seed.deserialize(Reader(value)).map_err(|fault| fault.within(&key))
    }
}

/// A name with its settings (`{ adamw = { weight_decay = 0.01 } }`) or without (`"adamw"`).
struct Variant {
    name: String,
    content: Option<Value>,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = Fault;
    type Variant = Variant;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Variant), Fault> {
        let name: StringDeserializer<Fault> = self.name.clone().into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match self.content {
            None => Ok(()),
            Some(_) => Err(Fault::unexpected(format!("just \"{}\"", self.name), "a table".to_owned())),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Fault> {
        let content = self.content.unwrap_or_else(|| Value::Table(Table::new()));
        seed.deserialize(Reader(content)).map_err(|fault| fault.within(&self.name))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.struct_variant(&[], visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        let content = self.content.unwrap_or_else(|| Value::Table(Table::new()));
        Reader(content).deserialize_any(visitor).map_err(|fault| fault.within(&self.name))
    }
}
