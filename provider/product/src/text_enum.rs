//! Closed sets of words: one table gives the type, its words, its parser and its serialised form.

/// Declares an enum whose variants are written as fixed words.
macro_rules! text_enum {
    (
        $(#[$meta:meta])*
        $name:ident, $what:literal {
            $( $(#[$variant_meta:meta])* $variant:ident = $word:literal ),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $( $(#[$variant_meta])* $variant ),+ }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[ $( Self::$variant ),+ ];
            /// Every word, in the order of declaration.
            pub const WORDS: &'static [&'static str] = &[ $( $word ),+ ];

            /// The word, as written in HCL.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $word ),+ }
            }

            /// Reads the word; the problem's path is empty, for the caller to place.
            pub fn parse(text: &str) -> $crate::Checked<Self> {
                match text {
                    $( $word => Ok(Self::$variant), )+
                    other => Err(Box::new(
                        $crate::Problem::error($crate::Path::root(), concat!("unknown ", $what))
                            .seen(format!("{other:?}"))
                            .allowed($crate::text_enum::words(Self::WORDS))
                            .next("Write one of these words."),
                    )),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use text_enum;

/// `"a", "b" or "c"`.
pub(crate) fn words(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => format!("{one:?}"),
        [head @ .., last] => {
            let head: Vec<String> = head.iter().map(|word| format!("{word:?}")).collect();
            format!("{} or {last:?}", head.join(", "))
        }
    }
}

/// Serialises a type through its text form and reads it back through its parser.
macro_rules! serde_as_text {
    ($name:ty, $parse:path) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                $parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use serde_as_text;
