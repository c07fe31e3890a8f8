import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Metadata } from "@grpc/grpc-js";
import { Status } from "@koala/interface";
import { RpcError } from "@koala/mrpc";
import { errorOfStatus, statusOfError } from "./call-status.ts";
import { entriesOfMetadata, metadataOfEntries } from "./grpc-metadata.ts";

describe("metadata of grpc-js", () => {
  it("has all values of a key as entries, bytes as they are", () => {
    const metadata = new Metadata();
    metadata.add("Two", "first, and more");
    metadata.add("two", "second");
    metadata.add("raw-bin", Buffer.from([0, 255]));
    const entries = entriesOfMetadata(metadata);
    assert.deepEqual(entries, [
      ["two", "first, and more"],
      ["two", "second"],
      ["raw-bin", Buffer.from([0, 255])],
    ]);
    metadata.set("two", "later");
    assert.equal(entries.length, 3);
    const back = metadataOfEntries(entries);
    assert.deepEqual(back.get("two"), ["first, and more", "second"]);
    assert.deepEqual(back.get("raw-bin"), [Buffer.from([0, 255])]);
  });

  it("percent-encodes what grpc-js refuses", () => {
    const metadata = metadataOfEntries([
      ["price", "3 €"],
      ["half", "\ud800"],
    ]);
    assert.deepEqual(metadata.get("price"), ["3%20%E2%82%AC"]);
    assert.deepEqual(metadata.get("half"), ["%EF%BF%BD"]);
  });

  it("keeps the details of a status, and says who decided", () => {
    const error = new RpcError(Status.ABORTED, "no", {
      details: Uint8Array.of(8, 10),
      metadata: [["why", "because"]],
      origin: "policy",
    });
    const status = statusOfError(error);
    assert.deepEqual([status.code, status.details], [Status.ABORTED, "no"]);
    assert.deepEqual(status.metadata.get("grpc-status-details-bin"), [Buffer.from([8, 10])]);
    assert.deepEqual(status.metadata.get("koala-origin"), ["policy"]);
    const back = errorOfStatus(status);
    assert.deepEqual([...back.details], [8, 10]);
    assert.deepEqual(back.metadata, [
      ["why", "because"],
      ["koala-origin", "policy"],
    ]);
    assert.equal(errorOfStatus({ code: 77 as Status, details: "" }).status, Status.UNKNOWN);
  });
});
