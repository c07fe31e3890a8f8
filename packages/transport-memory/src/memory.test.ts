import { testTransport } from "@koala/testing";
import { createMemoryTransport } from "./memory.ts";

testTransport({ name: "memory", host: "127.0.0.1", create: () => createMemoryTransport() });
testTransport({
  name: "memory, smallest rings",
  host: "127.0.0.1",
  create: () => createMemoryTransport({ bytes: 4096 }),
});
