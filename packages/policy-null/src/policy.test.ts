import { testPolicy } from "@koala/testing-policy";
import nullPolicy from "./index.ts";

testPolicy({
  policy: nullPolicy,
  validConfigs: [{ name: "nothing", config: {} }],
  invalidConfigs: [{ name: "a list", config: [], path: "" }],
});
