export { gateway, type Gateway } from "./gateway.ts";
export type { GatewayOptions } from "./gateway-options.ts";
export { startGateway, type StandaloneGateway, type StandaloneOptions } from "./start-gateway.ts";
export type { Revocation } from "./access/revocations.ts";
export type { AccessOptions } from "./access/token-verifier.ts";
export type { ChannelDoor, ChannelDoors } from "./channels/doors.ts";
export type { GatewayLimits } from "./limits/options.ts";
export type { MetricsOptions } from "./operations/metrics-routes.ts";
export type { GatewayQueue } from "./queues/queue-routes.ts";
