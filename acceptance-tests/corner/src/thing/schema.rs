//! An attribute of every kind.

use framework::{Attribute, Dynamic, Schema, Type, validators};

fn inner() -> [(&'static str, Attribute); 3] {
    [
        ("key", Attribute::string("A key.").required()),
        (
            "default",
            Attribute::number("Has a default.")
                .default(7)
                .validate(validators::int_between(0, 99)),
        ),
        (
            "computed",
            Attribute::string("Chosen by the provider.")
                .computed()
                .keep_known(),
        ),
    ]
}

/// The whole of it.
pub fn schema() -> Schema {
    Schema::new("An attribute of every kind.")
        .version(2)
        .attributes([
            ("id", Attribute::string("Its id.").computed().keep_known()),
            (
                "name",
                Attribute::string("Its name.")
                    .required()
                    .replace_on_change(),
            ),
            ("content", Attribute::string("What is stored.").optional()),
            (
                "behaviour",
                Attribute::string("How to misbehave.").optional(),
            ),
            (
                "size",
                Attribute::number("A size.")
                    .default(3)
                    .validate(validators::int_between(1, 9)),
            ),
            ("ratio", Attribute::number("Any number.").optional()),
            ("enabled", Attribute::bool("A flag.").default(true)),
            ("tags", Attribute::set(Type::String, "A set.").optional()),
            ("labels", Attribute::map(Type::String, "A map.").optional()),
            (
                "anything",
                Attribute::any("A value of any type.").optional(),
            ),
            (
                "secret",
                Attribute::string("Hidden.").optional().sensitive(),
            ),
            (
                "secret_wo",
                Attribute::string("Never stored.").optional().write_only(),
            ),
            (
                "secret_wo_version",
                Attribute::number("Its version.").optional(),
            ),
            (
                "single",
                Attribute::single(inner(), "One object.").optional(),
            ),
            (
                "list",
                Attribute::list_of(inner(), "A list of objects.").optional(),
            ),
            (
                "map",
                Attribute::map_of(inner(), "A map of objects.").optional(),
            ),
            (
                "set",
                Attribute::set_of(
                    [
                        ("key", Attribute::string("A key.").required()),
                        ("value", Attribute::string("A value.").default("v")),
                    ],
                    "A set of objects.",
                )
                .optional(),
            ),
            (
                "spelled",
                Attribute::string("Equal whatever its case.")
                    .optional()
                    .same_if(|a, b| {
                        let lower = |v: &Dynamic| v.as_str().map(str::to_lowercase);
                        lower(a) == lower(b)
                    }),
            ),
            (
                "protected",
                Attribute::bool("Refuses to be destroyed.").optional(),
            ),
            ("revision", Attribute::number("Counts updates.").computed()),
        ])
}
