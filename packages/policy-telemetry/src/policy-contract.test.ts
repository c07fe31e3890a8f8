import { testPolicy } from "@koala/testing-policy";
import { telemetry } from "./policy.ts";

testPolicy({
  policy: telemetry as never,
  validConfigs: [
    { name: "defaults", config: {} },
    { name: "metrics", config: { prometheus: "127.0.0.1:0", callers: false, buckets: [0.001, 1] } },
    { name: "spans", config: { otlp: "http://127.0.0.1:1", sample: 1 } },
    {
      name: "traces that are not sampled",
      config: { otlp: "http://127.0.0.1:1", sample: 0, begin: "both" },
    },
  ],
  invalidConfigs: [
    { name: "an address without a port", config: { prometheus: "localhost" }, path: "prometheus" },
    { name: "a port that is too large", config: { prometheus: "a:65536" }, path: "prometheus" },
    { name: "another protocol", config: { otlp: "grpc://collector:4317" }, path: "otlp" },
    { name: "a query", config: { otlp: "http://collector/?a=b" }, path: "otlp" },
    {
      name: "a header with a line feed",
      config: { otlp_headers: { a: "b\nc" } },
      path: "otlp_headers.a",
    },
    { name: "a probability above 1", config: { sample: 1.5 }, path: "sample" },
    { name: "bounds out of order", config: { buckets: [1, 0.5] }, path: "buckets.1" },
    { name: "a bound of 0", config: { buckets: [0, 1] }, path: "buckets.0" },
    { name: "no room", config: { series_max: 1 }, path: "series_max" },
    { name: "an unknown key", config: { prometeus: "127.0.0.1:9464" }, path: "" },
  ],
});
