/** One streaming call of a harness, as a test sees it. */
import type { DescMessage } from "@bufbuild/protobuf";
import type { HarnessCall, Reply } from "./harness-call.ts";
import { MessageBox } from "./message-box.ts";

/** What became of a message. */
export type MessageOutcome =
  /** The call is held, and the message waits with it. */
  | "waiting"
  /** It has passed the policy. */
  | "passed"
  /** A policy has ended the call because of it. */
  | "denied"
  /** The policy has read it, and it is malformed. */
  | "malformed"
  /** The call was over before. */
  | "lost";

/** What a test may say of a message besides its fields. */
export interface MessageOptions {
  /** Its bytes are not a message of its type. */
  readonly malformed?: boolean;
}

/** A message of a stream; it changes with what happens to it. */
export class HarnessMessage {
  readonly from: "client" | "server";
  outcome: MessageOutcome = "waiting";
  /** For the harness: what the engine sees. */
  readonly box: MessageBox;

  constructor(from: "client" | "server", box: MessageBox) {
    this.from = from;
    this.box = box;
  }

  /** The message as it went on; undefined when it did not. */
  get value(): Record<string, unknown> | undefined {
    return this.outcome === "passed" ? this.box.copy() : undefined;
  }
}

/** What a stream asks of its harness. */
export interface StreamDriver {
  pass(call: HarnessCall, message: HarnessMessage): void;
}

/** A streaming call that `PolicyHarness.stream` has made. How it goes, and ends, is in `call`. */
export class HarnessStream {
  readonly call: HarnessCall;
  private readonly driver: StreamDriver;

  constructor(driver: StreamDriver, call: HarnessCall) {
    this.driver = driver;
    this.call = call;
  }

  /** The client sends a message. */
  send(fields: object = {}, options: MessageOptions = {}): HarnessMessage {
    return this.pass("client", fields, options);
  }

  /** The server sends a message, which the client receives. */
  receive(fields: object = {}, options: MessageOptions = {}): HarnessMessage {
    return this.pass("server", fields, options);
  }

  /** The server ends the call; its reply has a message only if the method does not return a stream. */
  end(reply: Reply = {}): this {
    this.call.answer(reply);
    return this;
  }

  /** The caller gives up. */
  cancel(): this {
    this.call.cancel();
    return this;
  }

  private pass(from: "client" | "server", fields: object, options: MessageOptions): HarnessMessage {
    const { desc, input, output } = this.call.source.method;
    const box =
      from === "client"
        ? new MessageBox(input, desc.input as DescMessage)
        : new MessageBox(output, desc.output as DescMessage);
    box.put(fields);
    box.isMalformed = options.malformed ?? false;
    const message = new HarnessMessage(from, box);
    this.driver.pass(this.call, message);
    return message;
  }
}
