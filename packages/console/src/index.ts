export { createConsole, type Console, type RequestContext } from "./console.ts";
export type { ConsoleOptions, Given, GivenChannel, GivenQueue, GivenStream } from "./console-options.ts";
export type { AccessOptions } from "./access/access.ts";
export type { TokenOptions } from "@keyline/tokens";
export { mountExpress } from "./mount/express.ts";
export { mountFastify } from "./mount/fastify.ts";
export { mountHono } from "./mount/hono.ts";
export { mountNode, type NodeHandler } from "./mount/node.ts";
export type { MountOptions } from "./mount/mounting.ts";
