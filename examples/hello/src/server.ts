import { serve } from "@koala/mrpc";
import { GreetService } from "./gen/hello/v1/hello_pb.ts";

const server = await serve({ name: "greeter" }, (router) => {
  router.service(GreetService, {
    greet: ({ name }) => ({ text: `Hello, ${name}` }),
  });
});
console.log("serving greeter");
process.once("SIGTERM", () => void server.close());
