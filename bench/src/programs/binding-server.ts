/** Serves services of many types through the daemon of KOALA_PREFIX, each under its tag. */
import { connect, type ServiceImpl } from "@koala/mrpc";
import type { ServeCommand } from "../load/binding.ts";
import { obeySchemas } from "./obey-schemas.ts";

const mesh = await connect({ name: "binding-server" });
await obeySchemas<ServeCommand>({}, async ({ tag }, service) => {
  await mesh.serve({ name: tag }, (router) => {
    // A descriptor that is made at run time has no methods that the compiler knows of.
    const handlers: Record<string, () => object> = { get: () => ({}) };
    router.service(service, handlers as unknown as ServiceImpl<typeof service>);
  });
  return {};
});
await mesh.close({ graceMs: 100 });
