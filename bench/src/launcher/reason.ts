import { messageOf } from "@koala/interface";

/** The first line of a message: what follows are the outputs of programs, which are shown elsewhere. */
export function reasonOf(error: unknown): string {
  const [first = ""] = messageOf(error).split("\n");
  return first;
}
