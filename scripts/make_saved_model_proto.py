#!/usr/bin/env python3
"""Writes proto/saved-model.proto: saved_model.proto and all that it needs, from TensorFlow's own descriptors.

    pip install -r scripts/make_models.requirements.txt
    python scripts/make_saved_model_proto.py
"""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from tensorflow.core.protobuf import saved_model_pb2

TARGET = Path(__file__).resolve().parent.parent / "proto" / "saved-model.proto"
HEAD = """// saved_model.proto and all that it needs, as TensorFlow's own descriptors have it: for SavedModels in protobuf's text format.
// Made by scripts/make_saved_model_proto.py.
//
// Every field that is not repeated is optional: TensorFlow tells a value that is there from one that is left out.
syntax = "proto3";
package tensorflow;

"""
PRIMITIVES = {
    getattr(FieldDescriptor, name): name[len("TYPE_") :].lower()
    for name in dir(FieldDescriptor)
    if name.startswith("TYPE_") and name not in ("TYPE_MESSAGE", "TYPE_ENUM", "TYPE_GROUP")
}
definitions: dict[str, str] = {}


def named(descriptor: Any) -> str:
    """One flat name for each type: what a text or a wire holds does not depend on it."""
    return descriptor.full_name.replace("tensorflow.", "").replace("google.protobuf.", "").replace(".", "_")


def type_of(field: Any) -> str:
    if field.message_type is not None:
        add_message(field.message_type)
        return named(field.message_type)
    if field.enum_type is not None:
        values = " ".join(f"{value.name} = {value.number};" for value in field.enum_type.values)
        definitions[field.enum_type.full_name] = f"enum {named(field.enum_type)} {{ {values} }}"
        return named(field.enum_type)
    return PRIMITIVES[field.type]


def field_line(field: Any) -> str:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        key, value = (field.message_type.fields_by_name[name] for name in ("key", "value"))
        return f"map<{type_of(key)}, {type_of(value)}> {field.name} = {field.number};"
    return f"{'repeated' if field.is_repeated else 'optional'} {type_of(field)} {field.name} = {field.number};"


def add_message(message: Any) -> None:
    if message.full_name in definitions:
        return
    # Before its fields are looked at: some messages hold themselves.
    definitions[message.full_name] = ""
    fields = " ".join(field_line(field) for field in message.fields)
    definitions[message.full_name] = f"message {named(message)} {{ {fields} }}"


add_message(saved_model_pb2.SavedModel.DESCRIPTOR)
lines = [
    line
    for definition in definitions.values()
    for line in textwrap.wrap(definition, 116, subsequent_indent="  ", break_on_hyphens=False)
]
TARGET.write_text(HEAD + "\n".join(lines) + "\n")
