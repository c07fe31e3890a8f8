/** Versions of a service, made when the test runs: as if each side had been built from its own .proto file. */
import {
  create,
  createFileRegistry,
  type DescService,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  type FieldDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";

/** `["tags", 3, "repeated string"]`; the enum is `Color`. */
export type Field = readonly [name: string, number: number, type: string];

/** What differs between versions; what is left out is as in all of them. */
export interface ShopVersion {
  order?: readonly Field[];
  receipt?: readonly Field[];
  /** Names by number, from 0. */
  colors?: readonly string[];
  /** Methods, all from Order to Receipt. */
  methods?: readonly string[];
}

/** One version of `shop.v1.Shop`. */
export interface Shop {
  readonly service: DescService;
  /** `google.protobuf.FileDescriptorSet`. */
  readonly descriptorSet: Uint8Array;
}

const typeName = "shop.v1.Shop";

/** Makes a version of the service `shop.v1.Shop` of the file `shop/v1/shop.proto`. */
export function createShop(version: ShopVersion): Shop {
  const { order = [], receipt = [], colors = ["COLOR_NONE"], methods = ["Buy"] } = version;
  const set = create(FileDescriptorSetSchema, {
    file: [
      {
        name: "shop/v1/shop.proto",
        package: "shop.v1",
        syntax: "proto3",
        messageType: [
          { name: "Order", field: order.map(fieldOf) },
          { name: "Receipt", field: receipt.map(fieldOf) },
        ],
        enumType: [{ name: "Color", value: colors.map((name, number) => ({ name, number })) }],
        service: [
          {
            name: "Shop",
            method: methods.map((name) => {
              return { name, inputType: ".shop.v1.Order", outputType: ".shop.v1.Receipt" };
            }),
          },
        ],
      },
    ],
  });
  return shopOf(toBinary(FileDescriptorSetSchema, set), createFileRegistry(set));
}

function shopOf(
  descriptorSet: Uint8Array,
  registry: { getService(name: string): DescService | undefined },
): Shop {
  const service = registry.getService(typeName);
  if (service === undefined) throw new Error(`no ${typeName} in the file`);
  return { service, descriptorSet };
}

function fieldOf([name, number, type]: Field): MessageInitShape<typeof FieldDescriptorProtoSchema> {
  const [last = "", ...modifiers] = type.split(" ").reverse();
  const isRepeated = modifiers.includes("repeated");
  const label = isRepeated
    ? FieldDescriptorProto_Label.REPEATED
    : FieldDescriptorProto_Label.OPTIONAL;
  if (last === "Color") {
    const { ENUM } = FieldDescriptorProto_Type;
    return { name, jsonName: name, number, label, type: ENUM, typeName: ".shop.v1.Color" };
  }
  const key = last.toUpperCase() as keyof typeof FieldDescriptorProto_Type;
  return { name, jsonName: name, number, label, type: FieldDescriptorProto_Type[key] };
}
