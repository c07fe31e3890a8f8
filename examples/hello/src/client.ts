import { connect } from "@koala/mrpc";
import { GreetService } from "./gen/hello/v1/hello_pb.ts";

await using mesh = await connect();
const greeter = mesh.client(GreetService, "greeter");
const { text } = await greeter.greet({ name: "Koala" }, { timeoutMs: 1000 });
console.log(text);
