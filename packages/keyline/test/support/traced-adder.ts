// Adds a job within a span of its own, and says which that was.
import { trace } from "@opentelemetry/api";
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { Keyline } from "keyline";
import { instrument } from "keyline/telemetry";

const [, , valkey = "", prefix = "", queue = ""] = process.argv;
new NodeTracerProvider().register();
const keyline = new Keyline({ valkey, prefix });
instrument(keyline);
await trace.getTracer("adder").startActiveSpan("request", async (span) => {
  await keyline.queue(queue).add(1);
  console.log(span.spanContext().traceId);
  span.end();
});
await keyline.close();
