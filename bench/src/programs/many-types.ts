/** Services whose one method reaches any number of message types, as descriptors made while the program runs. */
import { create, createFileRegistry, type DescService } from "@bufbuild/protobuf";
import {
  FileDescriptorSetSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import type { SchemaName } from "../load/binding.ts";

/** What a type of an app has: a few scalars, text, bytes and a list. */
const scalars = [
  ["name", Type.STRING, Label.OPTIONAL],
  ["id", Type.INT64, Label.OPTIONAL],
  ["score", Type.DOUBLE, Label.OPTIONAL],
  ["active", Type.BOOL, Label.OPTIONAL],
  ["data", Type.BYTES, Label.OPTIONAL],
  ["tags", Type.STRING, Label.REPEATED],
] as const;

/** The service; its request and its reply are of one type, which has a field of each of the others. */
export function serviceOf({ types, tag }: SchemaName): DescService {
  const scope = `bench.${tag}`;
  // Names of fields are part of a layout, so layouts of another tag are others.
  const ownFields = scalars.map(([name, type, label], index) => ({
    name: `${name}_${tag}`,
    number: index + 1,
    type,
    label,
  }));
  const others = Array.from({ length: types - 1 }, (_, index) => `Part${index}`);
  const set = create(FileDescriptorSetSchema, {
    file: [
      {
        name: `bench/${tag}.proto`,
        package: scope,
        syntax: "proto3",
        messageType: [
          ...others.map((name, index) => ({
            name,
            // Each with a layout of its own.
            field: ownFields.map((field) => ({ ...field, number: field.number + index })),
          })),
          {
            name: "Whole",
            field: [
              ...ownFields,
              ...others.map((name, index) => ({
                name: `part${index}`,
                number: scalars.length + index + 1,
                type: Type.MESSAGE,
                label: Label.OPTIONAL,
                typeName: `.${scope}.${name}`,
              })),
            ],
          },
        ],
        service: [
          {
            name: "Many",
            method: [{ name: "Get", inputType: `.${scope}.Whole`, outputType: `.${scope}.Whole` }],
          },
        ],
      },
    ],
  });
  return createFileRegistry(set).getService(`${scope}.Many`)!;
}
