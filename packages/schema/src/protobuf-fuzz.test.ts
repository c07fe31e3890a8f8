import { it } from "node:test";
import { runRounds } from "@koala/testing";
import { protobufRound } from "./protobuf.fuzz.ts";

it("ProtobufCodec agrees with protobuf-es and protobufjs, also on damaged bytes", () =>
  runRounds(protobufRound, 1, 60));
